"""Making a conversation smaller: the one place that knows the context engine."""

from __future__ import annotations

import os
from collections.abc import Sequence

from openclaw.context.history import Message, Part, Result
from openclaw.local.conversation import size
from openclaw.local.place import Place

KEPT_LAST = 6
MASK = "[an old result, left out]"


def shrunk(history: Sequence[Message], target: int, place: Place, keep: str = "") -> list[Message] | None:
    """The conversation in about `target` tokens, pairs whole; None when it can't become smaller."""
    before = sum(map(size, history))
    found = [
        message._replace(parts=tuple(_masked(part) for part in message.parts))
        if at < len(history) - KEPT_LAST
        else message
        for at, message in enumerate(history)
    ]
    return found if sum(map(size, found)) < before else None


def _masked(part: Part) -> Part:
    return part._replace(content=MASK) if isinstance(part, Result) and len(part.content) > len(MASK) else part


def summary(history: Sequence[Message]) -> str:
    """What a new session needs to go on, for people and models."""
    return "\n\n".join(f"## {m.role}\n\n{m.text}" for m in history if m.text) + "\n"


def save(path: str, text: str) -> None:
    """Write a file, whole or not at all."""
    with open(f"{path}.new", "w", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(f"{path}.new", path)
