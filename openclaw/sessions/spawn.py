"""Starting sub-agents, one or a hundred, so that either all of them run or nothing is left.

Reserve (row `starting` + claims, one transaction) → folder → window → `working`. Whatever fails on the way undoes
exactly what was done; a spawner that dies in the middle leaves a row with its own identity, which `settle` completes
or undoes.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, NamedTuple

from openclaw import processes
from openclaw.agents import launch, registry
from openclaw.agents.registry import Agent
from openclaw.agents.reporters import reporter
from openclaw.errors import BadInput, Interrupted, OpenclawError, Refused
from openclaw.sessions import admission, prefix, quotas
from openclaw.sessions.fleet import Fleet, new_id
from openclaw.sessions.gate import Gate
from openclaw.sessions.status import known_server, located, settle
from openclaw.sessions.violations import watched
from openclaw.sessions.window import first_state, window
from openclaw.store import db, events, sends, sessions
from openclaw.store.sessions import Session
from openclaw.tasks import templates
from openclaw.tasks.globs import overlaps
from openclaw.tasks.prepare import Move, Task, prepare
from openclaw.tasks.request import Request, check
from openclaw.terminal.windows import Pane, close, open_windows, session_name
from openclaw.usage import budgets as limits

if TYPE_CHECKING:
    from openclaw.agents.sandbox import Wrap
    from openclaw.models.route import Choice
    from openclaw.roles.part import Part
    from openclaw.sessions.headroom import Hop
    from openclaw.sessions.trial import Draw
    from openclaw.sessions.worktree import Tree


class Planned(NamedTuple):
    """A task that can be started: its program, the environment it will see, its id and the worktree it will have."""

    task: Task
    agent: Agent
    environ: dict[str, str]
    id: str
    tree: Tree | None
    choice: Choice | None = None  # how its model was chosen, if nobody named one
    check: str | None = None  # what is run to see whether its work is good
    drawn: Draw | None = None  # a trial could take it
    hop: Hop | None = None  # from which program it has fallen over


def plan(fleet: Fleet, requests: Sequence[Request], ids: Sequence[str] = ()) -> list[Planned]:
    """Everything that can be checked without starting anything: inputs, files, tokens, programs, environment.

    `ids` are for whoever had to write them down before; else they are drawn.
    """
    counter = fleet.counter()
    agents, known = registry.load(fleet.settings), templates.load(fleet.settings)
    cuts = {name: agent.prefix for name, agent in agents.items()}

    def cast(role: str, program: str) -> Part:
        from openclaw.sessions import casting  # only with --role

        return casting.cast(role, registry.get(agents, program), fleet.settings)

    planned: list[Planned] = []
    for number, request in enumerate(requests, 1):
        try:
            hop = None
            if fleet.settings.get("quotas.fall_over"):
                from openclaw.sessions import headroom  # only where another may take over

                request, hop = headroom.taken_over(fleet, request, agents)
            id = ids[number - 1] if ids else new_id()
            tree = _tree(fleet, request, id)
            move = Move(tree.top, tree.path) if tree else None
            task = prepare(_typed(fleet, request, agents), fleet.settings, counter, known, move, cuts, cast)
            agent = registry.get(agents, task.agent)
            environ = launch.environment(agent, fleet.settings.environ, task.env)
            launch.check_installed(agent, environ)
            if task.sandbox:
                from openclaw.sessions import enclose  # only with --sandbox

                enclose.check(task, fleet.settings.environ)
            launch.check_prompt(agent, task.prompt)
            choice = drawn = None
            if not (task.model or agent.type) and _trial_runs(fleet):
                from openclaw.sessions import trial  # only while one runs

                drawn = trial.draw(fleet, task, agent, id, sum(p.drawn is not None for p in planned))
                task, environ = trial.given(fleet, drawn, task, agent, environ)
            if not task.model and agent.name in fleet.settings.get("route.agents").replace(" ", "").split(","):
                from openclaw.sessions import routed  # only where a model has to be chosen

                task, environ, choice = routed.choose(fleet, task, agent, environ)
        except OpenclawError as error:
            if len(requests) > 1:
                error.message = f"task {number}: {error.message}"
            raise
        environ |= fleet.shared_environment()
        planned.append(Planned(task, agent, environ, id, tree, choice, request.check, drawn, hop))
    _check_branches([p.tree for p in planned if p.tree])
    return planned


def spawn(
    fleet: Fleet,
    requests: Sequence[Request],
    queue: bool = False,
    waiting: Callable[[str], None] = lambda _: None,
    ids: Sequence[str] = (),
) -> list[Session]:
    """Start one sub-agent per request, all or none. `waiting` is told why, once, when `queue` makes it wait."""
    planned = plan(fleet, requests, ids)
    rows = [_row(fleet, p) for p in planned]
    with ExitStack() as closed:
        try:
            with admission.turn(fleet, queue, waiting) as reserve:
                reserve(lambda: _reserve(fleet, planned, rows))
            gate = closed.enter_context(Gate(fleet.state_dir, rows[0].spawner, rows[0].id)) if len(rows) > 1 else None
            started = _started(fleet, rows, _open(fleet, planned, rows, gate))
        except BaseException:
            _undo(fleet, rows)  # while the gate of a batch is closed: none of them has begun
            raise
    for request, each in zip(requests, planned, strict=True):
        if each.drawn and each.drawn.pair:
            from openclaw.sessions import trial  # as in plan

            trial.shadow(fleet, each.drawn.pair, request, each.task, spawn)
    if any(each.check for each in planned):
        from openclaw.sessions import checker  # only with --check

        checker.ensure(fleet)
    return started


def _trial_runs(fleet: Fleet) -> bool:
    from openclaw.store import trials  # only where nobody names a model

    return trials.running(fleet.store) is not None


def _typed(fleet: Fleet, request: Request, agents: Mapping[str, Agent]) -> Request:
    """A program may have a task type of its own, for when none is named: a command line reads no prompt."""
    if request.type or request.template:
        return request
    return request._replace(type=registry.get(agents, request.agent or fleet.settings.get("agent")).type or None)


def _tree(fleet: Fleet, request: Request, id: str) -> Tree | None:
    if request.worktree is None:
        return None
    from openclaw.sessions import worktree  # 3 ms, and few have one

    request = check(request, fleet.settings)
    return worktree.plan(fleet, request.cwd, request.worktree or "", request.name, id)


def _check_branches(trees: Sequence[Tree]) -> None:
    taken = set[tuple[str, str]]()
    for tree in trees:
        if (tree.top, tree.branch) in taken:
            raise BadInput(f"two tasks would have the branch {tree.branch}", "give each its own, or none")
        taken.add((tree.top, tree.branch))


def _row(fleet: Fleet, planned: Planned) -> Session:
    task, agent, now = planned.task, planned.agent, fleet.now()
    return Session(
        id=planned.id,
        name=task.name or planned.id,
        task=task.text,
        type=task.type,
        agent=agent.name,
        model=task.model,
        role=task.role.name if task.role else None,
        status="starting",
        cwd=task.cwd,
        worktree=planned.tree.path if planned.tree else None,
        socket=fleet.terminal.socket,
        spawner=processes.identity(os.getpid()),
        conversation_id=new_conversation(agent),
        reason=_first_dialog(planned),
        reporter="" if agent.reports == "none" else agent.reports,
        scope=json.dumps(task.scope_json()),
        injected=json.dumps(
            [{"path": i.path, "tokens": i.tokens, "sha256": i.sha256} for i in task.injected], ensure_ascii=False
        ),
        injected_tokens=task.tokens,
        env=json.dumps([item.partition("=")[0] for item in task.env]),
        budget_tokens=task.budget_tokens,
        budget_usd=task.budget_usd,
        on_context=task.on_context,
        timeout_s=task.timeout_s,
        created_at=now,
        updated_at=now,
    )


def _first_dialog(planned: Planned) -> str:
    """What a program that reports is going to ask before it takes its prompt, and what to do; mostly nothing."""
    if planned.agent.reports == "none":
        return ""
    from openclaw.sessions import trust  # git, and only programs that report can be asked

    tree, cwd = planned.tree, planned.task.cwd
    private = tree and planned.task.sandbox  # its repository is its own there, and inherits from none
    home = "" if private else trust.main_checkout(tree.top if tree else cwd)
    asks = reporter(planned.agent.reports).first_dialog(planned.environ, cwd, home)
    places = (home, os.path.dirname(tree.path)) if tree else (cwd,)
    return f"it {trust.way_out(planned.id, asks, places)}" if asks else ""


def new_conversation(agent: Agent) -> str | None:
    """The id of a conversation that is about to begin, if the program takes one from us."""
    if agent.new_conversation != "uuid":
        return None
    import uuid  # imports platform: only for programs that take an id

    return str(uuid.uuid4())


def _reserve(fleet: Fleet, planned: Sequence[Planned], rows: Sequence[Session]) -> None:
    """Admission, names and claims checked and taken in one transaction. What looks taken is looked at twice: first by
    the store alone, then, if it says no, after it was brought up to date."""
    free = admission.free_memory_mb()
    gauge = None
    if limits.arm(fleet.settings):
        from openclaw.sessions import budgets, status  # only where there are any

        status.settle_usage(fleet)
        gauge = budgets.Gauge(fleet, registry.load(fleet.settings))
    programs = {p.agent.name: p.agent for p in planned}
    quotas.refresh(fleet, list(programs.values()))
    for settled in (False, True):
        try:
            with db.transaction(fleet.store):
                live = sessions.live(fleet.store)
                quotas.check(fleet, programs, live, rows)
                admission.check(fleet, len(live), [p.agent for p in planned], free, live[-1] if live else None)
                _check_names(live, rows)
                check_claims(sessions.claims(fleet.store), live, rows)
                if gauge:
                    gauge.check(fleet.store, live, rows, fleet.now())
                for row in rows:
                    sessions.insert(fleet.store, row, row.writes)
                for each in planned:
                    if each.choice:
                        from openclaw.sessions import routed  # as above

                        routed.record(fleet, each.id, each.choice)
                    if each.drawn:
                        from openclaw.sessions import trial  # as above

                        trial.record(fleet, each.drawn)
                    if each.check:
                        from openclaw.store import checks  # as above

                        checks.add(fleet.store, each.id, each.check)
                    if each.hop:
                        events.event(fleet.store, each.id, "FellOver", json.dumps(each.hop._asdict()))
                    if launch.too_long(each.agent, each.task.prompt):  # it is sent when the program is ready
                        sends.add(fleet.store, each.id, each.task.prompt, sends.FIRST, fleet.now())
            return
        except Refused:
            if settled:
                raise
            settle(fleet)


def _check_names(live: Sequence[Session], rows: Sequence[Session]) -> None:
    taken = {s.name: f"session {s.id}" for s in live}
    for row in rows:
        if row.name in taken:
            raise Refused(
                f"the name {row.name} is taken by {taken[row.name]}",
                "choose another --name, or end that one with `openclaw kill`",
                code="name_taken",
            )
        taken[row.name] = "another task of this file"


def check_claims(claims: Sequence[tuple[str, str]], live: Sequence[Session], rows: Sequence[Session]) -> None:
    """Refused(claim_conflict) when these rows would write what a live session claims, or each other's."""
    held: dict[str, list[str]] = {}
    for id, pattern in claims:
        held.setdefault(id, []).append(pattern)
    holders = [(held[s.id], s) for s in live if s.id in held]
    for row in rows:
        if row.writes:
            for patterns, holder in holders:
                if clash := overlaps(row.writes, patterns):
                    raise _conflict(*clash, holder, in_file=holder in rows)
            holders.append((row.writes, row))


