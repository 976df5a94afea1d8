"""Bringing the store up to date: `settle` looks, has `decision.decide` judge, and writes what it decided.

The order of looking matters: the store's rows first, then tmux, then the exit files. A row that says `working` has a
window that tmux must know by then, and a pane that tmux shows as dead has written its exit file before.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openclaw import processes
from openclaw.errors import OpenclawError
from openclaw.sessions import gate
from openclaw.sessions.decision import Verdict, decide, read_ending, read_exit
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, sessions, spool
from openclaw.store.sessions import Session
from openclaw.terminal.server import Server
from openclaw.terminal.windows import Pane, View, close, noticed, set_tags, view
from openclaw.units import from_utc

if TYPE_CHECKING:
    from openclaw.store.outcomes import Outcome


def settle(fleet: Fleet) -> tuple[list[Session], View]:
    """Bring the store up to date with what is really there; returns the live sessions and what tmux showed.

    Ended sessions give up their claims in the same transaction that marks them. A lost one's processes are ended
    first, so that a freed claim is really free. A spawn whose process died is completed or undone.
    """
    take_waiting(fleet)
    rows = sessions.live(fleet.store)
    seen = _view(fleet, rows)
    elsewhere = seen._replace(presence="unknown", problem="its window is on another socket")
    now = fleet.now()
    changed: list[tuple[Session, Verdict]] = []
    for session in rows:
        folder, pane = fleet.folder(session.id), seen.panes.get(session.id)
        alive = session.status == "starting" and processes.alive(session.spawner)
        exit = read_exit(folder)
        ending = read_ending(folder)
        said = _said(fleet, session, pane, now) if session.reporter and pane and not (pane.dead or exit) else None
        here = session.socket == fleet.terminal.socket  # a look at one socket says nothing about another
        verdict = decide(session, seen if here else elsewhere, pane, exit, ending, alive, now, said)
        # a report that nobody has looked at yet may be the end of a turn, though it begins and ends idle
        unseen = bool(session.reporter) and session.seen_report != session.reported_at
        orphaned = bool(session.spawner) and session.status == "starting" and not alive
        same = (verdict.status, verdict.reason) == (session.status, session.reason)
        if not same or unseen or orphaned or verdict.ended_at or verdict.undo:
            changed.append((session, verdict))
    used = _read_usage(fleet, rows)
    if any(verdict.sweep or verdict.status == "lost" for _, verdict in changed):
        from openclaw.locks import locked  # only where something was lost

        with locked(fleet.state_dir, "lost"):  # who comes second must not end what was brought back meanwhile
            _apply(fleet, seen, _unchanged(fleet, changed), now)
    elif changed:
        _apply(fleet, seen, changed, now)
    if changed or used:
        rows = sessions.live(fleet.store)
    if len(seen.panes) > len(rows) or any(id not in seen.panes for id in (s.id for s in rows)):
        _tidy(fleet, seen, {s.id for s in rows})
    return rows, seen


def take_waiting(fleet: Fleet) -> None:
    """Store the reports that could not be stored when they came."""
    if not spool.waiting(fleet.state_dir):
        return
    from openclaw.agents import reported  # only where some wait

    with db.transaction(fleet.store):
        taken = spool.take_in(fleet.store, fleet.state_dir, reported.take)
    spool.forget(fleet.state_dir, taken)


def _view(fleet: Fleet, rows: Sequence[Session]) -> View:
    """What tmux shows; looked at again when a window's command has ended in a way that nobody has recorded."""
    known = known_server(fleet, rows)
    seen = view(fleet.terminal, known)
    dead = [s.id for s in rows if s.id in seen.panes and seen.panes[s.id].unexplained]
    unrecorded = [id for id in dead if not os.path.exists(os.path.join(fleet.folder(id), "exit"))]
    return noticed(fleet.terminal, unrecorded, known) if unrecorded else seen


def _unchanged(fleet: Fleet, changed: Sequence[tuple[Session, Verdict]]) -> list[tuple[Session, Verdict]]:
    """Those that are still in the life that was looked at."""
    now = {s.id: s for s in sessions.by_ids(fleet.store, [s.id for s, _ in changed])}
    return [(s, verdict) for s, verdict in changed if s.id in now and now[s.id].life == s.life]


def _said(fleet: Fleet, session: Session, pane: Pane, now: str) -> Verdict:
    from openclaw.sessions import reports  # only where a program reports

    return reports.said(fleet, session, pane, now)


def settle_usage(fleet: Fleet) -> None:
    """Bring only the ledger up to date with what live sessions and main agents have written."""
    from openclaw.usage import costs, imports  # only where figures are asked for

    _read_usage(fleet, sessions.live(fleet.store))
    if imports.take_mains(fleet.store).turns:
        costs.fill(fleet.store, fleet.settings)


