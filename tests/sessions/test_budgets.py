"""Budgets of a day and a month: refused when used up, with what frees them; many at once take no more."""

from __future__ import annotations

import json

import pytest

from openclaw.store import db, sessions, turns
from openclaw.store.sessions import Session
from openclaw.store.turns import Turn
from openclaw.units import utc
from tests.conftest import Box, until

NOW = "2026-01-01T00:00:00.000Z"


@pytest.fixture
def lab(box: Box) -> Box:
    """A program that uses tokens, as far as the budgets know, and does nothing."""
    config = box.root / "config"
    config.mkdir(exist_ok=True)
    entry = {"command": ["bash", "-c", "exec sleep 60"], "prompt": ["{prompt}"], "usage": "local-log", "memory_mb": 1}
    (config / "agents.yaml").write_text(json.dumps({"idle": entry}))
    return box


def spent(box: Box, dollars: float) -> None:
    """A session of today that has ended, and has cost so much."""
    import time

    store, now = db.connect(str(box.state / "openclaw.db")), utc(time.time())
    with db.transaction(store):
        sessions.insert(store, Session("old", "old", "t", "sub-agent", "claude", "done", "/", "/s", now, now), ())
        store.execute("UPDATE sessions SET ended_at = created_at")
        tokens = int(dollars * 1e6 / 5)  # opus: $5 a million
        turns.add(store, "old", "/t", [Turn("m", "r", now, "claude-opus-4-5", False, tokens, 0, 0, 0)], 1, None)


def test_sixteen_at_once_take_what_five_may(lab: Box) -> None:
    lab.env["OPENCLAW_BUDGETS_DAY_TOKENS"] = "100k"
    words = ("spawn", "--agent", "idle", "--budget-tokens", "20k", "work")
    started = [lab.popen(*words) for _ in range(16)]
    codes = [process.wait(timeout=120) for process in started]
    errors = "".join(process.communicate()[1] for process in started)
    assert sorted(codes) == [0] * 5 + [3] * 11, errors
    assert len(lab.json("ps")) == 5
    assert errors.count("the budget of the day is used up: 0 tokens of 100,000 tokens spent, 100,000 tokens held") == 11
    first = lab.json("ps")[0]["id"]
    lab.cli("kill", first)
    until(lambda: len(lab.json("ps")) == 4)
    assert "100% of budgets.day_tokens" in lab.cli(*words).stderr  # what it held and did not use is free again


def test_dollars_that_are_spent_count_and_the_message_says_when_they_are_free(lab: Box) -> None:
    spent(lab, 9.9)
    env = {"OPENCLAW_BUDGETS_MONTH_USD": "10"}
    lab.cli("metrics")  # prices come with the first look
    done = lab.cli("spawn", "--agent", "idle", "work", env=env, exit=3)
    assert "the budget of the month is used up: $9.90 of $10.00 spent, and $0.25 more may be needed" in done.stderr
    assert "-01T00:00:00.000Z" in done.stderr and lab.json("ps") == []
    more = {"OPENCLAW_BUDGETS_MONTH_USD": "$12"}
    assert "85% of budgets.month_usd" in lab.cli("spawn", "--agent", "idle", "work", env=more).stderr
    error = json.loads(lab.cli("spawn", "--agent", "idle", "x", "--json", env=env, exit=3).stderr)["error"]
    assert error["code"] == "budget"


def test_what_uses_nothing_is_no_matter_of_budgets(lab: Box) -> None:
    spent(lab, 20)
    lab.cli("metrics")
    lab.cli("spawn", "true", "--wait", env={"OPENCLAW_BUDGETS_DAY_USD": "10"})


def test_a_whole_file_is_admitted_or_nothing(lab: Box) -> None:
    lab.env["OPENCLAW_BUDGETS_DAY_TOKENS"] = "50k"
    tasks = lab.write("t.json", json.dumps([{"task": f"work {n}", "budget_tokens": 20_000} for n in range(3)]))
    lab.cli("spawn", "--agent", "idle", "--from", str(tasks), exit=3)
    assert lab.json("ps") == []


@pytest.mark.parametrize("value", ["-1", "ten", "1e9", "2000000"])
def test_an_amount_that_is_none_is_said(lab: Box, value: str) -> None:
    done = lab.cli("spawn", "true", env={"OPENCLAW_BUDGETS_DAY_USD": value}, exit=2)
    assert "no amount of dollars" in done.stderr
