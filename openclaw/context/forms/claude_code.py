"""Claude Code's transcripts: JSON lines of many types, of which only some are the conversation. Pure.

A model call stands in it once for each block of its answer, under one message id. Agents inside the agent
(`isSidechain`) and what the program says in the model's place are no part of what the model is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.context.forms import anthropic
from openclaw.context.forms.shared import Conversation, word, wrong
from openclaw.context.history import Message, Usage

FORM = "claude-code"
SYNTHETIC = "<synthetic>"  # the model of what the program itself says: errors


def decode(lines: Sequence[Any], where: str = "the transcript") -> Conversation:
    """The conversation, over its compactions too; the frame is all lines, as they were."""
    found: list[Message] = []
    open_calls: dict[str, int] = {}  # message id → place in `found`, until the user says something
    aside = not any(_spoken(line) for line in lines)  # an agent inside writes a file of its own, all of it aside
    for number, line in enumerate(lines):
        if not _spoken(line, aside):
            continue
        message = _message(line, number, f"{where}: line {number + 1}")
        if message.role == "assistant":
            place = open_calls.get(message.id) if message.id else None
            if place is not None:
                found[place] = _joined(found[place], message)
                continue
            open_calls[message.id] = len(found)
        elif message.role == "user":
            open_calls = {}
        found.append(message)
    return Conversation(tuple(found), FORM, tuple(lines))


def encode(conversation: Conversation) -> list[Any]:
    """The lines again: as they were where a message is unchanged, without those of messages that are gone."""
    kept: dict[int, Message] = {n: m for m in conversation.messages for n in m.extra.get(FORM, {}).get("lines", ())}
    found: list[Any] = []
    written: set[int] = set()
    aside = not any(_spoken(line) for line in conversation.frame)
    for number, line in enumerate(conversation.frame):
        if not _spoken(line, aside):
            found.append(line)
        elif (message := kept.get(number)) and id(message) not in written:
            if _again(message, conversation.frame) == message:
                found.append(line)
            else:
                written.add(id(message))
                found.append(line | {"message": line["message"] | anthropic.encode(message)})
    for message in conversation.messages:
        if FORM not in message.extra:
            found.append({"type": anthropic.encode(message)["role"], "message": anthropic.encode(message)})
    return found


def is_meta(message: Message) -> bool:
    """Whether the program put it in the user's place."""
    return bool(message.extra.get(FORM, {}).get("meta"))


def is_summary(message: Message) -> bool:
    """Whether it is what Claude Code's own compaction left."""
    return bool(message.extra.get(FORM, {}).get("summary"))


def is_transcript(line: Any) -> bool:
    """Whether a line can only be of a transcript."""
    marks = ("sessionId", "uuid", "snapshot")
    return isinstance(line, Mapping) and "type" in line and any(mark in line for mark in marks)


def _spoken(line: Any, aside: bool = False) -> bool:
    if not isinstance(line, Mapping) or line.get("type") not in ("user", "assistant"):
        return False
    if line.get("isSidechain") and not aside:
        return False
    message = line.get("message")
    return isinstance(message, Mapping) and message.get("model") != SYNTHETIC and "content" in message


def _message(line: Mapping[str, Any], number: int, where: str = "the line") -> Message:
    raw = line["message"]
    content = raw["content"]
    if not isinstance(content, str | list):
        raise wrong(where, "the content must be a text or a list of blocks")
    plain = anthropic.decode({"role": line["type"], "content": content}, where)
    extra = {"lines": (number,), "meta": bool(line.get("isMeta")), "summary": bool(line.get("isCompactSummary"))}
    id = word(raw.get("id")) if line["type"] == "assistant" else ""
    return Message(
        plain.role, plain.parts, word(line.get("timestamp")), id, _usage(raw.get("usage")), extra={FORM: extra}
    )


def _joined(first: Message, more: Message) -> Message:
    """One message of two lines with the same id. Usage grows from line to line: the last one counts."""
    extra = first.extra[FORM] | {"lines": (*first.extra[FORM]["lines"], *more.extra[FORM]["lines"])}
    return first._replace(parts=first.parts + more.parts, usage=more.usage or first.usage, extra={FORM: extra})


def _again(message: Message, lines: Sequence[Any]) -> Message:
    """The message as its lines say it."""
    numbers = message.extra[FORM]["lines"]
    found = _message(lines[numbers[0]], numbers[0])
    for number in numbers[1:]:
        found = _joined(found, _message(lines[number], number))
    return found


def _usage(raw: Any) -> Usage | None:
    if not isinstance(raw, Mapping):
        return None
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    return Usage(*(value if isinstance(value := raw.get(name), int) else 0 for name in names))


def dumps(lines: Sequence[Any]) -> str:
    """The text of a transcript."""
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
