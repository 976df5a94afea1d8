"""How often a result was there already, by day and name, and what that spared."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple


class Uses(NamedTuple):
    """`hits` found a result, `misses` computed one. Seconds, tokens and dollars: what computing the hits had taken."""

    name: str
    hits: int
    misses: int
    seconds: float
    tokens: int
    cost_usd: float


def count(connection: sqlite3.Connection, day: str, uses: Uses) -> None:
    """Add to the sums of a day."""
    sums = ", ".join(f"{field} = {field} + excluded.{field}" for field in Uses._fields[1:])
    connection.execute(
        f"INSERT INTO cache_uses VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET {sums}", (day, *uses)
    )


def uses(connection: sqlite3.Connection, since: str = "", until: str = "~") -> list[Uses]:
    """The sums of the days from `since` to `until`, by name."""
    sums = ", ".join(f"sum({field})" for field in Uses._fields[1:])
    rows = connection.execute(
        f"SELECT name, {sums} FROM cache_uses WHERE day BETWEEN ? AND ? GROUP BY name ORDER BY name", (since, until)
    )
    return [Uses(*row) for row in rows]
