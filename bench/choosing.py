"""A simulation of choosing models: regret of what we do beside greedy and plain evaporation, also when things change.

Each task is given to one of three models. What it costs is the model's price, and where the model fails, the price of
doing the task again on the dearest. Regret is what was paid beyond the model that is best on average at that time.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import NamedTuple

from openclaw.models import learning

FLOOR = 0.8
ROUNDS = 600
RUNS = 10


class World(NamedTuple):
    """Prices of the models, cheapest first, and their chances of success before and after the change."""

    name: str
    prices: tuple[float, ...]
    before: tuple[float, ...]
    after: tuple[float, ...]

    def chances(self, round: int) -> tuple[float, ...]:
        return self.before if round < ROUNDS // 2 else self.after


WORLDS = (
    World("nothing changes", (0.05, 0.2, 1.0), (0.55, 0.9, 0.97), (0.55, 0.9, 0.97)),
    World("the best one gets bad", (0.05, 0.2, 1.0), (0.93, 0.9, 0.97), (0.4, 0.9, 0.97)),
    World("a bad one gets good", (0.05, 0.2, 1.0), (0.4, 0.9, 0.97), (0.97, 0.9, 0.97)),
)
Chooser = Callable[[Sequence[tuple[int, bool]], random.Random], int]  # of the history, newest first


def ours(history: Sequence[tuple[int, bool]], chance: random.Random) -> int:
    """As the routing does it."""
    arms = [("local", str(i)) for i in range(3)]
    known = learning.count((arms[i], good) for i, good in history[:400])
    return int(learning.order(arms, known, FLOOR, chance)[0][1])


def greedy(history: Sequence[tuple[int, bool]], chance: random.Random) -> int:
    """The cheapest whose share of successes so far meets the floor; the best one if none does."""
    shares = []
    for arm in range(3):
        seen = [good for i, good in history if i == arm]
        shares.append(sum(seen) / len(seen) if seen else 1.0)
    return next((i for i, share in enumerate(shares) if share >= FLOOR), max(range(3), key=shares.__getitem__))


def evaporation(history: Sequence[tuple[int, bool]], chance: random.Random) -> int:
    """Pheromones as the ants have them: each success adds to a trail, all trails fade, trails are chosen by weight."""
    trails = [1.0, 1.0, 1.0]
    for arm, good in reversed(history[:200]):
        trails = [0.95 * trail for trail in trails]
        trails[arm] += good
    return chance.choices(range(3), [max(trail, 0.01) for trail in trails])[0]


def regret(world: World, choose: Chooser, seed: int) -> float:
    """What was paid beyond the best, over all rounds of one run."""
    chance, luck, lost = random.Random(seed), random.Random(seed + 1), 0.0
    history: list[tuple[int, bool]] = []
    for round in range(ROUNDS):
        arm = choose(history, chance)
        costs = [
            price + (1 - p) * max(world.prices) for price, p in zip(world.prices, world.chances(round), strict=True)
        ]
        lost += costs[arm] - min(costs)
        history.insert(0, (arm, luck.random() < world.chances(round)[arm]))
    return lost


def regrets(world: World, choose: Chooser) -> list[float]:
    """Of several runs, sorted."""
    return sorted(regret(world, choose, seed) for seed in range(RUNS))
