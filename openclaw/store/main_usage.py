"""The main_usage table: how far the file of a main agent's conversation was read, and what was found there."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class MainUsage(NamedTuple):
    """Of one conversation. Tokens are what its first and its last call sent; None: nobody knows."""

    conversation_id: str
    path: str
    read_bytes: int = 0
    first_tokens: int | None = None
    last_tokens: int | None = None
    window: int | None = None
    model: str = ""
    compacted: int = 0


_COLUMNS = ", ".join(MainUsage._fields)


def get(connection: sqlite3.Connection, conversation_id: str) -> MainUsage | None:
    """What is known; None before anything was read."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM main_usage WHERE conversation_id = ?", (conversation_id,)
    ).fetchone()
    return MainUsage(*row) if row else None


def put(connection: sqlite3.Connection, usage: MainUsage) -> None:
    """Replace what is known; the caller holds the transaction."""
    marks = ", ".join("?" * len(usage))
    connection.execute(f"INSERT OR REPLACE INTO main_usage ({_COLUMNS}) VALUES ({marks})", usage)
