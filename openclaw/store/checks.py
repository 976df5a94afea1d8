"""The checks table: the command that looks at a sub-agent's work once it has stopped, and what came of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple


class Check(NamedTuple):
    """`exit_code` is None while it has not ended, and where it never came to an end; `said` says then why."""

    session_id: str
    command: str
    exit_code: int | None = None
    said: str = ""
    ended_at: str | None = None

    @property
    def failed(self) -> bool:
        return self.ended_at is not None and self.exit_code != 0

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"good": self.exit_code == 0 if self.exit_code is not None else None}


_COLUMNS = ", ".join(Check._fields)


def add(connection: sqlite3.Connection, session_id: str, command: str) -> None:
    """What is to be run when this session has stopped; the caller holds the transaction."""
    connection.execute("INSERT INTO checks (session_id, command) VALUES (?, ?)", (session_id, command))


def waiting(connection: sqlite3.Connection) -> list[Check]:
    """Those that have not ended."""
    return [Check(*row) for row in connection.execute(f"SELECT {_COLUMNS} FROM checks WHERE ended_at IS NULL")]


def of(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Check]:
    """Those of these sessions."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(f"SELECT {_COLUMNS} FROM checks WHERE session_id IN ({marks})", ids)
    return [Check(*row) for row in rows]


def end(connection: sqlite3.Connection, id: str, exit_code: int | None, said: str, now: str) -> bool:
    """The end of one, once. The caller holds the transaction."""
    done = connection.execute(
        "UPDATE checks SET exit_code = ?, said = ?, ended_at = ? WHERE session_id = ? AND ended_at IS NULL",
        (exit_code, said, now, id),
    )
    return done.rowcount == 1
