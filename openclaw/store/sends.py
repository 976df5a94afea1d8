"""The sends table: messages for running sub-agents, from the moment they are accepted until it is known what became
of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import NamedTuple

FIRST = "spawn"  # the sender of a first prompt that was too long for a command line
WAITING = ("queued", "typing")  # not yet decided; `typing`: its sender has begun to put it into the input line


class Send(NamedTuple):
    """One message. `state`: queued, typing, delivered, unconfirmed or failed, with why, for people.

    `after_event`: the newest event of the session before it was typed; what confirms it is younger. `sender`: the
    process that has told nobody yet what became of it.
    """

    number: int
    session_id: str
    text: str
    state: str
    why: str
    after_event: int
    sender: str
    created_at: str
    updated_at: str
    command: int = 0  # 1: a command of the program, typed as it is
    not_before: float = 0.0  # epoch seconds


_COLUMNS = ", ".join(Send._fields)


def add(
    connection: sqlite3.Connection, session_id: str, text: str, sender: str, now: str, command: bool = False,
    not_before: float = 0.0,
) -> int:
    """A new message at the end of the session's queue; its number. The caller holds the transaction."""
    done = connection.execute(
        "INSERT INTO sends (session_id, text, state, sender, created_at, updated_at, command, not_before)"
        " VALUES (?, ?, 'queued', ?, ?, ?, ?, ?)",
        (session_id, text, sender, now, now, command, not_before),
    )
    return int(done.lastrowid or 0)


def get(connection: sqlite3.Connection, number: int) -> Send | None:
    """One message; None when it was withdrawn."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM sends WHERE number = ?", (number,)).fetchone()
    return Send(*row) if row else None


def waiting(connection: sqlite3.Connection, session_id: str) -> list[Send]:
    """The messages of a session that are not yet decided, in their order."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sends WHERE session_id = ? AND state IN {WAITING} ORDER BY number", (session_id,)
    )
    return [Send(*row) for row in rows]


def next_at(connection: sqlite3.Connection) -> float:
    """When the first of all that wait may be typed, in epoch seconds."""
    row = connection.execute(f"SELECT min(not_before) FROM sends WHERE state IN {WAITING}").fetchone()
    return float(row[0] or 0)


def open_ends(connection: sqlite3.Connection, session_id: str) -> list[Send]:
    """Those that did not surely arrive, and those of which nobody was told that they did; oldest first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM sends WHERE session_id = ? AND (state != 'delivered' OR sender != '') ORDER BY number",
        (session_id,),
    )
    return [Send(*row) for row in rows]


def addressees(connection: sqlite3.Connection) -> list[str]:
    """The ids of all sessions that a message waits for."""
    rows = connection.execute(f"SELECT DISTINCT session_id FROM sends WHERE state IN {WAITING} ORDER BY number")
    return [row[0] for row in rows]


def change(
    connection: sqlite3.Connection, number: int, now: str, state: str, why: str = "", after_event: int | None = None
) -> None:
    """What became of a message."""
    connection.execute(
        "UPDATE sends SET state = ?, why = ?, after_event = coalesce(?, after_event), updated_at = ? WHERE number = ?",
        (state, why, after_event, now, number),
    )


def told(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Somebody was told what became of these: their sender answers for them no more."""
    connection.executemany("UPDATE sends SET sender = '' WHERE number = ?", [(n,) for n in numbers])


def take_over(connection: sqlite3.Connection, number: int, sender: str) -> None:
    """Another process answers for it from now on."""
    connection.execute("UPDATE sends SET sender = ? WHERE number = ?", (sender, number))


def withdraw(connection: sqlite3.Connection, number: int) -> bool:
    """Forget a message that nobody has begun to type; whether that was so."""
    return connection.execute("DELETE FROM sends WHERE number = ? AND state = 'queued'", (number,)).rowcount == 1
