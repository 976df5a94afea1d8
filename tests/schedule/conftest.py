"""What the tests of scheduled work share: jobs in a box, and their runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import Box, until
from tests.local.conftest import Local
from tests.loopback.api import Api


class Cron:
    """`openclaw cron` in a box."""

    def __init__(self, box: Box) -> None:
        self.box = box
        box.cli("init")

    def add(self, name: str, message: str = "true", *words: str, every: str = "366d", agent: str = "shell") -> None:
        self.box.cli("cron", "add", "--name", name, "--every", every, "--agent", agent, "--message", message, *words)

    def tick(self) -> list[dict[str, Any]]:
        return list(self.box.json("cron", "tick")["runs"])

    def runs(self, *words: str) -> list[dict[str, Any]]:
        """The newest first."""
        return list(self.box.json("cron", "runs", *words, "--limit", "100000"))

    def until(self, state: str, *words: str) -> dict[str, Any]:
        """Tick until the newest run is in this state."""

        def probe() -> dict[str, Any] | None:
            self.tick()
            found = self.runs(*words)
            return found[0] if found and found[0]["state"] == state else None

        return until(probe, 40, state) or {}

    def inbox(self) -> list[tuple[str, str]]:
        return [(each["title"], each["text"]) for each in self.box.json("inbox", "list", "--all")]


@pytest.fixture
def cron(box: Box) -> Cron:
    return Cron(box)


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture
def local(box: Box, api: Api) -> Local:
    return Local(box, api)
