"""How the words of a first start become those of a resumed one."""

from __future__ import annotations

import pytest

from openclaw.agents import launch, registry
from openclaw.agents.registry import Agent

PROMPT = '"$(<"$dir/task.md")"'
RESUMED = '"$(<"$dir/resume.md")"'


def script(command: str) -> str:
    return f"#!/usr/bin/env bash\nid=x\ncommand=({command})\nsource /x/supervise.sh\n"


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        (
            "claude",
            f"bwrap --ro-bind / / -- claude --model m --session-id c-1 --settings '/s p/settings.json' -- {PROMPT}",
            f"bwrap --ro-bind / / -- claude --model m --resume c-1 --settings '/s p/settings.json' -- {RESUMED}",
        ),
        ("opencode", f"opencode --model m --prompt={PROMPT}", f"opencode --model m --session c-1 --prompt={RESUMED}"),
        ("codex", f"codex -c 'a=\"b\"' -- {PROMPT}", f"codex -c 'a=\"b\"' resume c-1 -- {RESUMED}"),
        ("codex", "codex --model m", f"codex --model m resume c-1 -- {RESUMED}"),
        ("claude", "claude --session-id c-1 --settings s", f"claude --resume c-1 --settings s -- {RESUMED}"),
        ("codex", f"codex --model m {PROMPT}", f"codex --model m resume c-1 {RESUMED}"),
    ],
)
def test_only_what_began_it_and_its_prompt_change(name: str, before: str, after: str) -> None:
    agent: Agent = registry.shipped()[name]
    once = launch.resuming(agent, script(before), "c-1")
    assert once == script(after)
    assert launch.resuming(agent, once, "c-1") == once


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("claude", f"claude --session-id c-1 -- {PROMPT}", f"claude --session-id c-2 -- {PROMPT}"),
        ("claude", f"claude -s x --resume c-1 -- {RESUMED}", f"claude -s x --session-id c-2 -- {PROMPT}"),
        ("codex", f"codex --model m resume c-1 -- {RESUMED}", f"codex --model m -- {PROMPT}"),
        ("codex", f"codex --model m -- {PROMPT}", f"codex --model m -- {PROMPT}"),
    ],
)
def test_run_again_it_begins_another_conversation(name: str, before: str, after: str) -> None:
    agent: Agent = registry.shipped()[name]
    fresh = "c-2" if agent.new_conversation == "uuid" else None
    assert launch.beginning(agent, script(before), "c-1", fresh) == script(after)
