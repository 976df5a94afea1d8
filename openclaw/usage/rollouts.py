"""Codex's rollouts: what was used, read as it is written; its last message, and what it was not allowed.

A rollout is JSON lines, appended to. Each model call leaves one `token_usage_record` with the id of its response, also
that of a compaction. Agents inside the agent write their own, which their hooks name. Calls that the program makes on
the side (titles) are in none, and so in no sum here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from openclaw.agents import codex, limits
from openclaw.agents.calls import DENIED, asked
from openclaw.store.turns import Transcript, Turn
from openclaw.units import from_utc
from openclaw.usage.ledger import TAIL_BYTES, Read, count, has_line, lines, parsed, whole_lines

CALLS = ("function_call", "custom_tool_call", "local_shell_call")
# How a call that was not allowed reads in its result. There is no mark for it but the words (of version 0.169).
REFUSED = ("rejected by user", "was denied", "aborted by user", DENIED)
PATCHED = re.compile(r"^\*\*\* (Add|Update|Delete) File: (.+)$", re.MULTILINE)


def read(path: str, start: int) -> Read:
    """What stands in the whole lines after byte `start`, or in all lines when the file has become shorter."""
    data, end = whole_lines(path, start)
    found: list[Turn] = []
    compacted: bool | None = None
    error: str | None = None
    window: int | None = None
    quotas: tuple[limits.Report, ...] = ()
    quotas_at, limited = 0.0, None
    model = ""
    if start and any(b'"token_usage_record"' in line for line in data):  # its turn may have begun before
        model = _model(lines(path, TAIL_BYTES)) or _model(lines(path, None))
    for line in data:
        if b'"turn_context"' in line:
            model = _model([line]) or model
        elif b'"token_usage_record"' in line and (turn := _turn(parsed(line), model)):
            found.append(turn)
            compacted = compacted if turn.side else False
        elif b'"compacted"' in line and parsed(line).get("type") == "compacted":
            compacted = True
        elif b'"task_started"' in line or b'"task_complete"' in line:
            said = _payload(parsed(line), "event_msg")
            if said.get("type") in codex.ENDS:
                error = codex.failure(said)
                limited = codex.limited(said)
        elif b'"token_count"' in line:
            entry = parsed(line)
            said = _payload(entry, "event_msg")
            if reports := limits.rollout(said.get("rate_limits")):
                quotas, quotas_at = tuple(reports), _epoch(entry)
            info = said.get("info")
            window = (count(info.get("model_context_window")) if isinstance(info, dict) else 0) or window
    return Read(found, end, compacted, error, window, quotas, quotas_at, limited)


def inside(known: Transcript) -> Iterable[str]:
    """None but those that a hook has named already."""
    return ()


def current(known: Sequence[Transcript], conversation: str | None) -> str:
    """The path of the conversation that a session is in now; empty when it has none yet."""
    return next((t.path for t in reversed(known) if conversation and t.path.endswith(f"-{conversation}.jsonl")), "")


def begun(path: str) -> bool:
    """Whether anything was said in it yet."""
    return has_line(path, b'"response_item"')


def last_message(path: str, tails: Sequence[int | None] = (TAIL_BYTES, None)) -> str:
    """The text of the agent's last message that has any; empty if there is none."""
    for tail in tails:
        for line in reversed(lines(path, tail)):
            if b'"AgentMessage"' in line and (text := _text(_payload(parsed(line), "event_msg").get("item"))):
                return text
    return ""


def denials(path: str) -> list[str]:
    """The tool calls of a conversation that were not allowed, each in one line, in their order."""
    made: dict[str, str] = {}
    found = []
    for line in lines(path, None):
        if b'"call_id"' not in line:
            continue
        item = _payload(parsed(line), "response_item")
        if item.get("type") in CALLS:
            made[str(item.get("call_id"))] = asked(item.get("name"), _given(item))
        elif str(item.get("type")).endswith("_output") and any(words in str(item.get("output")) for words in REFUSED):
            found.append(made.get(str(item.get("call_id")), "a tool"))
    return found


def _turn(entry: dict[str, Any], model: str) -> Turn | None:
    said = _payload(entry, "token_usage_record")
    usage = said.get("usage")
    if not isinstance(usage, dict):
        return None
    cached, written = count(usage.get("cached_input_tokens")), count(usage.get("cache_write_input_tokens"))
    return Turn(
        str(said.get("response_id") or f"{said.get('thread_id')}:{entry.get('ordinal')}"),
        "",
        str(entry.get("timestamp") or ""),
        model,
        said.get("thread_id") != said.get("session_id"),
        max(0, count(usage.get("input_tokens")) - cached - written),  # here the input holds all three
        written,
        cached,
        count(usage.get("output_tokens")),
    )


def _epoch(entry: dict[str, Any]) -> float:
    try:
        return from_utc(str(entry.get("timestamp")))
    except ValueError:
        return 0.0  # older than whatever else is known


def _model(data: Iterable[bytes]) -> str:
    """The model of the last turn that begins in these lines."""
    last = next((line for line in reversed(list(data)) if b'"turn_context"' in line), b"")
    return str(_payload(parsed(last), "turn_context").get("model") or "")


def _payload(entry: dict[str, Any], kind: str) -> dict[str, Any]:
    """What a line of this kind says; nothing for any other."""
    said = entry.get("payload")
    return said if entry.get("type") == kind and isinstance(said, dict) else {}


def _given(item: dict[str, Any]) -> object:
    """What a tool was called with, under the names by which calls are shown; of a patch the files."""
    given = parsed(str(item.get("arguments") or "").encode())
    text = str(item.get("input") or given.get("cmd") or "")
    return {"command": ", ".join(map(" ".join, PATCHED.findall(text))) or " ".join(text.split())} if text else given


def _text(item: Any) -> str:
    content = item.get("content") if isinstance(item, dict) and item.get("type") == "AgentMessage" else None
    parts = content if isinstance(content, list) else []
    return "\n\n".join(str(part.get("text") or "") for part in parts if isinstance(part, dict)).strip()
