"""How each declared program is called: a stand-in on the PATH records the words that it gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box, until

RECORD = """#!/usr/bin/env python3
import json, os, sys
with open("../called.new", "w") as file:
    json.dump([os.path.basename(sys.argv[0]), *sys.argv[1:]], file)
os.rename("../called.new", "../called")
"""
TASK = "-look at $(this) `and` 'that'\nthen /report"
HEADS = {
    "codex": ["codex", "--no-daemon", "-c", "check_for_update_on_startup=false", "--model", "m1", "-c"],
    "gemini": ["gemini", "--model", "m1", "--session-id"],
    "opencode": ["opencode", "--model", "m1"],
    "aider": [
        "aider", "--yes-always", "--no-check-update", "--no-gitignore", "--chat-history-file", "/dev/null",
        "--input-history-file", "/dev/null", "--model", "m1", "--message-file",
    ],
}  # fmt: skip


def called(box: Box, agent: str) -> tuple[list[str], dict[str, Any]]:
    """The words that the program got, and its session."""
    (box.root / "bin").mkdir()
    stand_in = box.root / "bin" / agent
    stand_in.write_text(RECORD)
    stand_in.chmod(0o755)
    box.env["PATH"] = f"{box.root}/bin:{box.env['PATH']}"
    made = box.json("spawn", TASK, "--agent", agent, "--model", "m1")
    until((box.root / "called").exists, 40)
    return json.loads((box.root / "called").read_text()), made


@pytest.mark.parametrize("agent", HEADS)
def test_a_program_gets_its_words_and_the_exact_prompt(box: Box, agent: str) -> None:
    words, made = called(box, agent)
    assert words[: len(HEADS[agent])] == HEADS[agent]
    folder = box.state / "sessions" / made["id"]
    prompt = (folder / "task.md").read_text()
    assert TASK in prompt
    last = {
        "codex": prompt, "gemini": f"--prompt-interactive={prompt}", "opencode": f"--prompt={prompt}",
        "aider": str(folder / "task.md"),
    }[agent]  # fmt: skip
    assert words[-1].rstrip("\n") == last.rstrip("\n")
    if agent == "gemini":
        assert words[4] == made["conversation_id"] != ""
    assert not Path(folder / "settings.json").exists()  # a word holds what Codex needs, and the others need nothing
