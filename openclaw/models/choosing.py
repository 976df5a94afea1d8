"""The routing as a whole, for whoever names no model: the rules, what can be used now, and what was learned."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Collection

from openclaw.agents import registry
from openclaw.models import catalogue, learning, rules
from openclaw.models.route import Choice, Learned, Step, route
from openclaw.models.rules import Judged
from openclaw.settings import Settings
from openclaw.store import outcomes


def choose(
    settings: Settings,
    store: sqlite3.Connection | None,
    text: str,
    kind: str = "",
    only: Collection[str] = (),
    tokens: int = 0,
    seed: str = "",
) -> Choice:
    """Which model a task is given to, the same one with the same `seed`. `kind` is one of routing.yaml, or empty where
    the text says it; `only` these programs; without a `store` nothing was learned."""
    judged = rules.judge(rules.load(settings), text, kind)
    learned = from_outcomes(store, seed) if store else None
    known, agents = catalogue.load(settings), registry.load(settings)
    return route(judged, known, agents, settings, only=only, tokens=tokens, learned=learned)


def from_outcomes(store: sqlite3.Connection, seed: str) -> Learned:
    """What puts models into the order in which they are tried, by the outcomes that are known."""
    chance = random.Random(seed or None)

    def learned(judged: Judged, steps: list[Step]) -> tuple[list[Step], float]:
        found = outcomes.newest(store, judged.kind.name) if steps else []
        known = learning.count(((o.agent, o.model), o.good) for o in found)
        if not known:
            return steps, 1.0
        by_arm = {(step.agent, step.model): step for step in steps}
        ordered = learning.order(list(by_arm), known, judged.chance, chance)
        probability = learning.probability(ordered[0], list(by_arm), known, judged.chance, chance)
        return [by_arm[arm]._replace(success=known[arm].mean if arm in known else None) for arm in ordered], probability

    return learned
