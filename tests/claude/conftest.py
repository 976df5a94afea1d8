"""The real Claude Code in a box: its own config, its API on loopback, no other network."""

from __future__ import annotations

import json
import time
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

    def subscribe(self) -> None:
        """Log in with a subscription instead of a key."""
        del self.box.env["ANTHROPIC_API_KEY"]
        login = {
            "accessToken": "-".join(("sk", "ant", "oat01", "loopback")), "refreshToken": "loopback",
            "expiresAt": (int(time.time()) + 86400) * 1000, "scopes": ["user:inference", "user:profile"],
            "subscriptionType": "max", "rateLimitTier": "default_claude_max_5x",
        }  # fmt: skip
        (self.config / ".credentials.json").write_text(json.dumps({"claudeAiOauth": login}))
        self.knows(oauthAccount={
            "accountUuid": "11111111-1111-4111-8111-111111111111", "emailAddress": "you@example.org",
            "organizationUuid": "21111111-1111-4111-8111-111111111111", "organizationRole": "admin",
        })  # fmt: skip


def used(percent: float, resets_at: float, status: str = "allowed") -> tuple[tuple[str, str], ...]:
    """The headers with which Anthropic's API says how much of a subscription is used: of five hours so much."""
    limits = {
        "5h": (percent / 100, resets_at, status),
        "7d": (0.4, resets_at + 86400, "allowed"),
    }
    named = {"status": status, "reset": str(int(resets_at)), "representative-claim": "five_hour"}
    for window, (share, at, verdict) in limits.items():
        named |= {f"{window}-utilization": str(share), f"{window}-reset": str(int(at)), f"{window}-status": verdict}
    return tuple((f"anthropic-ratelimit-unified-{name}", value) for name, value in named.items())


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
