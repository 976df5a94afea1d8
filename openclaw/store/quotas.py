"""The quotas table: what programs said last of the limits of their subscriptions. Hooks import this: sqlite3 only."""

from __future__ import annotations

import sqlite3
import time

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Iterable

    from openclaw.agents.limits import Report

SAME_SECONDS = 120  # two reports whose resets are no further apart are of one window


def stale(connection: sqlite3.Connection, agent: str, found: Iterable[Report], seen_at: float) -> list[Report]:
    """Of these reports those that say more than is known. In one window nothing is given back: the highest counts."""
    known = {row[0]: row[1:] for row in connection.execute(
        "SELECT kind, percent, resets_at, seen_at FROM quotas WHERE agent = ?", (agent,)
    )}  # fmt: skip
    now, fresh = time.time(), []
    for kind, percent, resets_at, seconds in found:
        before = known.get(kind)
        if before and before[2] > seen_at and before[2] <= now + SAME_SECONDS:
            continue  # that was later; one from a future, by a clock that was wrong, is not
        if before and (not resets_at or abs(before[1] - resets_at) <= SAME_SECONDS) and before[1] > seen_at:
            percent, resets_at = max(percent, before[0]), before[1]
            if percent == before[0] and seen_at - before[2] < SAME_SECONDS:
                continue
        fresh.append((kind, percent, resets_at, seconds))
    return fresh


def note(connection: sqlite3.Connection, agent: str, found: Iterable[Report], seen_at: float) -> None:
    """Record what a program said at `seen_at` (epoch seconds). The caller holds the transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO quotas (agent, kind, percent, resets_at, seconds, seen_at) VALUES (?, ?, ?, ?, ?, ?)",
        [(agent, *report, seen_at) for report in stale(connection, agent, found, seen_at)],
    )


def of(connection: sqlite3.Connection, agent: str = "") -> list[tuple[str, str, float, float, int, float]]:
    """(agent, kind, percent, resets_at, seconds, seen_at) of one program, or of all."""
    return connection.execute(
        "SELECT agent, kind, percent, resets_at, seconds, seen_at FROM quotas WHERE ? IN ('', agent)"
        " ORDER BY agent, seconds, kind",
        (agent,),
    ).fetchall()
