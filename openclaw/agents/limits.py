"""How programs say how much of a subscription is used: five-hour and weekly limits, and when they reset.

By words of Claude Code 2.1 (its status line, the error that ends a turn) and Codex 0.169 (its rollout). Hooks import
this: only the standard library, and little of it. A report is (kind, percent, resets_at, seconds): epoch seconds, 0
where nobody said; and how long the limit's window is. What can't be is no report.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from typing import Any

    Report = tuple[str, float, float, int]

HOURS_5, WEEK = 18_000, 604_800
WINDOWS = {"five_hour": ("five-hour", HOURS_5), "seven_day": ("weekly", WEEK)}  # of the status line
HIT = r"hit your ([\w. ]+?) limit\b(?:.*?\bresets ([^()]+?) \(([^()]+)\))?"  # of the error
TIME = r"(?:([A-Z][a-z]{2}) (\d+),?(?: (\d{4}),?)? (?:at )?)?(\d+)(?::(\d\d))? ?([ap])m"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def status_line(data: Any) -> list[Report]:
    """Of what Claude Code tells its status line; nothing where no subscription is used."""
    limits = data.get("rate_limits") if isinstance(data, dict) else None
    found = []
    for name, (kind, seconds) in WINDOWS.items():
        said = limits.get(name) if isinstance(limits, dict) else None
        if isinstance(said, dict):
            found += _report(kind, said.get("used_percentage"), said.get("resets_at"), seconds)
    return found


def rollout(said: Any) -> list[Report]:
    """Of what a `token_count` of Codex says; its windows are told by their lengths."""
    found = []
    for name in ("primary", "secondary"):
        limit = said.get(name) if isinstance(said, dict) else None
        minutes = limit.get("window_minutes") if isinstance(limit, dict) else None
        if isinstance(limit, dict) and isinstance(minutes, int) and 0 < minutes < 1e6:
            seconds = 60 * minutes
            kind = {HOURS_5: "five-hour", WEEK: "weekly"}.get(seconds, f"{minutes / 60:g}-hour")
            found += _report(kind, limit.get("used_percent"), limit.get("resets_at"), seconds)
    return found


def hit(text: str, now: float) -> Report | None:
    """Of the words with which Claude Code ends a turn: `You've hit your session limit · resets 3pm (UTC)`."""
    import re  # with what follows, only when that has happened

    said = re.search(HIT, text)
    if not said:
        return None
    name = said[1].lower()
    kind, seconds = {"session": ("five-hour", HOURS_5), "weekly": ("weekly", WEEK)}.get(name, (f"weekly-{name}", WEEK))
    resets_at = _time(said[2], said[3], now) if said[2] else 0.0
    return kind, 100.0, resets_at if now < resets_at <= now + seconds + 3600 else 0.0, seconds


def _report(kind: str, percent: object, resets_at: object, seconds: int) -> list[Report]:
    numbers = [n for n in (percent, resets_at) if isinstance(n, (int, float)) and not isinstance(n, bool)]
    if len(numbers) == 2 and 0 <= numbers[0] <= 1000 and 0 < numbers[1] < 1e11:  # NaN is neither
        return [(kind, float(numbers[0]), float(numbers[1]), seconds)]
    return []


def _time(text: str, zone: str, now: float) -> float:
    """The next time that a clock in this zone shows this; 0 when that can't be read. A minute more: it is rounded."""
    import re
    from datetime import datetime, timedelta
    from zoneinfo import ZoneInfo

    said = re.fullmatch(TIME, text.strip())
    try:
        if not said:
            return 0.0
        here = datetime.fromtimestamp(now, ZoneInfo(zone.strip()))
        at = here.replace(
            hour=int(said[4]) % 12 + 12 * (said[6] == "p"), minute=int(said[5] or 0), second=0, microsecond=0
        )
        if said[1]:
            at = at.replace(int(said[3] or here.year), MONTHS.index(said[1]) + 1, int(said[2]))
            if not said[3] and at < here - timedelta(days=1):
                at = at.replace(at.year + 1)
        elif at <= here:
            at += timedelta(days=1)
        return at.timestamp() + 60
    except (ValueError, KeyError, OSError):  # no such zone, or day; no data of zones at all
        return 0.0
