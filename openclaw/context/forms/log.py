"""The local agent's own log: JSON lines, only ever appended to, one record each.

    {"v": 1, "type": "message", "role": "user", "parts": [{"text": "…"}], "at": "…"}
    {"v": 1, "type": "rewrite", "messages": […], …}     from here on the conversation is these (a compaction)
    {"v": 1, "type": "undo"}                            the last rewrite is taken back; what was said since stays
    {"v": 1, "type": "queued", "queued": "…", "text": "…"}  typed while a turn ran; the message it becomes names it too
    {"v": 1, "type": <anything else>, …}                kept for whoever wrote it

A part is {"text"}, {"call": {"id", "name", "arguments"}}, {"result": {"call_id", "content", "error"}} or
{"attachment": {"kind", "data"}}. A line that a crash left torn is passed over; the next append begins its own line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openclaw.context.forms.shared import Conversation, word, wrong
from openclaw.context.history import NOTHING, Attachment, Call, Message, Part, Result, Text, Usage

FORM = "openclaw"
VERSION = 1
ROLES = ("system", "user", "assistant", "tool")


def record(message: Message) -> dict[str, Any]:
    """The line of a message."""
    found: dict[str, Any] = {"v": VERSION, "type": "message", "role": message.role}
    found["parts"] = [_written(part) for part in message.parts]
    if message.at:
        found["at"] = message.at
    if message.id:
        found["id"] = message.id
    if message.usage:
        found["usage"] = message.usage._asdict()
    if message.extra:
        found["extra"] = dict(message.extra)
    return found


def rewrite(messages: Iterable[Message], **more: Any) -> dict[str, Any]:
    """The line that puts other messages in place of all before it."""
    return {"v": VERSION, "type": "rewrite", "messages": [record(message) for message in messages], **more}


def undo() -> dict[str, Any]:
    """The line that takes the last rewrite back."""
    return {"v": VERSION, "type": "undo"}


def append(path: str, records: Iterable[Mapping[str, Any]], sync: bool = True) -> None:
    """Add records in one write, on the disk when this returns; a line that a crash tore is ended first."""
    data = b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in records)
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            data = b"\n" + data
        while data:
            data = data[os.write(fd, data) :]
        if sync:
            os.fsync(fd)
    finally:
        os.close(fd)


def decode(lines: Sequence[Any], where: str = "the log") -> Conversation:
    """The conversation as it is now; the frame is all lines, as they were."""
    before: list[tuple[list[Message], int]] = []  # what each rewrite replaced, and how many messages it put there
    now: list[Message] = []
    for number, line in enumerate(lines):
        place = f"{where}: line {number + 1}"
        if not isinstance(line, Mapping):
            continue
        kind = line.get("type")
        if kind == "message":
            now.append(read_record(line, place))
        elif kind == "rewrite":
            given = line.get("messages")
            if not isinstance(given, list):
                raise wrong(place, "a rewrite must have a list of messages")
            before.append((now, len(given)))
            now = [read_record(each, place) for each in given]
        elif kind == "undo" and before:
            old, length = before.pop()
            now = old + now[length:]
    return Conversation(tuple(now), FORM, tuple(lines))


def encode(conversation: Conversation) -> list[Any]:
    """The lines again; with one rewrite after them when the messages are no longer what the lines say."""
    lines = list(conversation.frame or ())
    if decode(lines).messages == conversation.messages:
        return lines
    return [*lines, rewrite(conversation.messages)] if lines else [record(each) for each in conversation.messages]


def read_record(line: Any, where: str = "the line") -> Message:
    """The message of a line. BadInput names what is wrong with it."""
    if not isinstance(line, Mapping) or line.get("role") not in ROLES or not isinstance(line.get("parts"), list):
        raise wrong(where, f"a message must have a role ({', '.join(ROLES)}) and a list of parts")
    usage, extra = line.get("usage"), line.get("extra")
    return Message(
        line["role"],
        tuple(_part(part, where) for part in line["parts"]),
        word(line.get("at")),
        word(line.get("id")),
        _usage(usage) if isinstance(usage, Mapping) else None,
        extra if isinstance(extra, Mapping) else NOTHING,
    )


def _usage(raw: Mapping[str, Any]) -> Usage:
    return Usage(*(value if isinstance(value := raw.get(name), int) else 0 for name in Usage._fields))


def _written(part: Part) -> dict[str, Any]:
    extra = {"extra": dict(part.extra)} if not isinstance(part, Attachment) and part.extra else {}
    match part:
        case Text(text):
            return {"text": text} | extra
        case Call(id, name, given):
            return {"call": {"id": id, "name": name, "arguments": given} | extra}
        case Result(call_id, content, error):
            return {"result": {"call_id": call_id, "content": content, "error": error} | extra}
        case Attachment(kind, data):
            return {"attachment": {"kind": kind, "data": dict(data)}}


def _part(raw: Any, where: str) -> Part:
    if isinstance(raw, Mapping):
        if isinstance(raw.get("text"), str):
            return Text(raw["text"], raw.get("extra", NOTHING))
        for name, fields in (("call", ("id", "name", "arguments")), ("result", ("call_id", "content"))):
            inner = raw.get(name)
            if isinstance(inner, Mapping) and all(isinstance(inner.get(field), str) for field in fields):
                extra = inner.get("extra", NOTHING)
                if name == "call":
                    return Call(inner["id"], inner["name"], inner["arguments"], extra)
                return Result(inner["call_id"], inner["content"], bool(inner.get("error")), extra)
        inner = raw.get("attachment")
        if isinstance(inner, Mapping) and isinstance(inner.get("data"), Mapping):
            return Attachment(word(inner.get("kind")), inner["data"])
    raise wrong(where, "a part must be a text, a call, a result or an attachment")