def _read_usage(fleet: Fleet, rows: Sequence[Session]) -> bool:
    reporting = [s for s in rows if s.reporter]
    if not reporting:
        return False
    from openclaw.usage import ledger  # only where a program reports

    if not ledger.refresh(fleet.store, reporting, fleet.now()):
        return False
    from openclaw.sessions import gauge  # only where a turn has ended
    from openclaw.usage import costs

    costs.fill(fleet.store, fleet.settings)
    gauge.judge(fleet, sessions.by_ids(fleet.store, [s.id for s in reporting]))
    return True


def known_server(fleet: Fleet, rows: Sequence[Session]) -> Server | None:
    """The tmux server that the newest of these was seen on: if its socket was deleted it can be brought back."""
    ours = (s for s in reversed(rows) if s.socket == fleet.terminal.socket)
    newest = next((s for s in ours if s.server_pid and s.server_started), None)
    return Server(newest.server_pid or 0, newest.server_started or 0) if newest else None


def _apply(fleet: Fleet, seen: View, changed: Sequence[tuple[Session, Verdict]], now: str) -> None:
    gone = [s.id for s, v in changed if v.sweep or v.status == "lost"]
    if gone:
        processes.end(gone, fleet.settings.get("kill.grace"))
    outside = _outside(fleet, [s for s, v in changed if v.ended_at or v.status == "idle"])
    if any(s.worktree and (v.ended_at or v.undo) for s, v in changed):
        from openclaw.sessions import retire  # git, and only where such a session has ended

        changed = retire.leave_all(fleet, changed, now)
    judged = _judged(fleet, [(s, v.status) for s, v in changed if v.ended_at and s.model and not s.reporter])
    with db.transaction(fleet.store):
        for id, paths in outside.items():
            sessions.set_violations(fleet.store, id, paths)
        if judged:
            from openclaw.store import outcomes  # as in _judged

            outcomes.record_all(fleet.store, judged, now)
        for session, verdict in changed:
            if verdict.undo:
                sessions.delete(fleet.store, [session.id])
            elif verdict.ended_at:
                sessions.end(
                    fleet.store,
                    session.id,
                    verdict.status,
                    now,
                    exit_code=verdict.exit_code,
                    reason=verdict.reason,
                    ended_at=verdict.ended_at,
                )
            else:
                sessions.update(
                    fleet.store,
                    session.id,
                    now,
                    status=verdict.status,
                    reason=verdict.reason,
                    spawner=session.spawner if processes.alive(session.spawner) else "",
                    seen_report=session.reported_at,
                    **located(seen.panes.get(session.id)),
                )
    for session, verdict in changed:
        if session.status == "starting":
            gate.release(fleet.state_dir, session.spawner)
        if verdict.undo:
            import shutil  # bz2, lzma and all: only to undo

            shutil.rmtree(fleet.folder(session.id), ignore_errors=True)
    shown = {s.id: {"state": v.status} for s, v in changed if s.id in seen.panes}
    for id in outside.keys() & shown.keys():
        shown[id]["violations"] = str(len(outside[id]))
    if shown:
        set_tags(fleet.terminal, shown)


def _outside(fleet: Fleet, stopped: Sequence[Session]) -> dict[str, list[str]]:
    if all('"open": true' in session.scope for session in stopped):
        return {}
    from openclaw.sessions import violations  # only where a scope may have been left

    return violations.find(fleet, stopped)


def _judged(fleet: Fleet, ended: Sequence[tuple[Session, str]]) -> list[Outcome]:
    """What the exit statuses of these say of their work."""
    if not ended:
        return []
    from openclaw.sessions import judging  # YAML, and only where such a program has ended

    try:
        return [found for session, status in ended if (found := judging.of_exit(fleet, session, status))]
    except OpenclawError:
        return []  # a rule or price file that can't be read: others say so, and a state is not kept back for it


def located(pane: Pane | None) -> dict[str, Any]:
    """Where a window is, as columns of its row."""
    if not pane:
        return {}
    return {
        "server_pid": pane.server.pid,
        "server_started": pane.server.started,
        "tmux_session": pane.session_id,
        "window_id": pane.window_id,
        "pane_id": pane.pane_id,
        "pid": pane.pid,
    }


def _tidy(fleet: Fleet, seen: View, live: set[str]) -> None:
    """Close the windows of sessions that ended a while ago. Windows the store does not know are doctor's to judge."""
    others = [id for id in seen.panes if id not in live]
    if not others or not seen.server:
        return
    oldest = fleet.clock() - fleet.settings.get("windows.keep")
    old = [s.id for s in sessions.by_ids(fleet.store, others) if s.ended_at and from_utc(s.ended_at) < oldest]
    if old:
        close(fleet.terminal, [(seen.server, seen.panes[id].session_id) for id in old])
