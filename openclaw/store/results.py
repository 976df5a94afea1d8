"""The table of results, in a file of its own beside the state (`results.db`): who deletes it loses nothing but time.

Whatever is wrong with it means that nothing is known; a file that is no database any more is removed.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from openclaw.store import db

FILE = "results.db"
BUSY_SECONDS = 2.0  # then it is computed: that is never wrong
USED_SECONDS = 60.0  # how exactly it is known when a result was last used
T = TypeVar("T")
_SCHEMA = (
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA journal_mode=WAL",
    """CREATE TABLE IF NOT EXISTS results (
        key TEXT PRIMARY KEY,
        name TEXT NOT NULL,                   -- what computed it
        made_at REAL NOT NULL,                -- epoch seconds, as all times here
        expires_at REAL NOT NULL,
        used_at REAL NOT NULL,
        bytes INTEGER NOT NULL,
        form TEXT NOT NULL,                   -- json or pickle
        value BLOB NOT NULL,
        seconds REAL NOT NULL,                -- what computing it took: time, tokens, dollars
        tokens INTEGER NOT NULL,
        cost_usd REAL NOT NULL
    )""",
    "CREATE INDEX IF NOT EXISTS results_name ON results(name, used_at)",
    "CREATE INDEX IF NOT EXISTS results_used ON results(used_at)",
)


class Result(NamedTuple):
    """One result that is kept, with what it took to compute it."""

    name: str
    made_at: float
    form: str
    value: bytes
    seconds: float
    tokens: int
    cost_usd: float


class Kept(NamedTuple):
    """What is kept of one name."""

    name: str
    results: int
    bytes: int
    expired: int


class Table:
    """One connection to the file, made when it is first needed. Belongs to one thread of one process."""

    def __init__(self, folder: str) -> None:
        self._path = os.path.join(folder, FILE)
        self._connection: sqlite3.Connection | None = None

    def get(self, key: str, now: float) -> Result | None:
        """What is known and not expired. One from the future is not trusted: a clock has been put back."""

        def look(connection: sqlite3.Connection) -> Result | None:
            row = connection.execute(
                "SELECT name, made_at, form, value, seconds, tokens, cost_usd, used_at FROM results"
                " WHERE key = ? AND expires_at > ? AND made_at <= ?",
                (key, now, now),
            ).fetchone()
            if row and row["used_at"] < now - USED_SECONDS:
                connection.execute("UPDATE results SET used_at = ? WHERE key = ?", (now, key))
            return Result(*row[:7]) if row else None

        return self._try(look, None)

    def put(self, key: str, found: Result, ttl: float, size: int, most_bytes: int) -> None:
        """Keep a result for `ttl` seconds. What was used longest ago goes where there are more than `size` of its name,
        or more than `most_bytes` of all."""
        if len(found.value) > most_bytes:
            return

        def write(connection: sqlite3.Connection) -> None:
            now = found.made_at
            with db.transaction(connection):
                connection.execute("DELETE FROM results WHERE expires_at <= ? OR made_at > ?", (now, now))
                connection.execute(
                    "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (key, found.name, now, now + ttl, now, len(found.value), *found[2:]),
                )
                connection.execute(
                    "DELETE FROM results WHERE key IN (SELECT key FROM results WHERE name = ? AND key != ?"
                    " ORDER BY used_at DESC, made_at DESC LIMIT -1 OFFSET ?)",
                    (found.name, key, size - 1),
                )
                connection.execute(
                    "DELETE FROM results WHERE key IN (SELECT key FROM (SELECT key, sum(bytes) OVER"
                    " (ORDER BY key = ? DESC, used_at DESC, made_at DESC, key) AS all_bytes FROM results)"
                    " WHERE all_bytes > ?)",
                    (key, most_bytes),
                )

        self._try(write, None)

    def clear(self, name: str | None) -> int:
        """Forget what is kept of a name, or of all for None; how many there were. The file gets smaller."""

        def delete(connection: sqlite3.Connection) -> int:
            gone = connection.execute("DELETE FROM results WHERE ? IS NULL OR name = ?", (name, name)).rowcount
            connection.execute("PRAGMA incremental_vacuum").fetchall()
            return gone

        return self._try(delete, 0)

    def kept(self, now: float) -> list[Kept]:
        """What is kept, by name."""

        def look(connection: sqlite3.Connection) -> list[Kept]:
            rows = connection.execute(
                "SELECT name, count(*), sum(bytes), sum(expires_at <= ?) FROM results GROUP BY name ORDER BY name",
                (now,),
            )
            return [Kept(*row) for row in rows]

        return self._try(look, [])

    def _try(self, act: Callable[[sqlite3.Connection], T], nothing: T) -> T:
        try:
            if self._connection is None:
                self._connection = _open(self._path)
            return act(self._connection)
        except sqlite3.OperationalError:  # busy, read-only, full: nothing is known
            return nothing
        except sqlite3.DatabaseError:  # no database any more
            self._connection = None
            _remove(self._path)
            return nothing
        except OSError:
            return nothing


def _open(path: str) -> sqlite3.Connection:
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    if os.path.lexists(path) and os.lstat(path).st_mode & 0o077 and not os.path.islink(path):
        _remove(path)  # what others may have written is not unpickled
    if not os.path.lexists(path):
        _make(path)
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(path)
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    connection.row_factory = sqlite3.Row
    if connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'results_used'").fetchone()[0] == 0:
        for statement in _SCHEMA:
            connection.execute(statement)
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA secure_delete=ON")
    return connection


def _remove(path: str) -> None:
    for end in ("", "-wal", "-shm"):
        if os.path.exists(path + end):
            os.unlink(path + end)


def _make(path: str) -> None:
    """An empty file for us alone. It gets its name when it is closed: closing it later would end the locks that another
    thread has on it."""
    import tempfile  # once for each state folder

    fd, fresh = tempfile.mkstemp(prefix=f"{FILE}.", dir=os.path.dirname(path))  # 0600: what it keeps may be secret
    os.close(fd)
    try:
        os.link(fresh, path)
    except FileExistsError:
        pass  # somebody else was quicker
    finally:
        os.unlink(fresh)
