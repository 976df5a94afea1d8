"""The real Claude Code as the agent that a person talks to: what survives its compactions, by /compact and by itself.

It runs in a terminal of its own, with the hooks that `openclaw hooks install` put into its settings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openclaw.store import db, mains, spool
from openclaw.store.mains import Main
from tests.claude.conftest import MODEL, Claude
from tests.conftest import until
from tests.continuity.test_hooks_faults import locked_by_another
from tests.loopback.api import Reply, Request, Usage
from tests.person import Terminal

DECISION = "the parser stays hand-written: ünïcode, $(no shell) and `ticks`"
SUMMARY = "<analysis>a</analysis>\n<summary>SUMMARY-WORDS</summary>"


class Fleet:
    """A main Claude Code in a terminal, three live sub-agents, a decision and an open task."""

    def __init__(self, claude: Claude, **env: str) -> None:
        self.claude, self.box, self.env = claude, claude.box, env
        self.on_disk: list[str] = []  # the newest snapshot at the moment of each compaction request
        self.asked: list[Request] = []
        self.used = Usage()
        self.box.cli("init")
        claude.api.otherwise = self.answer
        agents = [claude.spawn("wait for orders", "--name", "helper")["id"]]
        agents += [self.box.json("spawn", "exec sleep 7777", "--name", name)["id"] for name in ("one", "two")]
        claude.until(agents[0], "idle")
        self.rows = {row["id"]: row for row in self.box.json("ps")}
        assert set(self.rows) == set(agents)
        self.box.cli("note", "--decision", DECISION)
        self.box.cli("note", "--task", "port the date parser")
        self.box.cli("hooks", "install", "--user", "--agent", "claude")
        self.terminal = Terminal(self.box, "claude", "--model", MODEL, env=env)
        self.terminal.shows("❯")
        until(lambda: self.main() is not None, 40, "the main agent is registered")

    def answer(self, request: Request) -> Reply:
        if "detailed summary" in request.text or "create a summary" in request.text:
            folder = self.box.workspace / "memory/snapshots"
            self.on_disk += [path.read_text() for path in sorted(folder.glob("*-compact-*.md"))[-1:]]
            self.asked.append(request)
            return Reply(SUMMARY)
        return Reply("Done.", usage=self.used)

    def main(self) -> Main | None:
        store = db.connect(str(self.box.state / "openclaw.db"))
        try:
            return mains.current(store, str(self.box.workspace))
        finally:
            store.close()

    def state(self, state: str) -> None:
        until(lambda: (m := self.main()) is not None and m.state == state, 40, f"the main agent is {state}")

    def say(self, text: str) -> Request:
        """Typed by the person; the request that holds it."""
        self.terminal.type(text)
        until(lambda: self.with_text(text), 40, f"{text!r} at the API")
        self.state("idle")
        return self.with_text(text)[0]

    def with_text(self, text: str) -> list[Request]:
        return [r for r in self.claude.api.turns if text in r.text and r not in self.asked]

    def windows(self) -> list[str]:
        return [f"window {row['tmux']['window_id']} pane {row['tmux']['pane_id']}" for row in self.rows.values()]

    def check_compaction(self, reason: str) -> None:
        """The snapshot was on disk when the API was asked for a summary, and the request says what to preserve."""
        [snapshot] = self.on_disk
        [asked] = self.asked
        assert f"reason: {json.dumps(reason)}" in snapshot
        for id, row in self.rows.items():
            tmux: dict[str, Any] = row["tmux"]
            assert f"| {tmux['session_id']} {tmux['window_id']} | {tmux['pane_id']} |" in snapshot
            assert id in snapshot and asked.has(id)
        main = self.main()
        assert main and main.conversation_id in snapshot
        for part in (*self.windows(), DECISION, "open task: port the date parser"):
            assert asked.has(part), part

    def check_brief(self, request: Request) -> None:
        """The request after the compaction holds the summary and the brief."""
        for part in (*self.rows, *self.windows(), DECISION, "port the date parser", "SUMMARY-WORDS"):
            assert request.has(part), part
        assert request.has("# Where you were") and request.has("do not start their work again")


def test_compact_by_hand(claude: Claude) -> None:
    fleet = Fleet(claude)
    main = fleet.main()
    assert main and main.agent == "claude" and main.state == "idle" and main.cwd == str(claude.box.work)
    assert (main.socket, main.pane_id) == (fleet.terminal.socket, fleet.terminal.pane)
    fleet.say("hello main")
    main = fleet.main()
    assert main and main.conversation_id in main.transcript
    until(Path(main.transcript).exists, 40)
    fleet.terminal.shows("openclaw")  # the status line
    fleet.terminal.shows("3 sub-agents: 2 working, 1 idle")
    fleet.terminal.type("/compact")
    fleet.terminal.shows("Not enough messages")
    fleet.state("idle")  # though it said that it would
    for text in ("and then", "and again"):
        fleet.say(text)
    fleet.terminal.type("/compact")
    until(lambda: fleet.asked, 40, "the compaction")
    fleet.terminal.shows("PostCompact [")
    fleet.check_compaction("compact-manual")
    fleet.check_brief(fleet.say("what now"))
    after = fleet.main()
    assert after and after.conversation_id == main.conversation_id
    log = claude.box.state / "hook.log"
    assert not log.exists(), log.read_text()
    fleet.terminal.type("/clear")
    until(lambda: (m := fleet.main()) is not None and m.conversation_id != main.conversation_id, 40)
    store = db.connect(str(claude.box.state / "openclaw.db"))
    old = mains.find(store, main.conversation_id)
    assert old and old.ended_at
    store.close()


def test_compact_by_itself(claude: Claude) -> None:
    fleet = Fleet(claude, CLAUDE_CODE_AUTO_COMPACT_WINDOW="100000")
    for text in ("hello main", "and then"):
        fleet.say(text)
    fleet.used = Usage(input=90_000)
    fleet.say("and again")
    fleet.used = Usage()
    after = fleet.say("go on")
    assert fleet.asked
    fleet.check_compaction("compact-auto")
    fleet.check_brief(after)


def test_a_database_that_is_locked_does_not_disturb_it(claude: Claude) -> None:
    fleet = Fleet(claude)
    with locked_by_another(claude.box):
        fleet.terminal.type("hello main")
        until(lambda: fleet.with_text("hello main"), 40)
        fleet.terminal.shows("● Done.")
        until(lambda: len(spool.waiting(str(claude.box.state))) == 2, 40, "prompt and stop wait")
    until(lambda: "stop hook" not in fleet.terminal.screen(), 40)
    assert "hook error" not in fleet.terminal.screen().lower()
    claude.box.cli("ps")
    fleet.state("idle")
    assert spool.waiting(str(claude.box.state)) == []
    fleet.say("and then")


def test_peers_16_a_compacted_sub_agent_has_its_task_and_is_told_to_go_on(claude: Claude) -> None:
    box = claude.box
    box.write("rules.txt", "injected rules\n" + "a line of them\n" * 450)  # what is put back is as long as it can be
    claude.api.otherwise = lambda turn: Reply(SUMMARY if "detailed summary" in turn.text else "Done.")
    id = claude.spawn("port src/dates.py: $(no shell)", "--inject", "rules.txt", "--write", "src/**")["id"]
    claude.until(id, "idle")
    for text in ("one more", "and again"):
        box.cli("send", id, text)
        claude.until(id, "idle")
    claude.type(id, "/compact")
    until(lambda: "Compacted" in claude.screen(id), 40)
    box.cli("send", id, "what now")
    until(lambda: any("what now" in turn.text for turn in claude.api.turns), 40)
    [turn] = [turn for turn in claude.api.turns if "what now" in turn.text]
    task = (box.state / "sessions" / id / "task.md").read_text()
    assert turn.has("SUMMARY-WORDS") and turn.has(task) and turn.has("injected rules")
    assert turn.has(f"{box.work}/src/**") and turn.has("Go on with the task where you were, without asking")
