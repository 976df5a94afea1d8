"""What of the inbox the main agent is still to be told. The hook imports this: nothing but sqlite3 here."""

from __future__ import annotations

import sqlite3

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Iterable


def untold(connection: sqlite3.Connection, workspace: str) -> list[tuple[int, str, str, str]]:
    """(number, at, title, text) of each, oldest first."""
    return connection.execute(
        "SELECT number, at, title, text FROM inbox WHERE workspace = ? AND told_at IS NULL ORDER BY number",
        (workspace,),
    ).fetchall()


def told(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """It has been told these. The caller holds the transaction."""
    now = "strftime('%Y-%m-%dT%H:%M:%fZ', 'now')"
    connection.executemany(f"UPDATE inbox SET told_at = {now} WHERE number = ?", [(number,) for number in numbers])


def again(connection: sqlite3.Connection, run: int) -> None:
    """What a run has said has not reached it after all. The caller holds the transaction."""
    connection.execute("UPDATE inbox SET told_at = NULL WHERE run = ?", (run,))


def unread(connection: sqlite3.Connection) -> tuple[int, str]:
    """How many entries nobody has read, and the title of the newest."""
    row = connection.execute("SELECT count(*), title, max(number) FROM inbox WHERE read_at IS NULL").fetchone()
    return row[0], row[1] or ""
