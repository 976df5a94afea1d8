"""The trials and trial_pairs tables: which model is tried against which, and the work that both were given.

A pair is written in the transaction that reserves the sub-agent whose work counts: `wanted` until its shadow runs,
`running` until both have stopped, then `ended`, or `skipped` with why.
"""

from __future__ import annotations

import json
import sqlite3
from typing import NamedTuple


class Trial(NamedTuple):
    """`a` is tried, `b` does the work meanwhile. `sample` and `margin` from 0 to 1; `types` is JSON, [] for all; so
    many `pairs` are wanted of each type; `seen` tasks could have been taken."""

    number: int
    a: str
    b: str
    sample: float
    types: str
    seed: str
    margin: float
    pairs: int
    budget_usd: float | None
    seen: int
    started_at: str
    stopped_at: str | None

    @property
    def kinds(self) -> list[str]:
        return list(json.loads(self.types))


class Pair(NamedTuple):
    """`session_id` did the work with B, `shadow_id` the same with A, aside. Costs in dollars, None while not known."""

    session_id: str
    shadow_id: str
    trial: int
    at: str
    kind: str
    risk: str
    task: str
    state: str
    why: str = ""
    holder: str = ""
    a_usd: float | None = None
    b_usd: float | None = None


_TRIAL, _PAIR = ", ".join(Trial._fields), ", ".join(Pair._fields)


def start(connection: sqlite3.Connection, trial: Trial) -> None:
    """Begin one, whose number is drawn; IntegrityError while another runs. The caller holds the transaction."""
    marks = ", ".join("?" * (len(Trial._fields) - 1))
    connection.execute(f"INSERT INTO trials ({_TRIAL.partition(', ')[2]}) VALUES ({marks})", trial[1:])


def running(connection: sqlite3.Connection) -> Trial | None:
    """The one that takes tasks now."""
    row = connection.execute(f"SELECT {_TRIAL} FROM trials WHERE stopped_at IS NULL").fetchone()
    return Trial(*row) if row else None


def newest(connection: sqlite3.Connection) -> Trial | None:
    """The last one, running or not."""
    row = connection.execute(f"SELECT {_TRIAL} FROM trials ORDER BY number DESC LIMIT 1").fetchone()
    return Trial(*row) if row else None


def stop(connection: sqlite3.Connection, now: str) -> None:
    """Take no more tasks; the caller holds the transaction."""
    connection.execute("UPDATE trials SET stopped_at = ? WHERE stopped_at IS NULL", (now,))


def forget(connection: sqlite3.Connection) -> None:
    """Forget all of them with their pairs; the caller holds the transaction."""
    connection.execute("DELETE FROM trials")


def saw(connection: sqlite3.Connection, number: int) -> None:
    """One more task could have been taken; the caller holds the transaction."""
    connection.execute("UPDATE trials SET seen = seen + 1 WHERE number = ?", (number,))


def add(connection: sqlite3.Connection, pair: Pair) -> None:
    """Take a task; the caller holds the transaction."""
    marks = ", ".join("?" * len(Pair._fields))
    connection.execute(f"INSERT INTO trial_pairs ({_PAIR}) VALUES ({marks})", pair)


def pairs(connection: sqlite3.Connection, number: int) -> list[Pair]:
    """All of a trial, oldest first."""
    rows = connection.execute(f"SELECT {_PAIR} FROM trial_pairs WHERE trial = ? ORDER BY at, session_id", (number,))
    return [Pair(*row) for row in rows]


def unfinished(connection: sqlite3.Connection) -> list[Pair]:
    """Those that are not over, of any trial."""
    rows = connection.execute(f"SELECT {_PAIR} FROM trial_pairs WHERE state IN ('wanted', 'running') ORDER BY at")
    return [Pair(*row) for row in rows]


def update(connection: sqlite3.Connection, id: str, **columns: object) -> None:
    """Set columns of an unfinished pair; what is over stays as it is. The caller holds the transaction."""
    names = ", ".join(f"{name} = :{name}" for name in columns)
    connection.execute(
        f"UPDATE trial_pairs SET {names} WHERE session_id = :id_ AND state IN ('wanted', 'running')",
        columns | {"id_": id},
    )


def unpriced(connection: sqlite3.Connection, session_id: str) -> bool:
    """Whether it had turns whose price nobody knows."""
    row = connection.execute("SELECT sum(unpriced) FROM daily WHERE session_id = ?", (session_id,)).fetchone()
    return bool(row[0])


def models_of(connection: sqlite3.Connection, session_id: str) -> int:
    """How many models have answered it."""
    query = "SELECT count(DISTINCT model) FROM turns WHERE session_id = ? AND side = 0"
    return int(connection.execute(query, (session_id,)).fetchone()[0])


def job_of(connection: sqlite3.Connection, session_id: str) -> str:
    """The job that a session was run for; empty where it was for none."""
    row = connection.execute("SELECT job FROM session_jobs WHERE session_id = ?", (session_id,)).fetchone()
    return str(row[0]) if row else ""
