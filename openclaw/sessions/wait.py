"""Waiting for sub-agents: on their exit files, with a deadline, and with a look at tmux now and then."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import checks, sends, sessions
from openclaw.store.sessions import Session

POLL_SECONDS = 0.03
LOOK_SECONDS = 1.0  # how soon a window that vanished without an exit file is noticed
STOPPED = ("waiting", "idle")  # an interactive agent that waits for a person or for more is not working on anything


def wait(
    fleet: Fleet, ids: Sequence[str], any_one: bool = False, timeout: float | None = None
) -> tuple[list[Session], bool]:
    """Block until all (or any) of them have ended or stopped working. Returns them, and whether the deadline passed."""
    deadline = time.monotonic() + timeout if timeout is not None else None
    looked = 0.0
    settle(fleet)
    while True:
        found = sessions.by_ids(fleet.store, ids)
        told, unchecked = _messages(fleet), _unchecked(fleet)
        ready = [
            (not s.live or (s.status in STOPPED and not (s.status == "idle" and s.id in told)))
            and not (s.id in unchecked and s.status != "waiting")
            for s in found
        ]
        if all(ready) or (any_one and any(ready)):
            return found, False
        pending = [fleet.folder(s.id) for s, r in zip(found, ready, strict=True) if not r]
        looked, version = time.monotonic(), _version(fleet)
        while not any(os.path.exists(os.path.join(folder, "exit")) for folder in pending):
            if _version(fleet) != version:
                break
            if deadline is not None and time.monotonic() >= deadline:
                return found, True
            if time.monotonic() > looked + LOOK_SECONDS:
                break
            time.sleep(POLL_SECONDS)  # between two looks at the predicate
        settle(fleet)


def _messages(fleet: Fleet) -> list[str]:
    """The sessions that a message waits for: one that is idle has more to do. Somebody must be there to deliver it."""
    waiting = sends.addressees(fleet.store)
    if waiting:
        from openclaw.sessions import courier  # only where a message waits

        courier.ensure(fleet)
    return waiting


def _unchecked(fleet: Fleet) -> set[str]:
    """The sessions whose work is still to be looked at. Somebody must be there to do it."""
    waiting = {check.session_id for check in checks.waiting(fleet.store)}
    if waiting:
        from openclaw.sessions import checker  # only where there is a check

        checker.ensure(fleet)
    return waiting


def _version(fleet: Fleet) -> int:
    """Changes when another process wrote to the store, as hooks do."""
    return int(fleet.store.execute("PRAGMA data_version").fetchone()[0])


def verdict(fleet: Fleet, found: Sequence[Session], timed_out: bool, any_one: bool = False) -> int:
    """The contract's exit status for what was waited for: 0, 1 (one failed, or its check did), 6 (one needs a person),
    124."""
    if timed_out:
        return 124
    status = {s.status for s in found if not any_one or not s.live or s.status in STOPPED}
    if "waiting" in status:
        return 6
    if status <= {"done", "idle"}:
        return int(any(check.failed for check in checks.of(fleet.store, [s.id for s in found])))
    return 124 if status <= {"done", "idle", "timeout"} else 1
