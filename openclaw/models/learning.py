"""What is learned from outcomes: how likely each model is to succeed at each kind of task, and whom to try next.

Thompson sampling over discounted Beta counts. A kind's older outcomes count less with each newer one, so that what a
model was good at long ago is forgotten, and one that has not been tried for long gets its chance again.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

GAMMA = 0.98  # what an outcome still counts after one newer of its kind
PRIOR_GOOD, PRIOR_BAD = 2.7, 0.3  # before anything is known: what the rules call good enough mostly is
DRAWS = 200  # for the probability of a choice


class Counts(NamedTuple):
    """Discounted successes and failures of one model, and how many outcomes they are from."""

    good: float = 0.0
    bad: float = 0.0
    n: int = 0

    @property
    def mean(self) -> float:
        """How likely it is to succeed."""
        return (PRIOR_GOOD + self.good) / (PRIOR_GOOD + PRIOR_BAD + self.good + self.bad)

    def draw(self, chance: random.Random) -> float:
        """A guess at that, the wilder the less is known; before the first outcome it is given the benefit."""
        return chance.betavariate(PRIOR_GOOD + self.good, PRIOR_BAD + self.bad) if self.n else self.mean


Arm = tuple[str, str]  # program, model


def count(outcomes: Iterable[tuple[Arm, bool]]) -> dict[Arm, Counts]:
    """Counts of one kind from its outcomes, newest first."""
    weight, found = 1.0, dict[Arm, Counts]()
    for arm, good in outcomes:
        known = found.get(arm, Counts())
        found[arm] = Counts(known.good + weight * good, known.bad + weight * (not good), known.n + 1)
        weight *= GAMMA
    return found


def order(arms: Sequence[Arm], known: Mapping[Arm, Counts], floor: float, chance: random.Random) -> list[Arm]:
    """The arms, given cheapest first, in the order in which to try them: those whose drawn chance of success meets the
    floor, still cheapest first; then the others, the likeliest first."""
    drawn = {arm: known.get(arm, Counts()).draw(chance) for arm in arms}
    meeting = [arm for arm in arms if drawn[arm] >= floor]
    return meeting + sorted((arm for arm in arms if drawn[arm] < floor), key=lambda arm: -drawn[arm])


def probability(
    first: Arm, arms: Sequence[Arm], known: Mapping[Arm, Counts], floor: float, chance: random.Random
) -> float:
    """How likely `first` was to be the first of `order`."""
    if not any(arm in known for arm in arms):
        return 1.0
    return sum(order(arms, known, floor, chance)[0] == first for _ in range(DRAWS)) / DRAWS
