"""Bringing a lost sub-agent back to life under its own id, exactly once however many try.

Its row goes from `lost` to `starting` in one transaction, which takes its claims again and puts the end of its earlier
life aside; then its window opens in the same folder. One who dies in the middle leaves a row that `settle` completes
or finds lost again. Nothing of the earlier life is removed: it lies in `life-1`, `life-2`, … of its folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openclaw import processes
from openclaw.agents import launch, registry
from openclaw.agents.registry import Agent
from openclaw.errors import BadInput, Interrupted, OpenclawError, Unavailable
from openclaw.sessions import admission, prefix
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.gate import Gate
from openclaw.sessions.spawn import check_claims, new_conversation
from openclaw.sessions.status import known_server, located
from openclaw.sessions.violations import watched
from openclaw.sessions.window import first_state, window
from openclaw.store import db, sessions
from openclaw.store.sessions import Session
from openclaw.tasks.prefix import Prefix
from openclaw.terminal.windows import NewWindow, Pane, close, open_windows, session_name, view
from openclaw.usage import ledger

ENDS = ("exit", "exit.new", "ending", "ending.why", "changed", "changed.new", "left", "env")  # of one life
KEPT = ("launch.sh", "resume.md", "session.json")  # of every life; replaced by the next


class Wish(NamedTuple):
    """A lost session that should come back: with `prompt` into its own conversation, or, without one, run again."""

    session: Session
    prompt: str = ""


class Outcome(NamedTuple):
    """What came of a wish: the session as it is now, and the error if it did not come back.

    `ours` is False when it was lost no more: somebody else has brought it back.
    """

    session: Session
    ours: bool
    error: OpenclawError | None = None


def why_not(fleet: Fleet, agents: Mapping[str, Agent], session: Session, transcript: str) -> str:
    """Why a session can't go on in its own conversation, whose file is `transcript`; empty when it can."""
    agent = agents.get(session.agent)
    if not agent:
        return f"there is no agent {session.agent} any more"
    if not agent.resume:
        return f"{session.agent} can't resume"
    if not session.conversation_id:
        return "it had no conversation yet"
    if session.reporter:
        empty = not ledger.reader(session.reporter).begun(transcript)
    else:
        empty = not os.path.exists(transcript) or not os.path.getsize(transcript)
    return f"there is no history of its conversation {session.conversation_id}" if empty else ""


def revive(fleet: Fleet, wishes: Sequence[Wish]) -> list[Outcome]:
    """Bring these back, each for itself; those that can't be stay lost, with the reason. In the order of `wishes`."""
    agents = registry.load(fleet.settings)
    outcomes: dict[str, tuple[bool, OpenclawError | None]] = {wish.session.id: (False, None) for wish in wishes}
    windows: list[NewWindow] = []
    for wish in wishes:
        id = wish.session.id
        try:
            agent, environ = _check(fleet, agents, wish.session)
            if not _take(fleet, wish.session, agent):
                continue
        except OpenclawError as error:
            outcomes[id] = (False, error)
            continue
        try:
            windows.append(_prepare(fleet, agent, wish, environ))
        except (OpenclawError, OSError) as error:
            outcomes[id] = (False, _lost_again(fleet, id, error))
    if windows:
        # none begins before all are there: programs that start slow tmux down
        with Gate(fleet.state_dir, processes.identity(os.getpid()), windows[0].id) as gate:
            held = [each._replace(argv=gate.behind(each.argv)) for each in windows]
            panes, problems = _open(fleet, held)
        # only then: as long as the rows name us, whoever comes after us opens the gate that we leave behind
        problems |= _begin(fleet, panes)
        outcomes |= {each.id: (each.id not in problems, problems.get(each.id)) for each in windows}
    now = {s.id: s for s in sessions.by_ids(fleet.store, [wish.session.id for wish in wishes])}
    return [Outcome(now[id], *outcomes[id]) for id in outcomes]


