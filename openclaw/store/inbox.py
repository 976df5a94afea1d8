"""What people are to be told, and where else it is to go: the tables inbox and deliveries."""

from __future__ import annotations

import sqlite3
from typing import Any, NamedTuple


class Note(NamedTuple):
    """One entry of the inbox. `level` info or alert; `run` the number of the run it is about; `read_at` and `told_at`:
    when a person had read it, and when the main agent was told. Times ISO 8601 UTC."""

    number: int
    at: str
    level: str
    title: str
    text: str
    workspace: str
    run: int | None = None
    read_at: str | None = None
    told_at: str | None = None

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


class Errand(NamedTuple):
    """Something that is to go to a place, once. `way`: main, file or command; `state`: waiting, delivered or failed."""

    number: int
    run: int
    way: str
    target: str
    text: str
    workspace: str
    state: str
    why: str = ""
    holder: str = ""
    attempts: int = 0


_NOTE = ", ".join(Note._fields)
_ERRAND = ", ".join(Errand._fields)


def add(
    connection: sqlite3.Connection,
    at: str,
    level: str,
    title: str,
    text: str,
    workspace: str,
    run: int | None = None,
    told_at: str | None = None,
) -> int:
    """A new entry; its number. With `told_at` its next prompt does not bring it to the main agent. The caller holds the
    transaction."""
    done = connection.execute(
        "INSERT INTO inbox (at, level, title, text, workspace, run, told_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (at, level, title, text, workspace, run, told_at),
    )
    return int(done.lastrowid or 0)


def listed(connection: sqlite3.Connection, everything: bool, limit: int = 200) -> list[Note]:
    """The newest entries that nobody has read, or all, oldest of them first."""
    where = "1" if everything else "read_at IS NULL"
    rows = connection.execute(f"SELECT {_NOTE} FROM inbox WHERE {where} ORDER BY number DESC LIMIT ?", (limit,))
    return [Note(*row) for row in rows][::-1]


def get(connection: sqlite3.Connection, number: int) -> Note | None:
    """The entry of this number."""
    row = connection.execute(f"SELECT {_NOTE} FROM inbox WHERE number = ?", (number,)).fetchone()
    return Note(*row) if row else None


def was_read(connection: sqlite3.Connection, numbers: list[int], now: str) -> None:
    """Somebody has seen these; the first time counts."""
    update = "UPDATE inbox SET read_at = coalesce(read_at, ?) WHERE number = ?"
    connection.executemany(update, [(now, n) for n in numbers])


def errand(
    connection: sqlite3.Connection, run: int, way: str, target: str, text: str, workspace: str, now: str
) -> None:
    """Something to be delivered; once for each run and place. The caller holds the transaction."""
    connection.execute(
        "INSERT OR IGNORE INTO deliveries (run, way, target, text, workspace, state, changed_at)"
        " VALUES (?, ?, ?, ?, ?, 'waiting', ?)",
        (run, way, target, text, workspace, now),
    )


def errands(connection: sqlite3.Connection) -> list[Errand]:
    """Those that still wait, oldest first."""
    rows = connection.execute(f"SELECT {_ERRAND} FROM deliveries WHERE state = 'waiting' ORDER BY number")
    return [Errand(*row) for row in rows]


def errands_of(connection: sqlite3.Connection, run: int) -> list[Errand]:
    """All of one run."""
    rows = connection.execute(f"SELECT {_ERRAND} FROM deliveries WHERE run = ? ORDER BY number", (run,))
    return [Errand(*row) for row in rows]


def claim(connection: sqlite3.Connection, seen: Errand, holder: str, now: str) -> bool:
    """Take one over, if it is still as it was seen."""
    done = connection.execute(
        "UPDATE deliveries SET holder = ?, attempts = attempts + 1, changed_at = ?"
        " WHERE number = ? AND holder = ? AND state = 'waiting'",
        (holder, now, seen.number, seen.holder),
    )
    return done.rowcount == 1


def decide(connection: sqlite3.Connection, number: int, state: str, why: str, now: str) -> None:
    """What became of one: delivered, failed, or waiting for another try."""
    connection.execute(
        "UPDATE deliveries SET state = ?, why = ?, holder = '', changed_at = ? WHERE number = ?",
        (state, why, now, number),
    )


def forget(connection: sqlite3.Connection, before: str) -> None:
    """Remove what was read before a time, and errands that were decided then. The unread stays."""
    connection.execute("DELETE FROM inbox WHERE read_at < ?", (before,))
    connection.execute("DELETE FROM deliveries WHERE state != 'waiting' AND changed_at < ?", (before,))


def remark(connection: sqlite3.Connection, number: int, why: str) -> None:
    """How far an errand has come, for whoever takes it over."""
    connection.execute("UPDATE deliveries SET why = ? WHERE number = ?", (why, number))
