"""Budgets at the start of sub-agents: refused when used up, with what frees them; many at once take no more."""

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


def spent(box: Box, dollars: float, model: str = "claude-opus-4-5") -> None:
    """A session of today that has ended, and has cost so much."""
    import time

    store, now = db.connect(str(box.state / "openclaw.db")), utc(time.time())
    with db.transaction(store):
        sessions.insert(store, Session("old", "old", "t", "sub-agent", "claude", "done", "/", "/s", now, now), ())
        store.execute("UPDATE sessions SET ended_at = created_at")
        tokens = int(dollars * 1e6 / 5)  # opus: $5 a million
        turns.add(store, "old", "/t", [Turn("m", "r", now, model, False, tokens, 0, 0, 0)], 1, None)


# of each kind and unit: room for five of sixteen, of which each may need 20,000 tokens or a quarter of a dollar
KINDS = {
    "day": "{tokens: 100k}",
    "month": "{usd: 1.25}",
    "opus": "{per: day, model: opus, tokens: 100k}",
    "models": "{per: month, model: '*', tokens: 100k}",
    "patterns": "{per: day, model: 'claude-opus-*', tokens: 100k}",
}


def brakes(box: Box, **budgets: str) -> None:
    box.root.joinpath("config").mkdir(exist_ok=True)
    lines = [f"  {name.replace('_', '-')}: {entry}" for name, entry in budgets.items()]
    (box.root / "config/budgets.yaml").write_text("\n".join(["budgets:", *lines, ""]))


def sixteen(box: Box, *words: str) -> str:
    """Sixteen at once, of which five run; what the others say."""
    started = [box.popen("spawn", *words, "work") for _ in range(16)]
    codes = [process.wait(timeout=120) for process in started]
    errors = "".join(process.communicate()[1] for process in started)
    assert sorted(codes) == [0] * 5 + [3] * 11, errors
    assert len(box.json("ps")) == 5
    return errors


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_at_once_take_what_five_may(lab: Box, kind: str) -> None:
    brakes(lab, **{kind: KINDS[kind]})
    model = "claude-opus-4-7" if kind != "month" else "nobody-knows"  # such a one holds a quarter of a dollar
    spent(lab, 0, model)  # of no tokens: a ledger is there
    errors = sixteen(lab, "--agent", "idle", "--model", model, "--budget-tokens", "20k")
    assert errors.count("is used up: ") == errors.count("it is free again at ") == 11
    assert f"raise it in {lab.root}/config/budgets.yaml" in errors
    if "model" in KINDS[kind]:
        lab.cli("spawn", "--agent", "idle", "--model", "claude-haiku-4-5", "other")  # it is none of its


def test_a_budget_of_each_session_is_what_it_holds_of_the_others(lab: Box) -> None:
    brakes(lab, each="{per: session, tokens: 20k, halt: true}", day="{tokens: 100k}")
    sixteen(lab, "--agent", "idle")  # without it each would hold 30,000


def test_what_is_held_and_not_used_is_free_again(lab: Box) -> None:
    lab.env["OPENCLAW_BUDGETS_DAY_TOKENS"] = "100k"
    words = ("--agent", "idle", "--budget-tokens", "20k")
    errors = sixteen(lab, *words)
    assert errors.count("the budget of the day is used up: 0 tokens of 100,000 tokens spent, 100,000 tokens held") == 11
    assert errors.count("or raise budgets.day_tokens") == 11
    lab.cli("kill", lab.json("ps")[0]["id"])
    until(lambda: len(lab.json("ps")) == 4)
    assert "100% of the budget of the day" in lab.cli("spawn", *words, "work").stderr


def test_dollars_that_are_spent_count_and_the_message_says_when_they_are_free(lab: Box) -> None:
    spent(lab, 9.9)
    env = {"OPENCLAW_BUDGETS_MONTH_USD": "10"}
    lab.cli("metrics")  # prices come with the first look
    done = lab.cli("spawn", "--agent", "idle", "work", env=env, exit=3)
    assert "the budget of the month is used up: $9.90 of $10.00 spent, and $0.25 more may be needed" in done.stderr
    assert "-01T00:00:00.000Z" in done.stderr and lab.json("ps") == []
    more = {"OPENCLAW_BUDGETS_MONTH_USD": "$12"}
    assert "85% of the budget of the month" in lab.cli("spawn", "--agent", "idle", "work", env=more).stderr
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
