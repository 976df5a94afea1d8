"""The monitor and the real Claude Code, against a server that reports the usage that it is told to."""

from __future__ import annotations

import random
import shlex
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from openclaw.sessions import compaction
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db, events, sessions
from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool, Usage

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
    until(lambda: compaction.done(fleet, id, before), 40)
    assert compaction.begin(fleet, session, "/compact", before).verdict == "delivered"  # again: it is known
    assert not compaction.prompted(fleet, id, before)
    claude.until(id, "idle")
    assert len(claude.api.turns) == 3


def test_a_person_says_what_it_must_keep(claude: Claude) -> None:
    id = begun(claude)
    grown(claude, id, 21_000)
    claude.api.say(SUMMARY)
    assert claude.box.json("compact", id, "the parser's", "grammar")["verdict"] == "delivered"
    until(lambda: len(claude.api.turns) == 3)
    assert claude.api.turns[-1].has("the parser's grammar"), "it stands in the request that makes the summary"
    claude.until(id, "idle")


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


def watch_until(claude: Claude, said: list[str], probe: Callable[[], bool]) -> None:
    """Look again and again until it has happened."""

    def looked() -> bool:
        said.extend(watched(claude))
        return probe()

    until(looked, 90)


def told_to_go_on(claude: Claude) -> int:
    """How often a program says that it took that prompt."""
    store = db.connect(str(claude.box.state / "openclaw.db"))
    prompts = store.execute("SELECT data FROM events WHERE name = 'UserPromptSubmit'").fetchall()
    store.close()
    return sum("Your conversation was compacted" in str(row[0]) for row in prompts)


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
    watch_until(claude, seen, lambda: "told to go on: delivered" in seen)
    assert [what.partition(" /")[0] for what in seen if "snapshot" not in what][:2] == [
        "70 % of its context passed: 88 %", "85 % of its context passed: 88 %"]  # fmt: skip
    assert seen[-3:] == ["/compact: delivered", "compacted", "told to go on: delivered"]
    until(lambda: claude.figures(id)[1] == 30_000, 40)
    claude.until(id, "idle")
    assert not watched(claude) and not watched(claude)
    assert told_to_go_on(claude) == 1 and len(claude.api.turns) == 5 and claude.api.turns[-1].has("port the parser")
    assert claude.box.json("context", id)["context"]["level"] == "ok"


def test_a_budget_warns_compacts_and_halts_with_its_state_saved(claude: Claude) -> None:
    (claude.box.root / "config").mkdir()
    (claude.box.root / "config/openclaw.yaml").write_text("budget: {by_hooks: false}")
    id = begun(claude, "--budget-tokens", "30k", "--write", "out/**")
    grown(claude, id, 45_000)
    assert watched(claude)[0] == "80 % of its budget passed: 83 %"
    assert shown(claude, id) == "budget 83 %"
    grown(claude, id, 47_500)
    claude.api.say(SUMMARY, Reply("Going on.", usage=Usage(24_000, 0, 0, 1)))
    seen: list[str] = []
    watch_until(claude, seen, lambda: "told to go on: delivered" in seen)
    assert seen[0] == "90 % of its budget passed: 92 %" and told_to_go_on(claude) == 1
    until(lambda: claude.figures(id)[1:] == (24_000, 4000), 40)
    claude.until(id, "idle")
    assert not watched(claude) and shown(claude, id) == ""
    gate = threading.Event()
    claude.api.say(
        Reply("I am at line 7 of the parser.", (Tool("Bash", {"command": "ls", "description": "l"}),),
              usage=Usage(51_000, 0, 0, 1)),
        Reply("never", hold=gate),
    )  # fmt: skip
    claude.box.cli("send", id, "one long turn")
    until(lambda: claude.figures(id)[1] == 51_000, 40)
    seen = watched(claude)
    gate.set()
    assert seen[-1].startswith("halted; go on with: openclaw spawn")
    [row] = [each for each in claude.box.json("ps", "--all") if each["id"] == id]
    assert row["status"] == "halted" and "openclaw spawn --task-file" in row["reason"] and "30000" in row["reason"]
    assert claude.box.json("wait", id, exit=1)[0]["status"] == "halted"
    assert "go on in a new one: openclaw spawn" in claude.box.cli("result", id).stdout
    [snapshot] = [each for each in claude.box.json("snapshots") if each["reason"] == "budget-100"]
    assert id in Path(snapshot["path"]).read_text()
    [day] = list((claude.box.workspace / "memory").glob("*.md"))
    said = f"budget: {id} was halted: its conversation of 31000 tokens used up its budget of 30000"
    assert day.read_text().count(said) == 1
    assert not watched(claude)
    before = len(claude.api.turns)
    new = claude.box.json(*shlex.split(row["reason"].partition("openclaw ")[2]))
    assert new["scope"]["write"] == row["scope"]["write"] and new["budget"]["tokens"] == 30_000
    until(lambda: len(claude.api.turns) > before, 40)
    assert claude.api.turns[-1].has("port the parser\n") or "port the parser" in claude.api.turns[-1].text
    assert "I am at line 7 of the parser." in claude.api.turns[-1].text


