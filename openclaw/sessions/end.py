"""Ending sub-agents: the whole process tree, only ours, then the row with its claims, then the window."""

from __future__ import annotations

import os
from collections.abc import Sequence

from openclaw import processes
from openclaw.sessions.decision import read_exit
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import db, sessions
from openclaw.store.sessions import Session
from openclaw.terminal.windows import close, view
from openclaw.whole import put


def kill(fleet: Fleet, found: Sequence[Session], status: str = "killed", why: str = "") -> list[Session]:
    """End these sessions as `status`, because of `why`; those that have ended already only lose their window. All anew.

    A lost one is given up: `restore` does not bring it back.

    Their folders, logs and rows stay. A kill that is interrupted has noted its intent: the next command finishes it.
    """
    grace = fleet.settings.get("kill.grace")  # before anything is noted: a setting may be wrong
    live = [s for s in found if s.live]
    for session in live:
        _note(fleet.folder(session.id), status, why)
    outside: dict[str, list[str]] = {}
    stuck = processes.end([s.id for s in live], grace) if live else []
    if live:
        from openclaw.sessions import violations  # imports subprocess: only where something was ended

        outside = violations.find(fleet, live)
    kept = {s.id: _keep(fleet, s) for s in live if s.worktree}
    if reporting := [s for s in live if s.reporter]:
        from openclaw.usage import costs, ledger  # only where a program reports

        ledger.refresh(fleet.store, reporting, fleet.now())
        costs.fill(fleet.store, fleet.settings)
    with db.transaction(fleet.store):
        sessions.give_up(fleet.store, [s.id for s in found if s.status == "lost"], fleet.now())
        for id, paths in outside.items():
            sessions.set_violations(fleet.store, id, paths)
        for session in live:
            record = read_exit(fleet.folder(session.id))
            natural = record is not None and record.how == "exit"
            code = record.code if record and natural else None
            final = status if not natural else "failed" if code else "done"  # it ended by itself just before
            reason = "processes that take no signal are left" if session.id in stuck else kept.get(session.id, "")
            reason = "; ".join(filter(None, (why if final == status else "", reason)))
            sessions.end(fleet.store, session.id, final, fleet.now(), exit_code=code, reason=reason)
    seen = view(fleet.terminal)
    if seen.server:
        close(fleet.terminal, [(seen.server, seen.panes[s.id].session_id) for s in found if s.id in seen.panes])
    return sessions.by_ids(fleet.store, [s.id for s in found])


def finished(fleet: Fleet) -> list[Session]:
    """The ended sessions whose windows are still there to be looked at."""
    rows, seen = settle(fleet)
    live = {s.id for s in rows}
    return sessions.by_ids(fleet.store, [id for id in seen.panes if id not in live])


def _keep(fleet: Fleet, session: Session) -> str:
    from openclaw.sessions import retire  # git, and only where there is one

    return retire.leave(fleet, session)


def _note(folder: str, status: str, why: str) -> None:
    """Say in the folder that it ends and why, before anything is ended: whoever sees the end first knows it too."""
    try:
        if why:
            put(os.path.join(folder, "ending.why"), why.encode())
        put(os.path.join(folder, "ending"), status.encode())
    except FileNotFoundError:
        pass  # the folder was removed by hand: the store alone will say it
