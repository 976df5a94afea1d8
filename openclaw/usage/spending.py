"""How budgets stand: what was spent by whom, out of the ledger, beside what live sub-agents hold."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from openclaw.errors import OpenclawError
from openclaw.models import catalogue
from openclaw.models.catalogue import LARGE, Catalogue
from openclaw.settings import Settings
from openclaw.store import ledger, spending
from openclaw.store.ledger import Sums
from openclaw.store.sessions import Session
from openclaw.units import from_utc, utc
from openclaw.usage.budgets import EACH, Budget, Standing, next_period

SKEW = 86400  # seconds of turns dated ahead that count: clocks differ, but a date years away is no reason to stop


class Spender(NamedTuple):
    """Somebody who spends: a live sub-agent, or one that asks to be started. Dollars and tokens it may still need."""

    id: str
    model: str
    job: tuple[str, str]
    usd: float = 0.0
    tokens: float = 0.0

    def need(self, unit: str) -> float:
        return self.usd if unit == "usd" else self.tokens


class Meter:
    """What budgets are measured with, prepared before a transaction: nothing slow happens while others wait."""

    def __init__(self, settings: Settings, budgets: Sequence[Budget]) -> None:
        self.budgets = budgets
        self.known: Catalogue | None = None
        try:
            self.known = catalogue.load(settings)
        except OpenclawError:
            pass  # models.yaml is being edited: names are taken as they stand
        self._same: dict[tuple[str, str], str | None] = {}

    def spenders(
        self, store: sqlite3.Connection, live: Sequence[Session],
        needs: Callable[[Session], tuple[float, float]] = lambda _: (0.0, 0.0),
    ) -> list[Spender]:
        """These sub-agents, each with what it still may need: of what it needs in all, what it has not spent."""
        ids = [session.id for session in live]
        used, jobs = spending.of_sessions(store, ids), spending.jobs_of(store, ids)
        models = spending.last_models(store, ids) if any(budget.model for budget in self.budgets) else {}
        found = []
        for session in live:
            usd, tokens = needs(session)
            sums = used.get(session.id, ledger.NOTHING)
            found.append(
                Spender(
                    session.id, models.get(session.id) or session.model or "", jobs.get(session.id, ("", "")),
                    max(0.0, usd - sums.cost_usd), max(0.0, tokens - fresh(sums)),
                )
            )  # fmt: skip
        return found

    def look(self, store: sqlite3.Connection, live: Sequence[Spender], now: str) -> list[Standing]:
        """How every budget stands, in each of its units and for each of whom it is."""
        until = utc(from_utc(now) + SKEW)[:10]
        sums = _Figures(store, until, [spender.id for spender in live])
        found = []
        for budget in self.budgets:
            spent: dict[str, Sums] = {}
            if budget.per == "session":
                for spender in live:
                    if self.subject(budget, spender) is not None:
                        spent[spender.id] = sums.of_session(spender.id)
            else:
                since = now[:10] if budget.per == "day" else now[:8] + "01"
                rows = (
                    [(self._job(budget, job), used) for job, used in sums.by_job(since).items()]
                    if budget.job
                    else [(self._model(budget, model), used) for (_, model), used in sums.by_model(since)]
                )
                for subject, used in rows:
                    if subject is not None:
                        spent[subject] = _sum(spent.get(subject, ledger.NOTHING), used)
                for spender in live:
                    if (subject := self.subject(budget, spender)) is not None:
                        spent.setdefault(subject, ledger.NOTHING)
                if EACH not in (budget.model, budget.job):
                    spent.setdefault("", ledger.NOTHING)
            for subject, used in spent.items():
                holders = () if budget.per == "session" else live
                holding = [each for each in holders if self.subject(budget, each) == subject]
                for unit, limit in budget.limits.items():
                    amount = used.cost_usd if unit == "usd" else float(fresh(used))
                    held = sum(each.need(unit) for each in holding)
                    frees = next_period(now, budget.per)
                    found.append(Standing(budget, unit, limit, amount, held, subject, frees))
        return found

    def subject(self, budget: Budget, spender: Spender) -> str | None:
        """For whom of a budget this one spends; None when it is none of its."""
        mine: str | None = ""
        if budget.job:
            mine = self._job(budget, spender.job) if spender.job[0] else None
        elif budget.model:
            mine = self._model(budget, spender.model)
        return spender.id if budget.per == "session" and mine is not None else mine

    def _job(self, budget: Budget, job: tuple[str, str]) -> str | None:
        if budget.job == EACH:
            return job[1]
        return "" if any(fnmatchcase(word, budget.job) for word in job) else None

    def _model(self, budget: Budget, name: str) -> str | None:
        if not budget.model:
            return ""
        key = (budget.model, name)
        if key not in self._same:
            self._same[key] = self._matched(budget.model, name)
        return self._same[key]

    def _matched(self, pattern: str, name: str) -> str | None:
        if pattern == EACH:
            found = next((m.name for m in (self.known.models.values() if self.known else ()) if means(m, name)), "")
            return (found or undated(name)) if name else None
        if name and fnmatchcase(name, pattern):
            return ""
        meant = self.known.find(pattern) if self.known else None
        return "" if meant and name and means(meant, name) else None


class _Figures:
    """Sums of the store, each made once in a look."""

    def __init__(self, store: sqlite3.Connection, until: str, ids: Sequence[str]) -> None:
        self.store, self.until, self.ids = store, until, ids
        self._models: dict[str, list[tuple[tuple[str, ...], Sums]]] = {}
        self._jobs: dict[str, Mapping[tuple[str, str], Sums]] = {}
        self._sessions: Mapping[str, Sums] | None = None

    def of_session(self, id: str) -> Sums:
        if self._sessions is None:
            self._sessions = spending.of_sessions(self.store, self.ids)
        return self._sessions.get(id, ledger.NOTHING)

    def by_model(self, since: str) -> Sequence[tuple[tuple[str, ...], Sums]]:
        if since not in self._models:
            self._models[since] = ledger.sums(self.store, ("agent", "model"), since, self.until)
        return self._models[since]

    def by_job(self, since: str) -> Mapping[tuple[str, str], Sums]:
        if since not in self._jobs:
            self._jobs[since] = spending.of_jobs(self.store, since, self.until)
        return self._jobs[since]


def means(model: catalogue.Model, name: str) -> bool:
    """Whether a model is what stands under this name in a conversation or on a command line: by any of its names, with
    or without the date of a version; `opus`, as a program is told, is any that has this word in its name."""
    bare = undated(name)
    told = set(model.agents.values())
    known = {undated(each) for each in (model.name, model.id, model.full, *model.also, *told)}
    return bare in known or bool(told.intersection(re.split(r"[-/:.@]", bare)))


def undated(name: str) -> str:
    """`claude-opus-4-5` of `claude-opus-4-5-20251101[1m]`."""
    return re.sub(r"[-@]20\d{6}$", "", name.removesuffix(LARGE))


def fresh(sums: Sums) -> int:
    """Tokens that are not sent again and again: what caches gave is left out."""
    return sums.input + sums.cache_write + sums.output


def _sum(one: Sums, other: Sums) -> Sums:
    return Sums(*(a + b for a, b in zip(one, other, strict=True)))  # type: ignore[arg-type]
