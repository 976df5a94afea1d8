"""What a model's summary must still hold of what it replaces: open requests, decisions, names and paths, exactly. Pure.

It can't tell a good summary from a bad one. It finds those that would do harm: that lost what was asked or decided,
that name what was never there, or that are no shorter than the conversation.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from openclaw.context.history import Message, Result, Text
from openclaw.context.ledger import sayings, words
from openclaw.context.ledger.actions import clipped
from openclaw.context.ledger.facts import Facts, gather
from openclaw.context.ledger.text import MARK as STATE
from openclaw.context.tokens import estimate
from openclaw.context.units import units
from openclaw.tasks import render

SHOWN = 6  # faults of a kind that are named
LATEST = 12  # names of the person's that must be there; older ones may have been settled
ALIKE = 0.7  # of the words of a decision or a request: so many must be there for it to count as kept
ASKED = 400  # characters of a request that are looked for
ROOM = 0.5  # of a summary's tokens that decisions may ask for: of more than that only the latest must be there
_WORD = re.compile(r"\w{4,}")


def audit(messages: Sequence[Message], summary: str, most: int) -> list[str]:
    """What is wrong with a summary of these messages, in at most `most` tokens: a few words each; empty if nothing."""
    faults: list[str] = []
    size, whole = estimate(summary), sum(estimate(text) for text in _texts(messages))
    if size > most:
        faults.append(f"it has {size} tokens, {most} are allowed")
    elif size >= whole:
        faults.append(f"it has {size} tokens, what it replaces has {whole}")
    spoken = [message for message in messages if not message.text.startswith(STATE)]  # what an earlier compaction left
    known = gather(Facts(), units(spoken))
    said = {word.lower() for word in _WORD.findall(summary)}
    open_ = [todo for todo in known.todos if not todo.startswith("[x]") and not _kept(todo, said)]
    asked = [ask for ask in _asked(spoken) if not _kept(ask, said)]
    if lost := [*asked, *open_]:
        faults.append(f"it lost what is still to be done: {_listed(lost)}")
    if lost := [line for line in _latest(list(known.decisions), ROOM * most) if not _kept(line, said)]:
        faults.append(f"it lost decisions: {_listed(lost)}")
    if lost := [name for name in _named(spoken, known) if name not in summary]:
        faults.append(f"it lost names: {_listed(lost)}")
    if made_up := list(_made_up(summary, messages)):
        faults.append(f"it names what was never there: {_listed(made_up)}")
    return faults


def _asked(messages: Sequence[Message]) -> list[str]:
    """The last thing that the person asked for, without the lines that we put around a task."""
    for message in reversed(messages):
        text = message.text.strip()
        if message.role == "user" and text and not sayings.made(text) and not sayings.small(text):
            if text.startswith(render.FIRST) and text.endswith(render.LAST):
                body = text.removesuffix(render.LAST)
                text = (body.rpartition(f"\n{render.HEADING}\n")[2] or body).removeprefix(render.FIRST).strip()
            return [clipped(text, ASKED)]
    return []


def _named(messages: Sequence[Message], known: Facts) -> list[str]:
    """What must be there by name: what the person spoke of last, and the files that were changed."""
    found: dict[str, None] = {}
    for message in messages:
        if message.role == "user" and not sayings.made(message.text) and len(message.text) < 4000:
            named = [path.rsplit("/", 1)[-1] for path in words.paths(message.text)]
            named += [word for word, _, kind in words.names(message.text) if kind != words.CODE]
            for word in named:
                found.pop(word, None)  # said again, it is among the latest
                found[word] = None
    changed = sorted((path for path in known.files if known.files[path].edits), key=lambda p: known.files[p].last)
    return list(dict.fromkeys([*list(found)[-LATEST:], *(path.rsplit("/", 1)[-1] for path in changed[-LATEST:])]))


def _made_up(summary: str, messages: Sequence[Message]) -> Iterator[str]:
    """Paths and names that stand nowhere in what was summarised. Words like JavaScript are names to nobody."""
    source = "\n".join(_texts(messages)).lower()
    for path in dict.fromkeys(words.paths(summary)):
        if path.lower().rsplit("/", 1)[-1] not in source:
            yield path
    for word, _, kind in words.names(summary):
        if kind in (words.SNAKE, words.HEX) and word.lower() not in source:
            yield word


def _kept(line: str, said: set[str]) -> bool:
    """Whether a line is still there, by its words; one of few short words can't be judged."""
    own = {word.lower() for word in _WORD.findall(line)}
    return not own or len(own & said) >= ALIKE * len(own)


def _latest(lines: list[str], tokens: float) -> list[str]:
    kept: list[str] = []
    for line in reversed(lines):
        tokens -= estimate(line)
        if tokens < 0:
            break
        kept.append(line)
    return kept[::-1]


def _texts(messages: Sequence[Message]) -> Iterator[str]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, Text):
                yield part.text
            elif isinstance(part, Result):
                yield part.content
            elif arguments := getattr(part, "arguments", ""):
                yield arguments


def _listed(lines: Sequence[str]) -> str:
    shown = ", ".join(f"“{line[:160]}”" for line in lines[:SHOWN])
    return shown + (f" and {len(lines) - SHOWN} more" if len(lines) > SHOWN else "")
