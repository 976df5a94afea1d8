"""Budgets of a day and a month, in dollars and tokens: what is spent, what live sub-agents may still need.

A new sub-agent holds what it may need from the moment it is admitted, in the transaction that admits it: however many
ask at once, together they can't take more than one after the other could.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openclaw.agents.registry import Agent
from openclaw.errors import OpenclawError, Refused
from openclaw.models import catalogue
from openclaw.models.catalogue import Catalogue
from openclaw.models.route import TYPICAL
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import ledger
from openclaw.store.sessions import Session
from openclaw.units import from_utc, utc

KEYS = ("day_usd", "day_tokens", "month_usd", "month_tokens")  # of budgets.*
WARN = 0.8  # of a budget


class Budget(NamedTuple):
    """How one budget stands. `held`: what live sub-agents may still need. Dollars, or tokens that no cache had."""

    name: str
    limit: float
    spent: float
    held: float
    frees_at: str

    def shown(self, amount: float) -> str:
        return f"${amount:.2f}" if self.name.endswith("usd") else f"{amount:,.0f} tokens"

    @property
    def share(self) -> float:
        return (self.spent + self.held) / self.limit


def limits(settings: Settings) -> dict[str, float]:
    """The budgets that are set."""
    return {key: limit for key in KEYS if (limit := settings.get(f"budgets.{key}"))}


class Gauge:
    """What budgets are measured with, prepared before the transaction: nothing slow happens while others wait."""

    def __init__(self, fleet: Fleet, agents: Mapping[str, Agent]) -> None:
        self.settings, self.agents, self.limits = fleet.settings, agents, limits(fleet.settings)
        self.known: Catalogue | None = None
        try:
            self.known = catalogue.load(fleet.settings)
        except OpenclawError:
            pass  # models.yaml is being edited: every price is unknown, and so what is held for that

    def needs(self, session: Session) -> tuple[float, float]:
        """Dollars and tokens that a sub-agent may need, by its own budgets or as a typical one."""
        agent = self.agents.get(session.agent)
        if agent is None or agent.usage == "none":
            return 0.0, 0.0
        price = self.known.paid(session.model or "", session.agent) if self.known else None
        usd = price.cost(*TYPICAL) if price else self.settings.get("budgets.hold_usd")
        return session.budget_usd or usd, float(session.budget_tokens or self.settings.get("budgets.hold_tokens"))

    def look(self, store: sqlite3.Connection, live: Sequence[Session], now: str) -> list[Budget]:
        """How every budget that is set stands; the caller holds the transaction."""
        day, found = now[:10], list[Budget]()
        used = {key[0]: sums for key, sums in ledger.sums(store, ("session",), where="isolated")}
        usd = tokens = 0.0
        for session in live:
            need_usd, need_tokens = self.needs(session)
            sums = used.get(session.id, ledger.NOTHING)
            usd += max(0.0, need_usd - sums.cost_usd)
            tokens += max(0.0, need_tokens - _new(sums))
        for name, limit in self.limits.items():
            since = day if name.startswith("day") else day[:8] + "01"
            total = ledger.sums(store, since=since, until=day)[0][1]
            money = name.endswith("usd")
            spent, held = (total.cost_usd, usd) if money else (float(_new(total)), tokens)
            found.append(Budget(name, limit, spent, held, _next(now, name)))
        return found

    def check(self, store: sqlite3.Connection, live: Sequence[Session], rows: Sequence[Session], now: str) -> None:
        """Refused(budget) when these are more than a budget has left; the caller holds the transaction."""
        needs = [self.needs(row) for row in rows]
        if not any(usd or tokens for usd, tokens in needs):
            return  # what uses nothing is no matter of budgets
        for budget in self.look(store, live, now):
            more = sum(usd if budget.name.endswith("usd") else tokens for usd, tokens in needs)
            if budget.spent + budget.held + more > budget.limit:
                held = f", {budget.shown(budget.held)} held by live sub-agents" if budget.held else ""
                raise Refused(
                    f"the budget of the {budget.name.partition('_')[0]} is used up:"
                    f" {budget.shown(budget.spent)} of {budget.shown(budget.limit)} spent{held},"
                    f" and {budget.shown(more)} more may be needed",
                    f"it is free again at {budget.frees_at}; or wait for some to end, or raise budgets.{budget.name}",
                    code="budget",
                )


def warnings(fleet: Fleet, agents: Mapping[str, Agent], live: Sequence[Session]) -> list[str]:
    """A line for each budget of which four fifths are gone."""
    return [
        f"{b.share:.0%} of budgets.{b.name} are spent or held: {b.shown(b.spent)} and {b.shown(b.held)}"
        f" of {b.shown(b.limit)}"
        for b in Gauge(fleet, agents).look(fleet.store, live, fleet.now())
        if b.share >= WARN
    ]


def _new(sums: ledger.Sums) -> int:
    """Tokens that are not sent again and again: what caches gave is left out."""
    return sums.input + sums.cache_write + sums.output


def _next(now: str, name: str) -> str:
    """When the next day or month begins, in UTC."""
    at = from_utc(now)
    tomorrow = at - at % 86400 + 86400
    while name.startswith("month") and time.gmtime(tomorrow).tm_mday != 1:
        tomorrow += 86400
    return utc(tomorrow)
