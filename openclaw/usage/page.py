"""`metrics --html`: what was used and paid on one page, from the same figures as everything else."""

from __future__ import annotations

from collections.abc import Sequence

from openclaw.store import figures
from openclaw.usage import cards, html
from openclaw.usage.cards import Spent
from openclaw.usage.metrics import View
from openclaw.usage.timeline import timeline
from openclaw.usage.words import dollars, percent, short

WEEK = 7  # days: a single one stands at its end
TITLE = "openclaw: what was used and paid"


def build(view: View, budgets: Sequence[Spent], now: str, baseline: str) -> str:
    """The page as of `now` (ISO 8601 UTC). Unavailable without the library that draws."""
    total, days = view.total(), view.sums("day")
    time = timeline([day for (day,), _ in days], now[:10], least=WEEK)
    shown = [
        cards.bounds(view), cards.cost(view, time), cards.turns(view, time), cards.cache(view, time),
        cards.compactions(view), cards.sessions(view), cards.tiers(view), cards.savings(view, baseline),
        cards.budgets(budgets), cards.jobs(view), cards.all_figures(view),
    ]  # fmt: skip
    tiles = [
        (dollars(total.cost_usd), "paid"),
        (short(total.tokens), "tokens"),
        (f"{total.turns:,}", "turns"),
        (f"{sum(count for *_, count in figures.outcomes(view.store, *view.period)):,}", "sub-agents"),
        (percent(total.cache_read, total.sent), "of the input from caches"),
    ]
    notes = [f"As of {now[:16].replace('T', ' ')}; days are in UTC."]
    if total.unpriced:
        notes.append(f"{total.unpriced:,} turns have no known price: their tokens count, and nothing is paid for them.")
    if strays := sum(sums.turns for (day,), sums in days if day not in time.at):
        notes.append(f"{strays:,} turns are dated on days that have not come or are none: no chart over time has them.")
    first, last = (view.period.since, view.period.until) if view.period.since else (min(time.at, default=""), now[:10])
    covered = f"{first} to {last}" if first else "There are no turns yet."
    return html.page(TITLE, covered, tiles, shown, " ".join(notes))
