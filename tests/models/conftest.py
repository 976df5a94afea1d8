"""Sessions whose model was chosen by the routing."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import Box
from tests.models.test_route import KEYS


@pytest.fixture
def routed(box: Box) -> Iterator[list[str]]:
    """The ids of eight, of the type code-edit; the program in them does nothing."""
    config = box.root / "config"
    config.mkdir(exist_ok=True)
    (config / "agents.yaml").write_text(
        json.dumps({"local": {"command": ["bash", "-c", "sleep 60"], "reports": "none"}})
    )
    tasks = box.write("tasks.json", json.dumps(["Fix the bug in the parser"] * 8))
    words = ("spawn", "--agent", "local", "--type", "code-edit", "--from", str(tasks))
    started = box.json(*words, env=KEYS)
    assert {session["model"] for session in started} == {"deepseek/deepseek-v4-pro"}
    yield [session["id"] for session in started]
