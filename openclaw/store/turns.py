"""The transcripts and turns tables: what each conversation used, one row for each model call."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Turn(NamedTuple):
    """One model call. Tokens as the API reported them; `side` means: of an agent inside the agent."""

    message_id: str
    request_id: str
    at: str
    model: str
    side: bool
    input: int
    cache_write: int
    cache_read: int
    output: int

    @property
    def context(self) -> int:
        """The tokens that were sent."""
        return self.input + self.cache_write + self.cache_read


class Transcript(NamedTuple):
    """A conversation's file and how far it was read."""

    session_id: str
    path: str
    read_bytes: int


_INSERT = """
    INSERT INTO turns
        (session_id, path, message_id, request_id, at, model, side, input, cache_write, cache_read, output)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (session_id, message_id, request_id) DO UPDATE SET path = excluded.path, at = excluded.at,
        input = excluded.input, cache_write = excluded.cache_write, cache_read = excluded.cache_read,
        output = excluded.output, cost_usd = NULL
"""


def transcripts(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Transcript]:
    """All conversations of these sessions, in the order in which they began."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(
        f"SELECT session_id, path, read_bytes FROM transcripts WHERE session_id IN ({marks}) ORDER BY number", ids
    )
    return [Transcript(*row) for row in rows]


def add(
    connection: sqlite3.Connection, id: str, path: str, found: Iterable[Turn], read_bytes: int, compacted: bool | None
) -> None:
    """Record what was read of a transcript; a call that is reported again counts as it was reported last.

    `compacted`: whether it was after its last turn; None when neither was read. The caller holds the transaction.
    """
    found = list(found)
    connection.executemany(_INSERT, [(id, path, *turn) for turn in found])
    connection.executemany(  # what was imported before it was known as a session's counts as the session's
        "DELETE FROM imported_turns WHERE message_id = ? AND request_id = ?", [turn[:2] for turn in found]
    )
    connection.execute(
        "INSERT INTO transcripts (session_id, path, read_bytes, compacted) VALUES (?, ?, ?, ?)"
        " ON CONFLICT (session_id, path) DO UPDATE SET read_bytes = excluded.read_bytes,"
        " compacted = coalesce(?, compacted)",
        (id, path, read_bytes, bool(compacted), compacted),
    )


def aside(connection: sqlite3.Connection, id: str, source: str, calls: Iterable[Turn]) -> None:
    """Record model calls that were made for a session and stand in none of its conversations.

    `source` says what made them. The caller holds the transaction.
    """
    connection.executemany(_INSERT, [(id, source, *turn) for turn in calls])


def total(connection: sqlite3.Connection, id: str) -> int:
    """All tokens of all its turns: input, written to and read from caches, output."""
    row = connection.execute(
        "SELECT coalesce(sum(input + cache_write + cache_read + output), 0) FROM daily WHERE session_id = ?", (id,)
    ).fetchone()
    return int(row[0])


def context(connection: sqlite3.Connection, id: str, path: str) -> tuple[int, int] | None:
    """What a conversation's first and last turn sent; None before there is one, and after a compaction."""
    found = []
    for order in ("", "DESC"):
        row = connection.execute(
            "SELECT input + cache_write + cache_read FROM turns WHERE session_id = ? AND path = ? AND side = 0"
            " AND NOT EXISTS (SELECT 1 FROM transcripts WHERE session_id = ? AND path = ? AND compacted)"
            f" ORDER BY number {order} LIMIT 1",
            (id, path, id, path),
        ).fetchone()
        found.append(int(row[0]) if row else None)
    first, last = found
    return None if first is None or last is None else (first, last)


def compacted(connection: sqlite3.Connection, id: str, path: str) -> bool:
    """Whether a conversation was compacted after its last turn."""
    row = connection.execute(
        "SELECT compacted FROM transcripts WHERE session_id = ? AND path = ?", (id, path)
    ).fetchone()
    return bool(row and row[0])


def last_model(connection: sqlite3.Connection, id: str) -> str:
    """The model that answered a session's last turn; empty before there is one."""
    row = connection.execute(
        "SELECT model FROM turns WHERE session_id = ? AND side = 0 ORDER BY number DESC LIMIT 1", (id,)
    ).fetchone()
    return str(row[0]) if row else ""
