"""The logs of our own agent: what was used, read as it is written; its last message, and what it was not allowed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from openclaw.agents.calls import DENIED, asked
from openclaw.store.turns import Transcript, Turn
from openclaw.usage.ledger import TAIL_BYTES, Read, count, has_line, lines, parsed, whole_lines


def read(path: str, start: int) -> Read:
    """What stands in the whole lines after byte `start`, or in all lines when the file has become shorter."""
    data, end = whole_lines(path, start)
    found: list[Turn] = []
    compacted: bool | None = None
    window: int | None = None
    for line in data:
        if b'"rewrite"' in line and parsed(line).get("type") == "rewrite":
            compacted = True
        elif b'"usage"' in line and (turn := _turn(parsed(line))):
            found.append(turn)
            compacted = False
        elif b'"model"' in line and (told := parsed(line)).get("type") == "model":
            window = count(told.get("window")) or window
    return Read(found, end, compacted, window=window)


def inside(known: Transcript) -> Iterable[str]:
    """It has no agents inside."""
    return ()


def current(known: Sequence[Transcript], conversation: str | None) -> str:
    """The path of the conversation that a session is in now; empty when it has none yet."""
    return next((t.path for t in reversed(known) if conversation and t.path.endswith(f"/{conversation}.jsonl")), "")


def begun(path: str) -> bool:
    """Whether anything was said in it yet."""
    return has_line(path, b'"role":"user"')


def last_message(path: str, tails: Sequence[int | None] = (TAIL_BYTES, None)) -> str:
    """The text of the agent's last message that has any; empty if there is none."""
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
        for part in _parts(parsed(line)) if b'"parts"' in line else ():
            call, result = part.get("call"), part.get("result")
            if isinstance(call, dict):
                made[str(call.get("id"))] = asked(call.get("name"), _given(call.get("arguments")))
            elif isinstance(result, dict) and str(result.get("content")).startswith(DENIED):
                found.append(made.get(str(result.get("call_id")), "a tool"))
    return found


def _turn(entry: dict[str, Any]) -> Turn | None:
    usage = entry.get("usage")
    if entry.get("type") != "message" or entry.get("role") != "assistant" or not isinstance(usage, dict):
        return None
    counts = (count(usage.get(name)) for name in ("input", "cache_write", "cache_read", "output"))
    return Turn(str(entry.get("id")), "", str(entry.get("at") or ""), str(entry.get("model") or ""), False, *counts)


def _parts(entry: dict[str, Any]) -> list[dict[str, Any]]:
    parts = entry.get("parts") if entry.get("type") == "message" else None
    return [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []


def _text(entry: dict[str, Any]) -> str:
    if entry.get("role") != "assistant":
        return ""
    texts = (str(part.get("text") or "") for part in _parts(entry))
    return "\n\n".join(filter(None, texts)).strip()


def _given(arguments: object) -> object:
    """What a tool was called with, under the names by which calls are shown."""
    try:
        given = json.loads(str(arguments))
    except ValueError:
        return arguments
    return (
        {"file_path" if key == "path" else key: value for key, value in given.items()}
        if isinstance(given, dict)
        else given
    )
