"""The ledger as a whole: turns of sessions and imported ones, their prices, and the sums of each day."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from openclaw.store.turns import Turn

# What an expression over daily `d` and its session `s` is called: how figures can be grouped.
GROUPS = {
    "day": "d.day",
    "model": "d.model",
    "agent": "coalesce(s.agent, d.agent)",
    "type": "coalesce(s.type, 'main')",
    "role": "coalesce(CASE WHEN d.session_id != '' THEN nullif(d.conversation, '') END, s.role, '')",
    "session": "coalesce(nullif(d.session_id, ''), d.conversation)",
}


class Sums(NamedTuple):
    """What a group of turns used. `cost_usd` is of those that have a price; `unpriced` have none."""

    turns: int
    input: int
    cache_write: int
    cache_read: int
    output: int
    cost_usd: float
    unpriced: int

    @property
    def sent(self) -> int:
        """All input tokens."""
        return self.input + self.cache_write + self.cache_read

    @property
    def tokens(self) -> int:
        return self.sent + self.output

    def plus(self, other: Sums) -> Sums:
        """Both groups together."""
        return Sums(*(a + b for a, b in zip(self, other, strict=True)))  # type: ignore[arg-type]  # field by field


NOTHING = Sums(0, 0, 0, 0, 0, 0.0, 0)
_SUMS = ", ".join(f"coalesce(sum(d.{name}), 0)" for name in Sums._fields)


def sums(
    connection: sqlite3.Connection, by: Sequence[str] = (), since: str = "", until: str = "~", where: str = ""
) -> list[tuple[tuple[str, ...], Sums]]:
    """Sums of the days from `since` to `until`, both of them too, by names of GROUPS. `where` restricts to `main` or
    `isolated` (sub-agents)."""
    keys = ", ".join(GROUPS[name] for name in by)
    only = {"main": " AND d.session_id = ''", "isolated": " AND d.session_id != ''"}.get(where, "")
    rows = connection.execute(
        f"SELECT {keys + ', ' if keys else ''}{_SUMS} FROM daily d LEFT JOIN sessions s ON s.id = d.session_id"
        f" WHERE d.turns > 0 AND d.day BETWEEN ? AND ?{only}" + (f" GROUP BY {keys} ORDER BY {keys}" if keys else ""),
        (since, until),
    )
    return [(tuple(str(key) for key in row[: len(by)]), Sums(*row[len(by) :])) for row in rows]


# --- what people had themselves


def known_files(connection: sqlite3.Connection) -> dict[str, int | None]:
    """Files that were read, with how far; None for those of sessions, which are read elsewhere."""
    found: dict[str, int | None] = {
        row[0]: row[1] for row in connection.execute("SELECT path, read_bytes FROM imports")
    }
    return found | {row[0]: None for row in connection.execute("SELECT path FROM transcripts")}


def take(
    connection: sqlite3.Connection, path: str, conversation: str, agent: str, found: Iterable[Turn], read_bytes: int
) -> int:
    """Record what was read of a file; how many turns nobody had seen before. A turn that stands in several files, or in
    a session's, counts once; one that is reported again counts as it was reported last. The caller holds the
    transaction."""
    new = 0
    for turn in found:
        if connection.execute("SELECT 1 FROM turns WHERE message_id = ? AND request_id = ?", turn[:2]).fetchone():
            continue
        seen = connection.execute(
            "SELECT input, cache_write, cache_read, output FROM imported_turns WHERE message_id = ? AND request_id = ?",
            turn[:2],
        ).fetchone()
        if seen is None:
            connection.execute(
                "INSERT INTO imported_turns (path, conversation, agent, message_id, request_id, at, model, side, input,"
                " cache_write, cache_read, output) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (path, conversation, agent, *turn),
            )
            new += 1
        elif tuple(seen) != turn[5:]:
            connection.execute(
                "UPDATE imported_turns SET input = ?, cache_write = ?, cache_read = ?, output = ?, cost_usd = NULL"
                " WHERE message_id = ? AND request_id = ?",
                (*turn[5:], *turn[:2]),
            )
    connection.execute("INSERT OR REPLACE INTO imports VALUES (?, ?)", (path, read_bytes))
    return new


# --- prices


def unpriced(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The programs and models of turns that have no price yet."""
    rows = connection.execute(
        "SELECT DISTINCT s.agent, t.model FROM (SELECT DISTINCT session_id, model FROM turns WHERE cost_usd IS NULL) t"
        " JOIN sessions s ON s.id = t.session_id"
        " UNION SELECT DISTINCT agent, model FROM imported_turns WHERE cost_usd IS NULL"
    )
    return [(str(agent), str(model)) for agent, model in rows]


def price(connection: sqlite3.Connection, agent: str, model: str, cost: Callable[[int, int, int, int], float]) -> None:
    """Give a price to their turns that have none; the caller holds the transaction.

    `cost` of input, cache write, cache read, output.
    """
    connection.create_function("cost_of", 4, cost, deterministic=True)
    spent = "SET cost_usd = cost_of(input, cache_write, cache_read, output) WHERE cost_usd IS NULL AND model = ?"
    theirs = "SELECT DISTINCT t.session_id FROM turns t JOIN sessions s ON s.id = t.session_id"
    found = connection.execute(f"{theirs} WHERE t.cost_usd IS NULL AND t.model = ? AND s.agent = ?", (model, agent))
    for (id,) in found.fetchall():
        connection.execute(f"UPDATE turns {spent} AND session_id = ?", (model, id))
        connection.execute(
            "UPDATE sessions SET cost_usd = (SELECT sum(cost_usd) FROM daily WHERE session_id = ?) WHERE id = ?",
            (id, id),
        )
    connection.execute(f"UPDATE imported_turns {spent} AND agent = ?", (model, agent))
