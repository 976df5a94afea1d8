"""The tables budget_marks and holds: what people were told of a budget, so that they are told once for each day or
month; and what is held by whoever asks a model aside of sub-agents."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

KEPT_DAYS = 62  # longer than any month


def mark(
    connection: sqlite3.Connection,
    budget: str,
    unit: str,
    subject: str,
    period: str,
    level: str,
    amount: float,
    now: str,
) -> bool:
    """Note that this is told now; False when it was before. The caller holds the transaction."""
    done = connection.execute(
        "INSERT OR IGNORE INTO budget_marks VALUES (?, ?, ?, ?, ?, ?, ?)",
        (budget, unit, subject, period, level, amount, now),
    )
    if done.rowcount == 1:
        connection.execute(f"DELETE FROM budget_marks WHERE at < datetime(?, '-{KEPT_DAYS} days')", (now,))
    return done.rowcount == 1


def hold(connection: sqlite3.Connection, holder: str, model: str, usd: float, tokens: float) -> int:
    """Hold so much until `release`; its number. The caller holds the transaction."""
    done = connection.execute(
        "INSERT INTO holds (holder, model, usd, tokens) VALUES (?, ?, ?, ?)", (holder, model, usd, tokens)
    )
    return int(done.lastrowid or 0)


def holds(connection: sqlite3.Connection) -> list[tuple[int, str, str, float, float]]:
    """(number, holder, model, dollars, tokens) of each."""
    return connection.execute("SELECT number, holder, model, usd, tokens FROM holds ORDER BY number").fetchall()


def release(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """They are held no more."""
    connection.executemany("DELETE FROM holds WHERE number = ?", [(number,) for number in numbers])
