"""When it is due, why, how far to go; what could only loop is refused, and what gains nothing is switched off."""

from __future__ import annotations

from typing import Any

import pytest

from openclaw.context.policy import Policy
from openclaw.context.window import ContextWindow, Pruning, Seen, Triggers, pruning
from openclaw.errors import BadInput, Refused


def window(now: float = 0.0, fixed: int = 1000, **given: Any) -> ContextWindow:
    return ContextWindow(Triggers(**({"window": 100_000} | given)), Policy(), now, fixed)


@pytest.mark.parametrize(
    ("given", "seen", "now", "why"),
    [
        ({}, Seen(79_999, 79_999, 500, 900, 400), 1e6, ""),
        ({}, Seen(80_000), 0, "80% of the window are 80000"),
        ({"tokens": 15_000}, Seen(20_000, 15_000), 0, "15000 tokens since the last compaction, 15000 are allowed"),
        ({"turns": 20}, Seen(100, 100, 19), 0, ""),
        ({"turns": 20}, Seen(100, 100, 20), 0, "20 turns"),
        ({"minutes": 30}, Seen(100, 100, 1), 1799, ""),
        ({"minutes": 30}, Seen(100, 100, 1), 1800, "30 min are allowed"),
        ({"minutes": 30}, Seen(100, 100, 0), 9999, ""),  # nothing was said since
        ({"pruning": Pruning("off", 5, 5)}, Seen(100, 100, 9, 9, 9), 0, ""),
        ({"pruning": Pruning("default", 20)}, Seen(100, 100, 9, 21), 0, "21 messages, 20 are allowed"),
        ({"pruning": Pruning("default", 0, 10)}, Seen(100, 100, 9, 21, 10), 0, "10 exchanges"),
    ],
)
def test_when_it_is_due(given: dict[str, Any], seen: Seen, now: float, why: str) -> None:
    found = window(**given).due(seen, now)
    assert why in found and bool(found) == bool(why)


def test_a_threshold_that_could_only_loop_is_refused_with_the_arithmetic() -> None:
    with pytest.raises(Refused) as refused:
        window(fixed=76_000)
    for number in ("80000", "76000", "400", "5000", "81400"):
        assert number in refused.value.message


def test_three_attempts_without_progress_switch_it_off() -> None:
    found = window()
    full = Seen(90_000)
    assert found.compacted(90_000, 89_000, 1) == ""
    assert found.compacted(90_000, 40_000, 2) == ""  # progress: the count begins anew
    assert found.compacted(90_000, 89_000, 3) == found.compacted(90_000, 90_000, 4) == ""
    assert found.due(full, 5)
    assert "3 attempts gained nothing (the last 90000 → 85000 tokens)" in found.compacted(90_000, 85_000, 6)
    assert found.due(full, 7) == "" and found.off


def test_it_goes_so_far_that_it_is_rarely_done() -> None:
    assert window().policy() == Policy(target=40_000)
    assert window(pruning=Pruning("aggressive", 12)).policy() == Policy(target=0, keep_last=2)
    since = window(minutes=30)
    since.compacted(50_000, 10_000, 1000)
    assert not since.due(Seen(100, 100, 1), 2000) and since.due(Seen(100, 100, 1), 2800)


def test_the_setting_as_the_seeds_write_it() -> None:
    assert pruning({"mode": "aggressive", "maxMessages": 20, "compactAfter": 10}) == Pruning("aggressive", 20, 10)
    assert pruning({"mode": False}).mode == "off"
    wrong: list[Any] = [3, {"mode": "hard"}, {"maxMessages": -1}, {"maxMessages": True}, {"max": 3}]
    for raw in wrong:
        with pytest.raises(BadInput):
            pruning(raw)
