"""What the monitor has seen and done, step by step: in the rows of crossings, and for whoever reads along."""

from __future__ import annotations

from openclaw.context.levels import Thresholds
from openclaw.continuity.brakes import SPENT
from openclaw.continuity.gauges import Gauge
from openclaw.sessions.fleet import Fleet
from openclaw.store import crossings, db
from openclaw.store.crossings import Crossing
from openclaw.units import from_utc


class Journal:
    """`happened` is for people: what was not so before, by who."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.happened: list[tuple[str, str]] = []

    def open(self) -> list[Crossing]:
        """The crossings that are not over, oldest first."""
        return crossings.pending(self.fleet.store)

    def to(self, crossing: Crossing, state: str, **columns: object) -> None:
        """How far one has come; the caller holds the transaction."""
        crossings.change(self.fleet.store, crossing.number, self.fleet.now(), state, **columns)

    def note(self, crossing: Crossing, state: str, **columns: object) -> None:
        """The same, in a transaction of its own: written down before the next step is begun."""
        with db.transaction(self.fleet.store):
            self.to(crossing, state, **columns)

    def clear(self, crossing: Crossing) -> None:
        """It is over."""
        with db.transaction(self.fleet.store):
            crossings.clear(self.fleet.store, crossing.number, self.fleet.now())

    def give_up(self, crossing: Crossing, why: str) -> None:
        """Nothing more is tried about it."""
        self.note(crossing, "given-up", why=why)
        self.say(crossing.who, why)

    def for_seconds(self, crossing: Crossing) -> float:
        """How long it is in its state."""
        return self.fleet.clock() - from_utc(crossing.changed_at)

    def say(self, who: str, what: str) -> None:
        self.happened.append((who, what))


def share_of(each: Gauge, threshold: str, at: Thresholds) -> tuple[float | None, int]:
    """How full it is, counted as this threshold has to be, and the threshold, both in percent."""
    if threshold == SPENT:
        return None, 100  # of a budget that is not its own
    percent = int(getattr(at, threshold.replace("-", "_")))
    if not threshold.startswith("budget"):
        return each.fill.share(percent), percent
    known = each.budget and each.fill.conversation is not None
    return (100 * (each.fill.conversation or 0) / (each.budget or 1) if known else None), percent


def called(threshold: str, at: Thresholds) -> str:
    percent = getattr(at, threshold.replace("-", "_"))
    return f"{percent} % of its {'budget' if threshold.startswith('budget') else 'context'}"


def reason_of(threshold: str, at: Thresholds) -> str:
    """Of the snapshot: context-70, budget-100."""
    if threshold == SPENT:
        return "budget-100"
    percent = getattr(at, threshold.replace("-", "_"))
    return f"{'budget' if threshold.startswith('budget') else 'context'}-{percent}"
