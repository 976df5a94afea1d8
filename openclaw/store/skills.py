"""The skill_invocations table: when a skill was used in a conversation, until when it worked, and what that used.

A skill works until the next prompt of a person, or until another is called; the turns between are its.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

from openclaw.store.ledger import Sums

_TOKENS = "sum(input + cache_write + cache_read + output)"
_WITHIN = "t.at > i.created_at AND t.at < coalesce(i.ended_at, '~')"


class Mark(NamedTuple):
    """A skill was called, or with no name: a person has said something. `call_id` is unique in its conversation."""

    at: str
    name: str = ""
    call_id: str = ""


def take(connection: sqlite3.Connection, session_id: str | None, path: str, marks: Iterable[Mark]) -> None:
    """Record what was read of a conversation, and what its skills have used by now. After its turns, in their
    transaction; reading a part again changes nothing."""
    for mark in sorted(marks):
        connection.execute(
            "UPDATE skill_invocations SET ended_at = ? WHERE path = ? AND call_id NOT IN ('', ?) AND ended_at IS NULL"
            " AND created_at < ?",
            (mark.at, path, mark.call_id, mark.at),
        )
        if mark.name:
            connection.execute(
                "INSERT OR IGNORE INTO skill_invocations (created_at, session_id, skill_name, tokens_used, path,"
                " call_id) VALUES (?, ?, ?, 0, ?, ?)",
                (mark.at, session_id, mark.name, path, mark.call_id),
            )
    table = "imported_turns t WHERE" if session_id is None else "turns t WHERE t.session_id = i.session_id AND"
    connection.execute(
        f"UPDATE skill_invocations AS i SET tokens_used = coalesce((SELECT {_TOKENS} FROM {table} t.path = i.path"
        f" AND {_WITHIN}), 0) WHERE i.path = ? AND i.call_id != ''",
        (path,),
    )


def open_in(connection: sqlite3.Connection, path: str) -> bool:
    """Whether a skill is at work in a conversation."""
    query = "SELECT 1 FROM skill_invocations WHERE path = ? AND call_id != '' AND ended_at IS NULL"
    return connection.execute(query, (path,)).fetchone() is not None


def sums(connection: sqlite3.Connection, since: str, until: str) -> list[tuple[str, Sums]]:
    """What each skill has used on these days, by name."""
    counts = "input, cache_write, cache_read, output, cost_usd"
    parts = (
        f"SELECT i.skill_name AS name, {counts} FROM skill_invocations i JOIN turns t ON t.session_id = i.session_id"
        f" AND t.path = i.path AND {_WITHIN} WHERE substr(t.at, 1, 10) BETWEEN :since AND :until",
        f"SELECT i.skill_name, {counts} FROM skill_invocations i JOIN imported_turns t ON t.path = i.path AND {_WITHIN}"
        " WHERE i.session_id IS NULL AND substr(t.at, 1, 10) BETWEEN :since AND :until",
    )
    rows = connection.execute(
        "SELECT name, count(*), sum(input), sum(cache_write), sum(cache_read), sum(output),"
        f" coalesce(sum(cost_usd), 0), sum(cost_usd IS NULL) FROM ({' UNION ALL '.join(parts)}) GROUP BY name"
        " ORDER BY name",
        {"since": since, "until": until},
    )
    return [(str(row[0]), Sums(*row[1:])) for row in rows]
