"""Our own agent in a box: its models on loopback, no other network."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box
from tests.loopback.api import Api
from tests.program import Program

MODEL = "ollama/qwen2.5:7b"


class Local(Program):
    """The agent `local`, its Python started where only the API is."""

    name, model = "local", MODEL

    def __init__(self, box: Box, api: Api) -> None:
        super().__init__(box, api, sys.executable)
        (box.root / "config").mkdir()
        entry = {"local": {"command": ["local", "-P", "-m", "openclaw.local"]}}
        (box.root / "config/agents.yaml").write_text(json.dumps(entry))
        box.env["OPENCLAW_LOCAL_URL"] = f"{api.url}/v1"

    def enclose(self, program: str = sys.executable) -> None:
        super().enclose(program)
        (self.box.root / "config/agents.yaml").unlink()  # its entry as it is shipped: bwrap is in that network already

    def log(self, id: str) -> list[dict[str, Any]]:
        """What its log says."""
        [path] = self.folder(id).glob("**/*-*.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]

    def folder(self, id: str) -> Path:
        return self.box.state / "sessions" / id


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture
def local(box: Box, api: Api) -> Local:
    return Local(box, api)
