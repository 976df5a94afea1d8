"""Columns of charts over time: days, weeks, months or years, whichever are not too many."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

UNITS = (("day", 62), ("week", 60), ("month", 48), ("year", 10_000))  # and how many of each are not too many
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale


class Timeline(NamedTuple):
    """Where each day stands, by the name of its column; all columns in order; what one of them is."""

    at: dict[str, str]
    bins: list[str]
    unit: str


def timeline(days: Iterable[str], today: str, least: int = 1, iso: bool = False) -> Timeline:
    """Columns for these days and all between, at `least` so many days; what is no day, or has not come, has none.

    Days are called `Nov 21`, or with `iso` 2026-11-21.
    """
    last = _date(today) or date.max
    known = sorted(found for day in days if (found := _date(day)) and found <= last)
    if not known:
        return Timeline({}, [], "day")
    first, last = known[0], known[-1]
    for unit, most in UNITS:
        begins = dict.fromkeys(_begin(first + timedelta(n), unit) for n in range((last - first).days + 1))
        if len(begins) <= most:
            break
    before = [next(iter(begins))]
    while unit == "day" and len(before) + len(begins) <= least:
        before.append(before[-1] - timedelta(1))
    bins = [*reversed(before[1:]), *begins]
    names = {begin: begin.isoformat() if iso and unit == "day" else _called(begin, unit) for begin in bins}
    return Timeline({day.isoformat(): names[_begin(day, unit)] for day in known}, list(names.values()), unit)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _begin(day: date, unit: str) -> date:
    if unit == "week":
        return day - timedelta(min(day.weekday(), (day - date.min).days))
    return {"day": day, "month": day.replace(day=1), "year": day.replace(month=1, day=1)}[unit]


def _called(begin: date, unit: str) -> str:
    """Unique within a chart: no sixty weeks have a date twice."""
    month = MONTHS[begin.month - 1]
    if unit == "year":
        return f"{begin.year}"
    if unit == "month":
        return f"{month} {begin.year}"
    return f"{month} {begin.day}"
