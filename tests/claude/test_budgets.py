"""Budgets that several spend: what runs is halted with its state saved, by the agents' own hooks; others go on."""

from __future__ import annotations

import json
import subprocess
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
    claude.until(id, "halted")
    until(lambda: claude.status(id)[1], 40)
    reason = claude.status(id)[1]
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


def test_a_budget_of_each_sub_agent_in_dollars_halts_it_wherever_its_halt_is_interrupted(claude: Claude) -> None:
    (claude.box.root / "config").mkdir()
    budgets = {"each": {"per": "session", "usd": 0.05, "halt": True}}
    (claude.box.root / "config/budgets.yaml").write_text(json.dumps({"budgets": budgets}))
    (claude.box.root / "config/openclaw.yaml").write_text("budget: {by_hooks: false}")
    claude.api.say(Reply("A little.", usage=Usage(1_000, 0, 0, 1)))
    cheap = claude.spawn("a little")["id"]
    claude.until(cheap, "idle")
    claude.api.say(Reply("I am at line 7.", usage=Usage(20_000, 0, 0, 1)), Reply("Little.", usage=Usage(100, 0, 0, 1)))
    id = claude.spawn("port the parser")["id"]
    own = claude.spawn("as little as it gets", "--budget-usd", "$0.0001")["id"]
    claude.until(id, "idle")
    claude.until(own, "idle")
    until(lambda: claude.figures(id)[0] == 20_001 and claude.figures(own)[0] > 0, 40)
    for number in range(40):  # killed later and later, until one has come through
        monitor = claude.box.popen("monitor", "--once", "--json")
        try:
            monitor.wait(timeout=0.3 + 0.15 * number)
            break
        except subprocess.TimeoutExpired:
            monitor.kill()
            monitor.wait()
    claude.box.cli("monitor", "--once", exit=None)
    state, reason = claude.status(id)
    assert state == "halted" and reason.startswith("the budget each (sub-agent "), (state, reason)
    assert "is used up: $0.06 of $0.05 spent; go on in a new one: openclaw spawn --task-file" in reason
    assert claude.status(cheap)[0] == "idle"
    [day] = list((claude.box.workspace / "memory").glob("*.md"))
    assert day.read_text().count(f"budget: {id} was halted: the budget each") == 1
    assert sorted(inbox(claude)) == [f"budget --budget-usd ({own}): used up", f"budget each ({id}): used up"]
    state, reason = claude.status(own)
    assert state == "halted" and reason.startswith(f"the budget --budget-usd (sub-agent {own}) is used up"), reason
    assert reason.endswith("--budget-usd 0.0001")
