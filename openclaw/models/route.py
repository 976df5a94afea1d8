"""Which model a task is given to: the cheapest that is good enough and can be used now, and what follows if it fails.

Nothing is spent, and nobody outside this machine is asked: a key that is set counts as good until the model fails.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.agents.registry import Agent
from openclaw.errors import Unavailable
from openclaw.models import reach
from openclaw.models.catalogue import TIERS, Catalogue, Model
from openclaw.models.rules import Judged
from openclaw.settings import Settings

# What one run of a sub-agent uses, as far as nothing is known: input, cache write, cache read, output. Of what is sent
# again with every turn, most comes from caches.
TYPICAL = (6_000, 2_000, 60_000, 3_000)
ROOM = 4_000  # tokens that an answer and the first results of tools need beside the prompt


class Step(NamedTuple):
    """One model of the chain, with the program that asks it and the name this has to be told."""

    model: str
    agent: str
    told: str
    tier: str
    usd: float | None  # of a typical run; None: nobody knows
    success: float | None = None  # how likely it is to succeed; None: nothing was learned


class Choice(NamedTuple):
    """What was decided. `chain` begins with the one that was chosen; empty when nothing can be used."""

    judged: Judged
    chain: tuple[Step, ...]
    rejected: tuple[tuple[str, str, str], ...]  # model, program, why
    probability: float = 1.0  # that this one would be chosen: less where chance had a say

    @property
    def chosen(self) -> Step | None:
        return self.chain[0] if self.chain else None

    def as_json(self) -> dict[str, Any]:
        first = self.chosen
        kind = self.judged.kind
        return {
            "type": kind.name,
            "tier": self.judged.tier,
            "risk": self.judged.risk,
            "floor": self.judged.floor,
            "why": self.judged.why,
            "needs": {"tools": kind.tools, "window": kind.window},
            "model": first and first.model,
            "agent": first and first.agent,
            "told": first and first.told,
            "model_tier": first and first.tier,
            "cost_usd": first and first.usd,
            "success": first and first.success,
            "probability": self.probability,
            "chain": [step._asdict() for step in self.chain],
            "rejected": [{"model": model, "agent": agent, "why": why} for model, agent, why in self.rejected],
            "explanation": explain(self),
        }


# Puts steps, given cheapest first, into the order in which they are tried, by what was learned; how likely that was.
Learned = Callable[[Judged, list[Step]], tuple[list[Step], float]]

# Why one can't be used now though it answers: a budget that is used up, the limit of a subscription; else empty.
Barred = Callable[[Step], str]


def route(
    judged: Judged,
    known: Catalogue,
    agents: Mapping[str, Agent],
    settings: Settings,
    *,
    only: Collection[str] = (),
    tokens: int = 0,
    barred: Barred = lambda step: "",
    learned: Learned | None = None,
) -> Choice:
    """`only` these programs; the prompt has so many `tokens`; what is `barred` is not used."""
    kind, lowest = judged.kind, TIERS.index(judged.floor)
    needed = max(kind.window, tokens + ROOM if tokens else 0)
    fitting: list[Model] = []
    rejected: list[tuple[str, str, str]] = []
    for model in known.models.values():
        if why := _unfit(model, kind.tools, needed, lowest):
            rejected.append((model.name, "", why))
        else:
            fitting.append(model)
    steps: list[Step] = []
    quick, url = reach.QUICK_SECONDS, settings.get("local.url")
    asked = [m._replace(agents={a: t for a, t in m.agents.items() if not only or a in only}) for m in fitting]
    for each in reach.look(known, asked, agents, settings.environ, quick, url, remote=False):
        model = known.models[each.model]
        price = known.paid(model.name, each.agent)
        usd = price.cost(*TYPICAL) if price else None
        if not each.ok:
            rejected.append((each.model, each.agent, each.why))
        elif why := barred(step := Step(each.model, each.agent, each.told, model.tier, usd)):
            rejected.append((each.model, each.agent, why))
        else:
            steps.append(step)
    chain, probability = _ordered(judged, steps, learned)
    return Choice(judged, tuple(chain), tuple(rejected), probability)


def must(choice: Choice) -> Step:
    """The one that was chosen. Unavailable when nothing can be used, with what would help."""
    if choice.chosen:
        return choice.chosen
    near = "; ".join(f"{model}: {why}" for model, agent, why in choice.rejected if agent)[:200]
    raise Unavailable(
        f"no model for this: {choice.judged.kind.name} needs {choice.judged.tier}, and never less than"
        f" {choice.judged.floor}",
        near or "`openclaw models check` says what can be used",
        code="no_model",
    )


def _unfit(model: Model, tools: bool, needed: int, lowest: int) -> str:
    if TIERS.index(model.tier) < lowest:
        return f"{model.tier} is below the floor"
    if tools and model.tools is False:
        return "it can't use tools"
    if model.window is not None and model.window < needed:
        return f"its window of {model.window:,} tokens is smaller than {needed:,}"
    return ""


def _ordered(judged: Judged, steps: Sequence[Step], learned: Learned | None) -> tuple[list[Step], float]:
    """Those that are good enough, cheapest first, as far as nothing was learned; then the best of the others."""
    need = TIERS.index(judged.tier)

    def cheap(step: Step) -> tuple[float, int, int]:
        preferred = judged.kind.prefer.index(step.model) if step.model in judged.kind.prefer else len(TIERS)
        return (float("inf") if step.usd is None else round(step.usd, 6), TIERS.index(step.tier), preferred)

    good = sorted((s for s in steps if TIERS.index(s.tier) >= need), key=cheap)
    lesser = sorted((s for s in steps if TIERS.index(s.tier) < need), key=lambda s: (-TIERS.index(s.tier), cheap(s)))
    if not learned:
        return good + lesser, 1.0
    (good, chance), (lesser, of_lesser) = learned(judged, good), learned(judged, lesser)
    return good + lesser, chance if good else of_lesser


def explain(choice: Choice) -> str:
    """One paragraph for people: what the task is, what it needs, what was chosen and what was not."""
    judged, kind, first = choice.judged, choice.judged.kind, choice.chosen
    about = f" ({kind.about})" if kind.about and kind.about != judged.why else ""
    text = f"This is {kind.name}{about}: {judged.why}. The risk is {judged.risk}, so it never goes below {judged.floor}"
    needs = [judged.tier, *(["tools"] if kind.tools else []), *([f"{kind.window:,} tokens"] if kind.window else [])]
    text += (
        f"; {judged.tier} is good enough." if len(needs) == 1 else f"; it needs {' , '.join(needs)}.".replace(" ,", ",")
    )
    if first:
        below = TIERS.index(first.tier) < TIERS.index(judged.tier)
        why = "the best that can be used now, though less than wanted" if below else "the cheapest that is good enough"
        text += f" {first.model} ({first.tier}, asked by {first.agent} as {first.told}) is {why} and can be used now"
        text += ", at no cost" if first.usd == 0 else f", at about ${first.usd:.3f} a run" if first.usd else ""
        if first.success is not None:
            text += f", with a chance of success of {first.success:.0%} by what was learned"
        rest = [step.model for step in choice.chain[1:4]]
        text += f"; if it fails, {', then '.join(rest)}." if rest else "; nothing follows if it fails."
    else:
        text += " Nothing that is good enough can be used now."
    away = [f"{model} ({why})" for model, agent, why in choice.rejected if agent]
    return text + (f" Left out: {', '.join(away[:3])}{' and others' if len(away) > 3 else ''}." if away else "")
