"""The state of a sub-agent: one function decides, from what was recorded, what tmux shows and what the program says."""

from __future__ import annotations

import os
from typing import NamedTuple

from openclaw.store.sessions import Session
from openclaw.terminal.windows import Pane, View
from openclaw.units import utc

RECORDED = ("exit", "timeout", "killed", "halted", "hangup")
KILLED = 137  # 128 and SIGKILL: what the system sends when memory is short, or a person; no program ends so by itself
LATEST = 4e9  # epoch seconds, 2096: what lies beyond was not written by the supervisor


class Exit(NamedTuple):
    """What the supervisor recorded: `how` is exit, timeout, killed, halted, hangup or damaged; `at` epoch seconds."""

    code: int | None
    how: str
    at: float


class Ending(NamedTuple):
    """That openclaw ends a session, as noted beforehand: killed, timeout or halted, empty if it does not; and why."""

    status: str = ""
    why: str = ""


class Verdict(NamedTuple):
    """What a session's state is now. `undo`: it never started and must be forgotten. `sweep`: it ended, but nobody
    recorded that its processes have."""

    status: str
    exit_code: int | None = None
    reason: str = ""
    ended_at: str = ""
    undo: bool = False
    sweep: bool = False


def read_exit(folder: str) -> Exit | None:
    """The exit record of a session's folder; None while there is none. A damaged one has no code, never code 0."""
    try:
        with open(os.path.join(folder, "exit"), encoding="ascii") as file:
            at = os.fstat(file.fileno()).st_mtime
            code, how, when = file.read().split()
        found = Exit(int(code), how, float(when.replace(",", ".")))
        if not (0 <= int(code) <= 255 and how in RECORDED and 0 < found.at < LATEST):
            raise ValueError(code, how, when)
        return found
    except ValueError:
        return Exit(None, "damaged", at)
    except OSError:
        return None


def read_ending(folder: str) -> Ending:
    """What was noted in a session's folder before it was ended."""
    if not (status := _text(os.path.join(folder, "ending"))):
        return Ending()
    return Ending(status, _text(os.path.join(folder, "ending.why")))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except (OSError, UnicodeError):
        return ""


def decide(
    session: Session,
    seen: View,
    pane: Pane | None,
    exit: Exit | None,
    ending: Ending,
    spawner_alive: bool,
    now: str,
    said: Verdict | None = None,
) -> Verdict:
    """The one place where a state comes from. Pure. `said` is what a program that reports says about itself."""
    if exit:
        ended = utc(exit.at)
        if exit.how == "exit" and exit.code == KILLED and session.reporter:
            return Verdict("lost", None, "its program was killed (SIGKILL), not by openclaw", ended)
        if exit.how == "exit":
            return Verdict(
                "failed" if exit.code else "done", exit.code, f"exit status {exit.code}" if exit.code else "", ended
            )
        if exit.how == "hangup" and ending.status in ("killed", "halted"):
            return Verdict(ending.status, None, ending.why, ended)
        if exit.how == "hangup":
            return Verdict("lost", None, "its window was closed, not by openclaw", ended)
        if exit.how == "damaged":
            return Verdict(
                "failed", pane.dead_status if pane else None, "its exit record is damaged", ended, sweep=True
            )
        limit = f"after its limit of {session.timeout_s:g}s" if exit.how == "timeout" and session.timeout_s else ""
        return Verdict(exit.how, exit.code, limit or ending.why, ended)
    if seen.presence == "unknown":
        return Verdict(session.status, reason=seen.problem or "tmux does not answer")
    if ending.status in ("killed", "halted") and not (session.status == "starting" and spawner_alive):
        # also while it lives: whoever began that did not finish it
        return Verdict(ending.status, None, ending.why, now, sweep=True)
    if pane and not pane.dead and said and not spawner_alive:
        return said
    if pane and not pane.dead:
        return Verdict(session.status if session.status != "starting" or spawner_alive else "working")
    if session.status == "starting" and spawner_alive:
        return Verdict("starting")
    if pane and pane.dead_status is not None:
        return Verdict("failed" if pane.dead_status else "done", pane.dead_status, "no exit record", now, sweep=True)
    if pane:
        code = 128 + pane.dead_signal if pane.dead_signal else None
        if session.reporter:  # it has a conversation to go on with
            return Verdict("lost", None, "its supervisor was killed", now, sweep=True)
        return Verdict("failed", code, "its supervisor was killed", now, sweep=True)
    if session.status == "starting" and not session.pane_id:
        return Verdict("lost", undo=True)
    why = "the tmux server is gone" if seen.presence == "absent" else "its window is gone"
    return Verdict("lost", None, why, now, sweep=True)
