"""What was spent, as budgets count it: by program and model, by job, by session. From the daily sums only."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence

from openclaw.store.ledger import Sums

_SUMS = ", ".join(f"coalesce(sum(d.{name}), 0)" for name in Sums._fields)


def of_sessions(connection: sqlite3.Connection, ids: Sequence[str]) -> Mapping[str, Sums]:
    """What these have spent in all their days; those without a turn are left out."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(
        f"SELECT d.session_id, {_SUMS} FROM daily d WHERE d.session_id IN ({marks}) GROUP BY d.session_id", ids
    )
    return {str(row[0]): Sums(*row[1:]) for row in rows}


def of_jobs(connection: sqlite3.Connection, since: str, until: str) -> Mapping[tuple[str, str], Sums]:
    """By id and name of each job: what the sessions of its runs, failed tries too, have spent on these days."""
    rows = connection.execute(
        "WITH owned (id, job_id) AS ("
        "SELECT session_id, job_id FROM runs WHERE session_id != ''"
        " AND (ended_at IS NULL OR ended_at >= :since)"
        " UNION SELECT json_extract(tried.value, '$.session'), job_id FROM runs, json_each(runs.attempts) tried"
        " WHERE attempts != '[]' AND (ended_at IS NULL OR ended_at >= :since)"
        " AND json_extract(tried.value, '$.session') != '')"
        f" SELECT o.job_id, (SELECT job FROM runs r WHERE r.job_id = o.job_id ORDER BY number DESC LIMIT 1), {_SUMS}"
        " FROM owned o JOIN daily d ON d.session_id = o.id WHERE d.day BETWEEN :since AND :until GROUP BY o.job_id",
        {"since": since, "until": until},
    )
    return {(str(row[0]), str(row[1])): Sums(*row[2:]) for row in rows}


def jobs_of(connection: sqlite3.Connection, ids: Sequence[str]) -> Mapping[str, tuple[str, str]]:
    """By session: id and name of the job whose unfinished run it is."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(
        f"SELECT session_id, job_id, job FROM runs WHERE ended_at IS NULL AND session_id IN ({marks})", ids
    )
    return {str(row[0]): (str(row[1]), str(row[2])) for row in rows}


def last_models(connection: sqlite3.Connection, ids: Sequence[str]) -> Mapping[str, str]:
    """By session: the model that answered its newest turn, where there is one."""
    marks = ", ".join("?" * len(ids))
    rows = connection.execute(
        "SELECT session_id, model, max(number) FROM turns"
        f" WHERE session_id IN ({marks}) AND side = 0 GROUP BY session_id",
        ids,
    )
    return {str(row[0]): str(row[1]) for row in rows}
