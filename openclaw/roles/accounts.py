"""Whose tokens a run of a role takes: budgets before it, the ledger after it, and what its work was worth."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import AbstractContextManager, nullcontext

from openclaw.context.tokens import estimate
from openclaw.errors import OpenclawError
from openclaw.roles.job import Job
from openclaw.settings import Settings
from openclaw.store import db, ledger, sessions, turns
from openclaw.store.turns import Turn
from openclaw.units import utc
from openclaw.usage import costs

AGENT = "local"  # the program that asks as we do, by its own wire


def within_budgets(job: Job, settings: Settings, inside: bool) -> AbstractContextManager[None]:
    """While it runs: what it may need is held of the budgets that all spend. Refused: there is too little left."""
    from openclaw.usage import budgets

    if not budgets.some(settings):
        return nullcontext()
    from openclaw.sessions.budgets import held  # with the next, only where there are any
    from openclaw.sessions.fleet import Fleet

    tokens = estimate(job.role.prompt) + estimate(job.input)
    most = max(0, min(settings.get("local.output_tokens"), (job.budget or 10**9) - tokens))
    return held(Fleet(settings), job.model, AGENT, (tokens, most), inside)


def session_of(settings: Settings, id: str | None) -> sessions.Session | None:
    """The session by this id, else the one that we run in; None where its database can't be had."""
    id = id or settings.environ.get("OPENCLAW_SESSION_ID")
    if not id or not os.path.exists(settings.database):
        return None
    try:
        store = db.connect(settings.database)
        try:
            return next(iter(sessions.by_ids(store, [id])), None)
        finally:
            store.close()
    except (OpenclawError, sqlite3.Error):  # in a sandbox; what it used is told with the result
        return None


def record(settings: Settings, row: sessions.Session | None, role: str, used: tuple[Turn, ...]) -> list[str]:
    """Put the calls into the ledger; why that could not be done, for the result: an answer is not lost for it."""
    if not used or (not row and not os.path.exists(settings.database)):
        return []
    try:
        store = db.connect(settings.database)
        try:
            with db.transaction(store):
                if row:
                    turns.aside(store, row.id, f"role {role}", used)
                    sessions.update(store, row.id, utc(time.time()), tokens_used=turns.total(store, row.id))
                else:
                    ledger.aside(store, f"role {role}", AGENT, used)
            if not row:
                costs.fill(store, settings)
        finally:
            store.close()
    except (OpenclawError, sqlite3.Error) as error:
        return [f"its tokens are not in the ledger: {error}"]
    return []


def judged(settings: Settings, kind: str, model: str, good: bool) -> None:
    """An audit has found this work good or bad: the routing learns from it. Nothing is lost for it when it can't."""
    from openclaw.models import catalogue  # YAML
    from openclaw.store import outcomes

    try:
        found = catalogue.load(settings).find(model)
        outcome = outcomes.Outcome(
            kind, AGENT, found.name if found else model, good, "audit", None, f"audit {os.urandom(8).hex()}"
        )
        store = db.connect(settings.database)
        try:
            with db.transaction(store):
                outcomes.record(store, outcome, utc(time.time()))
        finally:
            store.close()
    except (OpenclawError, sqlite3.Error):
        return  # in a sandbox, where there is no database to write
