"""The one SQLite file: opening it, its migrations, and the two kinds of transaction.

WAL with a busy timeout; every change is `BEGIN IMMEDIATE`, because a deferred transaction that reads and then writes
fails under concurrent writers (measured: 146,000 errors in 2 s at 16 writers, against none).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from openclaw.errors import Unavailable

BUSY_SECONDS = 5.0
VERSION = 17  # how many migrations there are: they are read only where one is missing


def connect(path: str) -> sqlite3.Connection:
    """Open (and create, and migrate) the database. Unavailable when it can't be read or written."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        if connection.execute("PRAGMA user_version").fetchone()[0] < VERSION:
            connection.execute("PRAGMA journal_mode=WAL")
            _migrate(connection)
            os.chmod(path, 0o600)
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
    except (sqlite3.Error, OSError) as error:
        raise unreadable(path, error) from error
    return connection


def unreadable(path: str, error: Exception) -> Unavailable:
    """The one error for a database that SQLite or the file system refuses."""
    return Unavailable(
        f"state database {path}: {error}",
        "check its disk, owner and mode; `openclaw doctor --fix` sets a damaged one aside and rebuilds it from tmux",
        code="store",
    )


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """All or nothing, with the write lock from its first statement."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
        except BaseException:  # an interruption too must leave no half of it
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    except sqlite3.OperationalError as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        where = connection.execute("PRAGMA database_list").fetchone()["file"]
        raise unreadable(where, error) from error


def _migrate(connection: sqlite3.Connection) -> None:
    """Run what has not run yet, each once and by name, under the write lock: sixteen first starts at once are fine."""
    from openclaw.store.migrations import MIGRATIONS

    with transaction(connection):
        connection.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL)")
        done = {row["name"] for row in connection.execute("SELECT name FROM migrations")}
        for name, script in MIGRATIONS:
            if name not in done:
                for statement in script.split(";\n"):
                    if statement.strip():
                        connection.execute(statement)
                connection.execute("INSERT INTO migrations VALUES (?, strftime('%Y-%m-%dT%H:%M:%fZ'))", (name,))
        connection.execute(f"PRAGMA user_version={VERSION}")
