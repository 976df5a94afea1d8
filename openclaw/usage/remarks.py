"""What people must know beside the figures: a line for each thing that is wrong with what they are made from."""

from __future__ import annotations

from openclaw.store import figures, ledger, odd
from openclaw.usage.metrics import View, period

NAMED = 3  # models or files that are named


def remarks(view: View, now: float) -> list[str]:
    """`now` in epoch seconds."""
    found = []
    if count := figures.misdated(view.store, period(now + 86400, "day").until):
        found.append(f"{count} turns are dated on days that have not come or that are none: a clock has jumped")
    if count := view.total().unpriced:
        models = list(dict.fromkeys(model or "no name" for _, model in ledger.unpriced(view.store)))
        named = ", ".join(models[:NAMED]) + (" and others" if len(models) > NAMED else "")
        found.append(f"{count} turns have no known price ({named}): give their models one in models.yaml")
    files = odd.between(view.store, *view.period)
    for each in files[:NAMED]:
        rows = "a row" if each.rows == 1 else f"{each.rows} rows"
        found.append(f"{each.path}: {rows} that can't be ({each.what}): that part counts for nothing")
    if len(files) > NAMED:
        found.append(f"so have {len(files) - NAMED} more files")
    return found
