"""What every way through the hook does: read a report, store it or leave it to wait, answer, complain. Stdlib only."""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time

from openclaw import places
from openclaw.agents import reported
from openclaw.store import spool

TYPE_CHECKING = False  # type checkers take it as true; `typing` itself would be felt at every turn
if TYPE_CHECKING:
    from typing import Any

BUSY_SECONDS = 2.0  # an agent waits; what can't be stored by then is left in the spool
PASSING = ("is locked", "no such table")  # somebody writes; it is of an older version until the next command
LARGEST = 64 * 2**20  # bytes of a report


def read() -> bytes:
    """What the program says. ValueError when there is no end to it."""
    data = sys.stdin.buffer.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ValueError(f"a report of more than {LARGEST} bytes")
    return data


def store(state_dir: str, report: dict[str, Any]) -> str:
    """Record a report, and those that still wait; else leave it to wait. The state of a sub-agent if that is new."""
    began = time.time()
    report["data"] = {key: report["data"][key] for key in reported.NEEDED if key in report["data"]}
    path = os.path.join(state_dir, places.DATABASE)
    try:
        os.stat(path)  # one that is not there is no reason to make an empty one
        database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        database.execute("PRAGMA synchronous=NORMAL")  # as everywhere in this database: no wait for the disk
        database.execute("BEGIN IMMEDIATE")
        waited = spool.take_in(database, state_dir, reported.take) if spool.waiting(state_dir) else []
        state = reported.take(database, report)
        database.execute("COMMIT")
    except (sqlite3.Error, OSError) as error:
        try:
            spool.leave(state_dir, report, began)
            if not any(words in str(error) for words in PASSING):
                complain(state_dir, f"a report waits: {type(error).__name__}: {error}")
        except OSError as worse:  # the agent gets its answer all the same
            complain(state_dir, f"a report is lost: {error}; {worse}")
        return ""
    spool.forget(state_dir, waited)
    return state


def say(text: str) -> None:
    """Print what the program asked for, whole or not at all."""
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.flush()


def addition(text: str, event: str = "SessionStart") -> str:
    """What makes a text part of the model's next request, as an answer to this event."""
    return json.dumps({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}})


def complain(state_dir: str, text: str) -> None:
    """A line in the log that `doctor` shows; silence when even that can't be written."""
    try:
        with open(os.path.join(state_dir, "hook.log"), "a", encoding="utf-8", errors="replace") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {' '.join(text.split())[:500]}\n")
    except OSError:
        pass


def show(state: str) -> int:
    """Put the state into the window's status line, for whoever is looking. tmux does that while we are gone already.

    The pid of its client, for who stays; 0 when there is none.
    """
    socket, pane = os.environ.get("TMUX", "").partition(",")[0], os.environ.get("TMUX_PANE")
    if not socket or not pane:
        return 0
    nowhere = [
        (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)
    ]  # the agent waits for our stdout
    words = ["tmux", "-S", socket, "set-option", "-t", pane, "@openclaw_state", state]
    try:
        return os.posix_spawnp("tmux", words, os.environ, file_actions=nowhere)
    except OSError:
        return 0  # a sandbox without tmux: the next `ps` sets it
