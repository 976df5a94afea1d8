"""When a job is due. Pure: the clock is passed in.

A firing is known by its due time. Jitter delays when it is begun, by an amount that follows from job and due time
alone, so that two looks at the same firing agree.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterator
from datetime import datetime, tzinfo
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from openclaw.errors import BadInput
from openclaw.units import parse_duration

NICKNAMES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
LATEST = 4e9  # epoch seconds, 2096: no clock that is right shows more


class Timing(NamedTuple):
    """`kind` every (each `step_ms` after `anchor_ms`), cron (`expr` in the zone `tz`; empty: this machine's) or at."""

    kind: str
    step_ms: int = 0
    anchor_ms: int = 0
    expr: str = ""
    tz: str = ""
    at_ms: int = 0
    jitter_ms: int = 0


def dues(timing: Timing, after: float) -> Iterator[float]:
    """The due times after `after`, in order, all in epoch seconds."""
    if timing.kind == "at":
        if timing.at_ms / 1000 > after:
            yield timing.at_ms / 1000
    elif timing.kind == "every":
        count = max(1, math.floor((after * 1000 - timing.anchor_ms) / timing.step_ms))
        while True:
            due = (timing.anchor_ms + count * timing.step_ms) / 1000
            if due > after:
                yield due
            count += 1
    else:
        start = datetime.fromtimestamp(math.floor(after), zone(timing.tz))
        for found in CronSim(timing.expr, start):
            due = found.timestamp()
            if due > LATEST:
                return
            if due > after:
                yield due


def ripe(timing: Timing, job_id: str, due: float) -> float:
    """When the firing due then is begun: at most the jitter later, the same at every look."""
    if not timing.jitter_ms:
        return due
    digest = hashlib.sha256(f"{job_id} {due:.3f}".encode()).digest()
    return due + int.from_bytes(digest[:6], "big") % timing.jitter_ms / 1000


def zone(name: str) -> tzinfo:
    """The time zone of this name, or this machine's. BadInput when there is none."""
    try:
        return ZoneInfo(name or local_zone())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        hint = "name one like Europe/Berlin; the zones come with the package tzdata"
        raise BadInput(f"no time zone {name[:60]!r}", hint) from error


def local_zone() -> str:
    """The name of this machine's zone; UTC where it says none."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named and not named.startswith("/"):
        try:
            ZoneInfo(named)
            return named
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass  # a rule such as CET-1CEST, which has no name
    place, marker, found = os.path.realpath("/etc/localtime").partition("/zoneinfo/")
    return found if place and marker else "UTC"


def check_cron(expr: str, what: str = "--cron") -> str:
    """The expression as cronsim reads it. BadInput says which part cron would not take."""
    words = " ".join(expr.split())
    words = NICKNAMES.get(words.lower(), words).replace("?", "*")  # ? is how others write: whatever the other says
    try:
        CronSim(words, datetime(2026, 1, 1))
    except CronSimError as error:
        hint = "five parts: minute hour day month weekday, like 0 7 * * 1-5"
        raise BadInput(f"{what} {expr[:60]!r}: {str(error).lower()}", hint) from error
    return words


def moment(text: str, tz: str, now: float, what: str = "--at") -> float:
    """Epoch seconds of `2026-12-01T09:00`, with or without Z or +01:00, or of a time from now like 20m."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        try:
            return math.floor(now) + parse_duration(text.removeprefix("+"), what)
        except BadInput as error:
            hint = "write 2026-12-01T09:00, 2026-12-01T09:00Z, or 20m for a time from now"
            raise BadInput(f"{what} {text[:40]!r} is no time", hint) from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=zone(tz))
    if not 0 < found.timestamp() < LATEST:
        raise BadInput(f"{what} {text[:40]!r} is out of range", "choose a time between 1970 and 2096")
    return found.timestamp()
