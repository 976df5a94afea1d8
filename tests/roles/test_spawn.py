"""spawn --role: its text, tools and model reach the program, as far as it can be told; flags go before them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openclaw.tasks.prefix import LEAN
from tests.conftest import Box, until
from tests.local.conftest import MODEL, Local, api, local  # noqa: F401 - fixtures
from tests.roles.test_library import put


@pytest.fixture
def programs(box: Box) -> Box:
    """Programs that are there and are never started, and a role."""
    (box.root / "bin").mkdir()
    for name in ("claude", "codex", "aider"):
        (box.root / "bin" / name).write_text("#!/bin/sh\n")
        (box.root / "bin" / name).chmod(0o755)
    box.env["PATH"] = f"{box.root / 'bin'}:{box.env['PATH']}"
    put(
        box.work / ".claude/agents", "auditor", "tools: Read, Grep, Bash(git:*)\nmodel: sonnet\n", "You audit.\n\nWell."
    )
    return box


def dry(box: Box, agent: str, *args: str) -> Any:
    return box.json("spawn", "look", "--role", "auditor", "--agent", agent, "--dry-run", *args)


def test_a_role_brings_text_tools_and_model(programs: Box) -> None:
    found = dry(programs, "claude")
    assert (found["role"], found["model"], found["prefix"]["tools"]) == ("auditor", "sonnet", ["Read", "Grep"])
    assert found["prefix"]["system_prompt"].startswith(f"{LEAN}\n\nYou audit.\n\nWell.")
    assert found["prefix"]["kind"] == "lean"


def test_flags_go_before_the_role_and_the_role_before_the_template(programs: Box) -> None:
    found = dry(programs, "claude", "--model", "opus", "--type", "research")
    assert (found["model"], found["prefix"]["tools"]) == ("opus", ["Read", "Grep"])
    chat = dry(programs, "claude", "--type", "direct-chat")
    assert chat["prefix"]["kind"] == "lean", "its tools would be all of them otherwise"
    full = dry(programs, "claude", "--prefix", "full")
    assert (full["prefix"]["kind"], full["prefix"]["system_prompt"]) == ("full", "You audit.\n\nWell.")


def test_a_program_that_takes_no_system_prompt_reads_it_before_the_task(programs: Box) -> None:
    with_role = dry(programs, "codex")
    assert with_role["model"] is None, "sonnet is none of its models"
    told = programs.cli("spawn", "look", "--role", "auditor", "--agent", "codex", "--dry-run").stdout
    assert f"role auditor, of {programs.work}/.claude/agents/auditor.md (project)" in told
    assert "codex takes no system prompt: its text stands before the task" in told
    assert "codex does not know its model sonnet: not passed on" in told
    assert "only whole tools are: Bash(git:*)" in told
    bare = programs.json("spawn", "look", "--agent", "codex", "--dry-run")
    assert with_role["tokens"]["total"] > bare["tokens"]["total"]
    assert dry(programs, "aider")["model"] == "sonnet"


def test_a_command_line_plays_no_role_and_a_broken_one_starts_nothing(programs: Box) -> None:
    assert "shell reads no prompt" in programs.cli("spawn", "true", "--role", "auditor", exit=2).stderr
    programs.cli("spawn", "true", "--role", "auditer", "--agent", "claude", exit=4)
    put(programs.workspace / "roles", "auditor", "tools: {}\n")
    told = programs.cli("spawn", "look", "--role", "auditor", "--agent", "claude", exit=2).stderr
    assert "auditor.md, line 3: tools must be names of tools" in told
    assert programs.json("ps", "--all") == []


def test_a_list_gives_each_task_its_role(programs: Box) -> None:
    tasks = [{"task": "one", "role": "auditor"}, {"task": "two"}]
    programs.write("tasks.json", json.dumps(tasks))
    found = programs.json("spawn", "--from", "tasks.json", "--agent", "claude", "--dry-run")
    assert [each["role"] for each in found] == ["auditor", None]


def test_the_local_agent_plays_it(local: Local) -> None:  # noqa: F811
    put(local.box.workspace / "roles", "clerk", f"tools: [Read]\nmodel: {MODEL}\n", "You are a clerk.")
    row = local.box.json("spawn", "file this", "--agent", "local", "--role", "clerk")
    local.until(row["id"], "idle")
    assert (row["role"], row["model"]) == ("clerk", MODEL)
    assert local.box.json("result", row["id"])["role"] == "clerk"
    until(lambda: local.api.turns, 40)
    [turn] = local.api.turns
    assert turn.body["model"] == MODEL.partition("/")[2]
    assert "You are a clerk." in turn.body["messages"][0]["content"] and turn.body["messages"][0]["role"] == "system"
    assert sorted(t["function"]["name"] for t in turn.body["tools"]) == ["read", "read_result"]
