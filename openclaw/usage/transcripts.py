"""Claude Code's transcripts: what was used, read as it is written; its last message, and what it was not allowed.

A transcript is JSON lines, appended to. A model call stands in it once for each block of its answer, with growing
usage: the last one counts. Agents inside the agent write their own, in `<conversation>/subagents/` beside it. Calls
that the program makes on the side (titles, the summary of a compaction) are in none, and so in no sum here.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

from openclaw.agents import calls
from openclaw.agents.calls import asked
from openclaw.store.skills import Mark
from openclaw.store.turns import Transcript, Turn
from openclaw.usage.ledger import TAIL_BYTES, Read, count, has_line, lines, parsed, whole_lines

# How a call that was not allowed reads in its result. There is no mark for it but the words (of version 2.1).
DENIED = (
    "The user doesn't want to proceed", "requires approval", "was blocked. For security", "haven't granted it",
    "has been denied", "Permission to use", calls.DENIED,
)  # fmt: skip
# A skill that a person calls. The program's own commands, such as /mcp, begin with their name instead.
COMMAND = re.compile(r"<command-message>.*?</command-message>\s*<command-name>/?([^<]+)</command-name>", re.DOTALL)
SYNTHETIC = "<synthetic>"  # the model of what the program itself says in the model's place: errors


def read(path: str, start: int) -> Read:
    """What stands in the whole lines after byte `start`, or in all lines when the file has become shorter."""
    data, end = whole_lines(path, start)
    found: dict[tuple[str, str], Turn] = {}
    compacted = None
    marks: list[Mark] = []
    for line in data:
        if b'"Skill"' in line or (b'"user"' in line and b'"tool_result"' not in line):
            marks += _marks(parsed(line))
        if b'"usage"' in line and (turn := _turn(line)):
            found[turn.message_id, turn.request_id] = turn
            compacted = compacted if turn.side else False
        elif b'"compact_boundary"' in line and parsed(line).get("subtype") == "compact_boundary":
            compacted = True
    return Read(list(found.values()), end, compacted, marks=tuple(marks))


def current(known: Sequence[Transcript], conversation: str | None) -> str:
    """The path of the conversation that a session is in now; empty when it has none yet."""
    main = [t.path for t in known if os.path.basename(os.path.dirname(t.path)) != "subagents"]
    return next((p for p in main if os.path.basename(p) == f"{conversation}.jsonl"), main[-1] if main else "")


def begun(path: str) -> bool:
    """Whether anything was said in it yet: a program that was killed before has written how it was started only."""
    return has_line(path, b'"type":"user"')


def last_message(path: str, tails: Sequence[int | None] = (TAIL_BYTES, None)) -> str:
    """The text of the agent's last message that has any, itself and not an agent inside it; empty if there is none."""
    for tail in tails:
        for line in reversed(lines(path, tail)):
            if b'"assistant"' in line and (text := _text(parsed(line))):
                return text
    return ""


def denials(path: str) -> list[str]:
    """The tool calls of a conversation that were not allowed, each in one line, in their order."""
    made: dict[str, str] = {}
    found = []
    for line in lines(path, None):
        if b'"tool_use"' in line:
            for block in _blocks(parsed(line), "tool_use"):
                made[str(block.get("id"))] = asked(block.get("name"), block.get("input"))
        elif b'"is_error":true' in line.replace(b" ", b""):
            for block in _blocks(parsed(line), "tool_result"):
                text = json.dumps(block.get("content"), ensure_ascii=False)
                if block.get("is_error") and any(words in text for words in DENIED):
                    found.append(made.get(str(block.get("tool_use_id")), "a tool"))
    return found


def inside(known: Transcript) -> Iterator[str]:
    """The transcripts of the agents inside this conversation."""
    folder = os.path.join(known.path.removesuffix(".jsonl"), "subagents")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return
    yield from (os.path.join(folder, name) for name in names if name.endswith(".jsonl"))


def _turn(line: bytes) -> Turn | None:
    entry = parsed(line)
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
        count(usage.get("input_tokens")),
        count(usage.get("cache_creation_input_tokens")),
        count(usage.get("cache_read_input_tokens")),
        count(usage.get("output_tokens")),
    )


def _marks(entry: dict[str, Any]) -> Iterator[Mark]:
    """Skills that are called in a line, by the model or by a person as a command; else what a person says there."""
    at, message = str(entry.get("timestamp") or ""), entry.get("message")
    for block in _blocks(entry, "tool_use") if entry.get("type") == "assistant" else ():
        given = block.get("input")
        if block.get("name") == "Skill" and isinstance(given, dict):
            yield Mark(at, str(given.get("skill") or given.get("command") or "?")[:200], str(block.get("id")))
    said = message.get("content") if isinstance(message, dict) else None
    if entry.get("type") != "user" or entry.get("isMeta") or entry.get("isCompactSummary") or not said:
        return
    if isinstance(said, str) and (command := COMMAND.match(said)):
        yield Mark(at, command[1][:200], str(entry.get("uuid")))
    elif not (isinstance(said, str) and said.startswith(("<command-name>", "<local-command-"))):
        yield Mark(at)


def _blocks(entry: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    message = entry.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    return [b for b in content if isinstance(b, dict) and b.get("type") == kind] if isinstance(content, list) else []


def _text(entry: dict[str, Any]) -> str:
    if entry.get("type") != "assistant" or entry.get("isSidechain"):
        return ""
    return "\n\n".join(str(block.get("text") or "") for block in _blocks(entry, "text")).strip()
