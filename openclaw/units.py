"""Durations, counts and times as people type and read them. Imports nothing internal but the errors."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from openclaw.errors import BadInput

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# not compiled here: few commands read one, all import this module
_PART = r"(\d+(?:\.\d+)?)([smhd])"
MAX_COUNT = 10**15  # whole in a float, and in every database column
_COUNT = r"(\d+(?:\.\d+)?)([kKmM]?)"


def parse_duration(text: str, what: str = "duration") -> float:
    """Seconds from `90s`, `10m`, `2h`, `1d`, `1h30m` or a bare number of seconds. BadInput otherwise."""
    text = text.strip()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        seconds = float(text)
    else:
        parts = re.findall(_PART, text)
        if not parts or "".join(n + u for n, u in parts) != text:
            raise BadInput(f"{what} {text[:40]!r} is not a duration", "write it like 90s, 10m, 2h or 1d")
        seconds = sum(float(n) * _SECONDS[u] for n, u in parts)
    if not 0 < seconds <= 366 * 86400:
        raise BadInput(f"{what} {text[:40]!r} is out of range", "more than zero, at most 366d")
    return seconds


def duration_argument(flag: str) -> Callable[[str], float]:
    """`parse_duration` as the type of an option."""
    return lambda text: parse_duration(text, flag)


def count_argument(flag: str) -> Callable[[str], int]:
    """`parse_count` as the type of an option."""
    return lambda text: parse_count(text, flag)


def amount_argument(flag: str) -> Callable[[str], float]:
    """`parse_amount` as the type of an option."""
    return lambda text: parse_amount(text, flag)


def format_duration(seconds: float) -> str:
    """`42s`, `3m10s`, `2h05m`, `1d04h`: two units at most, for tables."""
    whole = int(max(0, seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def parse_count(text: str, what: str = "count") -> int:
    """A whole number up to 10**15, `20k` and `1.5M` allowed. BadInput otherwise."""
    match = re.fullmatch(_COUNT, text.strip())
    if not match:
        raise BadInput(f"{what} {text[:40]!r} is not a number", "write it like 800, 20k or 1M")
    count = float(match[1]) * {"": 1, "k": 1000, "m": 1_000_000}[match[2].lower()]
    if count > MAX_COUNT:
        raise BadInput(f"{what} {text[:40]!r} is out of range", f"at most {MAX_COUNT}")
    return int(count)


def parse_amount(text: str, what: str = "amount") -> float:
    """Dollars: `10`, `0.50`, `$3`, up to a million. BadInput otherwise."""
    match = re.fullmatch(r"\$?(\d+(?:\.\d+)?)", text.strip())
    if not match or float(match[1]) > 1e6:
        raise BadInput(f"{what} {text[:40]!r} is no amount of dollars", "write it like 10 or 0.50, at most a million")
    return float(match[1])


def utc(epoch: float) -> str:
    """ISO 8601 UTC with milliseconds, `2026-11-21T01:02:03.456Z`; sorts as text."""
    whole = int(epoch)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{int((epoch - whole) * 1000):03d}Z"


def from_utc(text: str) -> float:
    """The epoch seconds of a time that `utc` wrote."""
    import calendar  # only the views that show ages need it

    whole, _, fraction = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + (float("0." + fraction) if fraction else 0.0)
