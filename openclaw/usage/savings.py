"""What was paid, beside what the very same turns would have cost on one named model."""

from __future__ import annotations

from typing import Any, NamedTuple

from openclaw.errors import BadInput
from openclaw.models.catalogue import Catalogue
from openclaw.usage.metrics import View


class Savings(NamedTuple):
    """In dollars. Retries and fallbacks are turns like others. `unpriced`: turns whose own price nobody knows, so that
    neither side has them. `flat_usd_per_month`: what the subscriptions in use cost beside that, whatever was used."""

    baseline: str
    turns: int
    tokens: int
    paid_usd: float
    baseline_usd: float
    saved_usd: float
    saved_percent: float | None
    unpriced: int
    flat_usd_per_month: float

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


def savings(view: View, known: Catalogue, baseline: str) -> Savings:
    """BadInput when the baseline has no price, NotFound when there is no such model."""
    model = known.find(baseline)
    price = model.price if model else known.used(known.get(baseline).name).price
    if price is None:
        raise BadInput(f"nobody knows what {baseline[:60]} costs", "give it a price in models.yaml, or name another")
    paid = would = 0.0
    turns = tokens = unpriced = 0
    for _, sums in view.sums("model", "agent"):
        turns, tokens, unpriced = turns + sums.turns, tokens + sums.tokens, unpriced + sums.unpriced
        if sums.unpriced == sums.turns:
            continue
        paid += sums.cost_usd
        share = 1 - sums.unpriced / sums.turns  # mostly all or none: a price comes for all turns of a model at once
        would += share * price.cost(sums.input, sums.cache_write, sums.cache_read, sums.output)
    saved = would - paid
    flat = sum(known.subscriptions[name].usd_per_month for name in known.active)
    percent = round(100 * saved / would, 1) if would else None
    return Savings(baseline, turns, tokens, round(paid, 6), round(would, 6), round(saved, 6), percent, unpriced, flat)
