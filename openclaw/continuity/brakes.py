"""What happens when budgets are used up while sub-agents run: people are told, and what has `halt` is halted."""

from __future__ import annotations

from collections.abc import Sequence

from openclaw.sessions import budgets, gauge
from openclaw.sessions.fleet import Fleet
from openclaw.store.sessions import Session
from openclaw.usage import budgets as limits
from openclaw.usage.budgets import Standing

SPENT = "spent-halt"  # the threshold of a crossing: a budget that others spend too, or one in dollars


def look(fleet: Fleet, live: Sequence[Session]) -> tuple[dict[str, str], list[str]]:
    """By session, why it is to be halted; and what was told just now, a line each. BadInput: a budget that is none.

    Whoever is idle spends nothing: it is halted in its next turn, but for a budget of its own.
    """
    if not limits.arm(fleet.settings):
        return {}, []
    meter = budgets.Gauge(fleet, gauge.programs(fleet.settings))
    spenders = meter.spenders(fleet.store, live, meter.needs)
    found = meter.look(fleet.store, spenders, fleet.now())
    told = [f"{budgets.title(standing)}: {budgets.text(standing)}" for standing in budgets.tell(fleet, found)]
    halted: dict[str, str] = {}
    idle = {session.id for session in live if session.status == "idle"}
    for standing in found:
        budget = standing.budget
        if standing.level == "full" and budget.halt:
            theirs = [s.id for s in spenders if meter.subject(budget, s) == standing.subject]
            for id in theirs if budget.per == "session" else set(theirs) - idle:
                halted.setdefault(id, why(standing))
    return halted, told


def why(standing: Standing) -> str:
    """For the one that is halted."""
    spent = f"{standing.shown(standing.spent)} of {standing.shown(standing.limit)} spent"
    return f"{standing.called} is used up: {spent}" + (f", free again at {standing.frees_at}" * bool(standing.frees_at))
