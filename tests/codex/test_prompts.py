"""Every prompt that the real Codex takes is recorded with its exact text: by that a delivery is proven."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import threading

from tests.codex.conftest import Codex
from tests.conftest import until
from tests.loopback.api import Reply

LINES = "\n".join(f"{n:03d} \"q\" 'q' $(x) `y` \\ /path @file !bang #hash\tünï 漢字 🙂 \\" for n in range(200))


def taken(codex: Codex) -> list[str]:
    """The prompts of all events, in their order."""
    store = sqlite3.connect(codex.box.state / "openclaw.db")
    rows = store.execute("SELECT data FROM events WHERE name = 'UserPromptSubmit' ORDER BY number").fetchall()
    store.close()
    return [json.loads(data)["prompt"] for (data,) in rows]


def paste(codex: Codex, id: str, text: str) -> None:
    """As a terminal pastes, then Enter at once."""
    tmux = ["tmux", "-S", str(codex.box.socket)]
    subprocess.run([*tmux, "load-buffer", "-b", "x", "-"], input=text, text=True, env=codex.box.env, check=True)
    codex.box.tmux("paste-buffer", "-p", "-r", "-d", "-b", "x", "-t", f"=subagent-{id}:")
    codex.press(id, "Enter")


def test_a_pasted_prompt_is_exact_at_the_api_and_in_the_event(codex: Codex) -> None:
    id = codex.spawn("begin")["id"]
    codex.until(id, "idle")
    for number, text in enumerate((LINES, "x" * 44_000, "/status", "!touch ../banged", "look at @note", "\ttab"), 2):
        paste(codex, id, f"\n{text}\n")  # an empty line around it: no first character means anything, and both go
        until(lambda n=number: len(codex.api.turns) == n, 40, text[:20])  # type: ignore[misc]
        codex.until(id, "idle")
        assert codex.api.turns[-1].text == taken(codex)[-1] == text.strip()
    assert not (codex.box.root / "banged").exists()


def test_what_is_pasted_while_it_works_is_recorded_when_it_is_taken(codex: Codex) -> None:
    gate = threading.Event()
    codex.api.say(Reply("One.", hold=gate), "Two.")
    id = codex.spawn("begin")["id"]
    until(lambda: codex.api.turns)
    until(lambda: "esc to interrupt" in codex.screen(id))
    for text in ("first more", "second more"):
        paste(codex, id, text)
        until(lambda text=text: f"↳ {text}" in codex.screen(id))  # type: ignore[misc]
    assert len(taken(codex)) == 1
    gate.set()
    until(lambda: len(taken(codex)) == 3)
    codex.until(id, "idle")
    assert taken(codex)[1:] == ["first more", "second more"]
    assert codex.api.turns[-1].has("first more") and codex.api.turns[-1].has("second more")
