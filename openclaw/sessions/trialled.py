"""What a trial has found so far: its pairs by type, who did well, at what cost, and whether A may take over."""

from __future__ import annotations

from typing import Any, NamedTuple

from openclaw.models import catalogue, comparing, rules
from openclaw.models.catalogue import TIERS, Model
from openclaw.models.comparing import Finding, Tally
from openclaw.models.rules import Rules
from openclaw.sessions.fleet import Fleet
from openclaw.store import outcomes, trials
from openclaw.store.trials import Pair, Trial


class Line(NamedTuple):
    """One type of task. Costs are dollars of the pairs where both are known, `priced` of them."""

    kind: str
    pairs: int
    tally: Tally
    a_usd: float
    b_usd: float
    priced: int
    finding: Finding
    entry: str  # what in routing.yaml would give A such work

    def as_json(self) -> dict[str, Any]:
        tally, finding = self.tally, self.finding
        return {
            "type": self.kind, "pairs": self.pairs, "judged": tally.n, "a_good": tally.good_a, "b_good": tally.good_b,
            "only_a": tally.only_a, "only_b": tally.only_b, "chance": finding.chance, "a_usd": self.a_usd,
            "b_usd": self.b_usd, "priced": self.priced, "may_take_over": finding.word == "yes", "verdict": finding.said,
            "routing": self.entry if finding.word == "yes" else None,
        }  # fmt: skip


class Report(NamedTuple):
    """`unjudged` pairs wait for somebody's verdict; `skipped` counts reasons."""

    trial: Trial
    lines: list[Line]
    working: int
    unjudged: list[Pair]
    skipped: dict[str, int]

    def as_json(self) -> dict[str, Any]:
        shown = self.trial._asdict() | {"types": self.trial.kinds, "running": self.trial.stopped_at is None}
        return {
            "trial": shown,
            "types": [line.as_json() for line in self.lines],
            "working": self.working,
            "unjudged": [pair._asdict() for pair in self.unjudged],
            "skipped": self.skipped,
        }


def report(fleet: Fleet, trial: Trial) -> Report:
    """As it stands; `trial.collect` brings it up to date first."""
    known = rules.load(fleet.settings)
    pairs = trials.pairs(fleet.store, trial.number)
    ended = [pair for pair in pairs if pair.state == "ended"]
    judged: dict[str, list[tuple[bool, bool]]] = {}
    unjudged: list[Pair] = []
    for pair in ended:
        a, b = outcomes.of(fleet.store, pair.shadow_id), outcomes.of(fleet.store, pair.session_id)
        if a and b:
            judged.setdefault(pair.kind, []).append((a.good, b.good))
        else:
            unjudged.append(pair)
    lines = []
    for kind in dict.fromkeys(pair.kind for pair in ended):
        own = [pair for pair in ended if pair.kind == kind]
        both = [(p.a_usd, p.b_usd) for p in own if p.a_usd is not None and p.b_usd is not None]
        known_pairs = comparing.tally(judged.get(kind, ()))
        finding = comparing.judge(known_pairs, trial.margin, trial.pairs, known.chances[own[0].risk])
        a_usd, b_usd = sum(a for a, _ in both), sum(b for _, b in both)
        entry = _entry(known, kind, own[0].risk, catalogue.load(fleet.settings).get(trial.a))
        lines.append(Line(kind, len(own), known_pairs, a_usd, b_usd, len(both), finding, entry))
    skipped: dict[str, int] = {}
    for pair in pairs:
        if pair.state == "skipped":
            skipped[pair.why] = skipped.get(pair.why, 0) + 1
    return Report(trial, lines, len(pairs) - len(ended) - sum(skipped.values()), unjudged, skipped)


def _entry(known: Rules, kind: str, risk: str, model: Model) -> str:
    """The lines of a routing.yaml with which this model gets this type of task."""
    old = known.kinds.get(kind, known.default)
    parts = [f"tier: {model.tier}", f"risk: {risk}"]
    parts += [f"window: {old.window}"] if old.window else []
    parts += ["tools: true"] if old.tools else []
    entry = f"kinds: {{{kind}: {{{', '.join(parts)}, prefer: [\"{model.name}\"]}}}}"
    below = TIERS.index(model.tier) < TIERS.index(known.floors[risk])
    return entry + (f" and floors: {{{risk}: {model.tier}}}" if below else "")
