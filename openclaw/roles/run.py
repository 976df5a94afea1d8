"""`run_role`: one question to one model in one role, silently. The primitive below summaries, audits and guards.

The model is asked in this process, or in one of its own that is ended at its deadline with all that it started. What
it used goes into the ledger of the session it was asked for, whatever comes of it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from openclaw.errors import BadInput, OpenclawError, Unavailable
from openclaw.results import Results, Worth, key_of
from openclaw.roles import accounts, library
from openclaw.roles.job import Job, Outcome, RoleResult
from openclaw.roles.role import Role
from openclaw.settings import Settings
from openclaw.store import db
from openclaw.units import format_duration

if TYPE_CHECKING:
    from openclaw.models.route import Choice

AUTO = "auto"  # in a model's place: whichever the routing chooses
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
    keep: Callable[[RoleResult], bool] = lambda _: True,
) -> RoleResult:
    """Ask once. What is not given comes from the role, then from the settings.

    A role with tools gets those that read and change files, bound by `scope` (that of the session; else it may read
    below the current folder); never a command line, which no scope can bind. `session` is whose tokens these are, the
    sub-agent that we run in when none is given. A pure role without tools that was asked the same of the same model is
    not asked again while its answer is kept, unless `cache` is False: such a result has used nothing, and says so.
    One that was cut off is never kept, nor one that `keep` does not want again.

    Unavailable: no model is named, or none could be reached, with what was tried. Refused: the input is over the budget
    (`over_budget`) or the window (`over_window`), or a budget that all spend is used up (`budget`), and nothing was
    asked; or the budget ended in the middle of its work.
    TimedOut: `timeout` seconds have passed. NotFound: no such role or endpoint.
    """
    settings = settings or Settings()
    role = library.find(role, settings) if isinstance(role, str) else role
    if not input.strip():
        raise BadInput(f"role {role.name}: its input is empty", "give it what it is to work on")
    input = input.encode("utf-8", "replace").decode()  # halves of characters, which no server takes
    names, why = models_for(role, settings, model)
    notes = [f"its model was chosen by the routing: {why}"] if why else []
    row = accounts.session_of(settings, session)
    cwd = os.path.realpath(row.cwd if row else settings.cwd)

    def ask(name: str) -> RoleResult:
        """One run with this model, and what it used in the ledger."""
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
            with accounts.within_budgets(job, settings, bool(row)):
                outcome = _here(job, settings) if in_process else _apart(job, settings)
                notes.extend(accounts.record(settings, row, role.name, outcome.turns))
        if outcome.error:
            raise outcome.error
        assert outcome.result
        return outcome.result

    pure = cache and role.pure and not role.tools
    for name in names:
        try:
            result = _remembered(role, input, name, settings, partial(ask, name), keep) if pure else ask(name)
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

    try:
        store = db.connect(settings.database) if os.path.exists(settings.database) else None
    except OpenclawError:  # in a sandbox: nothing was learned then
        store = None
    try:
        about = f"{role.name}: {role.description}"
        seed = settings.get("route.seed")
        return choosing.choose(settings, store, about, KINDS.get(role.name, ""), (accounts.AGENT,), seed=seed)
    finally:
        if store:
            store.close()


def _remembered(
    role: Role, input: str, model: str, settings: Settings, ask: Callable[[], RoleResult],
    keep: Callable[[RoleResult], bool],
) -> RoleResult:
    """What it said to this before, else what it says now."""
    results = Results(settings)
    said: list[RoleResult] = []

    def compute() -> dict[str, Any]:
        said.append(ask())
        return said[0]._asdict() | {"notes": list(said[0].notes)}

    def worth(_: Any) -> Worth | None:
        made = said[0]
        return Worth(made.tokens_in + made.tokens_out, made.cost_usd or 0.0) if made.whole and keep(made) else None

    found = results.once(
        f"role {role.name}",
        key_of("role", role.prompt, model, input),
        role.cache or results.keep_for,
        compute,
        worth=worth,
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
