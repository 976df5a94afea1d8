"""What a summary made by a model must still hold; a summary that fails is thrown away for the facts. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from openclaw.context.history import Message
from openclaw.context.ledger import words
from openclaw.context.ledger.facts import Facts, gather
from openclaw.context.ledger.paths import ending, worth
from openclaw.context.repair import repaired
from openclaw.context.units import units

NAMES, PATHS = 12, 12  # of the most needed are asked for
ENOUGH = {"identifiers": 0.6, "paths": 0.8, "decisions": 1.0, "asks": 1.0}
WORDS = 0.5  # of the telling words of a decision or an ask, so many must be there
TELLING = re.compile(r"[^\W_]{4,}")

Count = Callable[[str], int]


class Must(NamedTuple):
    """What has to be found again."""

    asks: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    tokens: int = 0  # of what the summary replaces


class Audit(NamedTuple):
    """What is wrong with a summary, one line each; nothing if it is good."""

    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.problems


def must_hold(history: Sequence[Message], count: Count) -> Must:
    """What a summary of these messages has to hold: open asks, decisions, changed paths, the names most in play."""
    known = gather(Facts(), units(repaired(history).messages))
    asks = [line for line in known.todos if not line.startswith("[x]")]
    last = next((message for message in reversed(history) if message.role in ("user", "assistant")), None)
    if last is not None and last.role == "user" and known.latest:
        asks.append(known.latest)  # nobody answered it yet
    changed = [path for path in known.files if known.files[path].edits]
    changed.sort(key=lambda path: -worth(known.files[path], known.end))
    keys = {key for keys in known.tools.values() for key in keys}  # the tools say them again with every request
    names = [w for w, name in known.names.items() if name.asked and name.kind != words.HEX and w not in keys]
    names.sort(key=lambda word: -known.names[word].score(known.end, known.files))
    size = sum(count(m.text) for m in history)
    size += sum(count(call.arguments) for m in history for call in m.calls)
    size += sum(count(result.content) for m in history for result in m.results)
    return Must(tuple(asks), tuple(known.decisions), tuple(changed[:PATHS]), tuple(names[:NAMES]), size)


def audit(summary: str, must: Must, count: Count) -> Audit:
    """Whether a summary may stand in the place of what it was made of."""
    problems = []
    if not summary.strip():
        return Audit(("it is empty",))
    if (size := count(summary)) >= must.tokens:
        problems.append(f"its {size} tokens are not fewer than the {must.tokens} that it replaces")
    said = {word.lower() for word in TELLING.findall(summary)}
    found = {
        "asks": [ask for ask in must.asks if _told(ask, said)],
        "decisions": [line for line in must.decisions if line in summary or _told(line, said)],
        "paths": [path for path in must.paths if ending(path) in summary or path.rsplit("/", 1)[-1] in summary],
        "identifiers": [name for name in must.identifiers if name in summary],
    }
    for kind, kept in found.items():
        wanted = getattr(must, kind)
        if len(kept) < ENOUGH[kind] * len(wanted):
            missing = next(each for each in wanted if each not in kept)
            problems.append(f"{len(wanted) - len(kept)} of {len(wanted)} {kind} are missing, as {missing[:80]!r}")
    return Audit(tuple(problems))


def _told(line: str, said: set[str]) -> bool:
    """Whether most of what a line says is in there, in whatever words stand around it."""
    telling = {word.lower() for word in TELLING.findall(line)}
    return not telling or len(telling & said) >= WORDS * len(telling)
