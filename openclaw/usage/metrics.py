"""Figures over the ledger, each with the bound it should keep and what to do where it doesn't."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any, NamedTuple

from openclaw.settings import Settings
from openclaw.store import cache_uses, figures, ledger
from openclaw.store.ledger import NOTHING, Sums

LAST = "~"  # after every day, and after what is none
DAYS = {"day": 1, "week": 7, "month": 30}


class Period(NamedTuple):
    """Days in UTC, both of them too."""

    since: str
    until: str


class Figure(NamedTuple):
    """One figure. `value` is None where nothing is known, `limit` where it has no bound, `ok` without either."""

    name: str
    value: float | None
    unit: str
    limit: float | None = None
    least: bool = False  # the limit is what it has to reach
    action: str = ""

    @property
    def ok(self) -> bool | None:
        if self.value is None or self.limit is None:
            return None
        return self.value >= self.limit if self.least else self.value <= self.limit

    def as_json(self) -> dict[str, Any]:
        action = self.action if self.ok is False else ""
        return {"name": self.name, "value": self.value, "unit": self.unit, "limit": self.limit, "ok": self.ok} | (
            {"action": action} if action else {}
        )


class View(NamedTuple):
    """What figures are made from."""

    store: sqlite3.Connection
    settings: Settings
    period: Period

    def sums(self, *by: str, where: str = "") -> list[tuple[tuple[str, ...], Sums]]:
        return ledger.sums(self.store, by, *self.period, where=where)

    def total(self, where: str = "") -> Sums:
        found = self.sums(where=where)
        return found[0][1] if found else NOTHING

    def limit(self, key: str) -> float:
        return float(self.settings.get(f"alerts.{key}"))


def period(now: float, name: str) -> Period:
    """The last day, week or month up to `now` (epoch seconds); all for no name. Today is the last day of it."""
    import time

    def day(at: float) -> str:
        return time.strftime("%Y-%m-%d", time.gmtime(at))

    return Period(day(now - 86400 * (DAYS[name] - 1)), day(now)) if name else Period("", LAST)


def tokens_per_turn(view: View) -> list[Figure]:
    isolated, total = view.total("isolated"), view.total()
    found = figures.injected(view.store, *view.period)
    turns = [each for each in found if each.sessions]
    weighted = sum(each.per_turn * each.sessions for each in turns) / max(1, sum(each.sessions for each in turns))
    return [
        Figure("injected per turn", round(weighted, 1) if turns else None, "tokens", view.limit("injected_per_turn"),
               action="audit: find missing isolations"),
        Figure("sent per turn", _per(total.sent, total.turns), "tokens"),
        Figure("sent per turn of sub-agents", _per(isolated.sent, isolated.turns), "tokens"),
        Figure("new per turn", _per(total.input + total.cache_write + total.output, total.turns), "tokens"),
    ]  # fmt: skip


def session_isolation(view: View) -> list[Figure]:
    main, total = view.total("main"), view.total()
    share = _per(100 * main.tokens, total.tokens)
    return [
        Figure("tokens of main sessions", share, "%", view.limit("main_share"),
               action="review: is background work creeping in?"),
        Figure("tokens of sub-agents", None if share is None else round(100 - share, 1), "%"),
    ]  # fmt: skip


def injection(view: View) -> list[Figure]:
    by_type = {each.type: each for each in figures.injected(view.store, *view.period)}
    cron = by_type.get("cron")
    others = [each for name, each in by_type.items() if name not in ("cron", "heartbeat", "direct-chat")]
    count = sum(each.sessions for each in others)
    mean = _per(sum(each.tokens * each.sessions for each in others), count)
    return [
        Figure("injected for a cron job", round(cron.tokens, 1) if cron else None, "tokens", view.limit("cron_tokens"),
               action="increase batching"),
        Figure("injected for a sub-agent", mean, "tokens", view.limit("subagent_tokens"),
               action="reduce the injection scope"),
    ]  # fmt: skip


def compaction(view: View) -> list[Figure]:
    found = figures.compactions(view.store, *view.period)
    before, after = sum(b for b, _ in found), sum(a for _, a in found)
    saved = _per(100 * (before - after), before)
    return [
        Figure("compactions", float(len(found)), ""),
        Figure("a compaction saves", saved, "%", view.limit("compaction_saves"), True, "adjust the trigger thresholds"),
    ]


def cost(view: View) -> list[Figure]:
    total = view.total()
    days = [sums.cost_usd for _, sums in view.sums("day")]
    return [
        Figure("paid", round(total.cost_usd, 6), "$"),
        Figure("the dearest day", round(max(days), 6) if days else None, "$", view.limit("daily_usd"),
               action="review and optimize"),
        Figure("turns without a known price", float(total.unpriced), "turns"),
    ]  # fmt: skip


def cache(view: View) -> list[Figure]:
    total = view.total()
    return [
        Figure("input that came from caches", _per(100 * total.cache_read, total.sent), "%"),
        Figure("input that was written into caches", _per(100 * total.cache_write, total.sent), "%"),
        *_reused(view),
    ]


def _reused(view: View) -> list[Figure]:
    """Of the results that openclaw keeps itself; nothing where none was asked for."""
    uses = cache_uses.uses(view.store, *view.period)
    if not uses:
        return []
    hits, asked = sum(each.hits for each in uses), sum(each.hits + each.misses for each in uses)
    return [
        Figure("results that were known", _per(100 * hits, asked), "%"),
        Figure("and were used again", float(hits), "times"),
        Figure("tokens that this spared", float(sum(each.tokens for each in uses)), "tokens"),
        Figure("what they had cost", round(sum(each.cost_usd for each in uses), 6), "$"),
    ]


class Share(NamedTuple):
    """A step of the routing: the percent of all turns it has had (None: there are none), and what is meant for it."""

    step: str
    percent: float | None
    meant: float


def shares(view: View) -> list[Share]:
    """How the turns are spread over the steps of the routing."""
    from openclaw.models import catalogue, rules  # only here is a tier asked for

    known, meant = catalogue.load(view.settings), rules.load(view.settings).shares
    turns = dict.fromkeys(meant, 0)
    for (name,), sums in view.sums("model"):
        model = known.find(name) or next((m for m in known.models.values() if m.id == name), None)
        step = model.tier if model and model.tier in turns else "paid"
        turns[step] = turns.get(step, 0) + sums.turns
    total = sum(turns.values())
    return [Share(step, _per(100 * n, total), meant.get(step, 0)) for step, n in turns.items()]


def models(view: View) -> list[Figure]:
    """How the turns are spread, beside what is meant."""
    found = [Figure(f"turns on {each.step} (meant: {each.meant:g} %)", each.percent, "%") for each in shares(view)]
    return [*found, Figure("fallbacks", float(figures.fallbacks(view.store, *view.period)), "")]


def skills(view: View) -> list[Figure]:
    found = figures.skills(view.store, *view.period)
    return [Figure(f"{name}, used {count} times", round(tokens, 1), "tokens") for name, count, tokens in found]


FILTERS: dict[str, Callable[[View], list[Figure]]] = {
    "tokens_per_turn": tokens_per_turn, "session_isolation": session_isolation, "injection": injection,
    "compaction": compaction, "cost": cost, "cache": cache, "models": models, "skills": skills,
}  # fmt: skip
OVERVIEW = ("cost", "tokens_per_turn", "session_isolation", "injection", "cache")


def alerts(view: View) -> list[Figure]:
    """Everything that has a bound, today's contexts too."""
    found = [figure for name, make in FILTERS.items() if name != "models" for figure in make(view)]
    largest = figures.largest_context(view.store, *view.period)
    for name, what, action in (
        ("heartbeat", "context of a heartbeat", "look for what makes it grow"),
        ("main", "context of the main session", "force a compaction"),
    ):
        value = float(largest[name]) if name in largest else None
        found.append(Figure(what, value, "tokens", view.limit(f"{name}_context"), action=action))
    return [figure for figure in found if figure.limit is not None]


def _per(amount: float, of: float) -> float | None:
    return round(amount / of, 1) if of else None
