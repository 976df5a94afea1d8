"""Claude Code's transcripts: what was used, read as it is written; its last message, and what it was not allowed.

A transcript is JSON lines, appended to. A model call stands in it once for each block of its answer, with growing
usage: the last one counts. Agents inside the agent write their own, in `<conversation>/subagents/` beside it. Calls
that the program makes on the side (titles, the summary of a compaction) are in none, and so in no sum here.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from openclaw.agents import calls
from openclaw.agents.calls import asked
from openclaw.store import db, sessions, turns
from openclaw.store.sessions import Session
from openclaw.store.turns import Transcript, Turn

TAIL_BYTES = 1_048_576  # the last message is looked for in so much of the end, then in the whole
# How a call that was not allowed reads in its result. There is no mark for it but the words (of version 2.1).
DENIED = (
    "The user doesn't want to proceed", "requires approval", "was blocked. For security", "haven't granted it",
    "has been denied", "Permission to use", calls.DENIED,
)  # fmt: skip
SYNTHETIC = "<synthetic>"  # the model of what the program itself says in the model's place: errors


class Read(NamedTuple):
    """What one look at a transcript found. `compacted`: after the last turn; None when neither was there."""

    turns: list[Turn]
    read_bytes: int
    compacted: bool | None


def refresh(store: sqlite3.Connection, reporting: Sequence[Session], now: str) -> bool:
    """Bring tokens and context of these sessions up to date with their transcripts; whether there was anything new.

    A look at transcripts that did not grow costs a `stat` each.
    """
    known = turns.transcripts(store, [s.id for s in reporting])
    grown = {t.session_id for t in _with_agents(known) if _size(t.path) not in (-1, t.read_bytes)}
    if not grown:
        return False
    conversations = {s.id: s.conversation_id for s in reporting}
    with db.transaction(store):
        for id in grown:
            own = turns.transcripts(store, [id])  # again: another process may just have read them
            for each in _with_agents(own):
                if _size(each.path) not in (-1, each.read_bytes):
                    turns.add(store, id, each.path, *read(each.path, each.read_bytes))
            first_last = turns.context(store, id, current(own, conversations[id]))
            sessions.update(
                store,
                id,
                now,
                tokens_used=turns.total(store, id),
                context_tokens=first_last and first_last[1],
                conversation_tokens=first_last and max(0, first_last[1] - first_last[0]),
            )
    return True


def read(path: str, start: int) -> Read:
    """The turns in the whole lines after byte `start`, or of all lines when the file has become shorter."""
    try:
        with open(path, "rb") as file:
            start = start if start <= os.fstat(file.fileno()).st_size else 0
            file.seek(start)
            data = file.read()
    except OSError:  # removed meanwhile: what was read stays counted
        return Read([], start, None)
    whole = data.rfind(b"\n") + 1
    found: dict[tuple[str, str], Turn] = {}
    compacted = None
    for line in data[:whole].split(b"\n"):
        if b'"usage"' in line and (turn := _turn(line)):
            found[turn.message_id, turn.request_id] = turn
            compacted = compacted if turn.side else False
        elif b'"compact_boundary"' in line and _parsed(line).get("subtype") == "compact_boundary":
            compacted = True
    return Read(list(found.values()), start + whole, compacted)


def current(known: Sequence[Transcript], conversation: str | None) -> str:
    """The path of the conversation that a session is in now; empty when it has none yet."""
    main = [t.path for t in known if os.path.basename(os.path.dirname(t.path)) != "subagents"]
    return next((p for p in main if os.path.basename(p) == f"{conversation}.jsonl"), main[-1] if main else "")


def last_message(path: str, tails: Sequence[int | None] = (TAIL_BYTES, None)) -> str:
    """The text of the agent's last message that has any, itself and not an agent inside it; empty if there is none.

    `tails` are the bytes of the end that are looked at in turn, None for all.
    """
    for tail in tails:
        for line in reversed(_lines(path, tail)):
            if b'"assistant"' in line and (text := _text(_parsed(line))):
                return text
    return ""


def denials(path: str) -> list[str]:
    """The tool calls of a conversation that were not allowed, each in one line, in their order."""
    made: dict[str, str] = {}
    found = []
    for line in _lines(path, None):
        if b'"tool_use"' in line:
            for block in _blocks(_parsed(line), "tool_use"):
                made[str(block.get("id"))] = asked(block.get("name"), block.get("input"))
        elif b'"is_error":true' in line.replace(b" ", b""):
            for block in _blocks(_parsed(line), "tool_result"):
                text = json.dumps(block.get("content"), ensure_ascii=False)
                if block.get("is_error") and any(words in text for words in DENIED):
                    found.append(made.get(str(block.get("tool_use_id")), "a tool"))
    return found


def _with_agents(known: Iterable[Transcript]) -> Iterator[Transcript]:
    """These and the transcripts of agents inside them, some of which may not be known yet."""
    known = list(known)
    yield from known
    paths = {t.path for t in known}
    for each in known:
        folder = os.path.join(each.path.removesuffix(".jsonl"), "subagents")
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        for name in names:
            if name.endswith(".jsonl") and (path := os.path.join(folder, name)) not in paths:
                yield Transcript(each.session_id, path, 0)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1


def _lines(path: str, tail: int | None) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            if tail is not None and (size := os.fstat(file.fileno()).st_size) > tail:
                file.seek(size - tail)
                file.readline()
            return file.read().split(b"\n")
    except OSError:
        return []


def _parsed(line: bytes) -> dict[str, Any]:
    """A line as a mapping; an empty one for what isn't: a transcript is not ours to judge."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _turn(line: bytes) -> Turn | None:
    entry = _parsed(line)
    message = entry.get("message")
    if entry.get("type") != "assistant" or not isinstance(message, dict) or message.get("model") == SYNTHETIC:
        return None
    usage = message.get("usage")
    if not isinstance(usage, dict):
        return None
    return Turn(
        str(message.get("id") or entry.get("uuid") or ""),
        str(entry.get("requestId") or ""),
        str(entry.get("timestamp") or ""),
        str(message.get("model") or ""),
        bool(entry.get("isSidechain")),
        _count(usage.get("input_tokens")),
        _count(usage.get("cache_creation_input_tokens")),
        _count(usage.get("cache_read_input_tokens")),
        _count(usage.get("output_tokens")),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _blocks(entry: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    message = entry.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return [b for b in content if isinstance(b, dict) and b.get("type") == kind] if isinstance(content, list) else []


def _text(entry: dict[str, Any]) -> str:
    if entry.get("type") != "assistant" or entry.get("isSidechain"):
        return ""
    return "\n\n".join(str(block.get("text") or "") for block in _blocks(entry, "text")).strip()
