"""What stays word for word when old exchanges become a state, and what goes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import NamedTuple

from openclaw.context.forms.shared import stand_in
from openclaw.context.history import Attachment, Message, Text
from openclaw.context.ledger import reading, sayings
from openclaw.context.ledger.facts import Facts
from openclaw.context.units import Unit


class Parted(NamedTuple):
    """The old units in two: the messages that stay word for word, and the units that go, with how many messages of
    those are small talk; the facts of an earlier state among them, and the (messages, tokens) that it stood for."""

    spoken: list[Message]
    gone: list[Unit]
    small: int
    facts: Facts
    earlier: tuple[int, int]


def parted(old: Sequence[Unit]) -> Parted:
    """What becomes of the units that are old enough to be summarised."""
    spoken: list[Message] = []
    gone: list[Unit] = []
    facts, stood_for, small = Facts(), (0, 0), 0
    talk: list[str] = []
    asked = False  # whether the model's last words were a question: then "ok" is an answer
    idle = False  # whether the user's last words were small talk
    for unit, after in zip_longest(old, old[1:]):
        head = unit.head
        answered = after is not None and after.head.role == "assistant"  # in what was compacted before nothing is
        if (state := state_of(head)) is not None:
            stood_for = reading.stands_for(state) or (0, 0)
            facts = reading.read(state)
            spoken += _without_state(head)
        elif head.role == "assistant":
            gone.append(unit)
            small += idle and not head.calls
            asked = head.text.rstrip().endswith(("?", "？")) or bool(head.calls)
        elif head.role == "user" and answered and not asked and "\n" not in head.text and sayings.small(head.text):
            gone.append(unit)
            talk.append(head.text.strip())
            small += 1
            idle = True
        elif head.role != "tool":
            spoken.append(_words(head))
            idle = False
    for words in talk:
        facts.small_talk.setdefault(words, 0)
    return Parted(spoken, gone, small, facts, stood_for)


def state_of(message: Message) -> str | None:
    """The state that a message of the user's holds; None if it holds none."""
    if message.role != "user":
        return None
    texts: Iterable[str] = (part.text for part in message.parts if isinstance(part, Text))
    return next((text for text in texts if reading.stands_for(text)), None)


def _without_state(message: Message) -> list[Message]:
    """What else stands in the message with the state: both APIs may have made one message of several."""
    parts = tuple(part for part in message.parts if not (isinstance(part, Text) and reading.stands_for(part.text)))
    return [_words(message._replace(parts=parts, extra={}))] if parts else []


def _words(message: Message) -> Message:
    """The message with what it shows named instead of shown; the very same if it is all text."""
    if not any(isinstance(part, Attachment) for part in message.parts):
        return message
    parts = [
        Text(stand_in(part)) if isinstance(part, Attachment) else part
        for part in message.parts
        if not isinstance(part, Attachment) or stand_in(part)
    ]
    return message._replace(parts=tuple(parts), extra={})
