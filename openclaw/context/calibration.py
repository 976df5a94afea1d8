"""What an estimate is worth for a model, learned from what its API reported. Pure; kept as JSON by whoever calls.

A call's real input is an offset (system prompt and tools, which no history shows) and a factor times the estimate of
its messages. The factor is the model's, the offset the conversation's; both are medians, so that a call with a picture
in it, or one after a compaction that was not seen, does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import Any, NamedTuple

PAIRS = 120  # of one conversation are kept, and of them every other one goes when there are more
CONVERSATIONS = 20  # of one model, the latest
LEAST, MOST = 0.5, 3.0  # a factor beyond these was learned from something else
APART = 200  # tokens that two estimates must differ, to say something about the factor

Pair = tuple[int, int]  # (estimated tokens of the messages, tokens that the API counted for the call)


class Calibration(NamedTuple):
    """From estimated to real tokens."""

    offset: float = 0.0
    factor: float = 1.0
    pairs: int = 0

    def tokens(self, estimate: int) -> int:
        """What the API would count for messages of so many estimated tokens."""
        return round(self.offset + self.factor * estimate)


def learn(conversations: Sequence[Sequence[Pair]], own: Sequence[Pair] = (), default: float = 1.0) -> Calibration:
    """The calibration for a model from the pairs of its conversations; with `own`, for that conversation.

    `default` is the factor where no two pairs are far enough apart to tell it.
    """
    known = [list(pairs) for pairs in (*conversations, own) if pairs]
    if not known:
        return Calibration(0.0, default, 0)
    slopes = [slope for pairs in known for slope in _slopes(pairs)]
    factor = min(max(median(slopes), LEAST), MOST) if slopes else default
    mine = [list(own)] if own else known
    offset = median(median(real - factor * estimate for estimate, real in pairs) for pairs in mine)
    return Calibration(max(offset, 0.0), factor, sum(map(len, known)))


def _slopes(pairs: Sequence[Pair]) -> list[float]:
    step = max(1, len(pairs) // 60)  # all pairs of 60 are enough
    return [
        (b[1] - a[1]) / (b[0] - a[0]) for a, b in combinations(pairs[::step], 2) if abs(b[0] - a[0]) >= APART
    ]  # fmt: skip


class Book:
    """What was seen, by model and conversation."""

    def __init__(self, seen: Mapping[str, Mapping[str, Sequence[Pair]]] | None = None) -> None:
        self._seen: dict[str, dict[str, list[Pair]]] = {
            model: {id: list(pairs) for id, pairs in known.items()} for model, known in (seen or {}).items()
        }

    def add(self, model: str, conversation: str, estimate: int, real: int) -> None:
        """Remember one call; the oldest conversation of the model makes room for a new one."""
        known = self._seen.setdefault(model, {})
        pairs = known.pop(conversation, [])
        pairs.append((estimate, real))
        if len(pairs) > PAIRS:
            pairs = pairs[: PAIRS // 2 : 2] + pairs[PAIRS // 2 :]
        known[conversation] = pairs
        while len(known) > CONVERSATIONS:
            del known[next(iter(known))]

    def calibration(self, model: str, conversation: str = "", default: float = 1.0) -> Calibration:
        """For this model, and for this conversation as far as it is known."""
        known = self._seen.get(model, {})
        others = [pairs for id, pairs in known.items() if id != conversation]
        return learn(others, known.get(conversation, ()), default)

    def as_json(self) -> dict[str, Any]:
        return {model: {id: [list(pair) for pair in pairs] for id, pairs in known.items()}
                for model, known in self._seen.items()}  # fmt: skip

    @classmethod
    def from_json(cls, raw: Any) -> Book:
        """What `as_json` gave; anything else in it is left out."""
        book = cls()
        for model, known in raw.items() if isinstance(raw, Mapping) else ():
            for id, pairs in known.items() if isinstance(known, Mapping) else ():
                for pair in pairs if isinstance(pairs, list) else ():
                    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(n, int) for n in pair):
                        book.add(str(model), str(id), pair[0], pair[1])
        return book
