"""Reading Codex's rollouts as they grow, in the form of version 0.169."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openclaw.agents import codex
from openclaw.agents.reporters import Signal
from openclaw.store import db, events, sessions
from openclaw.store.sessions import Session
from openclaw.store.turns import Transcript, Turn
from openclaw.usage import ledger, rollouts

AT = "2026-01-01T00:00:00.000Z"


def line(kind: str, /, **payload: Any) -> str:
    return json.dumps({"timestamp": AT, "ordinal": 1, "type": kind, "payload": payload}) + "\n"


def event(type: str, **more: Any) -> str:
    return line("event_msg", type=type, **more)


def used(id: str, sent: int, cached: int, written: int, out: int, thread: str = "t1") -> str:
    usage = {"input_tokens": sent, "cached_input_tokens": cached, "cache_write_input_tokens": written}
    usage |= {"output_tokens": out, "reasoning_output_tokens": 1, "total_tokens": sent + out}
    return line("token_usage_record", thread_id=thread, session_id="t1", response_id=id, usage=usage)


def message(text: str) -> str:
    return event("item_completed", item={"type": "AgentMessage", "content": [{"type": "Text", "text": text}]})


def call(id: str, name: str, **given: Any) -> str:
    return line("response_item", type="function_call", name=name, call_id=id, arguments=json.dumps(given))


def answer(id: str, output: Any) -> str:
    return line("response_item", type="function_call_output", call_id=id, output=output)


def test_each_call_counts_once_with_its_model_and_only_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(line("turn_context", model="gpt-x") + used("a", 130, 100, 20, 7) + used("b", 5, 0, 0, 1)[:-10])
    found = rollouts.read(str(path), 0)
    assert found.turns == [Turn("a", "", AT, "gpt-x", False, 10, 20, 100, 7)]
    with path.open("a") as file:
        file.write(used("b", 5, 0, 0, 1)[-10:] + used("c", 9, 0, 0, 1, thread="t2"))
    more = rollouts.read(str(path), found.read_bytes)
    assert [(t.message_id, t.model, t.side) for t in more.turns] == [("b", "gpt-x", False), ("c", "gpt-x", True)]
    assert more.read_bytes == path.stat().st_size and rollouts.read(str(path), more.read_bytes).turns == []


def test_what_is_no_record_counts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    odd = ["{", "[]", '"token_usage_record"', line("token_usage_record"), line("token_usage_record", usage=[])]
    path.write_text("\n".join(odd) + "\n" + used("a", 5, 9, 0, -1))
    assert [t[5:] for t in rollouts.read(str(path), 0).turns] == [
        (0, 0, 9, -1)
    ]  # what can't be is for the ledger to judge
    assert rollouts.read("/nowhere", 0).turns == [] and rollouts.last_message("/nowhere") == ""


def test_a_compaction_leaves_no_context_until_the_next_call(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(used("a", 5, 0, 0, 1))
    assert rollouts.read(str(path), 0).compacted is False
    path.write_text(used("a", 5, 0, 0, 1) + line("compacted", message="x"))
    assert rollouts.read(str(path), 0).compacted is True
    path.write_text(message('says "compacted"') + event("task_started"))
    assert rollouts.read(str(path), 0).compacted is None


def test_the_error_of_a_turn_lasts_until_the_next_begins(tmp_path: Path) -> None:
    store = db.connect(str(tmp_path / "state/openclaw.db"))
    path = tmp_path / "rollout-1-t1.jsonl"
    row = Session("abc234", "n", "t", "x", "codex", "working", "/", "s", "1", "1", reporter="codex-hooks")
    with db.transaction(store):
        sessions.insert(store, row._replace(conversation_id="t1"), [])
        events.transcript(store, "abc234", str(path))
        events.transcript(store, "abc234", str(tmp_path / "rollout-2-t2.jsonl"))

    def error_after(*lines: str) -> str:
        with path.open("a") as file:
            file.write("".join(lines))
        ledger.refresh(store, sessions.by_ids(store, ["abc234"]), "2")
        return sessions.by_ids(store, ["abc234"])[0].last_error

    failed = event("task_complete", error={"message": '{"error": {"message": "no", "code": "400"}}'})
    assert error_after(event("task_started"), failed) == "400 no"
    inside = tmp_path / "rollout-2-t2.jsonl"
    inside.write_text(event("task_complete", error={"message": "of an agent inside it"}))
    assert error_after(used("a", 5, 0, 0, 1)) == "400 no"
    assert error_after(event("task_started")) == ""
    assert error_after(event("task_complete", error={"message": "stream closed"})) == "stream closed"
    assert sessions.by_ids(store, ["abc234"])[0].tokens_used == 6


def test_the_conversation_is_found_by_its_id() -> None:
    known = [Transcript("s", f"/x/rollout-2026-{id}.jsonl", 0) for id in ("t1", "t2", "t3")]
    assert rollouts.current(known, "t2") == "/x/rollout-2026-t2.jsonl"
    assert rollouts.current(known, "t9") == rollouts.current(known, None) == rollouts.current([], "t1") == ""


def test_the_last_message_is_the_agents_own(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_text(message("first") + message("second\nline") + message(" ") + event("task_complete"))
    assert rollouts.last_message(str(path)) == "second\nline"
    path.write_text(message("first") + event("x", text="y" * (ledger.TAIL_BYTES + 10)))
    assert rollouts.last_message(str(path)) == "first"


def test_denials_are_named_by_what_was_asked(tmp_path: Path) -> None:
    patch = "*** Begin Patch\n*** Update File: a.txt\n@@\n*** Delete File: b.txt\n*** End Patch"
    path = tmp_path / "r.jsonl"
    path.write_text(
        call("1", "exec_command", cmd="rm x\n") + answer("1", "aborted by user after 2.0s")
        + line("response_item", type="custom_tool_call", name="apply_patch", call_id="2", input=patch)
        + line("response_item", type="custom_tool_call_output", call_id="2", output=[{"text": codex_denied()}])
        + call("3", "exec_command", cmd="ls") + answer("3", "done") + answer("4", "aborted by user")
    )  # fmt: skip
    assert rollouts.denials(str(path)) == ["exec_command: rm x", "apply_patch: Update a.txt, Delete b.txt", "a tool"]


def codex_denied() -> str:
    return "Command blocked by PreToolUse hook: Not allowed by openclaw: b.txt is outside"


def test_its_state_is_the_last_line_that_begins_or_ends_a_turn(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    assert codex.look(str(path)) is None
    path.write_text(message("task_complete") + "{\n")
    assert codex.look(str(path)) is None
    path.write_text(event("task_started") + message('quotes "task_complete"'))
    assert codex.look(str(path)) == Signal("working", AT)
    path.write_text(event("task_started") + event("turn_aborted", reason="interrupted"))
    assert codex.look(str(path)) == Signal("idle", AT)
    path.write_text(event("task_complete", error={"message": '{"error": {"message": "no"}}'}) + event("token_count"))
    assert codex.look(str(path)) == Signal("idle", AT, "no")
    path.write_text(event("task_complete") + message("x" * codex.TAIL_BYTES))
    assert codex.look(str(path)) is None
