"""Jobs of the main session: typed into its window while it is idle, once, and never beside a draft."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from openclaw.store import db, mains
from openclaw.store.mains import Main
from tests.conftest import Box, until
from tests.schedule.conftest import Cron

# It draws its input line as Claude Code does, and tells the store of its turns as the hooks of one do.
PROGRAM = '''
import os, sys, termios, time, tty
from openclaw.store import db, mains
from openclaw.units import utc
database, said = sys.argv[1:]
tty.setraw(0)
store, text, paste = db.connect(database), "", False

def draw():
    rule = "\\u2500" * 30
    shown = text.replace("\\n", "\\r\\n")
    os.write(1, f"\\x1b[H\\x1b[2J\\x1b[?2004h{rule}\\r\\n\\u276f {shown}\\r\\n{rule}\\r\\n".encode())

draw()
while data := os.read(0, 65536).decode():
    while data:
        for mark, inside in (("\\x1b[200~", True), ("\\x1b[201~", False)):
            if data.startswith(mark):
                data, paste = data[len(mark):], inside
                break
        else:
            char, data = data[0], data[1:]
            if char == "\\r" and not paste:
                with open(said, "a") as file:
                    file.write(text + "\\0")
                text = ""
                with db.transaction(store):
                    mains.update(store, "c1", utc(time.time()), state="working")
            elif char == "\\x15":
                text = ""
            else:
                text += "\\n" if char == "\\r" else char
    draw()
'''


class Person:
    """A main session in a tmux server of its own."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.cron = Cron(box)
        self.socket = str(box.root / "own.sock")
        self.said = box.root / "said"
        self.store = db.connect(str(box.state / "openclaw.db"))
        script = box.root / "main.py"
        script.write_text(PROGRAM)
        words = (sys.executable, str(script), str(box.state / "openclaw.db"), str(self.said))
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "40", *words)
        pane = self.tmux("display-message", "-p", "#{pane_id}").strip()
        now = "2026-01-01T00:00:00.000Z"
        with db.transaction(self.store):
            mains.register(self.store, Main("c1", "claude", str(box.work), str(box.workspace), "", "idle", now, now,
                                            self.socket, pane))  # fmt: skip
        until(lambda: "❯" in self.tmux("capture-pane", "-p"), 40)

    def tmux(self, *words: str) -> str:
        return subprocess.run(["tmux", "-u", "-S", self.socket, *words], env=self.box.env, text=True,
                              capture_output=True, timeout=20, check=True).stdout  # fmt: skip

    def is_now(self, state: str) -> None:
        with db.transaction(self.store):
            seen = mains.current(self.store, str(self.box.workspace))
            assert seen
            mains.update(self.store, "c1", seen.seen_at, state=state)

    def heard(self) -> list[str]:
        return self.said.read_text().split("\0")[:-1] if self.said.exists() else []


@pytest.fixture
def person(box: Box) -> Iterator[Person]:
    made = Person(box)
    yield made
    made.tmux("kill-server")


def add(person: Person, message: str = "Look at the mail!\nTwo lines.") -> None:
    person.box.cli("cron", "add", "--name", "job", "--every", "366d", "--session", "main", "--message", message)


def test_an_idle_main_session_gets_it_and_the_run_is_done(person: Person) -> None:
    add(person)
    run: dict[str, Any] = person.box.json("cron", "run", "job", "--wait")
    assert run["state"] == "done" and person.heard() == ["Look at the mail!\nTwo lines."]
    assert person.box.json("inbox") == []


def test_a_busy_one_gets_it_when_it_is_idle_and_only_once(person: Person) -> None:
    person.is_now("working")
    add(person)
    assert person.box.json("cron", "run", "job")["state"] == "running"
    for _ in range(3):
        person.cron.tick()
    assert person.heard() == []
    person.is_now("idle")
    ticks = [person.box.popen("cron", "tick") for _ in range(8)]
    for tick in ticks:
        tick.communicate(timeout=120)
    until(lambda: person.cron.tick() is not None and person.cron.runs()[0]["state"] == "done", 40)
    assert len(person.heard()) == 1


def test_nothing_is_typed_beside_a_draft(person: Person) -> None:
    person.tmux("send-keys", "-l", "half a thought")
    until(lambda: "half a thought" in person.tmux("capture-pane", "-p"))
    add(person)
    assert person.box.json("cron", "run", "job")["state"] == "running"
    assert person.heard() == [] and "half a thought" in person.tmux("capture-pane", "-p")
    person.tmux("send-keys", "C-u")
    until(lambda: person.cron.tick() is not None and person.heard() != [], 40)
    assert person.heard() == ["Look at the mail!\nTwo lines."]


def test_a_result_can_go_into_the_main_session(person: Person) -> None:
    person.cron.add("report", "echo all is well", "--delivery", "main")
    person.box.cli("cron", "run", "report", "--wait")
    until(lambda: person.cron.tick() is not None and person.heard() != [], 40)
    assert person.heard() == ["Result of the scheduled job report:\nall is well"]
    assert person.cron.inbox() == [("report", "all is well")]


def test_without_a_main_session_the_record_says_so(cron: Cron) -> None:
    cron.box.cli("cron", "add", "--name", "job", "--every", "366d", "--session", "main", "--message", "x")
    run = cron.box.json("cron", "run", "job", "--wait", exit=1)
    assert "no main session is registered" in run["reason"]
