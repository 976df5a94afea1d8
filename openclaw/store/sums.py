"""The triggers that keep the daily sums of the ledger: whatever changes a turn changes its day, in one transaction."""

from __future__ import annotations

SUMS = ("turns", "input", "cache_write", "cache_read", "output", "cost_usd", "unpriced")


def triggers(table: str, whose: str) -> str:
    """For a table of turns, one a line; `whose` are its expressions for session_id, conversation and agent."""
    made = []
    for event, sides in (("insert", ["new +"]), ("delete", ["old -"]), ("update", ["old -", "new +"])):
        body = " ".join(_add(whose, *side.split()) for side in sides)
        made.append(f"CREATE TRIGGER {table}_{event} AFTER {event} ON {table} BEGIN {body} END")
    return ";\n".join(made)


def _add(whose: str, row: str, sign: str) -> str:
    """Adds one row to its day, or takes it away."""
    key = ", ".join(part if part.startswith("'") else f"{row}.{part}" for part in whose.split(", "))
    counts = ", ".join(f"{sign}{row}.{name}" for name in SUMS[1:5])
    return (
        f"INSERT INTO daily VALUES (substr({row}.at, 1, 10), {key}, {row}.model, {row}.side, {sign}1, {counts},"
        f" {sign}coalesce({row}.cost_usd, 0), {sign}({row}.cost_usd IS NULL))"
        f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in SUMS)};"
    )
