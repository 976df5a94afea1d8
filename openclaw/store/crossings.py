"""The crossings table: each time a context or a budget passed a threshold, and how far that was acted upon.

One that is open is unique by who and threshold: a threshold that stays passed is crossed once, whoever looks, and
however often they are killed. It is cleared when the context has fallen below, and then can be crossed again.
"""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Crossing(NamedTuple):
    """One crossing. `state`, in this order: crossed, saved (a snapshot is there), asking, asked (the program has taken
    the command), compacted, telling, told (to go on), done; or given-up, with `why`. Of a halt: halting, then done.

    `attempts` to compact; `after_event`: the newest event of the session before the last attempt.
    """

    number: int
    who: str
    threshold: str
    conversation: str
    crossed_at: str
    tokens: int
    state: str
    why: str
    attempts: int
    after_event: int
    changed_at: str
    cleared_at: str | None


_COLUMNS = ", ".join(Crossing._fields)


def cross(
    connection: sqlite3.Connection, who: str, threshold: str, conversation: str, tokens: int, now: str, why: str = ""
) -> bool:
    """Note that it was crossed; False when that is known already. The caller holds the transaction."""
    done = connection.execute(
        "INSERT OR IGNORE INTO crossings (who, threshold, conversation, crossed_at, tokens, state, why, changed_at)"
        " VALUES (?, ?, ?, ?, ?, 'crossed', ?, ?)",
        (who, threshold, conversation, now, tokens, why, now),
    )
    return done.rowcount == 1


def pending(connection: sqlite3.Connection) -> list[Crossing]:
    """Those that are open, oldest first."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM crossings WHERE cleared_at IS NULL ORDER BY number")
    return [Crossing(*row) for row in rows]


def change(connection: sqlite3.Connection, number: int, now: str, state: str, **columns: object) -> None:
    """How far it has come."""
    names = "".join(f", {name} = :{name}" for name in columns)
    connection.execute(
        f"UPDATE crossings SET state = :state, changed_at = :now{names} WHERE number = :number",
        columns | {"state": state, "now": now, "number": number},
    )


def clear(connection: sqlite3.Connection, number: int, now: str) -> None:
    """It has fallen below, or its agent is gone: it can be crossed again."""
    connection.execute("UPDATE crossings SET cleared_at = ? WHERE number = ?", (now, number))


def notes(connection: sqlite3.Connection) -> dict[str, str]:
    """What people should know about open ones, by who."""
    rows = connection.execute("SELECT who, why FROM crossings WHERE cleared_at IS NULL AND why != '' ORDER BY number")
    return {str(row[0]): str(row[1]) for row in rows}


def ever(connection: sqlite3.Connection, who: str) -> bool:
    """Whether this one has crossed anything at any time."""
    return connection.execute("SELECT 1 FROM crossings WHERE who = ? LIMIT 1", (who,)).fetchone() is not None
