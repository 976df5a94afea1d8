"""The routes and outcomes tables: how models were chosen, and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Route(NamedTuple):
    """How the model of a session was chosen. `probability`: that this one would be, of what was learned by then;
    `chain` is JSON, the models that follow if it fails; `seed` empty for real chance."""

    session_id: str
    at: str
    kind: str
    risk: str
    tier: str
    agent: str
    model: str
    probability: float
    seed: str
    chain: str
    why: str = ""  # in words


class Outcome(NamedTuple):
    """One piece of work that was judged; `source` is one of RANKS. `subject` names the work, the session's id where it
    was a session's."""

    kind: str
    agent: str
    model: str
    good: bool
    source: str = "person"
    session_id: str | None = None
    subject: str = ""


# Who may judge, and whose verdict stands where several do: a person's, a validator's, that of a command that checks the
# work; then what a role's own audit, the end of a job's run and an exit status say.
RANKS = {"person": 5, "validator": 4, "check": 3, "audit": 2, "run": 1, "exit": 0}
_ROUTE = ", ".join(Route._fields)
KEPT = 2000  # outcomes that are looked at: the weight of older ones is nothing


def chose(connection: sqlite3.Connection, routes: Sequence[Route]) -> None:
    """Record choices; the caller holds the transaction."""
    marks = ", ".join("?" * len(Route._fields))
    connection.executemany(f"INSERT OR REPLACE INTO routes ({_ROUTE}) VALUES ({marks})", routes)


def route_of(connection: sqlite3.Connection, session_id: str) -> Route | None:
    """How a session's model was chosen; None when somebody named it."""
    row = connection.execute(f"SELECT {_ROUTE} FROM routes WHERE session_id = ?", (session_id,)).fetchone()
    return Route(*row) if row else None


def record(connection: sqlite3.Connection, outcome: Outcome, now: str) -> None:
    """Record an outcome; one source has one opinion of a piece of work, the last one. The caller holds the transaction.

    Recording the same again changes nothing, so that whoever can't know whether it was recorded does it again.
    """
    connection.execute(
        "INSERT INTO outcomes (at, kind, agent, model, good, source, rank, subject, session_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (subject, source) DO UPDATE"
        " SET at = excluded.at, good = excluded.good WHERE good != excluded.good",
        (
            now, outcome.kind, outcome.agent, outcome.model, outcome.good, outcome.source, RANKS[outcome.source],
            outcome.subject or outcome.session_id, outcome.session_id,
        ),
    )  # fmt: skip


def record_all(connection: sqlite3.Connection, found: Iterable[Outcome], now: str) -> None:
    """`record` for each; the caller holds the transaction."""
    for outcome in found:
        record(connection, outcome, now)


_OUTCOMES = """
    SELECT kind, agent, model, good, source, session_id, subject FROM outcomes o
    WHERE NOT EXISTS (SELECT 1 FROM outcomes b WHERE b.subject = o.subject AND b.rank > o.rank)
"""


def newest(connection: sqlite3.Connection, kind: str = "") -> list[Outcome]:
    """The newest outcomes, of one kind or all, newest first; of a piece of work the verdict of the highest rank."""
    rows = connection.execute(f"{_OUTCOMES} AND ? IN ('', kind) ORDER BY number DESC LIMIT ?", (kind, KEPT))
    return [_outcome(row) for row in rows]


def of(connection: sqlite3.Connection, subject: str) -> Outcome | None:
    """The verdict that stands of a piece of work; None while there is none."""
    row = connection.execute(f"{_OUTCOMES} AND subject = ?", (subject,)).fetchone()
    return _outcome(row) if row else None


def forget(connection: sqlite3.Connection, kind: str = "") -> int:
    """Forget the outcomes of one kind, or all; of how much work. The caller holds the transaction."""
    count = "SELECT count(DISTINCT subject) FROM outcomes WHERE ? IN ('', kind)"
    gone = int(connection.execute(count, (kind,)).fetchone()[0])
    connection.execute("DELETE FROM outcomes WHERE ? IN ('', kind)", (kind,))
    return gone


def _outcome(row: sqlite3.Row) -> Outcome:
    kind, agent, model, good, source, id, subject = row
    return Outcome(kind, agent, model, bool(good), source, id, subject)
