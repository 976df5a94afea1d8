"""`run_role`: one question to one model in one role, silently. The primitive below summaries, audits and guards.

The model is asked in this process, or in one of its own that is ended at its deadline with all that it started. What
it used goes into the ledger of the session it was asked for, whatever comes of it.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from openclaw.errors import BadInput, OpenclawError, Unavailable
from openclaw.results import Results, Worth, key_of
from openclaw.roles import library
from openclaw.roles.job import Job, Outcome, RoleResult
from openclaw.roles.role import Role
from openclaw.settings import Settings
from openclaw.store import db, sessions, turns
from openclaw.store.turns import Turn
from openclaw.units import format_duration, utc

if TYPE_CHECKING:
    from openclaw.models.route import Choice

AUTO = "auto"  # in a model's place: whichever the routing chooses
LOCAL = "local"  # the program that asks as we do, by its own wire
KINDS = {"summarizer": "text"}  # what a role's work is for the routing, where its description does not say it
CHAIN = 3  # models that are tried in turn
INSTALL = "install it: pip install 'openclaw[local]'"


def run_role(
    role: Role | str,
    input: str,
    model: str | None = None,
    budget: int | None = None,
    *,
    settings: Settings | None = None,
    in_process: bool = True,
    timeout: float | None = None,
    session: str | None = None,
    scope: Mapping[str, Any] | None = None,
    cache: bool = True,
) -> RoleResult:
    """Ask once. What is not given comes from the role, then from the settings.

    A role with tools gets those that read and change files, bound by `scope` (that of the session; else it may read
    below the current folder); never a command line, which no scope can bind. `session` is whose tokens these are, the
    sub-agent that we run in when none is given. A pure role without tools that was asked the same of the same model is
    not asked again while its answer is kept, unless `cache` is False: such a result has used nothing, and says so.

    Unavailable: no model is named, or none could be reached, with what was tried. Refused: the input is over the budget
    (`over_budget`) or the window (`over_window`), and nothing was asked; or the budget ended in the middle of its work.
    TimedOut: `timeout` seconds have passed. NotFound: no such role or endpoint.
    """
    settings = settings or Settings()
    role = library.find(role, settings) if isinstance(role, str) else role
    if not input.strip():
        raise BadInput(f"role {role.name}: its input is empty", "give it what it is to work on")
    input = input.encode("utf-8", "replace").decode()  # halves of characters, which no server takes
    row = _session(settings, session)
    cwd = os.path.realpath(row.cwd if row else settings.cwd)
    names, why = models_for(role, settings, model)
    notes = [f"its model was chosen by the routing: {why}"] if why else []

    def ask(name: str) -> RoleResult:
        """One run, with what it used in the ledger."""
        with _folder(role) as folder:
            job = Job(
                role,
                input,
                name,
                budget or role.budget,
                timeout or role.timeout or settings.get("roles.timeout"),
                cwd,
                scope or (json.loads(row.scope) if row else {"read": [f"{_quoted(cwd)}/**"], "write": []}),
                folder,
            )
            outcome = _here(job, settings) if in_process else _apart(job, settings)
        notes.extend(_record(settings, row, role.name, outcome.turns))
        if outcome.error:
            raise outcome.error
        assert outcome.result
        return outcome.result

    pure = cache and role.pure and not role.tools
    for name in names:
        try:
            result = _remembered(role, input, name, settings, partial(ask, name)) if pure else ask(name)
        except OpenclawError as error:
            if error.code not in ("model_unreachable", "no_key") or name == names[-1]:
                raise
            notes.append(f"{error.message}; went on with the next")
        else:
            return result._replace(notes=(*result.notes, *notes))
    raise AssertionError("the last one returns or raises")


def models_for(role: Role, settings: Settings, model: str | None = None) -> tuple[list[str], str]:
    """The models it will ask, each when the one before can't be reached, and why, where the routing has chosen them.

    The one that is given, that of its setting (the summarizer has one), of its file, of all roles. Names that only
    Claude Code understands (`sonnet`) have no endpoint and are passed over. None of all, or `auto`: what the routing
    says. Unavailable when that knows none either.
    """
    own = settings.get("roles.summarizer") if role.name == "summarizer" else ""
    of_file = role.model if role.model and "/" in role.model else ""
    found: str = model or own or of_file or settings.get("roles.model")
    if found and found != AUTO:
        return [found], ""
    choice = _routed(role, settings)
    if not choice.chain:
        why = f"; {role.model} names no endpoint" if role.model else ""
        hint = "name it with --model endpoint/model, or set roles.model (`openclaw config path`)"
        said = f"role {role.name}: no model is named for it{why}, and the routing knows none that can be used now"
        raise Unavailable(said, hint, code="no_model")
    return [step.told for step in choice.chain[:CHAIN]], f"{choice.judged.kind.name}, for {choice.judged.why}"


def _routed(role: Role, settings: Settings) -> Choice:
    """What the routing says, by what the role is for and what was learned of such work."""
    from openclaw.models import choosing  # YAML, and only where nobody has named one

    store = db.connect(settings.database) if os.path.exists(settings.database) else None
    try:
        about = f"{role.name}: {role.description}"
        seed = settings.get("route.seed")
        return choosing.choose(settings, store, about, KINDS.get(role.name, ""), (LOCAL,), seed=seed)
    finally:
        if store:
            store.close()


def _remembered(role: Role, input: str, model: str, settings: Settings, ask: Callable[[], RoleResult]) -> RoleResult:
    """What it said to this before, else what it says now. An answer that was cut is not kept."""
    results = Results(settings)
    said: list[RoleResult] = []

    def compute() -> dict[str, Any]:
        said.append(ask())
        return said[0]._asdict() | {"notes": list(said[0].notes)}

    found = results.once(
        f"role {role.name}",
        key_of("role", role.prompt, model, input),
        role.cache or results.keep_for,
        compute,
        worth=lambda it: Worth(it["tokens_in"] + it["tokens_out"], it["cost_usd"] or 0.0) if it["whole"] else None,
    )
    if found.known is None:
        return said[0]
    kept = RoleResult(**(found.value | {"notes": tuple(found.value["notes"])}))
    age = format_duration(results.clock() - found.known.made_at)
    note = f"from the cache: it was asked {age} ago, for {found.known.tokens} tokens"
    return kept._replace(tokens_in=0, tokens_out=0, cost_usd=0.0, seconds=0.0, attempts=0, notes=(*kept.notes, note))


def _here(job: Job, settings: Settings) -> Outcome:
    import asyncio  # with the next import: seconds, and only who asks a model needs them

    try:
        from openclaw.roles import ask
    except ModuleNotFoundError as error:
        raise Unavailable(f"asking a model needs {error.name}", INSTALL, code="no_package") from error
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(ask.run(job, settings))
    from concurrent.futures import ThreadPoolExecutor  # only for who has a loop of its own, and waits in it

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lambda: asyncio.run(ask.run(job, settings))).result()


def _apart(job: Job, settings: Settings) -> Outcome:
    from openclaw.roles import process  # subprocess

    return process.run(job, settings)


def _folder(role: Role) -> AbstractContextManager[str]:
    """A folder for the time of a run, where the role has tools."""
    if not role.tools:
        return nullcontext("")
    from tempfile import TemporaryDirectory  # few have any

    return TemporaryDirectory(prefix="openclaw-role-", ignore_cleanup_errors=True)


def _quoted(path: str) -> str:
    from openclaw.tasks.globs import quote_path

    return quote_path(path.rstrip("/"))


# --- whose tokens these are


def _session(settings: Settings, id: str | None) -> sessions.Session | None:
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


def _record(settings: Settings, row: sessions.Session | None, role: str, used: tuple[Turn, ...]) -> list[str]:
    """Put the calls into the ledger; why that could not be done, for the result: an answer is not lost for it."""
    if not row or not used:
        return []
    try:
        store = db.connect(settings.database)
        try:
            with db.transaction(store):
                turns.aside(store, row.id, f"role {role}", used)
                sessions.update(store, row.id, utc(time.time()), tokens_used=turns.total(store, row.id))
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
            kind, LOCAL, found.name if found else model, good, "audit", None, f"audit {os.urandom(8).hex()}"
        )
        store = db.connect(settings.database)
        try:
            with db.transaction(store):
                outcomes.record(store, outcome, utc(time.time()))
        finally:
            store.close()
    except (OpenclawError, sqlite3.Error):
        return  # in a sandbox, where there is no database to write
