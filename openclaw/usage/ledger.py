"""The ledger of turns, kept up to date with what programs write of their conversations, each in its own form.

Such a file is JSON lines, appended to; a module for each form knows how to read it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from openclaw.store import db, quotas, sessions, turns
from openclaw.store.sessions import Session
from openclaw.store.turns import Transcript, Turn
from openclaw.units import utc

if TYPE_CHECKING:
    from openclaw.agents.limits import Report

READERS = {
    "claude-hooks": "openclaw.usage.transcripts",
    "codex-hooks": "openclaw.usage.rollouts",
    "local": "openclaw.usage.conversations",
}
MOST = 10**9  # tokens of one kind in one call: more is a fault of whoever wrote it
TAIL_BYTES = 1_048_576  # the last message is looked for in so much of the end, then in the whole


class Read(NamedTuple):
    """What one look found. `compacted`: after the last turn; None when neither was there. `error`: why the last turn
    failed, empty when it did not; None when none has ended or begun. `window`: its size, if the program says it.
    `limits`: of its subscription, as `agents.limits` has them, said at `limits_at` (epoch seconds); `limited`: whether
    the last turn ended at one; None as for `error`."""

    turns: list[Turn]
    read_bytes: int
    compacted: bool | None
    error: str | None = None
    window: int | None = None
    limits: tuple[Report, ...] = ()
    limits_at: float = 0.0
    limited: bool | None = None


class Reader(Protocol):
    """What has to be known about a form."""

    def read(self, path: str, start: int) -> Read:
        """What stands in the whole lines after byte `start`, or in all lines when the file has become shorter."""

    def inside(self, known: Transcript) -> Iterable[str]:
        """The files of agents inside this conversation, those that no hook names too."""

    def current(self, known: Sequence[Transcript], conversation: str | None) -> str:
        """The path of the conversation that a session is in now; empty when it has none yet."""

    def begun(self, path: str) -> bool:
        """Whether anything was said in it yet: before, the program has nothing to resume."""

    def last_message(self, path: str, tails: Sequence[int | None] = ...) -> str:
        """The text of the agent's last message that has any; empty if there is none.

        `tails` are the bytes of the end that are looked at in turn, None for all.
        """

    def denials(self, path: str) -> list[str]:
        """The tool calls that were not allowed, each in one line, in their order."""


def reader(reporter: str) -> Reader:
    """How a program that reports in this way writes its conversations; imported when first needed."""
    import importlib

    module: Any = importlib.import_module(READERS[reporter])
    return module  # type: ignore[no-any-return]


def refresh(store: sqlite3.Connection, reporting: Sequence[Session], now: str) -> bool:
    """Bring tokens and context of these sessions up to date with their files; whether there was anything new.

    A look at files that did not grow costs a `stat` each.
    """
    forms = {s.id: reader(s.reporter) for s in reporting}
    known = turns.transcripts(store, [s.id for s in reporting])
    grown = {t.session_id for t in _all(known, forms) if _size(t.path) not in (-1, t.read_bytes)}
    if not grown:
        return False
    conversations = {s.id: s.conversation_id for s in reporting}
    agents = {s.id: s.agent for s in reporting}
    with db.transaction(store):
        for id in grown:
            own = turns.transcripts(store, [id])  # again: another process may just have read them
            form, columns = forms[id], dict[str, Any]()
            current = form.current(own, conversations[id])
            for each in _all(own, forms):
                if _size(each.path) not in (-1, each.read_bytes):
                    found = form.read(each.path, each.read_bytes)
                    turns.add(store, id, each.path, sane(found.turns)[0], found.read_bytes, found.compacted)
                    if found.limits:
                        quotas.note(store, agents[id], found.limits, found.limits_at)
                    if found.limited is not None and each.path == current:
                        columns["limited_until"] = _until(store, agents[id], found.limits_at) if found.limited else ""
                    if found.error is not None and each.path == current:
                        columns["last_error"] = found.error
                    if found.window and each.path == current:
                        columns["context_limit"] = found.window
            first_last = turns.context(store, id, current)
            sessions.update(
                store,
                id,
                now,
                tokens_used=turns.total(store, id),
                context_tokens=first_last and first_last[1],
                conversation_tokens=first_last and max(0, first_last[1] - first_last[0]),
                **columns,
            )
    return True


def _until(store: sqlite3.Connection, agent: str, now: float) -> str:
    """When the last of the limits resets at which a program stands; empty where nobody knows."""
    return max((utc(row[3]) for row in quotas.of(store, agent) if row[2] >= 100 and row[3] > now), default="")


# --- what the forms have in common


def whole_lines(path: str, start: int, most: int = -1) -> tuple[list[bytes], int]:
    """The whole lines after byte `start`, and where they end; all lines when the file has become shorter.

    `most` are the bytes that are read of them, -1 for all."""
    try:
        with open(path, "rb") as file:
            start = start if start <= os.fstat(file.fileno()).st_size else 0
            file.seek(start)
            data = file.read(most)
    except OSError:  # removed meanwhile: what was read stays counted
        return [], start
    whole = data.rfind(b"\n") + 1
    return data[:whole].split(b"\n"), start + whole


def lines(path: str, tail: int | None) -> list[bytes]:
    """All lines, or those of the last `tail` bytes; none of a file that can't be read."""
    try:
        with open(path, "rb") as file:
            if tail is not None and (size := os.fstat(file.fileno()).st_size) > tail:
                file.seek(size - tail)
                file.readline()
            return file.read().split(b"\n")
    except OSError:
        return []


def has_line(path: str, words: bytes) -> bool:
    """Whether a line holds these words; False for a file that can't be read."""
    try:
        with open(path, "rb") as file:
            return any(words in line for line in file)
    except OSError:
        return False


def parsed(line: bytes) -> dict[str, Any]:
    """A line as a mapping; an empty one for what isn't: such a file is not ours to judge."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def count(value: object) -> int:
    """A number of tokens; 0 for what is none. One that can't be, less than none or beyond reason, stays for `sane`."""
    return max(-1, min(value, MOST + 1)) if isinstance(value, int) else 0


def sane(found: Sequence[Turn]) -> tuple[list[Turn], int]:
    """Turns as they may be summed, and how many had figures that can't be: less than none counts as none, and
    a turn with more than any call can use not at all."""
    good = [turn for turn in found if max(turn[5:]) <= MOST]
    odd = len(found) - len(good) + sum(min(turn[5:]) < 0 for turn in good)
    return [turn._replace(**{f: max(0, getattr(turn, f)) for f in turn._fields[5:]}) for turn in good], odd


def _all(known: Sequence[Transcript], forms: dict[str, Reader]) -> Iterator[Transcript]:
    """These and the files of agents inside them, some of which may not be known yet."""
    yield from known
    paths = {t.path for t in known}
    for each in known:
        for path in forms[each.session_id].inside(each):
            if path not in paths:
                yield Transcript(each.session_id, path, 0)


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return -1
