"""The budget_marks table: what people were told of a budget, so that they are told once for each day or month."""

from __future__ import annotations

import sqlite3

KEPT_DAYS = 62  # longer than any month


def mark(
    connection: sqlite3.Connection, budget: str, unit: str, subject: str, period: str, level: str, amount: float,
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
