"""The real Claude Code in a box: its own config, its API on loopback, no other network."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box, until
from tests.loopback.api import Api

ROOT = Path(__file__).parent.parent.parent
KEY = "-".join(("sk", "ant", "loopback", "0123456789", "abcdefghij"))  # in one piece it would look like a secret
MODEL = "claude-sonnet-4-5"


class Claude:
    """A box in which `spawn --agent claude` runs the real program; `config` is its own folder of settings."""

    def __init__(self, box: Box, api: Api, program: str) -> None:
        self.box = box
        self.api = api
        self.config = box.root / "claude"
        self.config.mkdir()
        folder = box.root / "bin"
        folder.mkdir()
        (folder / "claude").write_text(api.place.wrap(program))
        (folder / "claude").chmod(0o755)
        box.env |= api.place.env | {
            "PATH": f"{folder}:{box.env['PATH']}",
            "ANTHROPIC_BASE_URL": api.url,
            "ANTHROPIC_API_KEY": KEY,
            "CLAUDE_CONFIG_DIR": str(self.config),
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_TELEMETRY": "1",
            "DISABLE_ERROR_REPORTING": "1",
        }
        self.knows()

    def knows(self, **changes: Any) -> None:
        """What it was asked before: onboarding, trust in the working folder, the key. `changes` replace parts of it."""
        answered = {
            "hasCompletedOnboarding": True,
            "projects": {str(self.box.work): {"hasTrustDialogAccepted": True}},
            "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
        }
        (self.config / ".claude.json").write_text(json.dumps(answered | changes))

    def spawn(self, task: str, *args: str, **more: Any) -> dict[str, Any]:
        return dict(self.box.json("spawn", task, "--agent", "claude", "--model", MODEL, *args, **more))

    def status(self, id: str) -> tuple[str, str]:
        """State and reason, as `ps` tells them."""
        [row] = [row for row in self.box.json("ps", "--all") if row["id"] == id]
        return row["status"], row["reason"]

    def until(self, id: str, *states: str, seconds: float = 40.0) -> str:
        """Wait until `ps` says one of these; the reason."""
        seen: list[tuple[str, str]] = []

        def probe() -> bool:
            seen.append(self.status(id))
            return seen[-1][0] in states

        try:
            until(probe, seconds)
        except AssertionError:
            raise AssertionError(f"never {states}, but {seen[-1]}:\n{self.screen(id)}") from None
        return seen[-1][1]

    def screen(self, id: str) -> str:
        return self.box.tmux("capture-pane", "-p", "-t", f"=subagent-{id}:", check=False)

    def type(self, id: str, text: str) -> None:
        """As a person would: the text, and Enter when the input line shows it."""
        self.box.tmux("send-keys", "-t", f"=subagent-{id}:", "-l", text)
        until(lambda: text in self.screen(id), what=f"{text!r} typed")
        self.press(id, "Enter")

    def press(self, id: str, *keys: str) -> None:
        self.box.tmux("send-keys", "-t", f"=subagent-{id}:", *keys)


@pytest.fixture(scope="session")
def claude_program() -> str:
    """The path of Claude Code, installed when it is missing. In CI a missing one is a failure, elsewhere a skip."""
    done = subprocess.run([ROOT / "scripts/claude-code.sh"], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"Claude Code can't be installed: {done.stderr}")
        pytest.skip(f"Claude Code can't be installed: {done.stderr.strip()[-200:]}")
    return done.stdout.strip()


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture
def claude(box: Box, api: Api, claude_program: str) -> Claude:
    return Claude(box, api, claude_program)
