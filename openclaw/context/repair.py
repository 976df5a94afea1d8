"""Pairs made whole: after this, the results of each call stand directly behind it, and none is without its call. Pure.

A result further down is brought to its call; a call that nothing answers becomes a text that says so; a result that
nothing asked for is left out. What is whole already comes back as the very same messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from openclaw.context.history import Call, Message, Part, Result, Text, orphans

UNANSWERED = "[called {name} {arguments}: no result]"


class Repaired(NamedTuple):
    """A history without orphans, and how many were mended or left out."""

    messages: tuple[Message, ...]
    moved: int = 0
    unanswered: int = 0
    unasked: int = 0


def repaired(history: Sequence[Message]) -> Repaired:
    """The history with every call answered once, directly behind it."""
    messages = tuple(history)
    if not any(orphans(messages)) and not any(_misplaced(message) or _twins(message) for message in messages):
        return Repaired(messages)
    places, callers = _places(messages), _callers(messages)
    taken: set[tuple[int, int]] = set()
    found: list[Message] = []
    moved = unanswered = 0
    for number, message in enumerate(messages):
        rest = tuple(part for part in message.parts if not isinstance(part, Result))
        if message.role != "assistant":
            rest = tuple(part for part in rest if not isinstance(part, Call))
            if rest or not message.parts:
                found.append(message if len(rest) == len(message.parts) else _with(message, rest))
            continue
        kept: list[Part] = []
        answers: dict[int, tuple[Message, list[Result]]] = {}
        asked: set[str] = set()
        for part in rest:
            if not isinstance(part, Call):
                kept.append(part)
                continue
            until = next((n for n in callers[part.id] if n > number), len(messages))
            place = next((p for p in places.get(part.id, ()) if number < p[0] < until and p not in taken), None)
            place = None if part.id in asked else place
            if place is None:
                kept.append(Text(UNANSWERED.format(name=part.name, arguments=part.arguments)))
                unanswered += 1
                continue
            asked.add(part.id)
            taken.add(place)
            holder = messages[place[0]]
            moved += holder.role == "assistant" or any(m.role != "tool" for m in messages[number + 1 : place[0]])
            answer = holder.parts[place[1]]
            assert isinstance(answer, Result)
            answers.setdefault(place[0], (holder, []))[1].append(answer)
            kept.append(part)
        if kept or not message.parts:
            found.append(message if kept == list(message.parts) else _with(message, tuple(kept)))
        for holder, results in answers.values():
            whole = holder.role == "tool" and tuple(results) == holder.parts
            found.append(holder if whole else Message("tool", tuple(results), holder.at))
    results_in_all = sum(len(message.results) for message in messages)
    return Repaired(tuple(found), moved, unanswered, results_in_all - len(taken))


def _places(messages: Sequence[Message]) -> dict[str, list[tuple[int, int]]]:
    """Where the results of each id stand: (message, part)."""
    found: dict[str, list[tuple[int, int]]] = {}
    for number, message in enumerate(messages):
        for position, part in enumerate(message.parts):
            if isinstance(part, Result):
                found.setdefault(part.call_id, []).append((number, position))
    return found


def _callers(messages: Sequence[Message]) -> dict[str, list[int]]:
    """Which messages call by each id: a result belongs to the last one before it."""
    found: dict[str, list[int]] = {}
    for number, message in enumerate(messages):
        if message.role == "assistant":
            for call in message.calls:
                found.setdefault(call.id, []).append(number)
    return found


def _with(message: Message, parts: tuple[Part, ...]) -> Message:
    return message._replace(parts=parts)


def _misplaced(message: Message) -> bool:
    """Whether a result stands in the model's mouth, a call in another's, or a text before a result."""
    if message.role == "assistant":
        return any(isinstance(part, Result) for part in message.parts)
    if message.role != "tool":
        return any(isinstance(part, Call | Result) for part in message.parts)
    return any(not isinstance(part, Result) for part in message.parts)


def _twins(message: Message) -> bool:
    """Whether two calls of one message have the same id."""
    ids = [call.id for call in message.calls]
    return len(set(ids)) < len(ids)
