"""The real Claude Code after its tmux server was killed: the same conversation goes on, once, and nothing else does."""

from __future__ import annotations

import json
import os
import signal
import threading

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply


def test_both_conversations_come_back_and_nothing_else_runs_again(claude: Claude) -> None:
    box = claude.box
    box.cli("init")
    claude.api.otherwise = lambda turn: Reply("PINEAPPLE" if turn.has("the first task") else "MANGO")
    first, second = claude.spawn("the first task"), claude.spawn("the second task", "--name", "two")
    shell = box.json("spawn", f"echo once >>{box.home}/shell; exec sleep 600")["id"]
    done = box.json("spawn", "echo finished well")["id"]
    for made in (first, second):
        claude.until(made["id"], "idle")
        until(lambda id=made["id"]: claude.box.json("result", id)["tokens_used"])  # type: ignore[misc]  # in its transcript
    box.cli("wait", done)
    box.cli("note", "--decision", "keep the parser")
    before = len(claude.api.turns)
    taken = box.json("snapshot")
    assert {s["id"]: s["last_lines"] for s in taken["sessions"]}[first["id"]] == ["PINEAPPLE"]
    os.kill(box.server_pid(), signal.SIGKILL)
    until(lambda: claude.status(first["id"])[0] == "lost")
    for number in range(5):  # whose ids are those of the old windows
        box.tmux("-f", "/dev/null", "new-session", "-d", "-s", f"mine{number}", "sleep 3600")
    running = [box.popen("restore", "--json") for _ in range(3)]
    said = [p.communicate(timeout=120) for p in running]
    assert all(out for out, _ in said), said
    documents = [json.loads(out) for out, _ in said]
    actions = {id: [s["action"] for d in documents for s in d["sessions"] if s["id"] == id] for id in (
        first["id"], second["id"], shell, done)}  # fmt: skip
    for made in (first, second):
        assert actions[made["id"]].count("resumed") == 1 and "lost" not in actions[made["id"]]
    assert actions[shell] == ["lost"] * 3 and actions[done] == ["finished"] * 3
    for made in (first, second):
        until(lambda id=made["id"]: claude.status(id)[0] == "idle", 60)  # type: ignore[misc]
    until(lambda: len(claude.api.turns) == before + 2)
    for made, own, other in ((first, "PINEAPPLE", "MANGO"), (second, "MANGO", "PINEAPPLE")):
        [turn] = [t for t in claude.api.turns[before:] if t.has(made["task"])]
        assert turn.has(own) and not turn.has(other), "its own messages, and only those"
        assert "same conversation in a new one" in turn.text and "just finished a turn" in turn.text
        assert any(made["conversation_id"] in value for value in turn.headers.values()) or made[
            "conversation_id"
        ] in json.dumps(turn.body.get("metadata", {}))
        [row] = [row for row in box.json("ps") if row["id"] == made["id"]]
        assert row["conversation_id"] == made["conversation_id"]
        was = next(s for s in taken["sessions"] if s["id"] == made["id"])["tmux"]
        assert row["tmux"]["server_pid"] != was["server_pid"]
        tag = box.tmux("display-message", "-p", "-t", row["tmux"]["pane_id"], "#{@openclaw_id}").strip()
        assert tag == made["id"]
    assert (box.home / "shell").read_text() == "once\n"
    assert "keep the parser" in documents[0]["brief"] and "finished well" in documents[0]["brief"]
    assert len(box.tmux("list-sessions").splitlines()) == 7


def test_what_died_before_its_first_turn_has_no_history_and_is_not_started(claude: Claude) -> None:
    claude.knows(projects={})  # it stands in its first dialog
    id = claude.spawn("never begun")["id"]
    claude.until(id, "waiting")
    claude.box.cli("snapshot")
    os.kill(claude.box.server_pid(), signal.SIGKILL)
    [found] = claude.box.json("restore")["sessions"]
    assert found["action"] == "lost" and "history" in found["detail"]
    assert not claude.api.turns


def test_peers_26_killed_before_anything_was_said_it_stays_lost_until_it_is_run_again(claude: Claude) -> None:
    gate = threading.Event()
    claude.api.say(Reply("never", hold=gate))
    made = claude.spawn("the first task")
    until(lambda: claude.api.turns)
    os.kill(claude.box.server_pid(), signal.SIGKILL)
    claude.until(made["id"], "lost")
    gate.set()
    until(lambda: not any("--session-id" in command for command in claude.box.processes().values()), what="it is gone")
    [transcript] = claude.config.glob(f"projects/*/{made['conversation_id']}.jsonl")
    lines = transcript.read_text().splitlines(keepends=True)
    transcript.write_text("".join(line for line in lines if '"type":"user"' not in line))  # not yet written, at times
    [found] = claude.box.json("restore")["sessions"]
    assert found["action"] == "lost" and "no history of its conversation" in found["detail"]
    assert claude.status(made["id"])[0] == "lost"
    [found] = claude.box.json("restore", "--rerun")["sessions"]
    assert found["action"] == "rerun"
    claude.until(made["id"], "idle")
    assert [turn.has("the first task") for turn in claude.api.turns] == [True, True]
