"""What agents report about themselves. The hook imports this at every turn of every agent: nothing but sqlite3 here.

`at` is the time of a report that had to wait (ISO 8601 UTC); without it, it is now.
"""

from __future__ import annotations

import sqlite3

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOP = "ModelFallback"  # a model has failed, and another goes on: `source`, `model`, and the `reason`
_NOW = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"  # the form of units.utc
_MAIN = (
    "conversation_id", "agent", "cwd", "workspace", "transcript", "state", "registered_at", "seen_at", "socket",
    "pane_id", "ended_at",
)  # fmt: skip


def now(connection: sqlite3.Connection) -> str:
    """This moment, in the form of units.utc."""
    return str(connection.execute(f"SELECT {_NOW}").fetchone()[0])


def reported(connection: sqlite3.Connection, id: str) -> tuple[str, str, str, str] | None:
    """(reported_state, asks, status_file, reported_at) of a session that has not ended; None for any other."""
    return connection.execute(  # type: ignore[no-any-return]
        "SELECT reported_state, asks, status_file, reported_at FROM sessions WHERE id = ? AND ended_at IS NULL", (id,)
    ).fetchone()


def report(connection: sqlite3.Connection, id: str, reporter: str, columns: dict[str, str], at: str = "") -> None:
    """Set these columns of a session, and when they were reported. The caller holds the transaction."""
    names = "".join(f"{name} = :{name}, " for name in columns)
    connection.execute(
        f"UPDATE sessions SET {names}reporter = :reporter, reported_at = coalesce(:at, {_NOW}),"
        f" updated_at = coalesce(:at, {_NOW}) WHERE id = :id",
        columns | {"reporter": reporter, "id": id, "at": at or None},
    )


def event(connection: sqlite3.Connection, id: str, name: str, data: str, at: str = "") -> None:
    """Append one event; `data` is JSON."""
    connection.execute(
        f"INSERT INTO events (session_id, at, name, data) VALUES (?, coalesce(?, {_NOW}), ?, ?)",
        (id, at or None, name, data),
    )


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


def hops(connection: sqlite3.Connection, id: str) -> list[dict[str, str]]:
    """The models that a session went on with after one had failed, in their order: at, from, to, why."""
    rows = connection.execute(
        "SELECT at, json_extract(data, '$.source'), json_extract(data, '$.model'), json_extract(data, '$.reason')"
        " FROM events WHERE session_id = ? AND name = ? ORDER BY number",
        (id, HOP),
    )
    return [dict(zip(("at", "from", "to", "why"), map(str, row), strict=True)) for row in rows]


def named(connection: sqlite3.Connection, id: str, name: str, after: int) -> int:
    """The number of a session's first event of this name after the event of that number; 0 when there is none."""
    row = connection.execute(
        "SELECT min(number) FROM events WHERE session_id = ? AND number > ? AND name = ?", (id, after, name)
    ).fetchone()
    return int(row[0] or 0)


def transcript(connection: sqlite3.Connection, id: str, path: str) -> None:
    """Remember that a conversation of this session is written there."""
    connection.execute("INSERT OR IGNORE INTO transcripts (session_id, path) VALUES (?, ?)", (id, path))


def attend(connection: sqlite3.Connection, id: str, columns: Mapping[str, str | None], fresh: Iterable[str]) -> None:
    """Register a conversation of a main agent, or set its `fresh` columns if they are no older than what is known."""
    values = dict.fromkeys(_MAIN, "") | {"state": "idle", "ended_at": None}
    values |= {"conversation_id": id, **{name: value for name, value in columns.items() if value != ""}}
    connection.execute(
        f"INSERT INTO mains ({', '.join(_MAIN)}) VALUES ({', '.join(':' + name for name in _MAIN)})"
        f" ON CONFLICT (conversation_id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in fresh)}"
        " WHERE excluded.seen_at >= seen_at",
        values,
    )


def left(connection: sqlite3.Connection, id: str, socket: str, pane_id: str, at: str) -> None:
    """End the other conversations of this pane: the program there has another one now. It may have had no time to say
    so; one that goes on all the same is back with its next report."""
    connection.execute(
        "UPDATE mains SET ended_at = ?, state = 'ended'"
        " WHERE socket = ? AND pane_id = ? AND conversation_id != ? AND ended_at IS NULL AND seen_at <= ?",
        (at, socket, pane_id, id, at),
    )