def test_a_budget_holds_by_the_hooks_where_no_monitor_runs(claude: Claude) -> None:
    id = begun(claude, "--budget-tokens", "30k")
    grown(claude, id, 45_000)
    until(lambda: shown(claude, id) == "budget 83 %", 40)
    gate = threading.Event()
    much = Reply("Far too much.", (Tool("Bash", {"command": "ls", "description": "l"}),), usage=Usage(53_000, 0, 0, 1))
    claude.api.say(much, Reply("never", hold=gate))
    claude.box.cli("send", id, "one long turn")
    reason = claude.until(id, "halted")
    gate.set()
    assert "openclaw spawn --task-file" in reason
    assert [each["reason"] for each in claude.box.json("snapshots")].count("budget-100") == 1


def test_three_compactions_without_progress_switch_it_off(claude: Claude) -> None:
    id = begun(claude, "--on-context", "compact")
    grown(claude, id, 175_000)
    said: list[str] = []
    for number in range(3):
        claude.api.say(SUMMARY, Reply("Still much.", usage=Usage(172_000 + number, 0, 0, 1)))
        watch_until(claude, said, lambda n=number: said.count("told to go on: delivered") == n + 1)  # type: ignore[misc]
        until(lambda n=number: claude.figures(id)[1] == 172_000 + n, 40)  # type: ignore[misc]
        claude.until(id, "idle")
    watch_until(claude, said, lambda: any("no more are tried" in each for each in said))
    assert said.count("/compact: delivered") == said.count("told to go on: delivered") == 3
    assert not watched(claude, exit=6) and not watched(claude, exit=6)
    assert "no more are tried until it falls below" in claude.box.json("context", id)["note"]
    assert told_to_go_on(claude) == 3


def test_a_compaction_that_did_not_happen_is_no_success(claude: Claude) -> None:
    """Claude Code reports that it begins, finds the conversation too short, and stops."""
    claude.box.cli("init")
    env = {"OPENCLAW_CONTEXT_LEAVES": "1"}
    claude.api.say(
        Reply("One.", (Tool("Bash", {"command": "ls", "description": "l"}),), usage=Usage(20_000, 0, 0, 1)),
        Reply("Two.", usage=Usage(180_000, 0, 0, 1)),
    )
    id = claude.spawn("one", "--on-context", "compact")["id"]
    claude.until(id, "idle")
    until(lambda: claude.figures(id)[1] == 180_000, 40)
    claude.api.otherwise = Reply("overloaded", status=400)
    said: list[str] = []

    def looked() -> bool:
        said.extend(each["what"] for each in claude.box.json("monitor", "--once", exit=None, env=env)["happened"])
        return any("no more are tried" in each for each in said)

    until(looked, 90)
    assert said.count("/compact: delivered") == 3 and "compacted" not in said and told_to_go_on(claude) == 0


def test_killed_again_and_again_it_compacts_once_and_tells_once(claude: Claude) -> None:
    id = begun(claude, "--on-context", "compact")
    grown(claude, id, 175_000)
    claude.api.say(SUMMARY, Reply("Going on.", usage=Usage(30_000, 0, 0, 1)))
    chance = random.Random(11)

    def tried() -> bool:
        running = claude.box.popen("monitor", "--interval", "0.05", stdout=subprocess.DEVNULL)
        try:
            running.wait(timeout=chance.uniform(0.4, 1.6))
        except subprocess.TimeoutExpired:
            running.kill()
        running.communicate()
        return claude.figures(id)[1] == 30_000

    until(tried, 90)
    claude.until(id, "idle")
    for _ in range(2):
        watched(claude)
    assert told_to_go_on(claude) == 1
    assert len(claude.api.turns) == 4, "two turns, one compaction, one turn"


def test_what_could_only_loop_is_refused_with_the_arithmetic(claude: Claude) -> None:
    id = begun(claude, "--on-context", "compact")
    grown(claude, id, 175_000)
    env = {"OPENCLAW_CONTEXT_LEAVES": "160k"}
    before = len(claude.api.turns)
    report = claude.box.json("monitor", "--once", exit=6, env=env)
    why = "85 % of 200000 tokens = 170000 can't help: the fixed prefix of 20000 and the about 160000 that a compaction"
    assert why in report["happened"][-1]["what"] and report["needs_person"] == [id]
    assert why in claude.box.cli("context").stdout
    assert not claude.box.json("monitor", "--once", exit=6, env=env)["happened"] and len(claude.api.turns) == before
