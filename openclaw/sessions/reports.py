"""What a program says about itself: its hooks first, then its own file, and its screen while it starts.

Hooks and file are two witnesses of one program, and the later one is right: a hook comes at once and says why, but
after Esc, or an answered dialog, only the file changes.
"""

from __future__ import annotations

from openclaw.agents.reporters import Signal, reporter
from openclaw.errors import OpenclawError
from openclaw.sessions.decision import Verdict
from openclaw.sessions.fleet import Fleet
from openclaw.store.sessions import Session
from openclaw.terminal.windows import Pane, capture
from openclaw.units import from_utc

HOOK_SECONDS = 0.5  # a hook that says why it is idle may be on its way for so long
SILENT_SECONDS = 10.0  # idle for so long without ever having worked: it took no prompt, or its hooks don't run


def said(fleet: Fleet, session: Session, pane: Pane, now: str) -> Verdict:
    """The state of a live program that reports, and for people why it is in it."""
    program = reporter(session.reporter)
    hooks = Signal(session.reported_state or "starting", session.reported_at)
    own = program.look(session.status_file, session.conversation_id or "") if session.status_file else None
    signal = latest(hooks, own, now)
    if signal.state == "starting":
        try:
            asks = program.dialog(capture(fleet.terminal, pane.pane_id))
        except OpenclawError:  # its window went just now: the next look says so
            asks = ""
        return Verdict("waiting", reason=_answer(session, asks)) if asks else Verdict("starting")
    if signal.state == "waiting" and session.limited_until and not session.asks:
        return Verdict("idle", reason=session.last_error)  # what it asks is what to do about its limit
    if signal.state == "waiting":
        asks = f"asks for permission: {session.asks}" if session.asks else f"asks: {signal.why or 'a question'}"
        return Verdict("waiting", reason=_answer(session, asks))
    if signal.state == "idle":
        return Verdict("idle", reason=session.last_error or signal.why)
    return Verdict(signal.state)


def latest(hooks: Signal, file: Signal | None, now: str) -> Signal:
    """Which of the two is right. Pure."""
    if file is None or (file.at < hooks.at and file.state != hooks.state and hooks.state != "starting"):
        return hooks
    if file.state == "idle" and hooks.state != "idle":
        patience = SILENT_SECONDS if hooks.state == "starting" else HOOK_SECONDS
        return file if from_utc(now) - from_utc(file.at) > patience else hooks
    return file


def _answer(session: Session, asks: str) -> str:
    from openclaw.sessions import trust  # only while somebody is asked

    if not session.worktree:
        return trust.way_out(session.id, asks, [session.cwd])
    private = '"sandbox": true' in session.scope  # its repository is its own there, and inherits from none
    home = "" if private else trust.main_checkout(session.worktree)
    return trust.way_out(session.id, asks, [home, session.worktree.rpartition("/")[0]])
