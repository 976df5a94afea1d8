"""What is learned from outcomes: counts that fade, choices that follow them, and how people tell."""

from __future__ import annotations

import random
from typing import Any

from openclaw.models import learning
from openclaw.models.learning import Counts
from tests.conftest import Box
from tests.models.test_route import route

CHEAP, GOOD = ("local", "cheap"), ("local", "good")
FIX = "Fix the bug in the parser"  # deepseek is the cheapest that is good enough, then llama


def outcome(box: Box, verdict: str, model: str = "deepseek/deepseek-v4-pro", task: str = FIX) -> dict[str, Any]:
    """A session that was told this model, and what somebody said of it."""
    id = box.json("spawn", "--agent", "shell", "--type", "code-edit", "--model", model, f"true {task}")["id"]
    found: dict[str, Any] = box.json("result", id, verdict)
    return found


def test_counts_fade_with_every_newer_outcome() -> None:
    known = learning.count([(CHEAP, True), (GOOD, False), (CHEAP, False)])
    assert known[CHEAP] == Counts(1.0, learning.GAMMA**2, 2) and known[GOOD] == Counts(0.0, learning.GAMMA, 1)
    old = learning.count([(GOOD, True)] * 300 + [(CHEAP, False)] * 50)
    assert abs(old[CHEAP].mean - Counts().mean) < 0.05  # what was long ago is forgotten


def test_the_cheapest_that_meets_the_floor_comes_first_and_the_likeliest_if_none_does() -> None:
    chance = random.Random(1)
    assert learning.order([CHEAP, GOOD], {}, 0.8, chance) == [CHEAP, GOOD]
    bad = learning.count([(CHEAP, False)] * 20 + [(GOOD, True)] * 20)
    first = [learning.order([CHEAP, GOOD], bad, 0.8, chance)[0] for _ in range(200)]
    assert first.count(GOOD) >= 195
    both = learning.count([(CHEAP, False), (GOOD, False)] * 30)
    assert {learning.order([CHEAP, GOOD], both, 0.99, chance)[0] for _ in range(50)} == {CHEAP, GOOD}
    share = learning.probability(GOOD, [CHEAP, GOOD], bad, 0.8, chance)
    assert share > 0.95 and learning.probability(CHEAP, [CHEAP, GOOD], {}, 0.8, chance) == 1.0


def test_the_same_seed_decides_the_same_way() -> None:
    known = learning.count([(CHEAP, False), (CHEAP, True), (GOOD, True)] * 4)

    def orders(seed: str) -> list[list[learning.Arm]]:
        chance = random.Random(seed)
        return [learning.order([CHEAP, GOOD], known, 0.7, chance) for _ in range(30)]

    assert orders("a") == orders("a") != orders("b")


def test_a_person_says_how_work_was_and_the_routing_follows(box: Box) -> None:
    assert "nothing was learned" in box.cli("models", "learning").stdout
    assert route(box, FIX, "--type", "code-edit")["model"] == "deepseek"
    for _ in range(6):
        outcome(box, "--bad")
    outcome(box, "--good", "groq/llama-3.3-70b-versatile")
    [bad, good] = sorted(box.json("models", "learning"), key=lambda row: row["success"])
    assert (bad["type"], bad["model"], bad["n"], good["model"]) == ("code-edit", "deepseek", 6, "llama")
    # of the agent shell: another program with the same model is another matter
    assert route(box, FIX, "--type", "code-edit")["model"] == "deepseek"
    assert "deepseek" in box.cli("models", "learning").stdout
    assert box.json("models", "learning", "--reset", "research")["forgotten"] == 0
    assert box.json("models", "learning", "--reset")["forgotten"] == 7
    assert box.json("models", "learning") == []


def test_the_routing_leaves_what_fails_and_says_how_likely_that_was(box: Box, routed: list[str]) -> None:
    for id in routed:
        box.json("result", id, "--bad")
    found = route(box, FIX, "--type", "code-edit", "--seed", "7")
    assert found["model"] == "llama" and found["probability"] > 0.5 and found["success"] is None
    assert found == route(box, FIX, "--type", "code-edit", "--seed", "7")
    box.json("result", routed[0], "--good")  # a change of mind is no second outcome
    [row] = box.json("models", "learning")
    assert row["n"] == len(routed) and row["agent"] == "local" and row["good"] > 0
    assert route(box, FIX, "--type", "review")["success"] is None  # of another kind nothing is known


def test_a_person_has_the_last_word(box: Box, routed: list[str]) -> None:
    box.cli("result", routed[0], "--bad", "--by", "check")
    assert [(row["n"], row["bad"]) for row in box.json("models", "learning")] == [(1, 1.0)]
    box.cli("result", routed[0], "--good")
    box.cli("result", routed[0], "--bad", "--by", "validator")  # said later, and yet it counts less
    assert [(row["n"], row["good"], row["bad"]) for row in box.json("models", "learning")] == [(1, 1.0, 0.0)]
    box.cli("result", routed[0], "--bad")  # a person may change their mind
    assert [(row["n"], row["bad"]) for row in box.json("models", "learning")] == [(1, 1.0)]
    assert "not allowed with" in box.cli("result", routed[0], "--good", "--bad", exit=2).stderr
