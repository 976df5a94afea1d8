"""A box whose models are on loopback, and nothing else of the network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from openclaw.settings import Settings
from tests.conftest import Box
from tests.loopback.api import Api

MODEL = "ollama/qwen2.5:3b"
DEAD = "http://127.0.0.1:9/v1"  # the discard port: nobody answers


class Asked:
    """The box and its API; `settings` are those of a program in it."""

    def __init__(self, box: Box, api: Api) -> None:
        self.box, self.api = box, api
        box.env |= {"OPENCLAW_LOCAL_URL": f"{api.url}/v1", "OPENCLAW_ROLES_MODEL": MODEL}

    def settings(self, **more: str) -> Settings:
        return Settings(self.box.env | more, cwd=str(self.box.work))

    def role(self, name: str, front: str = "", text: str = "You say what is asked.") -> Path:
        """A role of the workspace."""
        path = self.box.workspace / "roles" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"---\nname: {name}\n{front}---\n{text}\n")
        return path

    def run(self, role: str, text: str, *args: str, **more: Any) -> Any:
        return self.box.json("roles", "run", role, *args, stdin=text, **more)


@pytest.fixture
def asked(box: Box) -> Iterator[Asked]:
    with Api(isolated=False) as api:
        yield Asked(box, api)
