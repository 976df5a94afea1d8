"""Reading transcripts as they grow: every call counted once, as it was reported last."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from openclaw.store import db, events, sessions
from openclaw.store.sessions import Session
from openclaw.usage import ledger as ledger_of_turns
from openclaw.usage import transcripts

CONVERSATION = "11111111-2222-4333-8444-555555555555"


def assistant(id: str, usage: tuple[int, int, int, int], text: str = "", **more: Any) -> str:
    kinds = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    content = [{"type": "text", "text": text}] if text else [{"type": "thinking", "thinking": "hm"}]
    message: dict[str, Any] = {"id": id, "model": "claude-x", "role": "assistant", "content": content}
    message["usage"] = dict(zip(kinds, usage, strict=True))
    entry = {
        "type": "assistant",
        "requestId": f"req-{id}",
        "timestamp": "2026-01-01T00:00:00.000Z",
        "isSidechain": False,
    }
    entry["message"] = message | more.pop("message", {})
    return json.dumps(entry | more) + "\n"


BOUNDARY = json.dumps({"type": "system", "subtype": "compact_boundary", "content": "Conversation compacted"}) + "\n"


class Ledger:
    """A store with one session, and the transcript that it says it writes."""

    def __init__(self, folder: Path) -> None:
        self.store: sqlite3.Connection = db.connect(str(folder / "state/openclaw.db"))
        self.path = folder / "projects/-w" / f"{CONVERSATION}.jsonl"
        self.path.parent.mkdir(parents=True)
        self.path.touch()
        row = Session("abc234", "n", "t", "x", "claude", "working", "/", "s", "1", "1", reporter="claude-hooks")
        with db.transaction(self.store):
            sessions.insert(self.store, row._replace(conversation_id=CONVERSATION), [])
        self.knows(self.path)

    def knows(self, path: Path) -> None:
        with db.transaction(self.store):
            events.transcript(self.store, "abc234", str(path))
            events.report(self.store, "abc234", "claude-hooks", {"conversation_id": path.stem})

    def write(self, *lines: str) -> None:
        with self.path.open("a") as file:
            file.write("".join(lines))

    @property
    def session(self) -> Session:
        return sessions.by_ids(self.store, ["abc234"])[0]

    def figures(self) -> tuple[int, int | None, int | None]:
        """Tokens used, context, conversation."""
        ledger_of_turns.refresh(self.store, [self.session], "2")
        found = self.session
        return found.tokens_used, found.context_tokens, found.conversation_tokens


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path)


def test_peers_19_each_call_counts_once_as_it_was_reported_last(ledger: Ledger) -> None:
    ledger.write(assistant("a", (10, 200, 3000, 1)), assistant("a", (10, 200, 3000, 1)))
    assert ledger.figures() == (3211, 3210, 0)
    ledger.write(assistant("a", (10, 200, 3000, 50)), assistant("b", (5, 50, 3200, 7)))
    assert ledger.figures() == (3260 + 3262, 3255, 45)


def test_nothing_new_is_not_read_again(ledger: Ledger) -> None:
    ledger.write(assistant("a", (1, 0, 0, 1)))
    assert ledger_of_turns.refresh(ledger.store, [ledger.session], "2")
    assert not ledger_of_turns.refresh(ledger.store, [ledger.session], "2")


@pytest.mark.parametrize("cut", [1, 50, -2, -1])
def test_half_a_line_is_read_when_it_is_whole(ledger: Ledger, cut: int) -> None:
    line = assistant("b", (7, 0, 0, 1), "ünï")
    ledger.write(assistant("a", (5, 0, 0, 1)), line[:cut])
    assert ledger.figures()[0] == 6
    ledger.write(line[cut:])
    assert ledger.figures() == (14, 7, 2)


def test_agents_inside_it_count_but_are_not_its_context(ledger: Ledger) -> None:
    ledger.write(assistant("a", (10, 0, 0, 1)), assistant("s", (900, 0, 0, 1), isSidechain=True))
    inside = ledger.path.with_suffix("") / "subagents" / "agent-1.jsonl"
    inside.parent.mkdir(parents=True)
    inside.write_text(assistant("s2", (5000, 0, 0, 1), isSidechain=True))
    assert ledger.figures() == (11 + 901 + 5001, 10, 0)
    with inside.open("a") as file:
        file.write(assistant("s3", (6000, 0, 0, 1), isSidechain=True))
    assert ledger.figures() == (11 + 901 + 5001 + 6001, 10, 0)
    assert transcripts.last_message(str(ledger.path)) == ""


def test_a_new_conversation_has_its_own_context_and_adds_to_the_sum(ledger: Ledger, tmp_path: Path) -> None:
    ledger.write(assistant("a", (100, 0, 0, 1)), assistant("b", (300, 0, 0, 1)))
    assert ledger.figures() == (402, 300, 200)
    second = ledger.path.with_name("99999999-2222-4333-8444-555555555555.jsonl")
    second.touch()
    ledger.knows(second)
    ledger.write(assistant("late", (310, 0, 0, 1)))
    second.write_text(assistant("c", (90, 0, 0, 1)))
    assert ledger.figures() == (402 + 311 + 91, 90, 0)


def test_after_a_compaction_the_context_is_unknown_until_the_next_call(ledger: Ledger) -> None:
    ledger.write(assistant("a", (100, 0, 0, 1)), assistant("b", (900, 0, 0, 1)), BOUNDARY)
    assert ledger.figures() == (1002, None, None)
    ledger.write('{"type": "user"}\n')
    assert ledger.figures() == (1002, None, None)
    ledger.write(assistant("c", (150, 0, 0, 1)))
    assert ledger.figures() == (1153, 150, 50)
    ledger.write(BOUNDARY, assistant("d", (120, 0, 0, 1)))
    assert ledger.figures() == (1274, 120, 20)


def test_a_transcript_that_became_shorter_is_read_anew_and_nothing_counts_twice(ledger: Ledger) -> None:
    ledger.write(assistant("a", (100, 0, 0, 1)), assistant("b", (200, 0, 0, 1)))
    ledger.figures()
    ledger.path.write_text(assistant("c", (7, 0, 0, 1)))
    assert ledger.figures()[0] == 302 + 8


def test_whatever_stands_in_it_is_no_fault(ledger: Ledger) -> None:
    ledger.write(
        '{"usage": 1}\n[]\n"usage"\n{"usage"\n', "\n", '{"type": "assistant", "usage": {}}\n',
        '{"type": "assistant", "message": {"usage": []}}\n', "\x00\ud7ff\n",
        assistant("n", (4, 0, 0, 1), message={"usage": {"input_tokens": None, "output_tokens": -3, "other": "x"}}),
        json.dumps({"type": "user", "message": {"content": "talks of compact_boundary and \"usage\""}}) + "\n",
        assistant("a", (5, 0, 0, 1)),
        assistant("e", (0, 0, 0, 0), "API Error", message={"model": "<synthetic>"}),
    )  # fmt: skip
    assert ledger.figures() == (6, 5, 5)
    ledger.path.unlink()
    assert ledger.figures() == (6, 5, 5)


def test_the_last_message_is_the_last_with_text(ledger: Ledger) -> None:
    assert transcripts.last_message(str(ledger.path)) == "" == transcripts.last_message("/nowhere")
    long = "x" * (ledger_of_turns.TAIL_BYTES + 10)
    ledger.write(
        assistant("a", (1, 0, 0, 1), "first"), json.dumps({"type": "user", "message": {"content": long}}) + "\n"
    )
    assert transcripts.last_message(str(ledger.path)) == "first"
    ledger.write(assistant("b", (1, 0, 0, 1), "second\nline"), assistant("c", (1, 0, 0, 1)))
    ledger.write(assistant("s", (1, 0, 0, 1), "inside", isSidechain=True))
    assert transcripts.last_message(str(ledger.path)) == "second\nline"


def test_denials_name_the_call(ledger: Ledger) -> None:
    def call(id: str, name: str, given: dict[str, str], result: str, error: bool) -> None:
        block = {"type": "tool_use", "id": id, "name": name, "input": given}
        ledger.write(assistant(id, (1, 0, 0, 1), message={"content": [block]}))
        done = {"type": "tool_result", "tool_use_id": id, "content": result, "is_error": error}
        ledger.write(json.dumps({"type": "user", "message": {"content": [done]}}) + "\n")

    call("1", "Bash", {"command": "make"}, "Exit code 2", True)
    call("2", "Bash", {"command": "rm x"}, "The user doesn't want to proceed with this tool use.", True)
    call("3", "Read", {"file_path": "/a"}, "the text says: Permission to use has been denied", False)
    call("4", "Edit", {"file_path": "/b"}, "This command requires approval", True)
    assert transcripts.denials(str(ledger.path)) == ["Bash: rm x", "Edit: /b"]
    both = [
        {"type": "tool_result", "tool_use_id": "1", "content": "Exit code 2", "is_error": True},
        {"type": "tool_result", "tool_use_id": "3", "content": "it says: This command requires approval"},
    ]
    ledger.write(json.dumps({"type": "user", "message": {"content": both}}) + "\n")
    assert transcripts.denials(str(ledger.path)) == ["Bash: rm x", "Edit: /b"]
