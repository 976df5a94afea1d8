"""What programs say of their limits: read as they say it, the newest counts, and what can't be says nothing."""

from __future__ import annotations

import math
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from openclaw.agents import limits
from openclaw.store import db, quotas
from openclaw.units import from_utc, utc
from openclaw.usage.quotas import Quota, every, wall

NOW = from_utc("2026-11-21T10:26:00.000Z")
HOUR = 3600.0


@pytest.fixture
def store(tmp_path: Path) -> sqlite3.Connection:
    return db.connect(str(tmp_path / "openclaw.db"))


@pytest.mark.parametrize(
    ("text", "kind", "resets"),
    [  # the first as the real program said it
        ("You've hit your session limit · resets 11:26am (UTC)", "five-hour", "2026-11-21T11:27:00.000Z"),
        ("You've hit your session limit · resets 3pm (UTC)", "five-hour", "2026-11-21T15:01:00.000Z"),
        ("You've hit your session limit · resets 12:30pm (Europe/Berlin)", "five-hour", "2026-11-21T11:31:00.000Z"),
        ("You've hit your weekly limit · resets Nov 24, 3pm (UTC)", "weekly", "2026-11-24T15:01:00.000Z"),
        ("You've hit your weekly limit · resets Nov 24 at 12am (UTC)", "weekly", "2026-11-24T00:01:00.000Z"),
        ("You've hit your Opus limit · resets Nov 27, 2026, 9:05am (UTC)", "weekly-opus", "2026-11-27T09:06:00.000Z"),
        ("You've hit your session limit · resets soon (UTC)", "five-hour", ""),
        ("You've hit your session limit · resets 11:26am (Mars/Crater)", "five-hour", ""),
        ("You've hit your session limit · resets 10pm (UTC)", "five-hour", ""),  # later than any five hours
        ("You've hit your weekly limit · resets Feb 30, 3pm (UTC)", "weekly", ""),
        ("You've hit your session limit", "five-hour", ""),
    ],
)
def test_the_words_with_which_a_turn_ends(text: str, kind: str, resets: str) -> None:
    found = limits.hit(text, NOW)
    assert found and found[:2] == (kind, 100.0)
    assert (utc(found[2]) if found[2] else "") == resets


def test_other_errors_are_no_limit() -> None:
    for text in ("API Error: Request rejected (429)", "This request would exceed your rate limit", ""):
        assert limits.hit(text, NOW) is None


@pytest.mark.parametrize(
    "said",
    [
        None, [], "x", {}, {"rate_limits": None}, {"rate_limits": {"five_hour": None}},
        {"rate_limits": {"five_hour": {"used_percentage": None, "resets_at": 1}}},
        {"rate_limits": {"five_hour": {"used_percentage": "81", "resets_at": NOW}}},
        {"rate_limits": {"five_hour": {"used_percentage": -1, "resets_at": NOW}}},
        {"rate_limits": {"five_hour": {"used_percentage": 1e9, "resets_at": NOW}}},
        {"rate_limits": {"five_hour": {"used_percentage": math.nan, "resets_at": NOW}}},
        {"rate_limits": {"five_hour": {"used_percentage": True, "resets_at": NOW}}},
        {"rate_limits": {"five_hour": {"used_percentage": 81, "resets_at": -5}}},
        {"rate_limits": {"five_hour": {"used_percentage": 81}}},
    ],
)  # fmt: skip
def test_a_status_line_that_says_nonsense_says_nothing(said: Any) -> None:
    assert limits.status_line(said) == []


def test_a_rollouts_windows_are_told_by_their_lengths() -> None:
    said = {
        "primary": {"used_percent": 96.5, "window_minutes": 300, "resets_at": 1795260283},
        "secondary": {"used_percent": 40.0, "window_minutes": 10080, "resets_at": 1795343083},
    }
    assert limits.rollout(said) == [("five-hour", 96.5, 1795260283.0, 18000), ("weekly", 40.0, 1795343083.0, 604800)]
    for odd in (None, {"primary": None}, {"primary": {"used_percent": 3, "window_minutes": 0, "resets_at": 1}}):
        assert limits.rollout(odd) == []
    other = {"primary": {"used_percent": 1, "window_minutes": 90, "resets_at": 5}}
    assert limits.rollout(other)[0][0] == "1.5-hour"


def test_the_newest_report_counts_and_within_one_window_nothing_is_given_back(store: sqlite3.Connection) -> None:
    now = time.time()

    def told(percent: float, resets: float, seen: float) -> float:
        with db.transaction(store):
            quotas.note(store, "claude", [("five-hour", percent, resets, 18_000)], seen)
        [quota] = every(store)
        return quota.percent

    end = now + HOUR
    assert told(50, end, now - 600) == 50
    assert told(40, end + 30, now - 500) == 50  # a look that came late
    assert told(60, end, now - 900) == 50  # one that was older
    assert told(100, 0, now - 300) == 100 and every(store)[0].resets_at == end  # the words that name no time
    assert told(81, end, now - 200) == 100
    assert told(3, end + 18_000, now - 100) == 3  # the next window
    assert told(70, now + 99 * HOUR, now + 50 * HOUR) == 70  # a clock that is wrong
    assert told(5, end, now) == 5


def quota(percent: float, resets: float, seconds: int = 18_000, kind: str = "five-hour", seen: float = 0) -> Quota:
    return Quota("claude", kind, percent, resets, seconds, seen or NOW - 60)


def test_the_wall_is_the_limit_that_resets_last_and_what_has_passed_is_none() -> None:
    soon, week = quota(97, NOW + HOUR), quota(96, NOW + 50 * HOUR, 604_800, "weekly")
    assert wall([soon, week], "", NOW, 95) == week
    assert wall([soon], "", NOW, 95) == soon and wall([soon], "", NOW, 98) is None and wall([soon], "", NOW, 0) is None
    assert wall([soon], "", NOW + HOUR + 1, 95) is None  # it has reset
    assert wall([quota(97, NOW + 9 * HOUR)], "", NOW, 95) is None  # no five hours end so late: a clock has jumped
    opus = quota(100, NOW + HOUR, 604_800, "weekly-opus")
    assert wall([opus], "claude-opus-4-7", NOW, 95) == wall([opus], "opus", NOW, 95) == opus
    assert wall([opus], "claude-sonnet-4-6", NOW, 95) is None
    untold = quota(100, 0)
    assert wall([untold], "", NOW, 95) == untold and wall([untold], "", NOW + HOUR, 95) is None


def test_what_was_started_since_the_report_counts() -> None:
    at = quota(90, NOW + HOUR)
    since = [NOW - 30 + n for n in range(4)]
    assert wall([at], "", NOW, 95, 1, since) is None
    assert wall([at], "", NOW, 95, 1, [*since, NOW]) == at
    assert wall([at], "", NOW, 95, 1, [NOW - 3600] * 9) is None  # the report holds what they have used
    assert wall([at], "", NOW, 95, 1, [], 5) is None and wall([at], "", NOW, 95, 1, [], 6) == at
    week = quota(90, NOW + 9 * HOUR, 604_800, "weekly")
    assert wall([week], "", NOW, 95, 1, [*since, NOW]) is None  # five hours of a week
