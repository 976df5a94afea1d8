"""The runs table: one row for each firing of a job, from the moment it is known to be due. Unique by job and due time.

States: due (to be begun), starting (its holder begins it), running, retry (to be begun again, not before a time);
done, failed, killed (for a newer one), skipped and missed are ends.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

OPEN = ("due", "starting", "running", "retry")
AT_WORK = ("starting", "running")


class Run(NamedTuple):
    """One firing. `attempts` is JSON: [{session, model, state, reason, at}] of those that have ended; tokens and cost
    are of all attempts. `due` and the other times ISO 8601 UTC, `not_before` epoch seconds."""

    number: int
    job_id: str
    job: str
    due: str
    state: str
    reason: str = ""
    holder: str = ""
    session_id: str = ""
    attempts: str = "[]"
    not_before: float = 0.0
    by_hand: int = 0
    leader: int | None = None
    model: str = ""
    injected: str = "[]"
    injected_tokens: int = 0
    saved_tokens: int = 0
    tokens_used: int = 0
    cost_usd: float = 0.0
    exit_code: int | None = None
    result: str = ""
    started_at: str | None = None
    ended_at: str | None = None

    @property
    def tried(self) -> list[dict[str, Any]]:
        return list(json.loads(self.attempts))

    def as_json(self) -> dict[str, Any]:
        """For people's scripts."""
        shown = self._asdict() | {"attempts": self.tried, "injected": json.loads(self.injected)}
        return {key: value for key, value in shown.items() if key not in ("holder", "not_before")}


COLUMNS = ", ".join(Run._fields)


def add(
    connection: sqlite3.Connection, job_id: str, job: str, due: str, state: str, reason: str, now: str,
    by_hand: bool = False,
) -> int:
    """A firing that is known now; its number, or 0 when it was known already. The caller holds the transaction."""
    ended = None if state in OPEN else now
    done = connection.execute(
        "INSERT OR IGNORE INTO runs (job_id, job, due, state, reason, ended_at, by_hand) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (job_id, job, due, state, reason, ended, by_hand),
    )
    return int(done.lastrowid or 0) if done.rowcount else 0


def get(connection: sqlite3.Connection, number: int) -> Run | None:
    """The run of this number."""
    return next(iter(_runs(connection, "number = ?", (number,))), None)


def unfinished(connection: sqlite3.Connection, job_id: str = "") -> list[Run]:
    """All that have not ended, or those of one job, in the order of their due times."""
    if job_id:
        return _runs(connection, "ended_at IS NULL AND job_id = ? ORDER BY due, number", (job_id,))
    return _runs(connection, "ended_at IS NULL ORDER BY due, number", ())


def of_job(connection: sqlite3.Connection, job_id: str | None, limit: int, state: str | None = None) -> list[Run]:
    """The newest of a job, or of all, newest first."""
    wanted = {"job_id": job_id, "state": state}
    where = " AND ".join(["1", *(f"{key} = ?" for key, value in wanted.items() if value)])
    values = [value for value in wanted.values() if value]
    return _runs(connection, f"{where} ORDER BY due DESC, number DESC LIMIT ?", (*values, limit))


def led_by(connection: sqlite3.Connection, number: int) -> list[Run]:
    """The other parts of a batch."""
    return _runs(connection, "leader = ? ORDER BY number", (number,))


def update(connection: sqlite3.Connection, number: int, **columns: object) -> bool:
    """Set columns of a run that has not ended; what has is never changed back, and the answer is False."""
    names = ", ".join(f"{name} = :{name}" for name in columns)
    done = connection.execute(
        f"UPDATE runs SET {names} WHERE number = :number_ AND ended_at IS NULL", columns | {"number_": number}
    )
    return done.rowcount == 1


def finish(connection: sqlite3.Connection, number: int, state: str, reason: str, now: str, result: str = "") -> bool:
    """The end of a run, once. What it was to do for others of its batch, and has not, is theirs again."""
    done = update(connection, number, state=state, reason=reason, holder="", result=result, ended_at=now)
    if done:
        connection.execute(
            "UPDATE runs SET state = 'due', leader = NULL WHERE leader = ? AND ended_at IS NULL", (number,)
        )
    return done


def claim(connection: sqlite3.Connection, run: Run, holder: str, **columns: object) -> bool:
    """Take a run over, if it is still as it was seen: whoever comes second gets False."""
    names = "".join(f", {name} = :{name}" for name in columns)
    done = connection.execute(
        f"UPDATE runs SET holder = :holder_{names} WHERE number = :number_ AND state = :was_ AND holder = :held_"
        " AND ended_at IS NULL",
        columns | {"holder_": holder, "number_": run.number, "was_": run.state, "held_": run.holder},
    )
    return done.rowcount == 1


def _runs(connection: sqlite3.Connection, where: str, values: Sequence[object]) -> list[Run]:
    return [Run(*row) for row in connection.execute(f"SELECT {COLUMNS} FROM runs WHERE {where}", values)]


def sessions_left(connection: sqlite3.Connection) -> list[str]:
    """Live sessions whose run has ended, or has gone on to another."""
    rows = connection.execute(
        "SELECT s.id FROM sessions s JOIN runs r ON r.session_id = s.id"
        " WHERE s.ended_at IS NULL AND (r.ended_at IS NOT NULL OR r.state = 'retry')"
    )
    return [row[0] for row in rows]


def older(connection: sqlite3.Connection, before: str, limit: int = 1000) -> list[Run]:
    """Those that ended before a time, oldest first."""
    return _runs(connection, "ended_at < ? ORDER BY number LIMIT ?", (before, limit))


def delete(connection: sqlite3.Connection, numbers: Sequence[int]) -> None:
    """Forget runs."""
    connection.executemany("DELETE FROM runs WHERE number = ?", [(n,) for n in numbers])


def job_named(connection: sqlite3.Connection, name: str) -> str:
    """The id of a job that had runs under this name or id, though it is gone; empty when none had."""
    row = connection.execute(
        "SELECT job_id FROM runs WHERE job = ? OR job_id = ? ORDER BY number DESC LIMIT 1", (name, name)
    ).fetchone()
    return str(row[0]) if row else ""


def saved(connection: sqlite3.Connection) -> int:
    """The tokens that all batches have spared at their starts."""
    return int(connection.execute("SELECT coalesce(sum(saved_tokens), 0) FROM runs").fetchone()[0])
