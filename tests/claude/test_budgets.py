"""Budgets that several spend: what runs is halted with its state saved, by the agents' own hooks; others go on."""

from __future__ import annotations

import json
import threading

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool, Usage

LOOK = Tool("Bash", {"command": "ls", "description": "l"})


def inbox(claude: Claude) -> list[str]:
    return [each["title"] for each in claude.box.json("inbox", "list", "--all")]


def test_a_models_budget_halts_those_who_spend_it_and_a_days_without_halt_only_tells(claude: Claude) -> None:
    budgets = {"sonnet": {"per": "day", "model": "sonnet", "tokens": "60k", "halt": True}, "day": {"tokens": "36k"}}
    (claude.box.root / "config").mkdir()
    config = claude.box.root / "config/budgets.yaml"
    config.write_text(json.dumps({"budgets": budgets}))
    claude.api.say(Reply("One.", usage=Usage(1_000, 0, 0, 1)))
    idle = claude.spawn("wait for me", "--budget-tokens", "5k")["id"]  # the same model, and it spends nothing now
    claude.until(idle, "idle")
    gates = [threading.Event(), threading.Event()]
    claude.api.say(Reply("A part.", (LOOK,), Usage(30_000, 0, 0, 1)), Reply("More.", hold=gates[0]))
    other = claude.spawn("do another thing", "--model", "haiku", "--budget-tokens", "1k")["id"]
    until(lambda: claude.figures(other)[0] == 30_001, 40)
    claude.box.cli("monitor", "--once", exit=None)
    claude.api.say(
        Reply("I am at line 7.", (LOOK,), Usage(32_000, 0, 0, 1)),
        Reply("I am at line 8.", (LOOK,), Usage(30_000, 0, 0, 1)),
        Reply("never", hold=gates[1]),
    )
    config.write_text(json.dumps({"budgets": budgets | {"day": {"usd": 100}}}))
    id = claude.spawn("port the parser", "--budget-tokens", "50k")["id"]
    reason = claude.until(id, "halted")
    assert "the budget sonnet (model sonnet, a day) is used up: 63,003 tokens of 60,000 tokens spent, free" in reason
    assert "go on in a new one: openclaw spawn --task-file" in reason
    assert claude.status(idle)[0] == "idle" and claude.status(other)[0] == "working"
    assert len([each for each in claude.box.json("snapshots") if each["reason"] == "budget-100"]) == 1
    assert "I am at line 8." in (claude.box.state / "sessions" / id / "go-on.md").read_text()
    assert inbox(claude).count("budget sonnet: used up") == 1
    assert inbox(claude).count("budget day: 86 % spent") == 1
    claude.box.cli("monitor", "--once", exit=None)
    assert inbox(claude).count("budget sonnet: used up") == 1  # once
    claude.box.cli("spawn", "more", "--agent", "claude", "--model", "sonnet", exit=3)
    for gate in gates:
        gate.set()
    claude.until(other, "idle")
