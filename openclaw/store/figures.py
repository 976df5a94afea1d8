"""Figures of the ledger beyond sums of days: what was injected, how full contexts were, what compactions saved."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from openclaw.store.events import HOP


class Injected(NamedTuple):
    """Sessions of one type: how many, and tokens injected on average, for each session and for each of its turns."""

    type: str
    sessions: int
    tokens: float
    per_turn: float


def injected(connection: sqlite3.Connection, since: str, until: str) -> list[Injected]:
    """By type, of sessions that began on these days. A session without turns counts as one turn."""
    rows = connection.execute(
        "SELECT type, count(*), avg(injected_tokens), sum(injected_tokens * turns * 1.0) / sum(turns)"
        " FROM (SELECT s.type, s.injected_tokens, max(1, coalesce("
        "(SELECT sum(d.turns) FROM daily d WHERE d.session_id = s.id), 0)) AS turns"
        " FROM sessions s WHERE substr(s.created_at, 1, 10) BETWEEN ? AND ? AND s.type != 'command')"
        " GROUP BY type ORDER BY type",
        (since, until),
    )
    return [Injected(*row) for row in rows]


def largest_context(connection: sqlite3.Connection, since: str, until: str) -> dict[str, int]:
    """The largest context of live sessions by type, and of main agents that have not ended (`main`)."""
    rows = connection.execute(
        "SELECT type, max(context_tokens) FROM sessions WHERE context_tokens IS NOT NULL"
        " AND substr(created_at, 1, 10) BETWEEN ? AND ? GROUP BY type"
        " UNION ALL SELECT 'main', max(context_tokens) FROM mains WHERE ended_at IS NULL",
        (since, until),
    )
    return {str(row[0]): int(row[1]) for row in rows if row[1] is not None}


def compactions(connection: sqlite3.Connection, since: str, until: str) -> list[tuple[int, int]]:
    """Contexts before and after each compaction: where a conversation goes on with less than four fifths of what it
    sent, and sent more than 10,000 tokens before."""
    sent = "input + cache_write + cache_read"
    conversations = (
        f"SELECT at, {sent} AS now, lag({sent}) OVER (PARTITION BY session_id, path ORDER BY number) AS before"
        " FROM turns WHERE side = 0"
        f" UNION ALL SELECT at, {sent}, lag({sent}) OVER (PARTITION BY path ORDER BY number)"
        " FROM imported_turns WHERE side = 0"
    )
    rows = connection.execute(
        f"SELECT before, now FROM ({conversations}) WHERE before > 10000 AND now < 0.8 * before"
        " AND substr(at, 1, 10) BETWEEN ? AND ?",
        (since, until),
    )
    return [(int(row[0]), int(row[1])) for row in rows]


def fallbacks(connection: sqlite3.Connection, since: str, until: str) -> int:
    """How often a model has failed and another has gone on with its work."""
    row = connection.execute(
        "SELECT count(*) FROM events WHERE name = ? AND substr(at, 1, 10) BETWEEN ? AND ?", (HOP, since, until)
    ).fetchone()
    return int(row[0])


def skills(connection: sqlite3.Connection, since: str, until: str) -> list[tuple[str, int, float]]:
    """Skills with how often they were used, and their tokens on average."""
    rows = connection.execute(
        "SELECT skill_name, count(*), avg(tokens_used) FROM skill_invocations WHERE substr(created_at, 1, 10)"
        " BETWEEN ? AND ? GROUP BY skill_name ORDER BY 2 DESC, 1",
        (since, until),
    )
    return [(str(row[0]), int(row[1]), float(row[2])) for row in rows]


def outcomes(connection: sqlite3.Connection, since: str, until: str) -> list[tuple[str, str, int]]:
    """Sessions that began on these days: how many of each type and status."""
    rows = connection.execute(
        "SELECT type, status, count(*) FROM sessions WHERE substr(created_at, 1, 10) BETWEEN ? AND ? GROUP BY 1, 2",
        (since, until),
    )
    return [(str(row[0]), str(row[1]), int(row[2])) for row in rows]


class JobSums(NamedTuple):
    """Firings of one job that were begun: how many, how many of them failed, and what they used."""

    job: str
    runs: int
    failed: int
    tokens: int
    cost_usd: float


def jobs(connection: sqlite3.Connection, since: str, until: str, most: int) -> list[JobSums]:
    """The jobs that used most on these days, dearest first."""
    rows = connection.execute(
        "SELECT job, count(*), sum(state = 'failed'), sum(tokens_used), sum(cost_usd) FROM runs"
        " WHERE started_at IS NOT NULL AND substr(due, 1, 10) BETWEEN ? AND ? GROUP BY job_id"
        " ORDER BY 5 DESC, 4 DESC, 2 DESC, 1 LIMIT ?",
        (since, until, most),
    )
    return [JobSums(*row) for row in rows]


def misdated(connection: sqlite3.Connection, today: str) -> int:
    """Turns of days that have not come yet, or of none."""
    row = connection.execute(
        "SELECT coalesce(sum(turns), 0) FROM daily WHERE day > ? OR day NOT GLOB '[12]???-[01]?-[0-3]?'",
        (today,),
    ).fetchone()
    return int(row[0])