def _conflict(ours: str, theirs: str, example: str, holder: Session, in_file: bool) -> Refused:
    task = " ".join(holder.task.split())[:60]
    named = "" if holder.name == holder.id else f" {holder.name}"
    who = f"another task of this file ({task})" if in_file else f"session {holder.id}{named} ({task})"
    through = f", whose --write is {theirs}" if theirs != example else ""
    return Refused(
        f"{example} is claimed by {who}{through}" + (f"; --write {ours} matches it" if ours != example else ""),
        "narrow the write scopes in the file"
        if in_file
        else f"wait for it (`openclaw wait {holder.id}`), end it, or narrow --write",
        code="claim_conflict",
    )


def _open(
    fleet: Fleet, planned: Sequence[Planned], rows: Sequence[Session], gate: Gate | None = None
) -> dict[str, Pane]:
    os.makedirs(fleet.sessions_dir, mode=0o700, exist_ok=True)
    windows = []
    for (task, agent, environ, _, tree, *_), row in zip(planned, rows, strict=True):
        os.mkdir(fleet.folder(row.id), 0o700)
        if tree:
            from openclaw.sessions import worktree  # as above

            worktree.make(fleet, tree)  # first: a sandbox shows what is there
            if task.sandbox:
                from openclaw.sessions import commits  # as above

                commits.prepare(fleet, tree.id, tree.path, tree.branch)
        cut = prefix.cut(agent, task.prefix)
        built = launch.build(
            agent,
            id=row.id,
            folder=fleet.folder(row.id),
            cwd=row.cwd,
            prompt=task.prompt,
            task=task.text,
            limit_s=row.timeout_s,
            grace_s=fleet.settings.get("kill.grace"),
            model=row.model,
            conversation_id=row.conversation_id,
            environ=environ | cut.environ,
            writes=(*row.writes, *watched(row.scope, row.cwd, fleet.settings.home)),
            record=row.as_json() | {"prefix": task.prefix._asdict()},
            around=cut.words,
            around_values=cut.values,
            sandbox=_wrap(fleet, task, agent, environ, row.id) if task.sandbox else None,
        )
        launch.write(built)
        windows.append(window(fleet, row, gate.behind(built.argv) if gate else built.argv))
    return open_windows(fleet.terminal, windows, known=known_server(fleet, sessions.live(fleet.store)))


