"""The hook of a main agent, as a process: who is registered, what survives, what the agent is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openclaw.continuity import brief, recall
from openclaw.store import db, mains
from openclaw.store.mains import Main
from tests.conftest import Box

HOOK = str(Path(sys.executable).parent / "openclaw-hook")
CONVERSATION = "11111111-2222-4333-8444-555555555555"


def call(box: Box, data: object, *words: str, **environ: str) -> str:
    """The hook as a main agent calls it; whatever it gets, it ends with 0 and complains to nobody."""
    raw = data if isinstance(data, bytes) else json.dumps(data).encode()
    done = subprocess.run(
        [HOOK, *(words or ("main", "claude"))], input=raw, env=box.env | environ, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    return done.stdout.decode()


def event(box: Box, name: str, conversation: str = CONVERSATION, **data: Any) -> dict[str, Any]:
    transcript = str(box.root / "projects/-w" / f"{conversation}.jsonl")
    known = {"hook_event_name": name, "session_id": conversation, "transcript_path": transcript, "cwd": str(box.work)}
    return known | data


def known(box: Box) -> dict[str, Main]:
    store = db.connect(str(box.state / "openclaw.db"))
    found = {main.conversation_id: main for main in mains.every(store)}
    store.close()
    return found


def log(box: Box) -> str:
    path = box.state / "hook.log"
    return path.read_text() if path.exists() else ""


def context_of(said: str) -> str:
    """What of an answer to SessionStart reaches the model."""
    answer = json.loads(said)
    assert list(answer) == ["hookSpecificOutput"] and answer["hookSpecificOutput"]["hookEventName"] == "SessionStart"
    return str(answer["hookSpecificOutput"]["additionalContext"])


def test_a_conversation_from_its_start_to_its_end(box: Box) -> None:
    box.cli("ps")
    inside = {"TMUX": "/s/mine,77,0", "TMUX_PANE": "%7"}
    assert call(box, event(box, "SessionStart", source="startup"), **inside) == ""
    row = known(box)[CONVERSATION]
    assert (row.agent, row.state, row.socket, row.pane_id) == ("claude", "idle", "/s/mine", "%7")
    assert (row.cwd, row.workspace) == (str(box.work), str(box.workspace))
    assert row.transcript.endswith(f"{CONVERSATION}.jsonl") and row.ended_at is None
    for name, more, state in (
        ("UserPromptSubmit", {"prompt": "go"}, "working"),
        ("Stop", {}, "idle"),
        ("UserPromptSubmit", {"prompt": "go", "cwd": "/tmp"}, "working"),
        ("StopFailure", {"error": "x"}, "idle"),
    ):
        assert call(box, event(box, name, **more), **inside) == ""
        assert known(box)[CONVERSATION].state == state
    assert known(box)[CONVERSATION].cwd == str(box.work), "it only looked into another folder"
    assert call(box, event(box, "UserPromptSubmit", agent_id="a1"), **inside) == ""
    assert known(box)[CONVERSATION].state == "idle", "an agent inside of it has turns of its own"
    assert call(box, event(box, "SessionEnd", reason="other"), **inside) == ""
    row = known(box)[CONVERSATION]
    assert row.state == "ended" and row.ended_at == row.seen_at and row.registered_at < row.seen_at
    assert call(box, event(box, "SessionStart", source="resume"), **inside) == ""
    assert known(box)[CONVERSATION].ended_at is None and log(box) == ""


def test_clear_ends_the_old_conversation_even_if_nothing_says_so(box: Box) -> None:
    box.cli("ps")
    here, there = ({"TMUX": "/s/mine,77,0", "TMUX_PANE": pane} for pane in ("%7", "%8"))
    call(box, event(box, "SessionStart", "old", source="startup"), **here)
    call(box, event(box, "SessionStart", "other", source="startup"), **there)
    call(box, event(box, "SessionStart", "new", source="clear"), **here)
    rows = known(box)
    assert rows["old"].ended_at and not rows["new"].ended_at and not rows["other"].ended_at
    call(box, event(box, "Stop", "old"), **here)  # it was another program in that pane, and lives
    assert not known(box)["old"].ended_at


def test_two_in_one_workspace_the_one_seen_last_is_current(box: Box) -> None:
    box.cli("ps")
    for conversation in ("one", "two", "one"):
        call(box, event(box, "UserPromptSubmit", conversation))
    store = db.connect(str(box.state / "openclaw.db"))
    found = mains.current(store, str(box.workspace))
    assert found and found.conversation_id == "one"
    store.close()


def test_places_are_found_as_the_commands_find_them(box: Box) -> None:
    del box.env["OPENCLAW_STATE_DIR"], box.env["OPENCLAW_WORKSPACE"]
    box.state = box.home / ".local/state/openclaw"
    box.cli("ps")
    (box.work / "project/.openclaw").mkdir(parents=True)
    (box.work / "project/src").mkdir()
    call(box, event(box, "SessionStart", "here", source="startup", cwd=str(box.work / "project/src")))
    call(box, event(box, "SessionStart", "nowhere", source="startup"))
    (box.home / ".openclaw").mkdir(exist_ok=True)  # which another program has
    (box.home / "src").mkdir()
    call(box, event(box, "SessionStart", "home", source="startup", cwd=str(box.home / "src")))
    rows = known(box)
    assert rows["home"].workspace == str(box.home / ".openclaw/workspace")
    assert rows["here"].workspace == str(box.work / "project/.openclaw")
    assert rows["nowhere"].workspace == str(box.home / ".openclaw/workspace")
    box.env["XDG_STATE_HOME"] = str(box.root / "xdg")
    box.state = box.root / "xdg/openclaw"
    box.cli("ps")
    call(box, event(box, "SessionStart", "there", source="startup"))
    assert list(known(box)) == ["there"]


def test_a_sub_agent_that_reads_the_same_settings_is_no_main_agent(box: Box) -> None:
    box.cli("ps")
    assert call(box, event(box, "SessionStart", source="compact"), OPENCLAW_SESSION_ID="abc234") == ""
    assert known(box) == {} and log(box) == ""


def test_peers_15_a_compaction_loses_no_agent_in_flight(box: Box) -> None:
    box.cli("init")
    first = box.json("spawn", "sleep 600", "--name", "first")
    box.cli("note", "--decision", "the parser stays hand-written: ünïcode, $(no shell)")
    box.cli("note", "--task", "port the date parser")
    call(box, event(box, "SessionStart", source="startup"))
    said = call(box, event(box, "PreCompact", trigger="manual", custom_instructions=""))
    [row] = box.json("ps")
    window = f"window {row['tmux']['window_id']} pane {row['tmux']['pane_id']}"
    [snapshot] = [p for p in (box.workspace / "memory/snapshots").iterdir() if p.name.endswith("-compact-manual.md")]
    text = snapshot.read_text()
    assert f"{row['tmux']['session_id']} {row['tmux']['window_id']} | {row['tmux']['pane_id']}" in text
    assert CONVERSATION in text, "and who runs them"
    for part in (str(snapshot), f"{first['id']} first", window, "ünïcode, $(no shell)", "open task: port the date"):
        assert part in said
    again = context_of(call(box, event(box, "SessionStart", source="compact")))
    for part in (first["id"], window, "ünïcode, $(no shell)", "port the date parser", "do not start their work again"):
        assert part in again
    assert call(box, event(box, "PostCompact", trigger="manual", compact_summary="s")) == ""
    assert known(box)[CONVERSATION].state == "idle" and log(box) == ""
    short = context_of(call(box, event(box, "SessionStart", "new", source="clear")))
    assert "1 live sub-agent (1 working), 1 open item in" in short and len(short) < 400


@pytest.mark.parametrize("letter", ["x", "漢", "ы", "🙂", " y"])
def test_what_to_preserve_is_bounded_and_leaves_out_no_kind(letter: str) -> None:
    tmux = {"window_id": "@7", "pane_id": "%7"}
    sessions = [
        {"id": f"id{n:04}", "name": "n", "agent": "claude", "status": "working", "task": letter * 2000, "tmux": tmux}
        for n in range(100)
    ]
    notes = [{"kind": "decision", "text": f"d{n} {letter * 100}"} for n in range(60)]
    items = [{"text": f"i{n} {letter * 200}", "session": ""} for n in range(100)]
    text = recall.preserve({"sessions": sessions, "notes": notes, "items": items}, "/a/snapshot.md")
    assert brief.count(text) <= recall.PRESERVE_TOKENS and "/a/snapshot.md" in text
    for part in ("id0000", "- decision: d0 ", "- open task: i0 ", " more sub-agents", " more decisions"):
        assert part in text
    few = recall.preserve({"sessions": sessions[:3], "notes": notes[:1], "items": []}, "/a")
    assert " more " not in few and few.count("sub-agent id") == 3
    assert recall.preserve({"sessions": [], "notes": [], "items": []}, "/a") == ""


def test_who_has_nothing_is_told_nothing(box: Box) -> None:
    box.cli("init")
    for source in ("startup", "resume", "clear", "compact"):
        assert call(box, event(box, "SessionStart", source=source)) == ""
    assert call(box, event(box, "PreCompact", trigger="auto")) == "" and log(box) == ""


def test_it_works_for_the_workspace_it_was_started_in(box: Box) -> None:
    del box.env["OPENCLAW_WORKSPACE"]
    here = box.work / "project/.openclaw"
    here.mkdir(parents=True)
    box.cli("note", "--decision", "tabs", cwd=here.parent)
    call(box, event(box, "SessionStart", source="startup", cwd=str(here.parent)))
    assert f"{here}/memory/snapshots/" in call(box, event(box, "PreCompact", trigger="auto", cwd="/"))
    assert "tabs" in context_of(call(box, event(box, "SessionStart", source="compact", cwd="/")))


def test_a_folder_with_a_module_of_ours_is_not_imported(box: Box) -> None:
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    for name in ("json.py", "openclaw.py", "sqlite3.py"):
        box.write(name, f"open({str(box.home / 'ran')!r}, 'w')")
    done = subprocess.run(
        [HOOK, "main", "claude"], input=json.dumps(event(box, "SessionStart", source="compact")), env=box.env,
        cwd=box.work, text=True, capture_output=True, timeout=60,
    )  # fmt: skip
    assert "tabs" in context_of(done.stdout) and not os.path.exists(box.home / "ran")


def test_a_sub_agent_gets_its_task_back_after_its_own_compaction(box: Box) -> None:
    box.write("a.txt", "injected words\n")
    made = box.json("spawn", "sleep 600 # the task", "--inject", "a.txt", "--write", "src/**")
    said = context_of(call(box, event(box, "SessionStart", source="compact"), "", OPENCLAW_SESSION_ID=made["id"]))
    task = (box.state / "sessions" / made["id"] / "task.md").read_text()
    assert "injected words" in task and task in said and "src/**" in said and "Go on" in said
    box.write("b.txt", "long words\n" * 4000)
    made = box.json("spawn", "sleep 600 # another", "--inject", "b.txt")
    said = context_of(call(box, event(box, "SessionStart", source="compact"), "", OPENCLAW_SESSION_ID=made["id"]))
    assert "sleep 600 # another" in said and "task.md" in said and len(said) < 9_000
    assert call(box, event(box, "SessionStart", source="startup"), "", OPENCLAW_SESSION_ID=made["id"]) == ""
    assert log(box) == ""


def test_an_upgrade_in_the_middle_of_a_session_loses_nothing(box: Box) -> None:
    """Between the new program and its first command the database is still that of the old one."""
    box.cli("ps")
    store = db.connect(str(box.state / "openclaw.db"))
    for name, table in (("0008_reports_that_waited", "taken_reports"), ("0006_mains", "mains")):
        store.execute(f"DROP TABLE {table}")
        store.execute("DELETE FROM migrations WHERE name = ?", (name,))
    store.execute("PRAGMA user_version = 1")
    store.close()
    for name in ("SessionStart", "UserPromptSubmit"):
        assert call(box, event(box, name, source="startup")) == ""
    assert len(os.listdir(box.state / "spool")) == 2
    box.cli("ps")
    assert known(box)[CONVERSATION].state == "working" and os.listdir(box.state / "spool") == []


def test_decisions_too_long_for_any_summary_are_named_by_the_snapshot(box: Box) -> None:
    box.cli("init")
    for text in ("決" * 3900, "定" * 3900):
        box.cli("note", "--decision", text)
    said = call(box, event(box, "PreCompact", trigger="auto"))
    assert "2 more decisions, which the snapshot has" in said and len(said) < 6000
