"""How a history is compacted: the numbers, in tokens, messages and exchanges. Pure."""

from __future__ import annotations

from typing import NamedTuple

WINDOW = 200_000


class Policy(NamedTuple):
    """What may be kept. Without a target everything but what is always kept is summarised."""

    target: int = 0  # tokens; 0: as small as it gets
    keep_last: int = 10  # exchanges that stay as they are
    large: int = 5_000  # tokens of a tool's result that is stored by reference
    share: float = 0.0295  # of what it stands for, the most that a state may take
    state_least: int = 400  # tokens of a state, however short the history
    state_most: int = 8_000
