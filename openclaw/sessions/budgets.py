"""Admission by budgets: what is spent, what live sub-agents may still need, and whether one more fits.

A new sub-agent holds what it may need from the moment it is admitted, in the transaction that admits it: however many
ask at once, together they can't take more than one after the other could.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from openclaw.agents.registry import Agent
from openclaw.errors import Refused
from openclaw.models.route import TYPICAL
from openclaw.sessions.fleet import Fleet
from openclaw.store import brakes, db, inbox
from openclaw.store.sessions import Session
from openclaw.usage import budgets
from openclaw.usage.budgets import Standing
from openclaw.usage.spending import Meter, Spender


class Gauge(Meter):
    """A meter that knows what sub-agents may need, by their programs, models and own budgets."""

    def __init__(self, fleet: Fleet, agents: Mapping[str, Agent]) -> None:
        super().__init__(fleet.settings, budgets.load(fleet.settings))
        self.settings, self.agents = fleet.settings, agents
        self._bounds = [b for b in self.budgets if b.per == "session" and b.halt]

    def needs(self, session: Session) -> tuple[float, float]:
        """Dollars and tokens that a sub-agent may need in all: by its own budgets, or as a typical one; and no more
        than a budget at which it is halted."""
        agent = self.agents.get(session.agent)
        if agent is None or agent.usage == "none":
            return 0.0, 0.0
        price = self.known.paid(session.model or "", session.agent) if self.known else None
        usd = price.cost(*TYPICAL) if price else self.settings.get("budgets.hold_usd")
        usd = session.budget_usd or usd
        tokens = float(session.budget_tokens or self.settings.get("budgets.hold_tokens"))
        for budget in self._bounds:
            if not budget.job and self.subject(budget, Spender(session.id, session.model or "", ("", ""))) is not None:
                usd, tokens = min(usd, budget.usd or usd), min(tokens, float(budget.tokens or tokens))
        return usd, tokens

    def standings(self, store: sqlite3.Connection, live: Sequence[Session], now: str) -> list[Standing]:
        """How every budget stands."""
        return self.look(store, self.spenders(store, live, self.needs), now)

    def check(self, store: sqlite3.Connection, live: Sequence[Session], rows: Sequence[Session], now: str) -> None:
        """Refused(budget) when these are more than a budget has left; the caller holds the transaction."""
        asking = [each for each in self.spenders(store, rows, self.needs) if each.usd or each.tokens]
        if not asking:
            return  # what uses nothing is no matter of budgets
        held = self.spenders(store, live, self.needs)
        for standing in self.look(store, [*held, *asking], now):
            budget, unit = standing.budget, standing.unit
            if budget.per == "session":
                continue  # it has not begun
            more = sum(each.need(unit) for each in asking if self.subject(budget, each) == standing.subject)
            if more and standing.spent + standing.held > standing.limit:
                raise refusal(standing._replace(held=max(0.0, standing.held - more)), more)


def refusal(standing: Standing, more: float = 0.0) -> Refused:
    """Why nothing more is started: what is used up, how much, and when it is free again."""
    held = f", {standing.shown(standing.held)} held by live sub-agents" if standing.held else ""
    needed = f", and {standing.shown(more)} more may be needed" if more else ""
    return Refused(
        f"{standing.called} is used up: {standing.shown(standing.spent)} of {standing.shown(standing.limit)}"
        f" spent{held}{needed}",
        f"it is free again at {standing.frees_at}; or wait for some to end, or {standing.raise_it}",
        code="budget",
    )


def warnings(fleet: Fleet, agents: Mapping[str, Agent], live: Sequence[Session]) -> list[str]:
    """A line for each budget of which, with what is held, nearly all is gone. Who is not looking is told by `tell`."""
    found = Gauge(fleet, agents).standings(fleet.store, live, fleet.now())
    tell(fleet, found)
    return [
        f"{share:.0f}% of {s.called} are spent or held: {s.shown(s.spent)} and {s.shown(s.held)} of {s.shown(s.limit)}"
        for s in found
        if (share := 100 * (s.spent + s.held) / s.limit) >= s.budget.warn
    ]


def tell(fleet: Fleet, found: Sequence[Standing]) -> list[Standing]:
    """Put into the inbox what is nearly spent, and what is: each once for its day or month. What is new of it."""
    passed = [standing for standing in found if standing.level != "ok"]
    if not passed:
        return []
    now, fresh = fleet.now(), list[Standing]()
    with db.transaction(fleet.store):
        for standing in passed:
            budget, unit, subject = standing.budget.name, standing.unit, standing.subject
            if brakes.mark(
                fleet.store, budget, unit, subject, standing.period, standing.level, standing.limit, now
            ):
                fresh.append(standing)
                inbox.add(fleet.store, now, "alert", title(standing), text(standing), fleet.settings.workspace)
    return fresh


def title(standing: Standing) -> str:
    """`budget day: 82 % spent`."""
    name = f"{standing.budget.name} ({standing.subject})" if standing.subject else standing.budget.name
    return f"budget {name}: {'used up' if standing.level == 'full' else f'{standing.percent:.0f} % spent'}"


def text(standing: Standing) -> str:
    """What stands in the inbox."""
    said = f"{standing.called}: {standing.shown(standing.spent)} of {standing.shown(standing.limit)} spent"
    if standing.level == "full" and standing.budget.per != "session":
        said += f"; nothing that it is for is started until {standing.frees_at}"
    elif standing.frees_at:
        said += f"; it is free again at {standing.frees_at}"
    return said + (", and what runs is halted" if standing.level == "full" and standing.budget.halt else "")
