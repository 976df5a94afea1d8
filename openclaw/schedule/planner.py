"""Which firings a job owes. Pure: given how far its firings are accounted for, and the time, each that is due since is
to be run, skipped or reported as missed, once.

Whether one that is to be run can be (another is still at work) is decided when it is begun: that changes by the second.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from openclaw.schedule.times import Timing, dues, ripe
from openclaw.units import format_duration

AT_ONCE = 500  # firings in one plan, so that the transaction which writes them stays short
CATCH_UP = ("none", "one", "all")


class Firing(NamedTuple):
    """A due time (epoch seconds), what becomes of it (due: it is to be run; skipped; missed), and why."""

    due: float
    state: str
    reason: str = ""


class Plan(NamedTuple):
    """`cursor`: until then every firing is accounted for. `next_at`: when to look again; None: never."""

    firings: tuple[Firing, ...]
    cursor: float
    next_at: float | None


def plan(timing: Timing, job_id: str, cursor: float, now: float, catch_up: str, grace: float) -> Plan:
    """All that is due after `cursor`; of more than `AT_ONCE` the first, and then `next_at` is now.

    A firing is late when nobody looked within `grace` seconds after its time. Of late ones `none` runs none, `one` only
    the newest, `all` every one. Of several in time only the newest is run too, but with `all`: they come together
    because they are closer to each other than the looks.
    """
    cursor = min(cursor, now)  # the clock was set back; whoever writes the firings down ignores those it has
    found: list[float] = []
    next_at: float | None = None
    for due in islice(dues(timing, cursor), AT_ONCE + 1):
        if (next_at := ripe(timing, job_id, due)) > now:
            break
        found.append(due)
        next_at = None
    newest = found[-1:]
    if len(found) > AT_ONCE:
        found, newest, next_at = found[:AT_ONCE], [], now
    firings = [_judged(due, now - ripe(timing, job_id, due), due in newest, catch_up, grace) for due in found]
    return Plan(tuple(firings), found[-1] if found else cursor, next_at)


def _judged(due: float, late: float, newest: bool, catch_up: str, grace: float) -> Firing:
    if catch_up == "all" or (newest and (late <= grace or catch_up == "one")):
        return Firing(due, "due", f"{format_duration(late)} late" if late > grace else "")
    if late > grace:
        return Firing(due, "missed", f"nobody looked for {format_duration(late)} after its time")
    return Firing(due, "skipped", "a newer firing was due at the same look")


def upcoming(timing: Timing, now: float, count: int) -> Sequence[float]:
    """The next due times."""
    return list(islice(dues(timing, now), count))
