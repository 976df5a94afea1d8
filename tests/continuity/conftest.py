"""A small program that keeps conversations as Claude Code does, so that resuming is tested without installing one."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box, until

# Writes down each start with its words; its history, to which every start appends; and reports as a program with hooks.
PROGRAM = """#!/bin/bash
exec 9>>"$HOME/starts" && flock 9 # bash writes line by line, and others begin at the same moment
printf '%s\\0' "$OPENCLAW_SESSION_ID" "$PWD" "${SHADE-}" "$@" $'\\n' >&9
exec 9>&-
[[ $1 == --resume && ! -s $HOME/history/$2.jsonl ]] && { echo "No conversation found with session ID: $2"; exit 1; }
mkdir -p "$HOME/history"
printf '{"type":"user"}\\n' >>"$HOME/history/$2.jsonl"
for event in SessionStart UserPromptSubmit Stop; do
  printf '{"hook_event_name":"%s","session_id":"%s","transcript_path":"%s"}' "$event" "$2" "$HOME/history/$2.jsonl" |
    "HOOK"
done
echo "ready $2"
exec sleep 7777
"""
ENTRY = """talker:
  command: [PROGRAM]
  new_conversation: uuid
  conversation: ["--session-id", "{conversation}"]
  resume: ["--resume", "{conversation}"]
  prompt: ["--", "{prompt}"]
  interactive: true
  env: [SHADE]
  memory_mb: 1
"""


class Talkers:
    """A box in which `spawn --agent talker` starts that program."""

    def __init__(self, box: Box) -> None:
        self.box = box
        program = box.root / "talker"
        program.write_text(PROGRAM.replace("HOOK", str(Path(sys.executable).parent / "openclaw-hook")))
        program.chmod(0o755)
        config = box.root / "config"
        config.mkdir()
        (config / "agents.yaml").write_text(ENTRY.replace("PROGRAM", str(program)))

    def spawn(self, task: str, *args: str) -> dict[str, Any]:
        """Started, and at its prompt."""
        made = dict(self.box.json("spawn", task, "--agent", "talker", *args))
        until(lambda: self.row(made["id"])["status"] == "idle", 40)
        return made

    def row(self, id: str) -> dict[str, Any]:
        [row] = [row for row in self.box.json("ps", "--all") if row["id"] == id]
        return dict(row)

    def starts(self, id: str) -> list[list[str]]:
        """The words of each start of this session: its folder, $SHADE, its arguments."""
        text = (self.box.home / "starts").read_text() if (self.box.home / "starts").exists() else ""
        return [words[1:] for line in text.split("\0\n\0")[:-1] if (words := line.split("\0"))[0] == id]

    def crash(self) -> None:
        """The tmux server dies at once, and nothing can tell anybody."""
        pid = self.box.server_pid()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not os.path.exists(f"/proc/{pid}/stat") or " Z " in Path(f"/proc/{pid}/stat").read_text(), 40)

    def taken_by_others(self, count: int) -> None:
        """A new server, whose first ids belong to somebody else."""
        for number in range(count):
            self.box.tmux("-f", "/dev/null", "new-session", "-d", "-s", f"mine{number}", "sleep 3600")


@pytest.fixture
def talkers(box: Box) -> Iterator[Talkers]:
    box.cli("init")
    yield Talkers(box)
