"""Which model a task is given to: reachable, good enough, cheapest; the floor, the chain, the reasons. And spawn."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from openclaw.models.rules import judge
from openclaw.models.rules import load as load_rules
from openclaw.settings import Settings
from openclaw.units import utc
from tests.conftest import Box
from tests.models.test_reach import models, serve  # noqa: F401
from tests.models.test_rules import TASKS

KEYS = {"GROQ_API_KEY": "g", "DEEPSEEK_API_KEY": "d", "ANTHROPIC_API_KEY": "a", "OLLAMA_HOST": "127.0.0.1:9"}


def route(box: Box, task: str, *more: str, env: dict[str, str] | None = None, exit: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = box.json("route", task, *more, env=KEYS if env is None else env, exit=exit)
    return found


def test_the_cheapest_that_is_good_enough_is_chosen_and_the_others_follow(box: Box) -> None:
    found = route(box, "Fix the bug in the parser")
    assert (found["type"], found["tier"], found["risk"]) == ("development", "balanced", "medium")
    assert (found["model"], found["agent"], found["told"]) == ("deepseek", "local", "deepseek/deepseek-v4-pro")
    chain = [step["model"] for step in found["chain"]]
    assert chain[:2] == ["deepseek", "llama"] and chain.index("llama") < chain.index("sonnet") < chain.index("haiku")
    why = {(each["model"], each["agent"]): each["why"] for each in found["rejected"]}
    assert why["gemini", "local"] == "GEMINI_API_KEY is not set" and "below the floor" in why["qwen2.5:7b", ""]


def test_high_risk_never_goes_below_its_floor(box: Box) -> None:
    only_cheap = {"GROQ_API_KEY": "g"}
    found = route(box, "Design the architecture of the billing service", env=only_cheap, exit=5)
    assert found["model"] is None and found["chain"] == [] and "Nothing that is good enough" in found["explanation"]
    done = box.cli("route", "Design the architecture of the billing service", env=only_cheap, exit=5)
    assert "needs premium, and never less than premium" in done.stderr
    assert route(box, "Fix the bug in the parser", env={"GROQ_API_KEY": "g"})["model"] == "llama"
    lesser = route(box, "Fix the bug in the parser", env={"DEEPSEEK_API_KEY": "d"})
    assert [step["model"] for step in lesser["chain"]] == ["deepseek", "deepseek-fast"]  # cheap is the floor


def test_a_local_server_that_has_the_model_is_preferred_for_routine(box: Box, serve: Any) -> None:  # noqa: F811
    server = serve(lambda path, headers: (200, models("qwen2.5:3b", "qwen2.5:7b")))
    env = KEYS | {"OLLAMA_HOST": server.url}
    assert route(box, "heartbeat", "--type", "heartbeat", env=env)["model"] == "qwen2.5:3b"
    assert route(box, "List all files", env=env)["model"] == "qwen2.5:7b"
    assert route(box, "List all files", env=env)["chain"][2]["model"] == "fast"
    assert route(box, "List all files")["model"] == "fast"  # nobody listens: the next tier


def test_window_and_tools_that_are_needed(box: Box, serve: Any) -> None:  # noqa: F811
    server = serve(lambda path, headers: (200, models("llama3:latest")))
    env = {"OLLAMA_HOST": server.url, "DEEPSEEK_API_KEY": "d"}
    assert route(box, "List all files", env=env)["model"] == "llama3"
    large = route(box, "List all files", "--tokens", "20000", env=env)
    assert large["model"] == "deepseek-fast"
    assert any("smaller than 24,000" in each["why"] for each in large["rejected"] if each["model"] == "llama3")
    tools = route(box, "Find out who wrote this", env=env)
    assert any(each["why"] == "it can't use tools" for each in tools["rejected"] if each["model"] == "llama3")


def test_a_flat_rate_is_the_cheapest_there_is(box: Box) -> None:
    program = Path(box.home, "claude")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    env = KEYS | {"PATH": f"{box.home}:/usr/bin:/bin"}
    assert route(box, "Fix the bug in the parser", env=env)["model"] == "deepseek"
    found = route(box, "Fix the bug in the parser", env=env | {"OPENCLAW_MODELS_SUBSCRIPTIONS": "claude-max"})
    assert (found["model"], found["agent"], found["told"], found["cost_usd"]) == ("sonnet", "claude", "sonnet", 0)


def test_each_task_can_be_explained_in_a_paragraph(box: Box) -> None:
    from openclaw.agents import registry
    from openclaw.models import catalogue
    from openclaw.models.route import explain
    from openclaw.models.route import route as decide

    settings = Settings(environ=box.env | KEYS, cwd=str(box.work))
    rules, known, agents = load_rules(settings), catalogue.load(settings), registry.load(settings)
    for task, tier, _ in TASKS:
        text = explain(decide(judge(rules, task), known, agents, settings))
        assert tier in text and "\n" not in text and 100 < len(text) < 900, text
    shown = box.cli("route", TASKS[0][0], "--explain", env=KEYS).stdout
    assert shown.startswith("This is heartbeat") and shown.count("\n") == 1


def test_what_is_not_known_is_named(box: Box) -> None:
    assert "no template or type" in box.cli("route", "x", "--type", "nonsense", exit=4).stderr
    assert "no agent" in box.cli("route", "x", "--agent", "nonsense", exit=4).stderr


def test_spawn_lets_the_routing_choose_where_nobody_named_a_model(box: Box, serve: Any) -> None:  # noqa: F811
    server = serve(
        lambda path, headers: (200, models("qwen2.5:3b", "qwen2.5:7b")) if "models" in path else (404, b"{}")
    )
    env = {"OLLAMA_HOST": server.url, "GROQ_API_KEY": "secret-of-groq"}
    plan = box.cli("spawn", "--agent", "local", "--dry-run", "list all files", env=env).stdout
    assert "model ollama/qwen2.5:7b: This is routine" in plan
    started = box.json("spawn", "--agent", "local", "list all files", env=env)
    assert started["model"] == "ollama/qwen2.5:7b"
    launch = (box.state / "sessions" / started["id"] / "launch.sh").read_text()
    assert "ollama/qwen2.5:7b" in launch and "secret-of-groq" not in launch
    own = box.json("spawn", "--agent", "local", "--dry-run", "list", env=env | {"OPENCLAW_LOCAL_MODEL": "ollama/x"})
    assert own["model"] is None
    refused = box.cli("spawn", "--agent", "local", "design the architecture", env=env, exit=5).stderr
    assert "needs premium" in refused and len(box.json("ps")) == 1
    box.cli("kill", started["id"])


@pytest.mark.parametrize("setting", ["", "claude"])
def test_claude_without_a_model_is_told_none_unless_a_setting_says_so(box: Box, setting: str) -> None:
    program = Path(box.home, "claude")
    program.write_text("#!/bin/sh\nsleep 60\n")
    program.chmod(0o755)
    env = {"PATH": f"{box.home}:{box.env['PATH']}"} | ({"OPENCLAW_ROUTE_AGENTS": setting} if setting else {})
    found = box.json("spawn", "--agent", "claude", "--dry-run", "Design the architecture of it", env=env)
    assert found["model"] == ("sonnet" if setting else None)


def test_what_is_left_of_the_budget_says_what_a_run_may_cost(box: Box) -> None:
    from openclaw.store import db
    from tests.usage.test_metrics import add, session, turn

    env = KEYS | {"OPENCLAW_BUDGETS_DAY_USD": "10"}
    assert route(box, "Fix the bug in the parser", env=env)["model"] == "deepseek"
    store = db.connect(str(box.state / "openclaw.db"))
    session(store, "a")
    today = utc(time.time())
    add(store, "a", turn(1, 1, 0, 0, 1, at=today))
    store.execute("UPDATE turns SET cost_usd = 9.98")
    found = route(box, "Fix the bug in the parser", env=env)
    assert found["model_tier"] == "cheap"  # all that is better costs more
    [why] = [each["why"] for each in found["rejected"] if each["model"] == "deepseek"]
    assert "and $0.02 of the budget of the day are left" in why
    store.execute("UPDATE turns SET cost_usd = 11")
    assert "$0.00 of the budget of the day are left" in box.cli("route", "Fix the bug", env=env, exit=5).stderr