def _check(fleet: Fleet, agents: Mapping[str, Agent], session: Session) -> tuple[Agent, dict[str, str]]:
    agent = registry.get(agents, session.agent)
    environ = fleet.settings.environ
    seen = launch.environment(agent, environ, [name for name in session.env_names if name in environ])
    launch.check_installed(agent, seen)
    return agent, seen | fleet.shared_environment()


def _take(fleet: Fleet, session: Session, agent: Agent) -> bool:
    """Make it ours; False when it is lost no more. Refused when its claims are taken or there is no room."""
    from openclaw.sessions import worktree  # json and git: only here

    tree = worktree.load(fleet, session.id)
    free = admission.free_memory_mb()
    with db.transaction(fleet.store):
        found = sessions.by_ids(fleet.store, [session.id])
        if not found or found[0].status != "lost":
            return False
        live = sessions.live(fleet.store)
        # the newest live one may be starting on a server that is no more: its open files are asked for as it opens
        admission.check(fleet, len(live), [agent], free, None)
        row = found[0]._replace(socket=fleet.terminal.socket)
        check_claims(sessions.claims(fleet.store), live, [row])
        _put_aside(fleet.folder(session.id))
        return sessions.revive(
            fleet.store,
            row,
            fleet.now(),
            spawner=processes.identity(os.getpid()),
            name=row.name if row.name not in {s.name for s in live} else row.id,
            worktree=tree.path if tree else row.worktree,
        )


