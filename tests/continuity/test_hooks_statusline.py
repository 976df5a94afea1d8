"""The status line below a main agent's input."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from openclaw import hook_statusline
from tests.conftest import Box
from tests.continuity.test_hooks_main import call


def used(percent: Any) -> dict[str, Any]:
    return {"context_window": {"used_percentage": percent}}


def test_it_shows_context_and_sub_agents(box: Box) -> None:
    assert call(box, used(42.4), "statusline") == "openclaw 42% context\n", "also before there is a database"
    box.state.mkdir()
    call(box, used(1), "statusline")
    assert not list(box.state.iterdir()), "and it makes none"
    ids = [box.json("spawn", "sleep 600")["id"] for _ in range(3)]
    assert call(box, used(0), "statusline") == "openclaw 0% context · 3 sub-agents: 3 working\n"
    store = sqlite3.connect(box.state / "openclaw.db")
    store.execute("UPDATE sessions SET status = 'waiting', asks = ? WHERE id = ?", ("Bash: make\n\x1b[31m" * 9, ids[0]))
    store.commit()
    store.close()
    said = call(box, used(None), "statusline")
    assert said.startswith(f"openclaw 3 sub-agents: 1 waiting, 2 working · {ids[0]} asks Bash: make [31m")
    assert len(said) < 140 and said.count("\n") == 1 and "\x1b" not in said
    assert call(box, used(7), "statusline", OPENCLAW_SESSION_ID=ids[1]) == f"openclaw 7% context · sub-agent {ids[1]}\n"
    box.cli("kill", *ids)
    assert call(box, used(7), "statusline") == "openclaw 7% context\n"


@pytest.mark.parametrize(
    "data", [{}, [], None, 7, used("x"), used([]), {"context_window": 3}, {"context_window": None}]
)
def test_it_leaves_out_what_it_does_not_know(box: Box, data: Any) -> None:
    assert call(box, json.dumps(data).encode(), "statusline") == "openclaw\n"


def test_what_needs_somebody_comes_first() -> None:
    rows = [("a", "idle", ""), ("b", "working", ""), ("c", "waiting", ""), ("d", "starting", "")]
    assert hook_statusline.fleet(rows) == [
        "4 sub-agents: 1 waiting, 1 working, 1 starting, 1 idle", "c waits for you"
    ]  # fmt: skip
    assert hook_statusline.fleet(rows[:1]) == ["1 sub-agent: 1 idle"] and hook_statusline.fleet([]) == []
