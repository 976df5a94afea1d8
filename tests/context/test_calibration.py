"""Tokens as the API counts them, learned from what it reported."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclaw.context.calibration import (
    DEAREST,
    LEAST,
    MOST,
    Calibration,
    Known,
    Sample,
    assumed,
    carried_on,
    kinship,
    learn,
    of_model,
    plain,
)

BEFORE = Calibration(1.18, 80.0)


def run(calls: int, factor: float, call: float, offset: int, seed: int = 0) -> list[Sample]:
    """A conversation in which every figure is exactly so."""
    rng, estimate, tools, found = random.Random(seed), 0, 0, []
    for _ in range(calls):
        found.append(Sample(estimate, tools, round(offset + factor * estimate + call * tools)))
        estimate, tools = estimate + rng.randint(20, 3000), tools + rng.randint(0, 3)
    return found


def test_factor_calls_and_offset_are_found_in_spite_of_strays() -> None:
    calls = run(60, 1.3, 95, 20_000)
    calls[7] = calls[7]._replace(real=500_000)
    calls[30:] = [each._replace(real=each.real + 40_000) for each in calls[30:]]  # something came in that nobody sees
    found = learn([calls], BEFORE)
    assert found and abs(found.factor - 1.3) < 0.02 and abs(found.call - 95) < 6 and abs(found.offset - 20_000) < 300
    assert found.tokens(10_000, 10) == round(found.offset + found.factor * 10_000 + found.call * 10)


def test_with_little_to_learn_from_what_was_assumed_holds() -> None:
    assert learn([], BEFORE) is None and learn([[]], BEFORE) is None
    assert learn([[Sample(1000, 0, 26_180)]], BEFORE) == Calibration(1.18, 80.0, 25_000.0, 0)
    two = learn([run(2, 2.0, 80, 1000)], BEFORE)
    assert two and 1.18 < two.factor < 1.6  # one step is not yet believed


def test_what_can_not_be_true_is_not_learned() -> None:
    hundredfold = [each._replace(real=100 * each.real) for each in run(50, 1.1, 90, 20_000)]
    assert learn([hundredfold], BEFORE) is None
    assert learn([[each._replace(real=each.estimate // 10) for each in run(50, 1, 0, 0)]], BEFORE) is None


def test_one_conversation_that_lies_changes_nothing() -> None:
    known = [Known("m", found) for n in range(3) if (found := learn([run(30, 1.1, 90, 20_000, n)], BEFORE))]
    odd = learn([run(30, 2.5, 300, 1)], BEFORE)
    assert odd and abs(of_model("m", [*known, Known("m", odd)]).factor - 1.1) < 0.05


def test_a_conversation_is_foreseen_by_its_own_calls() -> None:
    known = Calibration(1.1, 90.0, 26_000.0, 400)
    assert carried_on([], known) == known
    calls = run(20, 1.2, 100, 50_000)
    found = carried_on(calls, known)
    assert abs(found.tokens(*calls[-1][:2]) / calls[-1].real - 1) < 0.02


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("claude-opus-4-5-20251101", "anthropic/claude-opus-4-5", 0),
        ("claude-opus-4-6[1m]", "claude-opus-4-6", 0),
        ("claude-3-5-haiku", "claude-haiku-4-5-20251001", 1),
        ("opus", "claude-opus-4-6", 1),
        ("claude", "claude-opus-4-6", 2),
        ("claude-sonnet-4-5", "claude-opus-4-6", 3),
        ("ollama/qwen2.5:7b", "openrouter/qwen2.5:7b", 0),
        ("qwen2.5-coder:7b", "qwen3:4b", 2),
        ("gpt-5", "claude-opus-4-6", 4),
        ("", "claude", 4),
    ],
)
def test_relatives(one: str, other: str, near: int) -> None:
    assert kinship(one, other) == kinship(other, one) == near


def test_a_model_that_was_not_seen_takes_after_its_family() -> None:
    opus = Known("claude-opus-4-6", Calibration(1.1, 90.0, 26_000.0, 200))
    haiku = Known("claude-haiku-4-5", Calibration(1.25, 70.0, 30_000.0, 100))
    assert of_model("opus", [opus, haiku]) == opus.found and of_model("haiku", [opus, haiku]) == haiku.found
    assert of_model("claude-sonnet-5", [opus]).factor == 1.1
    assert of_model("llama3.1:8b", [opus, haiku]) == assumed("llama3.1:8b") == Calibration(1.0, 0.0)
    few = Known("claude-haiku-4-5", Calibration(1.5, 70.0, 30_000.0, 3))
    assert of_model("haiku", [opus, few]).factor == 1.1  # three calls say less than those of its relatives


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 10**9)] * 3), max_size=60), max_size=4))
def test_whatever_was_seen_gives_a_sane_calibration(raw: list[list[tuple[int, int, int]]]) -> None:
    runs = [[Sample(*each) for each in one] for one in raw]
    found = learn(runs, BEFORE)
    if found is not None:
        assert LEAST <= found.factor <= MOST and 0 <= found.call <= DEAREST and found.offset >= 0
        assert of_model("x", [Known("x", found)]).tokens(1000, 3) >= 0


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_names_are_compared(one: str, other: str) -> None:
    assert kinship(one, other) == kinship(other, one)
    assert plain(plain(one)) == plain(plain(plain(one)))