def _put_aside(folder: str) -> None:
    """The end of the earlier life, and what it was started with, into a folder of their own."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    number = 1
    while os.path.exists(os.path.join(folder, f"life-{number}")):
        number += 1
    earlier = os.path.join(folder, f"life-{number}")
    os.mkdir(earlier, 0o700)
    for name in KEPT:
        try:
            os.link(os.path.join(folder, name), os.path.join(earlier, name))
        except FileNotFoundError:
            continue
    for name in ENDS:
        try:
            os.replace(os.path.join(folder, name), os.path.join(earlier, name))
        except FileNotFoundError:
            continue
    if os.path.exists(os.path.join(earlier, "env")):
        os.unlink(os.path.join(earlier, "env"))  # values of secrets; of a start that came to nothing


def _prepare(fleet: Fleet, agent: Agent, wish: Wish, environ: dict[str, str]) -> NewWindow:
    """The folder of the new life and its window. It is ours by now."""
    [session] = sessions.by_ids(fleet.store, [wish.session.id])
    folder = fleet.folder(session.id)
    if session.worktree:
        from openclaw.sessions import worktree  # git

        if tree := worktree.load(fleet, session.id):
            worktree.again(fleet, tree)
    if not os.path.isdir(session.cwd):
        raise BadInput(f"its folder {session.cwd} is not there any more", "make it again, then restore")
    before, record = _read(folder, "launch.sh"), _read(folder, "session.json")
    script = before
    if not script or not os.path.exists(os.path.join(folder, "task.md")):
        before = script = _anew(fleet, agent, session, environ)
    if wish.prompt and session.conversation_id:
        script = launch.resuming(agent, script, session.conversation_id)
        _replace(folder, "resume.md", wish.prompt)
    elif session.conversation_id:
        fresh = new_conversation(agent)
        script = launch.beginning(agent, script, session.conversation_id, fresh)
        session = session._replace(conversation_id=fresh)
    result = os.path.join(folder, *(["out"] if json.loads(session.scope).get("sandbox") else []), "result.md")
    try:
        known = json.loads(record)
    except ValueError:
        known = {}
    known = known if isinstance(known, dict) else {}
    left_out = prefix.cut(agent, Prefix(**known["prefix"])).environ if "prefix" in known else {}
    private = environ | left_out
    private |= {"OPENCLAW_TASK_FILE": os.path.join(folder, "task.md"), "OPENCLAW_RESULT_FILE": result}
    _replace(folder, "env", launch.exports(private))
    if known.get("name") != session.name or known.get("conversation_id") != session.conversation_id:
        _replace(folder, "session.json", json.dumps(known | session.as_json(), indent=1, ensure_ascii=False) + "\n")
    if script != before:
        _replace(folder, "launch.sh", script)
    with db.transaction(fleet.store):  # after the script: what begins says itself which conversation it is in
        sessions.update(fleet.store, session.id, fleet.now(), conversation_id=session.conversation_id)
    os.utime(os.path.join(folder, "launch.sh"))  # what is newer than it was changed in this life
    return window(fleet, session, launch.window_words(session.id, folder))


def _anew(fleet: Fleet, agent: Agent, session: Session, environ: Mapping[str, str]) -> str:
    """The files of a session whose folder was lost, from its row alone; returns its launch.sh."""
    folder = fleet.folder(session.id)
    built = launch.build(
        agent,
        id=session.id,
        folder=folder,
        cwd=session.cwd,
        prompt=session.task,
        task=session.task,
        limit_s=session.timeout_s,
        grace_s=fleet.settings.get("kill.grace"),
        model=session.model,
        conversation_id=session.conversation_id,
        environ=environ,
        writes=(*session.writes, *watched(session.scope, session.cwd, fleet.settings.home)),
        record=session.as_json(),
    )
    for name, text in built.files.items():
        _replace(folder, name, text)
    return built.files["launch.sh"]


def _open(fleet: Fleet, windows: Sequence[NewWindow]) -> tuple[dict[str, Pane], dict[str, OpenclawError]]:
    """All in one call of tmux; if that fails, each for itself, so that one can't keep the others from coming back."""
    known = known_server(fleet, sessions.live(fleet.store))
    seen = view(fleet.terminal)
    ended = [each.id for each in windows if each.id in seen.panes and seen.panes[each.id].dead]
    if ended and seen.server:  # only its program was killed: the window of that life is in the way
        close(fleet.terminal, [(seen.server, session_name(id)) for id in ended])
    try:
        return open_windows(fleet.terminal, windows, known), {}
    except OpenclawError:
        pass
    panes: dict[str, Pane] = {}
    problems: dict[str, OpenclawError] = {}
    for each in windows:
        try:
            panes |= open_windows(fleet.terminal, [each], known)
        except OpenclawError as error:
            seen = view(fleet.terminal)
            pane = seen.panes.get(each.id)
            if pane and not pane.dead:  # the tmux client of one who was killed has outlived him: it runs the same
                panes[each.id] = pane
                continue
            if pane and seen.server:
                close(fleet.terminal, [(seen.server, session_name(each.id))])
            problems[each.id] = _lost_again(fleet, each.id, error)
    return panes, problems


def _begin(fleet: Fleet, panes: Mapping[str, Pane]) -> dict[str, OpenclawError]:
    problems: dict[str, OpenclawError] = {}
    with db.transaction(fleet.store):
        for row in sessions.by_ids(fleet.store, list(panes)):
            at = located(panes[row.id])
            if not sessions.update(fleet.store, row.id, fleet.now(), status=first_state(row), spawner="", **at):
                problems[row.id] = Interrupted(f"session {row.id} was ended while it was brought back")
    return problems


def _lost_again(fleet: Fleet, id: str, error: Exception) -> OpenclawError:
    """Give up one: its row says why, and its claims are free."""
    problem = error if isinstance(error, OpenclawError) else Unavailable(f"{fleet.folder(id)}: {error}", code="system")
    processes.end([id], grace=1.0)
    with db.transaction(fleet.store):
        sessions.end(fleet.store, id, "lost", fleet.now(), reason=f"could not be brought back: {problem.message}"[:500])
    return problem


def _read(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except OSError:
        return ""


def _replace(folder: str, name: str, text: str) -> None:
    """Write a file of the folder, 0600, whole or not at all; what an earlier life had links to the old one."""
    path = os.path.join(folder, name)
    fd = os.open(path + ".next", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
    os.replace(path + ".next", path)
