"""The courier: delivers what was sent to busy sub-agents when their turns end, and is gone when nothing waits.

One process for the whole fleet, started by whoever queues a message. It is no daemon: without messages there is none,
and one that was killed loses nothing, for the messages are rows and the next `send` starts another.
"""

from __future__ import annotations

import os
import sys
import time

from openclaw.errors import OpenclawError
from openclaw.sessions import apart, outbox
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import sends

NAME = "courier"
POLL_SECONDS = 0.1
LIMIT_SECONDS = 5.0
LOOK_SECONDS = 1.0  # Esc and answered dialogs change no row: only a look shows them


def ensure(fleet: Fleet) -> None:
    """Have a courier run, if none does."""
    apart.ensure(fleet, NAME)


def run(fleet: Fleet) -> None:
    """Deliver until nothing waits. Returns at once when another courier runs."""
    while sends.addressees(fleet.store):
        if (lock := apart.lock(fleet, NAME)) is None:
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


if __name__ == "__main__":
    run(Fleet())
