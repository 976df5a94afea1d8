"""The monitor and a real Claude Code as the main agent, in a tmux server that is none of ours."""

from __future__ import annotations

import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from openclaw.store import db, mains
from openclaw.store.mains import Main
from openclaw.units import utc
from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Usage

COMPACT = {"OPENCLAW_CONTEXT_MAIN_POLICY": "compact"}


class Person:
    """Works with a main agent in a window of their own."""

    def __init__(self, claude: Claude) -> None:
        self.claude, self.box = claude, claude.box
        self.socket = claude.box.root / "own" / "sock"
        self.socket.parent.mkdir(mode=0o700)
        self.conversation = str(uuid.uuid4())
        words = f"exec {claude.bin}/claude --session-id {self.conversation} --model {claude.model}"
        self.pane = self.tmux("-f", "/dev/null", "new-session", "-d", "-P", "-F", "#{pane_id}", "-x", "150", "-y", "40",
                              "-c", str(self.box.work), "sh", "-c", words).strip()  # fmt: skip

    def tmux(self, *args: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *args], env=self.box.env, text=True, capture_output=True, timeout=20,
            check=True,
        )  # fmt: skip
        return done.stdout

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", self.pane)

    def say(self, text: str, tokens: int) -> None:
        """A prompt as a person types it, and the answer to it."""
        answered = len(self.claude.api.turns) + 1
        self.claude.api.say(Reply("Well.", usage=Usage(tokens, 0, 0, 1)))
        until(lambda: "❯" in self.screen(), 40)
        self.tmux("send-keys", "-t", self.pane, "-l", text)
        until(lambda: text in self.screen(), 40)
        self.tmux("send-keys", "-t", self.pane, "Enter")
        until(lambda: len(self.claude.api.turns) == answered, 40)
        until(lambda: self.context() == tokens, 40)

    @property
    def transcript(self) -> Path:
        [found] = self.claude.config.glob(f"projects/*/{self.conversation}.jsonl")
        return found

    def register(self) -> None:
        """As its hooks would."""
        self.box.cli("init")
        self.box.cli("ps")
        until(lambda: list(self.claude.config.glob(f"projects/*/{self.conversation}.jsonl")), 40)
        now = utc(time.time())
        main = Main(self.conversation, "claude", str(self.box.work), str(self.box.workspace), str(self.transcript),
                    "idle", now, now, str(self.socket), self.pane)  # fmt: skip
        store = db.connect(str(self.box.state / "openclaw.db"))
        with db.transaction(store):
            mains.register(store, main)
        store.close()

    def context(self) -> int | None:
        if not list(self.claude.config.glob(f"projects/*/{self.conversation}.jsonl")):
            return None
        if not (self.box.state / "openclaw.db").exists():
            self.register()
        found: int | None = self.box.json("context", "main")["context"]["tokens"]
        return found

    def look(self, env: dict[str, str] | None = None, exit: int | None = None) -> list[str]:
        return [each["what"] for each in self.box.json("monitor", "--once", exit=exit, env=env)["happened"]]


@pytest.fixture
def person(claude: Claude) -> Iterator[Person]:
    made = Person(claude)
    yield made
    made.tmux("kill-server")


def test_the_main_agent_is_warned_about_and_compacted_only_by_policy(person: Person) -> None:
    person.say("first", 20_000)
    person.say("second", 175_000)
    person.box.cli("note", "--decision", "the parser stays hand-written")
    assert len(person.look(exit=6)) == 3 and not person.look(exit=6)
    before = len(person.claude.api.turns)
    store = db.connect(str(person.box.state / "openclaw.db"))
    store.execute("DELETE FROM crossings")
    store.close()
    person.tmux("send-keys", "-t", person.pane, "-l", "half a thought")
    until(lambda: "half a thought" in person.screen(), 40)
    assert not [each for each in person.look(COMPACT) if "compact:" in each], "a draft stands there"
    person.tmux("send-keys", "-t", person.pane, "C-u")
    until(lambda: "half a thought" not in person.screen(), 40)
    said: list[str] = []
    person.claude.api.say(
        Reply("<summary>All of it.</summary>", usage=Usage(90, 0, 0, 9)),
        Reply("Going on.", usage=Usage(30_000, 0, 0, 1)),
    )

    def looked() -> bool:
        said.extend(person.look(COMPACT))
        return any("told to go on" in each for each in said)

    until(looked, 90)
    assert said[-3:] == ["/compact: typed", "compacted", "told to go on, with the brief: typed"]
    until(lambda: person.context() == 30_000, 40)
    assert "the parser stays hand-written" in person.claude.api.turns[-1].text
    assert not person.look(COMPACT) and len(person.claude.api.turns) == before + 2
