"""When jobs are due, and which firings are owed: pure, with the clock passed in."""

from __future__ import annotations

from datetime import datetime
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openclaw.errors import BadInput
from openclaw.schedule.planner import AT_ONCE, plan
from openclaw.schedule.times import Timing, check_cron, dues, moment, ripe, zone

BERLIN, YORK, HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
# the nights in which clocks are changed in 2026: forward, back
CHANGES = {BERLIN: ("2026-03-29", "2026-10-25"), YORK: ("2026-03-08", "2026-11-01"), HOWE: ("2026-10-04", "2026-04-05")}
HOURLY = Timing("every", step_ms=3_600_000, anchor_ms=0)


def at(text: str, tz: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(tz)).timestamp()


def local(epoch: float, tz: str) -> str:
    return datetime.fromtimestamp(epoch, ZoneInfo(tz)).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize("tz", CHANGES)
@pytest.mark.parametrize("change", [0, 1])
@pytest.mark.parametrize("expr", ["30 2 * * *", "0 7 * * *", "15 1 * * *", "45 1 * * *", "0 3 * * *"])
def test_a_daily_job_is_due_once_on_each_day_also_when_the_clock_changes(tz: str, change: int, expr: str) -> None:
    day = CHANGES[tz][change]
    start = at(f"{day}T12:00", tz) - 3 * 86400
    found = [local(due, tz) for due in islice(dues(Timing("cron", expr=expr, tz=tz), start), 6)]
    days = [each[:10] for each in found]
    minute, hour = expr.split()[:2]
    assert {each[11:] for each in found if each[:10] != day} == {f"{int(hour):02}:{int(minute):02}"}
    assert len(set(days)) == 6 and day in days


@pytest.mark.parametrize("tz", CHANGES)
@pytest.mark.parametrize("change", [0, 1])
def test_a_job_of_every_ten_minutes_follows_real_time_through_the_change(tz: str, change: int) -> None:
    start = at(f"{CHANGES[tz][change]}T00:00", tz) - 3600
    found = list(islice(dues(Timing("cron", expr="*/10 * * * *", tz=tz), start), 60))
    assert {round(b - a) for a, b in pairwise(found)} == {600}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["30 2 * * *", "*/20 * * * *", "5 1-3 * * *", "0 7 * * 1-5", "15 */2 * * *"]),
    st.sampled_from([(tz, day) for tz, days in CHANGES.items() for day in days]),
    st.lists(st.floats(0, 3 * 86400), min_size=1, max_size=12),
)
def test_due_times_do_not_depend_on_when_somebody_looked(
    expr: str, place: tuple[str, str], looks: list[float]
) -> None:
    tz, day = place
    timing, start = Timing("cron", expr=expr, tz=tz), at(f"{day}T00:00", tz) - 86400
    end, cursor, found = start + 3 * 86400, start, []
    for look in [*sorted(start + each for each in looks), end]:
        for due in dues(timing, cursor):
            if due > look:
                break
            found.append(due)
        cursor = look
    whole = []
    for due in dues(timing, start):
        if due > end:
            break
        whole.append(due)
    assert found == whole


def test_every_counts_from_its_anchor() -> None:
    timing = Timing("every", step_ms=600_000, anchor_ms=1_000_123)
    assert list(islice(dues(timing, 1000.123), 2)) == [1600.123, 2200.123]
    assert next(dues(timing, 1600.123)) == 2200.123
    assert next(dues(timing, 0)) == 1600.123


def test_jitter_is_the_same_at_every_look_and_below_its_limit() -> None:
    timing = HOURLY._replace(jitter_ms=600_000)
    delays = {ripe(timing, "job", due) - due for due in islice(dues(timing, 0), 50)}
    assert delays == {ripe(timing, "job", due) - due for due in islice(dues(timing, 0), 50)}
    assert len(delays) > 40 and all(0 <= each < 600 for each in delays)
    assert ripe(timing, "job", 3600) != ripe(timing, "other", 3600)


# --- what is owed


def states(*looks: float, catch_up: str = "one", grace: float = 60, timing: Timing = HOURLY) -> dict[float, str]:
    """What became of each firing, when somebody looked at these times, from 0."""
    cursor, found = 0.0, dict[float, str]()
    for now in looks:
        while True:
            done = plan(timing, "job", cursor, now, catch_up, grace)
            for firing in done.firings:
                assert firing.due not in found
                found[firing.due / 3600] = firing.state
            cursor = done.cursor
            if done.next_at is None or done.next_at > now:
                break
    return found


def test_in_time_it_is_run() -> None:
    assert states(3600, 3700, 7230) == {1: "due", 2: "due"}


def test_peers_20_what_was_missed_while_the_machine_slept_is_reported() -> None:
    assert states(5 * 3600 + 600) == dict.fromkeys((1, 2, 3, 4), "missed") | {5: "due"}
    assert states(5 * 3600 + 600, catch_up="none") == dict.fromkeys((1, 2, 3, 4, 5), "missed")
    assert states(5 * 3600 + 10, catch_up="none") == dict.fromkeys((1, 2, 3, 4), "missed") | {5: "due"}
    assert states(5 * 3600 + 600, catch_up="all") == dict.fromkeys((1, 2, 3, 4, 5), "due")


def test_of_firings_closer_than_the_looks_the_newest_is_run() -> None:
    timing = Timing("every", step_ms=10_000)
    found = states(60, timing=timing)
    assert list(found.values()) == ["skipped"] * 5 + ["due"]


def test_peers_27_a_month_asleep_is_accounted_for_in_pieces() -> None:
    found = states(3 * AT_ONCE * 3600.0)
    assert len(found) == 3 * AT_ONCE and sorted(found.values()).count("due") == 1


def test_a_clock_that_was_set_back_owes_from_there_on() -> None:
    done = plan(HOURLY, "job", 1e9, 7200, "one", 60)
    assert (done.firings, done.next_at) == ((), 3 * 3600)


def test_jitter_delays_but_loses_nothing() -> None:
    timing = HOURLY._replace(jitter_ms=1_800_000)
    assert states(*(60.0 * n for n in range(1, 400)), timing=timing) == dict.fromkeys(range(1, 7), "due")


def test_once_is_once() -> None:
    once = Timing("at", at_ms=7_200_000)
    assert states(3600, 7200, 9000, timing=once) == {2: "due"}
    assert plan(once, "job", 7200, 9000, "one", 60).next_at is None


# --- words


@pytest.mark.parametrize("text", ["", "* * * *", "61 * * * *", "0 0 31 2 0 9", "every day", "0 0 32 * *"])
def test_a_wrong_expression_is_named(text: str) -> None:
    with pytest.raises(BadInput, match="--cron"):
        check_cron(text)


@pytest.mark.parametrize("text", ["Nowhere/Place", "../../etc/passwd", "/etc/localtime", "x\0y"])
def test_a_wrong_zone_is_named(text: str) -> None:
    with pytest.raises(BadInput, match="no time zone"):
        zone(text)


def test_moments() -> None:
    assert moment("2026-12-01T09:00Z", "", 0) == moment("2026-12-01T10:00", BERLIN, 0) == at("2026-12-01T09:00")
    assert moment("20m", "", 1000.5) == 2200
    for wrong in ("tomorrow", "", "9999-01-01", "25:00"):
        with pytest.raises(BadInput, match="--at"):
            moment(wrong, "UTC", 0)
