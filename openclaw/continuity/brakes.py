"""What happens when budgets are used up while sub-agents run: people are told, and what has `halt` is halted."""

from __future__ import annotations

from collections.abc import Sequence

from openclaw.sessions import budgets, gauge
from openclaw.sessions.fleet import Fleet
from openclaw.store.sessions import Session
from openclaw.usage import budgets as limits
from openclaw.usage.budgets import Budget, Standing

SPENT = "spent-halt"  # the threshold of a crossing: a budget that others spend too, or one in dollars


def look(fleet: Fleet, live: Sequence[Session]) -> tuple[dict[str, str], list[str]]:
    """By session, why it is to be halted; and what was told just now, a line each. BadInput: a budget that is none.

    Whoever is idle spends nothing: it is halted in its next turn, but for a budget of its own.
    """
    found = [_own(session, usd) for session in live if (usd := session.budget_usd)]
    idle = {session.id for session in live if session.status == "idle"}
    busy: dict[Standing, set[str]] = {}
    if limits.arm(fleet.settings):
        meter = budgets.Gauge(fleet, gauge.programs(fleet.settings))
        spenders = meter.spenders(fleet.store, live, meter.needs)
        for standing in meter.look(fleet.store, spenders, fleet.now()):
            found.append(standing)
            theirs = {each.id for each in spenders if meter.subject(standing.budget, each) == standing.subject}
            busy[standing] = theirs - idle
    told = [f"{budgets.title(standing)}: {budgets.text(standing)}" for standing in budgets.tell(fleet, found)]
    halted: dict[str, str] = {}
    for standing in found:
        if standing.level == "full" and standing.budget.halt:
            for id in [standing.subject] if standing.budget.per == "session" else busy[standing]:
                halted.setdefault(id, why(standing))
    return halted, told


def _own(session: Session, usd: float) -> Standing:
    """Of a budget that was given to it alone."""
    own = Budget("--budget-usd", "session", usd=usd, halt=True, source="--budget-usd")
    return Standing(own, "usd", usd, session.cost_usd, subject=session.id)


def why(standing: Standing) -> str:
    """For the one that is halted."""
    spent = f"{standing.shown(standing.spent)} of {standing.shown(standing.limit)} spent"
    return f"{standing.called} is used up: {spent}" + (f", free again at {standing.frees_at}" * bool(standing.frees_at))
