"""What must stay together (a call and its results are one unit), and which the last exchanges are. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openclaw.context.history import Message

LONG = 3  # an exchange with more rounds than this many is long: then rounds are counted, three for an exchange
ROUNDS = 12  # but never fewer than these are kept


class Unit(NamedTuple):
    """A message, or a message that calls tools with the messages that hold their results."""

    messages: tuple[Message, ...]

    @property
    def head(self) -> Message:
        return self.messages[0]


def units(history: Sequence[Message]) -> list[Unit]:
    """The history cut into units; nothing is lost, and the order stays. The history has no orphans."""
    found: list[Unit] = []
    start = 0
    for number in range(1, len(history) + 1):
        if number == len(history) or history[number].role != "tool":
            if number > start:
                found.append(Unit(tuple(history[start:number])))
            start = number
    return found


def tail_start(parts: Sequence[Unit], keep: int) -> int:
    """Where the last `keep` exchanges begin.

    An exchange is what the user said and all that came of it. When those of an agent at work are so long that nothing
    would be left to compact, its rounds (one model call and its results) are counted instead, three for an exchange.
    """
    if keep <= 0:
        return len(parts)
    turns = rounds = 0
    most = max(LONG * keep, ROUNDS)
    for number in range(len(parts) - 1, -1, -1):
        role = parts[number].head.role
        if role == "assistant":
            rounds += 1
            if rounds > most:
                return number + 1
        elif role == "user" and (number == 0 or parts[number - 1].head.role != "user"):
            turns += 1
            if turns == keep:
                return number
    return 0
