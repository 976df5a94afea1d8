"""The monitor and the real Claude Code, against a server that reports the usage that it is told to."""

from __future__ import annotations

import threading

from openclaw.sessions import compaction
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import events, sessions
from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Usage

SUMMARY = Reply("<summary>All of it.</summary>", usage=Usage(90, 0, 0, 9))


def test_the_command_that_compacts_is_typed_as_it_is_and_proven(claude: Claude) -> None:
    claude.api.say(Reply("One.", usage=Usage(20_000, 0, 0, 1)))
    id = claude.spawn("one")["id"]
    claude.until(id, "idle")
    fleet = Fleet(Settings(claude.box.env, str(claude.box.work)))
    claude.box.cli("send", id, "two")
    claude.until(id, "idle")
    [session] = sessions.by_ids(fleet.store, [id])
    before = events.newest(fleet.store, id)
    claude.api.say(SUMMARY)
    assert compaction.begin(fleet, session, "/compact", before).verdict == "delivered"
    try:
        until(lambda: compaction.done(fleet, id, before), 20)
    except AssertionError:
        print([tuple(r) for r in fleet.store.execute("select * from events")], claude.screen(id))
        raise
    assert compaction.begin(fleet, session, "/compact", before).verdict == "delivered"  # again: it is known
    assert not compaction.prompted(fleet, id, before)
    claude.until(id, "idle")
    assert len(claude.api.turns) == 3


def watched(claude: Claude, exit: int | None = None) -> list[str]:
    """One look of the monitor: what happened."""
    return [each["what"] for each in claude.box.json("monitor", "--once", exit=exit)["happened"]]


def grown(claude: Claude, id: str, *tokens: int, prompt: str = "more") -> None:
    """Turns that send so many tokens, and then its context is known."""
    for each in tokens:
        claude.api.say(Reply("Some of it.", usage=Usage(each, 0, 0, 1)))
        assert claude.box.json("send", id, prompt, "--wait")["verdict"] == "delivered"
        until(lambda each=each: claude.figures(id)[1] == each, 40)  # type: ignore[misc]
        claude.until(id, "idle")


def begun(claude: Claude, *args: str) -> str:
    """One that has done its first turn, of 20,000 tokens."""
    claude.box.cli("init")
    claude.api.say(Reply("One.", usage=Usage(20_000, 0, 0, 1)))
    id: str = claude.spawn("port the parser", *args)["id"]
    claude.until(id, "idle")
    until(lambda: claude.figures(id)[1] == 20_000, 40)
    return id


def told_to_go_on(claude: Claude) -> int:
    return sum("Your conversation was compacted" in turn.text for turn in claude.api.turns)


def shown(claude: Claude, id: str) -> str:
    return claude.box.tmux("display-message", "-p", "-t", f"=subagent-{id}:", "#{@openclaw_context}").strip()


def test_a_full_one_is_warned_about_and_by_default_not_touched(claude: Claude) -> None:
    id = begun(claude)
    grown(claude, id, 145_000)
    assert [what.partition(" /")[0] for what in watched(claude)] == ["70 % of its context passed: 72 %", "snapshot"]
    [row] = claude.box.json("ps")
    assert row["context"] == {
        "tokens": 145_000, "conversation": 125_000, "limit": 200_000, "percent": 72, "level": "warn"}  # fmt: skip
    assert shown(claude, id) == "context 72 %"
    assert id in (claude.box.workspace / "HEARTBEAT.md").read_text()
    grown(claude, id, 180_000)
    assert len(watched(claude, exit=6)) == 2 and not watched(claude, exit=6)
    grown(claude, id, 60_000)
    assert not watched(claude, exit=0) and shown(claude, id) == ""
    assert id not in (claude.box.workspace / "HEARTBEAT.md").read_text()


def test_peers_16_a_full_one_is_compacted_when_idle_and_told_to_go_on(claude: Claude) -> None:
    id = begun(claude, "--on-context", "compact")
    grown(claude, id, 100_000)
    gate = threading.Event()
    claude.api.say(Reply("Long.", usage=Usage(175_000, 0, 0, 1), hold=gate))
    claude.box.cli("send", id, "work long")
    until(lambda: len(claude.api.turns) == 3)
    assert not watched(claude)  # nobody knows yet, and it is busy
    gate.set()
    until(lambda: claude.figures(id)[1] == 175_000, 40)
    claude.until(id, "idle")
    claude.api.say(SUMMARY, Reply("Going on.", usage=Usage(30_000, 0, 0, 1)))
    seen: list[str] = []
    until(lambda: seen.extend(watched(claude)) or "told to go on: delivered" in seen, 60)
    assert [what.partition(" /")[0] for what in seen if "snapshot" not in what][:2] == [
        "70 % of its context passed: 88 %", "85 % of its context passed: 88 %"]  # fmt: skip
    assert seen[-3:] == ["/compact: delivered", "compacted", "told to go on: delivered"]
    until(lambda: claude.figures(id)[1] == 30_000, 40)
    claude.until(id, "idle")
    assert not watched(claude) and not watched(claude)
    assert told_to_go_on(claude) == 1 and len(claude.api.turns) == 5 and claude.api.turns[-1].has("port the parser")
    assert claude.box.json("context", id)["context"]["level"] == "ok"
