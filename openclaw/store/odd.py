"""The odd_rows table: rows of conversations with figures or times that can't be, so that they can be told of."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Odd(NamedTuple):
    """So many `rows` of a file; `what` is wrong with the last of them."""

    path: str
    at: str
    rows: int
    what: str


def add(connection: sqlite3.Connection, path: str, rows: int, what: str, now: str) -> None:
    """More of them were read; the caller holds the transaction."""
    connection.execute(
        "INSERT INTO odd_rows VALUES (?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET at = excluded.at,"
        " rows = rows + excluded.rows, what = excluded.what",
        (path, now, rows, what),
    )


def between(connection: sqlite3.Connection, since: str, until: str) -> list[Odd]:
    """Those that were read on these days, newest first."""
    rows = connection.execute(
        "SELECT path, at, rows, what FROM odd_rows WHERE substr(at, 1, 10) BETWEEN ? AND ? ORDER BY at DESC",
        (since, until),
    )
    return [Odd(*row) for row in rows]
