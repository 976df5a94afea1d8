"""Whether one model may take over from another, by pairs of work that both have done. Pure.

The four ways in which a pair can end have a Dirichlet posterior. What counts is how likely it is, by that, that the one
that is tried succeeds at most `margin` less often than the other. Ties teach too: they bound how often the two differ.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import NamedTuple

SURE = 0.95  # how likely that has to be
DRAWS = 20_000  # from the posterior, with always the same ones: the same pairs give the same figure, to about 0.002


class Tally(NamedTuple):
    """Pairs by who did well."""

    both: int = 0
    only_a: int = 0
    only_b: int = 0
    neither: int = 0

    @property
    def n(self) -> int:
        return sum(self)

    @property
    def good_a(self) -> int:
        return self.both + self.only_a

    @property
    def good_b(self) -> int:
        return self.both + self.only_b


class Finding(NamedTuple):
    """`word` is yes, no or open; `chance` that A is not worse by more than the margin."""

    word: str
    chance: float
    said: str


def tally(pairs: Iterable[tuple[bool, bool]]) -> Tally:
    """From pairs (A did well, B did well)."""
    found = list(pairs)
    return Tally(*(found.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))))


def chance(known: Tally, margin: float) -> float:
    """How likely it is that A succeeds at most `margin` (0 to 1) less often than B. Before any pair all is alike."""
    draws, hits = random.Random(1), 0
    same = 1.0 + known.both + known.neither
    for _ in range(DRAWS):
        a, b = draws.gammavariate(0.5 + known.only_a, 1.0), draws.gammavariate(0.5 + known.only_b, 1.0)
        hits += a - b >= -margin * (a + b + draws.gammavariate(same, 1.0))
    return hits / DRAWS


def judge(known: Tally, margin: float, wanted: int, floor: float) -> Finding:
    """Whether A may take over. Yes: after `wanted` pairs at least, it is sure by SURE that A is not worse by more than
    the margin, and A does well as often as the routing asks (`floor`, 0 to 1)."""
    likely = chance(known, margin)
    if known.n < wanted:
        return Finding("open", likely, f"not enough yet: {known.n} of {wanted}")
    if likely <= 1 - SURE:
        return Finding("no", likely, "no: it is worse")
    if likely < SURE:
        return Finding("open", likely, f"not sure yet: {likely:.0%} of {SURE:.0%}")
    if known.good_a < floor * known.n:
        return Finding("no", likely, f"no: as bad as the other, {floor:.0%} are wanted")
    return Finding("yes", likely, "may take over")
