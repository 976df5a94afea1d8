"""Scheduled work and the real Claude Code as the agent that a person talks to: what comes into its window, and when."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from openclaw.store import db, mains
from tests.claude.conftest import MODEL, Claude
from tests.conftest import until
from tests.loopback.api import Reply, Request, Tool
from tests.person import Terminal
from tests.schedule.conftest import Cron

MESSAGE = "/look at the mail, $(touch ../ran) `and`\nthen at the builds!"


class Main:
    """A registered main Claude Code in a terminal of its own, and a job that sends into it."""

    def __init__(self, claude: Claude) -> None:
        self.claude, self.box, self.cron = claude, claude.box, Cron(claude.box)
        self.box.cli("hooks", "install", "--user", "--agent", "claude")
        self.terminal = Terminal(self.box, "claude", "--model", MODEL)
        self.terminal.shows("❯")
        self.until("idle")
        self.box.cli("cron", "add", "--name", "mail", "--every", "366d", "--session", "main", "--message", MESSAGE)

    def until(self, state: str) -> None:
        until(lambda: self.state() == state, 40, f"the main agent is {state}")

    def state(self) -> str:
        store = db.connect(str(self.box.state / "openclaw.db"))
        try:
            found = mains.current(store, str(self.box.workspace))
            return found.state if found else ""
        finally:
            store.close()

    def heard(self) -> list[Request]:
        """The turns whose last message is the job's, alone or with what our hook put beside it."""
        return [turn for turn in self.claude.api.turns if MESSAGE in turn.text]

    def job(self, *words: str) -> dict[str, Any]:
        return dict(self.box.json("cron", "run", "mail", *words))

    def ticked(self, times: int = 3) -> str:
        """The state of the newest run after so many looks."""
        for _ in range(times):
            self.cron.tick()
        return str(self.cron.runs("mail")[0]["state"])

    def arrives(self) -> None:
        until(lambda: self.ticked(1) == "done", 60, self.terminal.screen())
        until(self.heard, 40)
        assert len(self.heard()) == 1 and not (self.box.root / "ran").exists()


@pytest.fixture
def main(claude: Claude) -> Main:
    return Main(claude)


def test_idle_it_gets_the_message_as_it_was_written(main: Main) -> None:
    run = main.job("--wait")
    assert (run["state"], run["reason"]) == ("done", "")
    until(main.heard, 40)
    main.until("idle")
    assert len(main.heard()) == 1 and main.heard()[0].text.count(MESSAGE) == 1
    assert not (main.box.root / "ran").exists()


def test_peers_05_at_work_it_gets_the_message_once_it_is_idle(main: Main) -> None:
    hold = threading.Event()
    main.claude.api.say(Reply("First things first.", hold=hold))
    main.terminal.type("something long")
    main.until("working")
    assert main.job()["state"] == "running" and main.ticked() == "running" and main.heard() == []
    assert "it is working" in main.cron.runs("mail")[0]["reason"]
    hold.set()
    main.until("idle")
    main.arrives()


def test_nothing_is_typed_into_its_dialogs(main: Main) -> None:
    main.terminal.tmux("send-keys", "-t", "person", "-l", "/model")
    until(lambda: main.terminal.line() == "/model", 40)
    main.terminal.press("Enter")  # once: another would choose
    main.terminal.shows("Select model")
    before = main.terminal.screen()
    assert main.job()["state"] == "running" and main.ticked() == "running"
    assert main.terminal.screen() == before and main.heard() == []
    main.terminal.press_until("Escape", lambda: "Select model" not in main.terminal.screen())
    main.arrives()


def test_nothing_answers_what_it_asks_the_person(main: Main) -> None:
    main.claude.api.say(Reply(tools=(Tool("Bash", {"command": "touch ../ran", "description": "make a file"}),)))
    main.terminal.type("make it")
    main.terminal.shows("Do you want to proceed?")
    assert main.job()["state"] == "running" and main.ticked() == "running"
    assert "Do you want to proceed?" in main.terminal.screen() and main.heard() == []
    main.terminal.press_until("Escape", lambda: "Do you want to proceed?" not in main.terminal.screen())
    main.arrives()  # its hooks say nothing of an Esc: its own file does


def test_a_half_typed_line_stays(main: Main) -> None:
    main.terminal.tmux("send-keys", "-t", "person", "-l", "half a thought")
    until(lambda: main.terminal.line() == "half a thought", 40)
    assert main.job()["state"] == "running" and main.ticked() == "running"
    assert main.terminal.line() == "half a thought" and main.heard() == []
    main.terminal.press("C-u")
    main.arrives()


def test_a_result_comes_with_the_next_prompt_and_stands_below_it_until_then(main: Main) -> None:
    main.cron.add("disk", "echo '/srv is at 97 %'")
    main.box.cli("cron", "run", "disk", "--wait")
    turns = len(main.claude.api.turns)
    main.terminal.type("hello main")
    until(lambda: len(main.claude.api.turns) > turns, 40)
    main.until("idle")
    main.terminal.shows("inbox 1: disk")
    [turn] = main.claude.api.turns[turns:]
    assert turn.has("hello main") and turn.has("disk: /srv is at 97 %")
    main.terminal.type("and again")
    until(lambda: len(main.claude.api.turns) > turns + 1, 40)
    assert str(main.claude.api.turns[-1].body["messages"]).count("97 %") == 1  # in the history, not told again
    main.until("idle")
    main.box.cli("inbox", "read")
    main.terminal.type("thanks")
    until(lambda: "inbox 1" not in main.terminal.screen(), 60)


def test_what_is_announced_can_be_a_turn_of_its_own(main: Main) -> None:
    main.box.env["OPENCLAW_CRON_ANNOUNCE_TURN"] = "true"
    main.cron.add("disk", "echo '/srv is at 97 %'")
    main.box.cli("cron", "run", "disk", "--wait")
    said = "Result of the scheduled job disk:\n/srv is at 97 %"
    until(lambda: main.cron.tick() is not None and [t for t in main.claude.api.turns if said in t.text], 60)
    [turn] = [turn for turn in main.claude.api.turns if said in turn.text]
    assert str(turn.body["messages"]).count("97 %") == 1
