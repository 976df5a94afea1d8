"""What agents report about themselves. The hook imports this at every turn of every agent: nothing but sqlite3 here."""

from __future__ import annotations

import sqlite3

_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"  # the form of units.utc


def reported(connection: sqlite3.Connection, id: str) -> tuple[str, str, str] | None:
    """(reported_state, asks, status_file) of a session that has not ended; None for any other."""
    return connection.execute(  # type: ignore[no-any-return]
        "SELECT reported_state, asks, status_file FROM sessions WHERE id = ? AND ended_at IS NULL", (id,)
    ).fetchone()


def report(connection: sqlite3.Connection, id: str, reporter: str, columns: dict[str, str]) -> None:
    """Set these columns of a session, and when they were reported. The caller holds the transaction."""
    names = "".join(f"{name} = :{name}, " for name in columns)
    connection.execute(
        f"UPDATE sessions SET {names}reporter = :reporter, reported_at = {_NOW}, updated_at = {_NOW} WHERE id = :id",
        columns | {"reporter": reporter, "id": id},
    )


def event(connection: sqlite3.Connection, id: str, name: str, data: str) -> None:
    """Append one event; `data` is JSON."""
    connection.execute(f"INSERT INTO events (session_id, at, name, data) VALUES (?, {_NOW}, ?, ?)", (id, name, data))


def newest(connection: sqlite3.Connection, id: str) -> int:
    """The number of a session's latest event; 0 before there is one."""
    return int(connection.execute("SELECT max(number) FROM events WHERE session_id = ?", (id,)).fetchone()[0] or 0)


def prompts(connection: sqlite3.Connection, id: str, after: int) -> list[str]:
    """The prompts that a session's program says it took, after the event of this number."""
    rows = connection.execute(
        "SELECT json_extract(data, '$.prompt') FROM events"
        " WHERE session_id = ? AND number > ? AND name = 'UserPromptSubmit' ORDER BY number",
        (id, after),
    )
    return [str(row[0]) for row in rows]


def named(connection: sqlite3.Connection, id: str, name: str, after: int) -> int:
    """The number of a session's first event of this name after the event of that number; 0 when there is none."""
    row = connection.execute(
        "SELECT min(number) FROM events WHERE session_id = ? AND number > ? AND name = ?", (id, after, name)
    ).fetchone()
    return int(row[0] or 0)


def transcript(connection: sqlite3.Connection, id: str, path: str) -> None:
    """Remember that a conversation of this session is written there."""
    connection.execute("INSERT OR IGNORE INTO transcripts (session_id, path) VALUES (?, ?)", (id, path))
