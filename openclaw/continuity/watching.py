"""Looking once, or again and again: by one monitor for each fleet, which the kernel sees to."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from openclaw.continuity.gauges import gauges
from openclaw.continuity.monitor import Monitor, Report, stuck
from openclaw.errors import OpenclawError, Refused
from openclaw.sessions.fleet import Fleet


def watch(fleet: Fleet, interval: float) -> Iterator[Report]:
    """One report for each look, `interval` seconds apart, for ever. Refused when another monitor of this fleet runs."""
    with alone(fleet) as other:
        if other:
            raise Refused(f"{other} of this fleet", "end that one, or let it run: one is enough", "monitor_runs")
        monitor, failed = Monitor(fleet), ""
        yield monitor.look()  # what is wrong from the beginning is an error
        while True:
            time.sleep(interval)  # between two looks
            try:
                yield monitor.look()
                failed = ""
            except OpenclawError as error:  # tmux hangs, the store is locked: that passes, and others need watching
                if error.message != failed:
                    yield Report([], [("", error.message)], [])
                failed = error.message


def once(fleet: Fleet) -> tuple[Report, str]:
    """One look, and what is to be done after it; where another monitor runs only the look, and who that is."""
    with alone(fleet) as other:
        if not other:
            return Monitor(fleet).look(), ""
    found, _ = gauges(fleet)
    return Report(found, [], stuck(fleet, found)), other


@contextmanager
def alone(fleet: Fleet) -> Iterator[str]:
    """While no other monitor of this fleet runs; who does, when one does."""
    os.makedirs(fleet.state_dir, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(fleet.state_dir, "monitor.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid, _, since = os.read(fd, 100).decode("ascii", "replace").strip().partition(" ")
            yield f"process {pid or 'unknown'} is the monitor" + (f" since {since}" if since else "")
            return
        os.ftruncate(fd, 0)
        os.write(fd, f"{os.getpid()} {fleet.now()}\n".encode())
        yield ""
    finally:
        os.close(fd)
