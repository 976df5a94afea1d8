"""Before each of its calls: whether a budget that others spend too is used up and halts it. It has no hook for that."""

from __future__ import annotations

import sqlite3

from openclaw.continuity import brakes
from openclaw.errors import OpenclawError
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import sessions
from openclaw.usage import budgets, costs, ledger


class Brake:
    """That of one session; outside of one there is none. Its calls so far are counted first."""

    def __init__(self, settings: Settings, id: str) -> None:
        self._fleet, self._id = Fleet(settings), id

    def __call__(self) -> str:
        """Why it is to be halted; mostly empty. Where nobody can say, others hold the brake."""
        fleet = self._fleet
        try:
            if not self._id:
                return ""
            live = sessions.live(fleet.store)
            mine = [session for session in live if session.id == self._id]
            if not mine or not (mine[0].budget_usd or budgets.some(fleet.settings)):
                return ""
            if ledger.refresh(fleet.store, mine, fleet.now()):
                costs.fill(fleet.store, fleet.settings)
                live = sessions.live(fleet.store)
            working = [session._replace(status="working") if session.id == self._id else session for session in live]
            return brakes.look(fleet, working)[0].get(self._id, "")
        except (OpenclawError, sqlite3.Error):  # in a sandbox, or somebody is at work on budgets.yaml
            return ""
