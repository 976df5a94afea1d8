"""The log of a conversation: JSON lines, only appended to, on the disk before anything goes on.

A line is a message or says what happened to the conversation. What a kill left torn at the end is passed over, and so
is any line that is none: what can be read counts.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from typing import Any

from openclaw.context.history import Attachment, Call, Message, Part, Result, Text, Usage
from openclaw.errors import Unavailable

VERSION = 1


class Log:
    """The file, ours alone while it is open. Unavailable when another process has it, or the disk takes nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        new = not os.path.exists(path)
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if new:
                _sync_folder(os.path.dirname(path))
        except BlockingIOError:
            raise Unavailable(f"{path} is in use by another process", "end that one first") from None
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}", code="system") from error
        size = os.fstat(self._fd).st_size
        if size and os.pread(self._fd, 1, size - 1) != b"\n":
            os.write(self._fd, b"\n")  # what is torn stays a line of its own

    def entries(self) -> Iterator[dict[str, Any]]:
        """What stands in it, in its order."""
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict) and isinstance(entry.get("type"), str):
                    yield entry

    def write(self, kind: str, at: str, **data: Any) -> None:
        """Append one line; it is on the disk afterwards. Unavailable when it can't be."""
        line = json.dumps({"v": VERSION, "type": kind, "at": at, **data}, separators=(",", ":")).encode()
        try:
            view = memoryview(line + b"\n")
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
        except OSError as error:
            raise Unavailable(f"{self.path}: {error.strerror}", "make room on the disk", code="system") from error

    def close(self) -> None:
        os.close(self._fd)


def as_json(message: Message) -> dict[str, Any]:
    """A message as a line has it, without what is empty."""
    found: dict[str, Any] = {"role": message.role, "parts": [_part(part) for part in message.parts]}
    found |= {key: value for key in ("id",) if (value := getattr(message, key))}
    found |= {"usage": message.usage._asdict()} if message.usage else {}
    return found | ({"extra": dict(message.extra)} if message.extra else {})


def from_json(entry: dict[str, Any]) -> Message | None:
    """The message of a line; None for what is none."""
    try:
        usage = entry.get("usage")
        return Message(
            entry["role"],
            tuple(_read(part) for part in entry["parts"]),
            str(entry.get("at") or ""),
            str(entry.get("id") or ""),
            Usage(**usage) if usage else None,
            entry.get("extra") or {},
        )
    except (KeyError, TypeError, ValueError):
        return None


def messages(entries: Iterable[dict[str, Any]]) -> list[Message]:
    """Those of these entries that are messages."""
    return [message for entry in entries if (message := from_json(entry))]


def _part(part: Part) -> dict[str, Any]:
    extra = {"extra": dict(part.extra)} if not isinstance(part, Attachment) and part.extra else {}
    match part:
        case Text(text):
            return {"text": text} | extra
        case Call(id, name, arguments):
            return {"call": {"id": id, "name": name, "arguments": arguments} | extra}
        case Result(call_id, content, error):
            return {"result": {"call_id": call_id, "content": content, "error": error} | extra}
        case Attachment(kind, data):
            return {"attachment": {"kind": kind, "data": dict(data)}}


def _read(part: dict[str, Any]) -> Part:
    if "text" in part:
        return Text(part["text"], part.get("extra") or {})
    [(kind, inner)] = part.items()
    extra = inner.get("extra") or {}
    if kind == "call":
        return Call(inner["id"], inner["name"], inner["arguments"], extra)
    if kind == "result":
        return Result(inner["call_id"], inner["content"], bool(inner.get("error")), extra)
    return Attachment(inner["kind"], inner["data"])


def _sync_folder(path: str) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
