"""The jobs table: what is scheduled. The only module that knows its columns."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from openclaw.errors import BadInput, NotFound


class Job(NamedTuple):
    """One job. `said` is its document (JSON); `cursor` and `next_at` epoch seconds; other times ISO 8601 UTC."""

    id: str
    name: str
    said: str
    workspace: str
    cwd: str
    cursor: float
    next_at: float | None
    created_at: str
    updated_at: str
    failures: int = 0
    paused: str = ""


COLUMNS = ", ".join(Job._fields)
_INSERT = f"INSERT INTO jobs ({COLUMNS}) VALUES ({', '.join(':' + f for f in Job._fields)})"


def insert(connection: sqlite3.Connection, job: Job) -> None:
    """A new row; the caller holds the transaction and has looked for the name and the id."""
    connection.execute(_INSERT, job._asdict())


def every(connection: sqlite3.Connection) -> list[Job]:
    """All jobs, oldest first."""
    return [Job(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM jobs ORDER BY rowid")]


def to_look_at(connection: sqlite3.Connection, now: float) -> list[str]:
    """The ids of jobs with a firing at `now` or before, or whose clock was set back."""
    rows = connection.execute(
        "SELECT id FROM jobs WHERE next_at <= :now OR (cursor > :now AND next_at IS NOT NULL) ORDER BY next_at",
        {"now": now},
    )
    return [row[0] for row in rows]


def get(connection: sqlite3.Connection, id: str) -> Job | None:
    """The job of this id."""
    row = connection.execute(f"SELECT {COLUMNS} FROM jobs WHERE id = ?", (id,)).fetchone()
    return Job(*row) if row else None


def find(connection: sqlite3.Connection, word: str) -> Job:
    """The job of this name, id, or unique start of either. NotFound, or BadInput (`ambiguous`)."""
    rows = every(connection)
    for exact in ([j for j in rows if j.name == word], [j for j in rows if j.id == word]):
        if exact:
            return exact[0]
    started = [j for j in rows if word and (j.name.startswith(word) or j.id.startswith(word))]
    if len(started) > 1:
        names = ", ".join(j.name for j in started[:5])
        raise BadInput(f"{word[:60]!r} is the start of {names}", "type more of it", code="ambiguous")
    if not started:
        raise NotFound(f"no job {word[:60]!r}", "`openclaw cron list` lists them")
    return started[0]


def update(connection: sqlite3.Connection, id: str, now: str, **columns: object) -> bool:
    """Set columns of one job; False when it is gone. The caller holds the transaction."""
    names = "".join(f"{name} = :{name}, " for name in columns)
    update = f"UPDATE jobs SET {names}updated_at = :now WHERE id = :id"
    done = connection.execute(update, columns | {"now": now, "id": id})
    return done.rowcount == 1


def delete(connection: sqlite3.Connection, id: str) -> None:
    """Forget a job; its runs stay."""
    connection.execute("DELETE FROM jobs WHERE id = ?", (id,))
