"""The routes and outcomes tables: how models were chosen, and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
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


class Outcome(NamedTuple):
    """One piece of work that was judged. `source`: person, check or validator."""

    kind: str
    agent: str
    model: str
    good: bool
    source: str = "person"
    session_id: str | None = None


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
    """Record an outcome; one source has one opinion of a session, the last one. The caller holds the transaction."""
    connection.execute(
        "INSERT INTO outcomes (at, kind, agent, model, good, source, session_id) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (session_id, source) DO UPDATE SET at = excluded.at, good = excluded.good",
        (now, outcome.kind, outcome.agent, outcome.model, outcome.good, outcome.source, outcome.session_id),
    )


def newest(connection: sqlite3.Connection, kind: str = "") -> list[Outcome]:
    """The newest outcomes, of one kind or all, newest first."""
    rows = connection.execute(
        "SELECT kind, agent, model, good, source, session_id FROM outcomes WHERE ? IN ('', kind)"
        " ORDER BY number DESC LIMIT ?",
        (kind, KEPT),
    )
    return [Outcome(k, agent, model, bool(good), source, id) for k, agent, model, good, source, id in rows]


def forget(connection: sqlite3.Connection, kind: str = "") -> int:
    """Forget the outcomes of one kind, or all; how many there were. The caller holds the transaction."""
    return connection.execute("DELETE FROM outcomes WHERE ? IN ('', kind)", (kind,)).rowcount
