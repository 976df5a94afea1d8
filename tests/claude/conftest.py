"""The real Claude Code in a box: its own config, its API on loopback, no other network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Box
from tests.loopback.api import Api
from tests.program import Program, installed

KEY = "-".join(("sk", "ant", "loopback", "0123456789", "abcdefghij"))  # in one piece it would look like a secret
MODEL = "claude-sonnet-4-5"


class Claude(Program):
    """`config` is its own folder of settings."""

    name, model = "claude", MODEL

    def __init__(self, box: Box, api: Api, program: str) -> None:
        super().__init__(box, api, program)
        self.config = box.root / "claude"
        self.config.mkdir()
        box.env |= {
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


@pytest.fixture(scope="session")
def claude_program() -> str:
    return installed("claude-code.sh")


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture
def claude(box: Box, api: Api, claude_program: str) -> Claude:
    return Claude(box, api, claude_program)
