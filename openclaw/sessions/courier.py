"""The courier: delivers what was sent to busy sub-agents when their turns end, and is gone when nothing waits.

One process for the whole fleet, started by whoever queues a message. It is no daemon: without messages there is none,
and one that was killed loses nothing, for the messages are rows and the next `send` starts another.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time

from openclaw.errors import OpenclawError
from openclaw.processes import MARK
from openclaw.sessions import outbox
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import sends

POLL_SECONDS = 0.1
LIMIT_SECONDS = 1.0  # while nothing may be typed yet
LOOK_SECONDS = 1.0  # Esc and answered dialogs change no row: only a look shows them


def ensure(fleet: Fleet) -> None:
    """Have a courier run, if none does."""
    if (lock := _lock(fleet)) is None:
        return
    os.close(lock)
    environ = {k: v for k, v in fleet.settings.environ.items() if k != MARK}  # it is no process of the sender's
    with open(os.path.join(fleet.state_dir, "courier.log"), "ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", "openclaw.sessions.courier"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            env=environ | fleet.shared_environment(),
        )  # fmt: skip


def run(fleet: Fleet) -> None:
    """Deliver until nothing waits. Returns at once when another courier runs."""
    while sends.addressees(fleet.store):
        if (lock := _lock(fleet)) is None:
            return
        try:
            _deliver_all(fleet)
        finally:
            os.close(lock)
        # once more: what was queued between the last look and now has seen the lock taken


def _deliver_all(fleet: Fleet) -> None:
    looked, version = 0.0, -1
    while ids := sends.addressees(fleet.store):
        if (wait := sends.next_at(fleet.store) - fleet.clock()) > 0:  # a subscription's limit has to reset before
            time.sleep(min(wait, LIMIT_SECONDS))
            continue
        now = int(fleet.store.execute("PRAGMA data_version").fetchone()[0])
        if now != version or time.monotonic() > looked + LOOK_SECONDS:
            looked, version = time.monotonic(), now
            try:
                live = {s.id: s for s in settle(fleet)[0]}
                for id in ids:
                    queue = [m for m in sends.waiting(fleet.store, id) if m.not_before <= fleet.clock()]
                    if queue and (id not in live or outbox.ready(live[id], queue[0])):
                        with outbox.typing(fleet, id):
                            outbox.push(fleet, id, *settle(fleet))
            except OpenclawError as error:
                sys.stderr.write(f"{fleet.now()} {error.message}\n")
        time.sleep(POLL_SECONDS)  # between two looks at the store


def _lock(fleet: Fleet) -> int | None:
    fd = os.open(os.path.join(fleet.state_dir, "courier.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    except BlockingIOError:
        os.close(fd)
        return None


if __name__ == "__main__":
    run(Fleet())
