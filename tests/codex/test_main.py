"""The real Codex as the agent that a person talks to, with the hooks that `hooks install` put into its files."""

from __future__ import annotations

import json

from openclaw.store import db, mains
from openclaw.store.mains import Main
from tests.codex.conftest import Codex
from tests.conftest import until
from tests.loopback.api import Request
from tests.person import Terminal


def main_of(codex: Codex) -> Main | None:
    store = db.connect(str(codex.box.state / "openclaw.db"))
    try:
        found = mains.every(store)
        assert len(found) < 2, "a thread that makes a title is no conversation"
        return found[0] if found else None
    finally:
        store.close()


def state(codex: Codex, wanted: str) -> None:
    until(lambda: (m := main_of(codex)) is not None and m.state == wanted, 40, f"the main agent is {wanted}")


def started(codex: Codex) -> Terminal:
    return Terminal(
        codex.box, "codex", "--no-daemon", "-c", "check_for_update_on_startup=false", "--model", codex.model
    )


def asked(codex: Codex, terminal: Terminal, text: str) -> Request:
    """Typed by the person; the request that holds it."""
    terminal.type(text)
    until(lambda: any(text in turn.text for turn in codex.api.turns), 40, f"{text!r} at the API")
    return next(turn for turn in codex.api.turns if text in turn.text)


def test_reviewed_hooks_register_it_and_bring_the_brief(codex: Codex) -> None:
    box = codex.box
    box.cli("init")
    id = box.json("spawn", "exec sleep 7777", "--name", "helper")["id"]
    [row] = box.json("ps")
    box.cli("note", "--decision", "keep the parser")
    before = (codex.home / "config.toml").read_bytes()
    done = box.json("hooks", "install", "--agent", "codex")
    assert [d["outcome"] for d in done] == ["installed", "installed"] and "review" in done[0]["remarks"][0]
    terminal = started(codex)
    terminal.choose("Down", "› 2. Trust all", "Hooks need review")
    terminal.shows("Ask Codex to do anything")
    for text in ("hello one", "hello two"):
        asked(codex, terminal, text)
        state(codex, "idle")
    main = main_of(codex)
    assert main and main.agent == "codex" and main.pane_id == terminal.pane and main.cwd == str(box.work)
    assert main.transcript.endswith(f"{main.conversation_id}.jsonl")
    terminal.type("/compact")
    terminal.shows("Context compacted")
    [path] = (box.workspace / "memory/snapshots").glob("*-compact-manual.md")
    assert id in path.read_text() and main.conversation_id in path.read_text()
    turn = asked(codex, terminal, "hello three")
    for part in ("# Where you were", id, f"window {row['tmux']['window_id']}", "keep the parser"):
        assert turn.has(part), part
    state(codex, "idle")
    log = box.state / "hook.log"
    assert not log.exists(), log.read_text()
    terminal.type("/quit")
    until(lambda: (m := main_of(codex)) is not None and m.ended_at, 40, "it ended")
    box.cli("hooks", "uninstall", "--agent", "codex")
    after = (codex.home / "config.toml").read_bytes()
    assert after.startswith(before.rstrip()) and b"openclaw" not in after.partition(b"[hooks.state")[0]
    assert not (codex.home / "hooks.json").exists()


def test_scheduled_work_reaches_it(codex: Codex) -> None:
    box = codex.box
    box.cli("init")
    box.cli("hooks", "install", "--agent", "codex")
    terminal = started(codex)
    terminal.choose("Down", "› 2. Trust all", "Hooks need review")
    terminal.shows("Ask Codex to do anything")
    asked(codex, terminal, "hello one")
    state(codex, "idle")
    box.cli("cron", "add", "--name", "disk", "--every", "1d", "--agent", "shell", "--message", "echo 97 percent full")
    box.cli("cron", "run", "disk", "--wait")
    for text in ("hello two", "hello three"):
        terminal.type(text)
        until(lambda text=text: any(turn.has(text) for turn in codex.api.turns), 40)  # type: ignore[misc]
        state(codex, "idle")
    last = codex.api.turns[-1]
    assert last.has("News of the scheduled jobs") and last.raw.count(b"97 percent full") == 1  # in its history, once
    box.cli("cron", "add", "--name", "mail", "--every", "1d", "--session", "main", "--message", "Look at the mail!")
    assert box.json("cron", "run", "mail", "--wait")["state"] == "done"
    until(lambda: any(turn.has("Look at the mail!") for turn in codex.api.turns), 40)


def test_without_review_its_turns_are_told_by_notify(codex: Codex) -> None:
    codex.box.cli("hooks", "install", "--agent", "codex")
    terminal = started(codex)
    terminal.choose("Up", "› 3. Continue without", "Hooks need review")
    terminal.shows("Ask Codex to do anything")
    assert main_of(codex) is None
    asked(codex, terminal, "hello one")
    state(codex, "idle")
    main = main_of(codex)
    assert main and main.agent == "codex" and main.conversation_id in main.transcript
    with open(main.transcript, encoding="utf-8") as file:
        assert json.loads(file.readline())["type"] == "session_meta"


def test_peers_16_a_compacted_sub_agent_has_its_task_and_is_told_to_go_on(codex: Codex) -> None:
    id = codex.spawn("port src/dates.py: $(no shell)", "--write", "src/**")["id"]
    codex.until(id, "idle")
    codex.type(id, "/compact")
    until(lambda: "Context compacted" in codex.screen(id), 40)
    codex.box.cli("send", id, "what now")
    until(lambda: any("what now" in turn.text for turn in codex.api.turns), 40)
    [turn] = [turn for turn in codex.api.turns if "what now" in turn.text]
    assert turn.has((codex.box.state / "sessions" / id / "task.md").read_text())
    assert turn.has("Your conversation was compacted") and turn.has("Go on with the task where you were")