def _wrap(fleet: Fleet, task: Task, agent: Agent, environ: Mapping[str, str], id: str) -> Wrap:
    from openclaw.sessions import enclose  # only with --sandbox

    return enclose.wrap(fleet, task, agent, environ, fleet.folder(id))


def _started(fleet: Fleet, rows: Sequence[Session], panes: dict[str, Pane]) -> list[Session]:
    with db.transaction(fleet.store):
        for row in rows:
            known = sessions.update(
                fleet.store, row.id, fleet.now(), status=first_state(row), spawner="", **located(panes[row.id])
            )
            # one that was quick may have ended by itself, and another command have seen it, before we got here
            if not known and not any(s.status in ("done", "failed") for s in sessions.by_ids(fleet.store, [row.id])):
                raise Interrupted(f"session {row.id} was ended while it was starting", "nothing of it is left")
    if sends.addressees(fleet.store):
        from openclaw.sessions import courier  # only where a message waits

        courier.ensure(fleet)
    return sessions.by_ids(fleet.store, [row.id for row in rows])


def _undo(fleet: Fleet, rows: Sequence[Session]) -> None:
    """Take back what was done, in reverse: windows, processes, folders, rows with their claims."""
    ids = [row.id for row in rows]
    started = [id for id in ids if os.path.isdir(fleet.folder(id))]
    worked: list[str] = []
    if started:
        try:
            if server := fleet.terminal.running():
                close(fleet.terminal, [(server, session_name(id)) for id in started])
            processes.end(started, grace=1.0)
            worked = _discard(fleet, [row.id for row in rows if row.worktree and row.id in started])
        except OpenclawError:
            return  # the rows stay `starting` with a dead spawner: the next command finishes this
        for id in set(started) - set(worked):
            shutil.rmtree(fleet.folder(id), ignore_errors=True)
    with db.transaction(fleet.store):
        for id in worked:  # its program was quick, and what it has done in its worktree is not ours to undo
            sessions.end(fleet.store, id, "killed", fleet.now(), reason="its start was undone")
        sessions.delete(fleet.store, [id for id in ids if id not in worked])


def _discard(fleet: Fleet, ids: Sequence[str]) -> list[str]:
    """Undo their worktrees; those in which work was done are returned, and stay."""
    if not ids:
        return []
    from openclaw.sessions import retire  # git

    return [id for id in ids if not retire.discard(fleet, id)]
