"""Messages to the real Codex: each verdict is judged by what the API received."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.codex.conftest import Codex
from tests.codex.test_prompts import LINES
from tests.conftest import until
from tests.loopback.api import Reply


@pytest.fixture
def idle(codex: Codex) -> str:
    id: str = codex.spawn("begin")["id"]
    codex.until(id, "idle")
    return id


def send(codex: Codex, id: str, text: str, *more: str, exit: int | None = 0) -> dict[str, Any]:
    return dict(codex.box.json("send", id, text, *more, exit=exit))


def framed(text: str) -> tuple[str, str]:
    return text, f"Message to a sub-agent:\n{text}\nEnd of message."


@pytest.mark.parametrize("text", [LINES, "x" * 44_000, "/status", "!touch ../banged", "look at @note", "a\nb"])
def test_peers_01_it_arrives_exact_and_runs_nothing(codex: Codex, idle: str, text: str) -> None:
    assert send(codex, idle, text)["verdict"] == "delivered"
    codex.until(idle, "idle")
    assert codex.api.turns[-1].text in framed(text) and len(codex.api.turns) == 2
    assert not (codex.box.root / "banged").exists()


def test_many_short_lines_fill_the_screen_and_arrive(codex: Codex, idle: str) -> None:
    text = "\n".join(f"line {n}" for n in range(90))
    assert send(codex, idle, text)["verdict"] == "delivered"
    codex.until(idle, "idle")
    assert codex.api.turns[-1].text in framed(text)


def test_peers_03_a_busy_one_is_not_disturbed(codex: Codex, idle: str) -> None:
    gate = threading.Event()
    codex.api.say(Reply("One.", hold=gate))
    assert send(codex, idle, "one")["verdict"] == "delivered"
    assert [send(codex, idle, text)["verdict"] for text in ("two", "three")] == ["queued", "queued"]
    gate.set()
    until(lambda: len(codex.api.turns) == 4)
    assert [turn.text for turn in codex.api.turns[1:]] == ["one", "two", "three"]


def test_peers_04_a_draft_is_not_joined(codex: Codex, idle: str) -> None:
    codex.box.tmux("send-keys", "-t", f"=subagent-{idle}:", "-l", "half a thought")
    until(lambda: "half a thought" in codex.screen(idle))
    sent = send(codex, idle, "a message", exit=1)
    assert sent["verdict"] == "failed" and "draft" in sent["reason"]
    assert codex.box.json("send", idle, "--key", "C-u")["verdict"] == "pressed"
    until(lambda: "half a thought" not in codex.screen(idle))
    assert send(codex, idle, "a message")["verdict"] == "delivered"
