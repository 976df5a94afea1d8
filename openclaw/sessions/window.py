"""The window of a session: how it is opened, and what its tags tell tmux, whether it begins or comes back."""

from __future__ import annotations

import os

from openclaw.sessions.fleet import Fleet
from openclaw.store.sessions import Session
from openclaw.terminal.windows import NewWindow


def window(fleet: Fleet, session: Session, argv: tuple[str, ...]) -> NewWindow:
    """A window that runs `argv`, with a log in the session's folder and tags from which a lost database is rebuilt."""
    folder = fleet.folder(session.id)
    return NewWindow(
        id=session.id,
        argv=argv,
        cwd=session.cwd,
        log=os.path.join(folder, "terminal.log"),
        log_bytes=fleet.settings.get("log_bytes"),
        title=session.name,
        tags={
            "name": session.name,
            "agent": session.agent,
            "type": session.type,
            "task": " ".join(session.task.split())[:200],
            "state": first_state(session),
            "dir": folder,
            "state_dir": fleet.state_dir,
        },
    )


def first_state(session: Session) -> str:
    """A program that reports is starting until it says otherwise; any other is taken at its process."""
    return "starting" if session.reporter else "working"
