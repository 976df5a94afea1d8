"""Making a conversation smaller: the context engine, and what it takes to fit a small window."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from openclaw.context import marks
from openclaw.context.compact import Summarize, compact
from openclaw.context.history import Message, Part, Result, Text
from openclaw.context.ledger.text import MARK as STATE
from openclaw.context.policy import Policy
from openclaw.context.tokens import estimate
from openclaw.context.weight import tokens
from openclaw.local.place import Place, keep_aside

KEPT = (10, 4, 1)  # exchanges at the end that stay as they are: fewer where the window is too small for so many
# then so many model calls with their results, the large ones among these stored; at last also those of the very last
# call, which the model has not seen yet
ROUNDS = ((6, False), (3, False), (1, False), (1, True))
LARGE = 20  # so many fill the target: a result of more tokens is large
HOW = "read_result with that id"
ASIDE = re.compile(r'read_result with id "(r\w+)"')  # in a result whose whole is stored already


class Shrunk(NamedTuple):
    """The conversation for the next request, and what was done, for people. `fits`: with what a model wrote, if any."""

    messages: list[Message]
    done: str
    fits: bool


def shrunk(
    history: Sequence[Message],
    target: int | None,
    place: Place,
    wish: str = "",
    path: str = "",
    keep_last: int = KEPT[0],
    summarize: Summarize | None = None,
) -> Shrunk | None:
    """The conversation in `target` estimated tokens, or as near as it gets; None when it can't become smaller.

    Without a target all goes that may, but for the last exchanges: the more of them, the better.

    Pairs stay whole, and system prompts, what the user said and decisions as they are. `wish` is what a person wants
    kept, `path` is where all of it stands. `summarize` asks a model: only what is chosen without is done with it.
    """
    before = _tokens(history)
    best, done = list(history), ""
    way: Callable[[Summarize | None], list[Message]] | None = None
    for keep in sorted({min(keep, keep_last) for keep in KEPT}, reverse=True):
        this = partial(_compacted, history, target or 1, keep, place, path)
        if _tokens(found := this(None)) < _tokens(best):
            best, way, done = found, this, f"the last {f'{keep} exchanges are' if keep > 1 else 'exchange is'} kept"
        if _tokens(best) <= (before - 1 if target is None else target):
            break
    for rounds, unseen in ROUNDS:
        if target is None or _tokens(best) <= target:
            break
        start, last = _start(history, rounds), len(history) if unseen else _start(history, 1)
        large = max(100, target // LARGE)
        tail = [_digested(message, large, place) for message in history[start:last]] + list(history[last:])
        this = partial(_before, history[:start], target - _tokens(tail), place, path, tail)
        if _tokens(found := this(None)) < _tokens(best):
            best, way, done = found, this, f"the last {f'{rounds} calls are' if rounds > 1 else 'call is'} kept"
    if _tokens(best) >= before:
        return None
    most = before - 1 if target is None else max(target, _tokens(best))
    told = way(summarize) if summarize and way else best
    fits = _tokens(told) <= most
    best = told if fits else best
    if wish:
        best = _wished(best, wish)
    return Shrunk(best, done, fits)


def summary(history: Sequence[Message], path: str) -> str:
    """What a new session needs to go on, for people and models: what the user said, and the state of the work."""
    found = compact(history, Policy(keep_last=0), count=estimate, where=path).messages
    said = [message.text for message in found if message.role != "system" and message.text]
    last = next((m.text for m in reversed(history) if m.role == "assistant" and m.text), "")
    return "\n\n".join([*said, *([f"The model's last words were:\n\n{last}"] if last else [])]) + "\n"


def _compacted(
    history: Sequence[Message], target: int, keep: int, place: Place, path: str, summarize: Summarize | None
) -> list[Message]:
    policy, store = Policy(target=max(1, target), keep_last=keep), partial(_stored, place)
    found = compact(history, policy, count=estimate, store=store, summarize=summarize, where=path, how=HOW)
    return list(found.messages)


def _before(
    old: Sequence[Message], target: int, place: Place, path: str, tail: list[Message], summarize: Summarize | None
) -> list[Message]:
    """All of the old compacted, before this tail."""
    return [*_compacted(old, target, 0, place, path, summarize), *tail]


def _stored(place: Place, text: str) -> str:
    """The id of a stored result; that of its whole where only a part of it was ever shown."""
    known = ASIDE.search(text)
    return known[1] if known else keep_aside(place, text)


def _start(history: Sequence[Message], rounds: int) -> int:
    """Where the last so many answers of the model begin, with the prompts right before them."""
    answers = [at for at, message in enumerate(history) if message.role == "assistant"]
    return answers[-min(rounds, len(answers))] if answers else len(history)


def _digested(message: Message, large: int, place: Place) -> Message:
    """The message with its large results stored, and a digest of each in its place."""
    parts: list[Part] = []
    for part in message.parts:
        if isinstance(part, Result) and (tokens := estimate(part.content)) > large and not marks.known(part.content):
            text = marks.stored(part.content, _stored(place, part.content), tokens, HOW)
            part = part._replace(content=text) if estimate(text) < tokens else part
        parts.append(part)
    return message._replace(parts=tuple(parts))


def _wished(history: list[Message], wish: str) -> list[Message]:
    """With what a person wants kept in mind said behind the state, or behind the system prompt where there is none."""
    at = next((n for n in range(len(history) - 1, -1, -1) if history[n].text.startswith(STATE)), None)
    at = next((n for n, m in enumerate(history) if m.role != "system"), len(history)) - 1 if at is None else at
    said = Message("user", (Text(f"Keep in mind from here on: {wish}"),))
    return [*history[: at + 1], said, *history[at + 1 :]]


def _tokens(history: Sequence[Message]) -> int:
    return sum(map(tokens, history))
