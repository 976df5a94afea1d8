"""One neutral form of a conversation, that every provider's own form is read into and written from. Pure.

`extra` holds, by the provider's own names, whatever a form says besides, so that writing gives back what was read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

Role = Literal["system", "user", "assistant", "tool"]
NOTHING: Mapping[str, Any] = {}


class Text(NamedTuple):
    """What was said, as it was said."""

    text: str
    extra: Mapping[str, Any] = NOTHING


class Call(NamedTuple):
    """The model asks for a tool. `arguments` is JSON, exactly as the model wrote it."""

    id: str
    name: str
    arguments: str
    extra: Mapping[str, Any] = NOTHING


class Result(NamedTuple):
    """What came of a call."""

    call_id: str
    content: str
    error: bool = False
    extra: Mapping[str, Any] = NOTHING


class Attachment(NamedTuple):
    """An image, a document, a thought that only its own provider understands: carried, never read."""

    kind: str
    data: Mapping[str, Any]


Part = Text | Call | Result | Attachment


class Usage(NamedTuple):
    """Tokens of one model call, as the API reported them."""

    input: int = 0
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0

    @property
    def context(self) -> int:
        """The tokens that were sent."""
        return self.input + self.cache_write + self.cache_read


class Message(NamedTuple):
    """One message. `at` is ISO 8601 UTC or empty; `usage` is there where a model call ended with it."""

    role: Role
    parts: tuple[Part, ...]
    at: str = ""
    id: str = ""
    usage: Usage | None = None
    extra: Mapping[str, Any] = NOTHING

    @property
    def text(self) -> str:
        """All that it says, without calls and results."""
        return "\n\n".join(part.text for part in self.parts if isinstance(part, Text) and part.text)

    @property
    def calls(self) -> tuple[Call, ...]:
        return tuple(part for part in self.parts if isinstance(part, Call))

    @property
    def results(self) -> tuple[Result, ...]:
        return tuple(part for part in self.parts if isinstance(part, Result))


def orphans(history: Sequence[Message]) -> tuple[list[str], list[str]]:
    """(ids of calls that no result directly after them answers, ids of results that no call directly before asks for).

    What an API refuses: the results of a message's calls must come before the next message of another role.
    """
    unanswered: list[str] = []
    unasked: list[str] = []
    waiting: list[str] = []
    for message in history:
        for result in message.results:
            if result.call_id in waiting:
                waiting.remove(result.call_id)
            else:
                unasked.append(result.call_id)
        if message.role == "assistant" or not message.results:
            unanswered += waiting
            waiting = [call.id for call in message.calls]
    return unanswered + waiting, unasked


def said(history: Iterable[Message], role: Role) -> list[str]:
    """Every text of one role, in its order."""
    return [message.text for message in history if message.role == role and message.text]
