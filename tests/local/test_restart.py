"""Killed at any moment, it goes on exactly where it was, and no tool runs twice."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from pathlib import Path

import pytest

from openclaw.context.forms.log import decode
from openclaw.context.history import Message, orphans
from openclaw.errors import Unavailable
from openclaw.local.agent import INTERRUPTED
from openclaw.local.conversation import Conversation
from tests.conftest import until
from tests.local.conftest import Local
from tests.local.solo import Raw, Solo, events, http
from tests.loopback.api import Reply, Tool

SLOW = Tool("run", {"command": "echo once >> ran.txt; sleep 300"})


def crash(local: Local) -> None:
    """Everything at once, as when the power fails."""
    for pid in local.box.processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # its parent was first
    until(lambda: not local.box.processes(), 40)


def program(local: Local) -> int:
    """The pid of the agent."""
    found = [pid for pid, command in local.box.processes().items() if "-m openclaw.local" in command]
    [pid] = [pid for pid in found if os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("python")]
    return pid


@pytest.mark.parametrize("end", ["power fails", "tmux ends", "kill -9", "supervisor killed"])
def test_a_tool_that_had_begun_is_not_run_again(local: Local, end: str) -> None:
    local.api.say(Reply("Running.", (SLOW, Tool("read", {"path": "note.txt"}))))
    local.box.write("note.txt", "the note\n")
    id = local.spawn("run it")["id"]
    until(lambda: (local.box.work / "ran.txt").exists(), 40)
    if end == "power fails":
        crash(local)
    elif end == "tmux ends":
        local.box.tmux("kill-server")
    else:
        os.kill(program(local) if end == "kill -9" else local.box.json("ps")[0]["pid"], signal.SIGKILL)
    until(lambda: local.status(id)[0] == "lost", 40)
    local.api.say("All is known.")
    local.box.cli("restore")
    local.until(id, "idle")
    assert (local.box.work / "ran.txt").read_text() == "once\n"
    last = local.api.turns[-1]
    assert last.has(INTERRUPTED)
    assert last.has("1\tthe note")  # it had not begun: nothing stands in its way
    assert last.text.startswith("Your terminal was closed while you worked")
    assert local.box.json("result", id)["result"]["output"] == "All is known."


def test_a_conversation_that_is_gone_is_not_begun_anew(local: Local) -> None:
    """peers 26"""
    id = local.spawn("one")["id"]
    local.until(id, "idle")
    crash(local)
    [path] = local.folder(id).glob("*-*.jsonl")
    path.unlink()
    until(lambda: local.status(id)[0] == "lost", 40)
    local.box.cli("restore", exit=None)
    assert local.status(id)[0] == "lost"


def worked(folder: Path) -> list[Message]:
    """A log with prompts, calls, a compaction and an undo in it; what it comes to."""
    tools = (Tool("write", {"path": "a.txt", "content": "1"}), Tool("read", {"path": "a.txt"}))

    async def run() -> list[Message]:
        async with Raw(http(events(Reply("Both.", tools), 1)), http(events(Reply("Done.")))) as raw:
            solo = Solo(folder, raw.url)
            await solo.agent.turn("first — ünïcode 漢字 \ud800")
            solo.agent.conversation.compact(solo.agent.conversation.messages[:2], "a test")
            await solo.agent.turn("second")
            assert solo.agent.conversation.undo() == "prompt"
            await solo.agent.turn("third")
            solo.close()
            return solo.agent.conversation.messages

    return asyncio.run(run())


def test_a_log_cut_at_any_byte_is_a_conversation(tmp_path: Path) -> None:
    messages = worked(tmp_path)
    whole = (tmp_path / "log.jsonl").read_bytes()
    lengths = []
    for cut in range(0, len(whole) + 1, 3):
        (tmp_path / "cut.jsonl").write_bytes(whole[:cut])
        found = Conversation(str(tmp_path / "cut.jsonl"))
        unanswered, unasked = orphans(found.messages)
        assert unanswered == [call.id for call in found.open_calls] and not unasked, cut
        assert found.started <= set(unanswered), cut
        lengths.append(len(found.messages))
        found.user("and on")
        found.close()
        again = Conversation(str(tmp_path / "cut.jsonl"))
        assert again.messages[-1].text == "and on" and len(again.messages) == lengths[-1] + 1, cut
        again.close()
    assert lengths[-1] == len(messages)


def test_others_read_the_same_conversation_from_the_log(tmp_path: Path) -> None:
    messages = worked(tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert list(decode(lines).messages) == messages


def test_what_a_line_can_not_be_is_passed_over(tmp_path: Path) -> None:
    messages = worked(tmp_path)
    path = tmp_path / "log.jsonl"
    rubbish = (
        b'\n\xff\xfe\n[]\n7\n{"type": "message"}\n{"type": "message", "role": "user", "parts": [7]}\n{"type": 3}\n{\n'
    )
    path.write_bytes(rubbish + path.read_bytes() + rubbish)
    found = Conversation(str(path))
    assert found.messages == messages
    found.close()


def test_two_processes_do_not_share_a_conversation(tmp_path: Path) -> None:
    one = Conversation(str(tmp_path / "log.jsonl"))
    with pytest.raises(Unavailable, match="in use by another process"):
        Conversation(str(tmp_path / "log.jsonl"))
    one.close()


def test_undo_takes_back_a_compaction_and_keeps_what_was_said_since(tmp_path: Path) -> None:
    conversation = Conversation(str(tmp_path / "log.jsonl"))
    for text in ("one", "two", "three"):
        conversation.user(text)
    conversation.compact(conversation.messages[2:], "a test")
    conversation.system("four")
    assert conversation.undo() == "compaction"
    assert [m.text for m in conversation.messages] == ["one", "two", "three", "four"]
    assert [conversation.undo() for _ in range(4)] == ["prompt", "prompt", "prompt", ""]
    assert conversation.messages == []
    conversation.close()


@pytest.mark.parametrize("taken", [False, True])
def test_what_was_typed_during_a_turn_is_answered_once_after_a_kill(local: Local, taken: bool) -> None:
    hold = threading.Event()
    local.api.say(Reply("Never heard.", hold=hold), "One.", "Two.", "Three.")
    id = local.spawn("one")["id"]
    until(lambda: len(local.api.turns) == 1, 40)
    for text in ("two", "/context", "three"):
        local.type(id, text)
    until(lambda: len([entry for entry in local.log(id) if entry["type"] == "queued"]) == 2, 40)  # /context is at once
    os.kill(program(local), signal.SIGKILL)
    hold.set()
    until(lambda: local.status(id)[0] == "lost", 40)
    local.box.cli("restore")
    until(lambda: len(local.api.turns) == 4, 40)
    local.until(id, "idle")
    if taken:
        os.kill(program(local), signal.SIGKILL)
        until(lambda: local.status(id)[0] == "lost", 40)
        local.api.say("Four.")
        local.box.cli("restore")
        local.until(id, "idle")
    assert [turn.text for turn in local.api.turns[2:4]] == ["two", "three"]
    assert not any(turn.text in ("two", "three") for turn in local.api.turns[4:])
    said = [e["parts"][0]["text"] for e in local.log(id) if e["type"] == "message" and e["role"] == "user"]
    assert said.count("two") == said.count("three") == 1
