"""Budgets that all spend, where a role asks a model: refused when there is too little left, held while it asks."""

from __future__ import annotations

import json

from openclaw.store import brakes, db
from tests.conftest import until
from tests.loopback.api import Reply, Usage
from tests.roles.conftest import MODEL, Asked


def brake(asked: Asked, **budgets: object) -> None:
    asked.box.root.joinpath("config").mkdir(exist_ok=True)
    (asked.box.root / "config/budgets.yaml").write_text(json.dumps({"budgets": budgets}))


def test_a_role_that_was_run_by_hand_counts_and_is_refused_when_a_budget_is_used_up(asked: Asked) -> None:
    asked.role("clerk")
    asked.box.cli("ps")
    brake(asked, day={"tokens": "20k"})
    asked.api.otherwise = Reply("Filed.", usage=Usage(9_000, 0, 0, 1_000))
    asked.run("clerk", "file this", "--budget-tokens", "9k")
    [day] = asked.box.json("usage", "budgets")["budgets"]
    assert (day["spent"], day["held"]) == (10_000, 0)
    asked.run("clerk", "file this", "--budget-tokens", "9k")
    done = asked.box.cli("roles", "run", "clerk", stdin="file this", exit=3)
    assert "the budget of the day is used up: 20,000 tokens of 20,000 tokens spent" in done.stderr
    assert len(asked.api.turns) == 2
    [row] = asked.box.json("metrics", "--by", "model")["rows"]
    assert (row["model"], row["turns"], row["output"]) == (MODEL, 2, 2_000)


def test_sixteen_at_once_hold_what_they_may_need(asked: Asked) -> None:
    import threading

    asked.role("clerk")
    asked.box.cli("ps")
    brake(asked, day={"tokens": "100k"})
    gate = threading.Event()
    asked.api.otherwise = Reply("Filed.", usage=Usage(10_000, 0, 0, 10), hold=gate)
    words = ("roles", "run", "clerk", "--budget-tokens", "20k", "--in", str(asked.box.write("in.txt", "x " * 100)))
    env = {"OPENCLAW_LOCAL_OUTPUT_TOKENS": "20k"}
    started = [asked.box.popen(*words, env=env) for _ in range(16)]
    until(lambda: len(asked.api.turns) + sum(each.poll() == 3 for each in started) == 16, 120)
    assert len(asked.api.turns) == 5
    [day] = asked.box.json("usage", "budgets")["budgets"]
    assert (day["spent"], day["held"]) == (0, 100_000)
    gate.set()
    assert sorted(each.wait(timeout=60) for each in started) == [0] * 5 + [3] * 11
    [day] = asked.box.json("usage", "budgets")["budgets"]
    assert (day["spent"], day["held"]) == (5 * 10_010, 0)


def test_one_that_died_holds_nothing(asked: Asked) -> None:
    asked.role("clerk")
    asked.box.cli("ps")
    brake(asked, day={"tokens": "20k"})
    store = db.connect(str(asked.box.state / "openclaw.db"))
    with db.transaction(store):
        brakes.hold(store, "999999 1", MODEL, 0.0, 20_000.0)
    asked.run("clerk", "file this", "--budget-tokens", "9k")
    assert not brakes.holds(store)
