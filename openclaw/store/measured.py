"""The measured table: what an estimate of tokens was worth in each conversation, one row for each model in it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import NamedTuple

KEPT = 40  # conversations of a model, the latest
MODELS = 100  # of all, in conversations: names that were seen once don't pile up
NOTHING = ""  # the model of a file in which there was nothing to learn


class Measured(NamedTuple):
    """Real tokens are `offset + factor * estimate + call * (tool calls)`, by `seen` calls."""

    model: str
    factor: float
    call: float
    offset: float
    seen: int


class File(NamedTuple):
    """A conversation's file, and the program that writes it."""

    path: str
    reporter: str


def files(connection: sqlite3.Connection) -> list[File]:
    """Every conversation that the ledger has read: of sub-agents, of main agents and imported ones."""
    rows = connection.execute(
        "SELECT t.path, s.reporter FROM transcripts t JOIN sessions s ON s.id = t.session_id"
        " UNION SELECT path, '' FROM imports WHERE path NOT IN (SELECT path FROM transcripts)"
    )
    return [File(str(path), str(reporter)) for path, reporter in rows]


def sizes(connection: sqlite3.Connection) -> dict[str, int]:
    """How large each file was when it was measured last."""
    rows = connection.execute("SELECT path, max(size) FROM measured GROUP BY path")
    return {str(path): int(size) for path, size in rows}


def put(connection: sqlite3.Connection, path: str, size: int, at: float, found: Mapping[str, Measured]) -> None:
    """What a file says now, in place of what it said before. The caller holds the transaction."""
    connection.execute("DELETE FROM measured WHERE path = ?", (path,))
    rows = list(found.values()) or [Measured(NOTHING, 1.0, 0.0, 0.0, 0)]
    connection.executemany(
        "INSERT INTO measured (path, size, at, model, factor, call, offset, seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(path, size, at, *row) for row in rows],
    )
    for row in rows:
        connection.execute(
            "DELETE FROM measured WHERE model = ? AND path NOT IN"
            " (SELECT path FROM measured WHERE model = ? ORDER BY at DESC, path LIMIT ?)",
            (row.model, row.model, KEPT),
        )
    connection.execute(
        "DELETE FROM measured WHERE model NOT IN (SELECT model FROM measured GROUP BY 1 ORDER BY max(at) DESC LIMIT ?)",
        (MODELS,),
    )


def every(connection: sqlite3.Connection) -> list[Measured]:
    """All that is known."""
    rows = connection.execute("SELECT model, factor, call, offset, seen FROM measured WHERE model != ?", (NOTHING,))
    return [Measured(*row) for row in rows]
