"""The checker: runs the command that looks at a sub-agent's work (`spawn --check`) when that has stopped.

Its exit status is an outcome that the routing learns from, recorded in the transaction that ends the check. A check
that was cut off is run again; not before it is gone, for it holds the lock too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from openclaw.errors import OpenclawError
from openclaw.processes import MARK
from openclaw.sessions import apart, judging
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import checks, db, outcomes, sends, sessions
from openclaw.store.checks import Check
from openclaw.store.sessions import Session

NAME = "checker"
LOOK_SECONDS = 0.5  # between two looks at what the agents do
CHECKED = ("idle", "done", "failed", "timeout")  # when there is work to look at
LOG = "check.log"  # what the command printed, in the folder of the session


def ensure(fleet: Fleet) -> None:
    """Have a checker run while there is something to check."""
    if checks.waiting(fleet.store):
        apart.ensure(fleet, NAME)


def run(fleet: Fleet) -> None:
    """Check until nothing waits. Returns at once when another checker runs."""
    while checks.waiting(fleet.store):
        if (lock := apart.lock(fleet, NAME)) is None:
            return
        try:
            while waiting := checks.waiting(fleet.store):
                try:
                    settle(fleet)
                    _look(fleet, waiting, lock)
                except OpenclawError as error:
                    sys.stderr.write(f"{fleet.now()} {error.message}\n")
                time.sleep(LOOK_SECONDS)
        finally:
            os.close(lock)


def _look(fleet: Fleet, waiting: list[Check], lock: int) -> None:
    found = {s.id: s for s in sessions.by_ids(fleet.store, [check.session_id for check in waiting])}
    busy = set(sends.addressees(fleet.store))
    for check in waiting:
        session = found.get(check.session_id)
        if session is None:
            continue  # its row goes with that of its session
        if session.status in CHECKED and not (session.live and session.id in busy):
            code, said = _run(fleet, session, check.command, lock)
            _end(fleet, session, code, said)
        elif not session.live:
            _end(fleet, session, None, f"not run: its session was {session.status}")


def _end(fleet: Fleet, session: Session, code: int | None, said: str) -> None:
    outcome = None
    if code is not None and session.model:  # of a command line without one there is nothing to learn
        try:
            outcome = judging.judged(fleet, session, code == 0, "check")
        except OpenclawError as error:
            said = f"{said}; nothing was learned from it: {error.message}"
    with db.transaction(fleet.store):
        if checks.end(fleet.store, session.id, code, said, fleet.now()) and outcome:
            outcomes.record(fleet.store, outcome, fleet.now())


def _run(fleet: Fleet, session: Session, command: str, lock: int) -> tuple[int | None, str]:
    """Its exit status, None where it has none; and what to say."""
    limit = fleet.settings.get("check.timeout")
    environ = {k: v for k, v in fleet.settings.environ.items() if k != MARK} | fleet.shared_environment()
    try:
        with open(os.path.join(fleet.folder(session.id), LOG), "wb") as log:
            process = subprocess.Popen(
                ["bash", "-c", command], cwd=session.cwd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env=environ, pass_fds=(lock,),
            )  # fmt: skip
            try:
                code = process.wait(limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return 124, f"it took longer than {limit:g} s"
    except OSError as error:
        return None, f"not run: {error.filename}: {error.strerror}"
    return code, f"exit status {code}"


if __name__ == "__main__":
    run(Fleet())
