"""The mains table: the agents that a person talks to and that run the sub-agents, one row for each conversation."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Main(NamedTuple):
    """One conversation of a main agent. `context_tokens` is None when nobody knows; times are ISO 8601 UTC."""

    conversation_id: str
    agent: str
    cwd: str
    workspace: str
    transcript: str
    state: str
    registered_at: str
    seen_at: str
    socket: str = ""  # of the tmux server it runs in, if any, and its pane there
    pane_id: str = ""
    context_tokens: int | None = None
    ended_at: str | None = None


COLUMNS = ", ".join(Main._fields)
_INSERT = (
    f"INSERT INTO mains ({COLUMNS}) VALUES ({', '.join(':' + f for f in Main._fields)})"
    " ON CONFLICT (conversation_id) DO UPDATE SET "
    + ", ".join(f"{f} = excluded.{f}" for f in Main._fields if f not in ("conversation_id", "registered_at"))
)


def register(connection: sqlite3.Connection, main: Main) -> None:
    """Add a conversation, or bring it up to date; `registered_at` stays the first. The caller holds the transaction."""
    connection.execute(_INSERT, main._asdict())


def update(connection: sqlite3.Connection, conversation_id: str, now: str, **columns: object) -> bool:
    """Set columns of one conversation, and that it was seen; False when it is not known."""
    names = "".join(f"{name} = :{name}, " for name in columns)
    done = connection.execute(
        f"UPDATE mains SET {names}seen_at = :now WHERE conversation_id = :id",
        columns | {"now": now, "id": conversation_id},
    )
    return done.rowcount == 1


def measured(connection: sqlite3.Connection, conversation_id: str, tokens: int | None) -> None:
    """Its context as its file says; that is no sign of life."""
    connection.execute("UPDATE mains SET context_tokens = ? WHERE conversation_id = ?", (tokens, conversation_id))


def current(connection: sqlite3.Connection, workspace: str) -> Main | None:
    """The main agent of a workspace: of those that have not ended the one seen last, else the last that ended."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM mains WHERE workspace = ? ORDER BY ended_at IS NOT NULL, seen_at DESC LIMIT 1",
        (workspace,),
    ).fetchone()
    return Main(*row) if row else None


def find(connection: sqlite3.Connection, conversation_id: str) -> Main | None:
    """The row of one conversation."""
    row = connection.execute(f"SELECT {COLUMNS} FROM mains WHERE conversation_id = ?", (conversation_id,)).fetchone()
    return Main(*row) if row else None


def every(connection: sqlite3.Connection) -> list[Main]:
    """All of them, the one seen last first."""
    return [Main(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM mains ORDER BY seen_at DESC")]
