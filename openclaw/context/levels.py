"""How full a context is: percent, level, and thresholds that could only loop. Pure.

A window holds a fixed prefix (what the first call sent: system prompt, tools, the task) and the conversation after it.
Where the prefix alone would pass a threshold, what counts is the conversation's share of what the prefix leaves.
"""

from __future__ import annotations

from typing import NamedTuple

from openclaw.errors import BadInput
from openclaw.settings import Settings

HYSTERESIS = 5  # points: so far below a threshold it must fall before it can be crossed again
LEVELS = ("ok", "warn", "critical", "unknown")


class Thresholds(NamedTuple):
    """Percents. `leaves`: the tokens of conversation that a compaction is expected to leave."""

    warn: int = 70
    compact: int = 85
    budget_warn: int = 80
    budget_compact: int = 90
    budget_halt: int = 100
    leaves: int = 5000


def thresholds(settings: Settings) -> Thresholds:
    """As they are set. BadInput for percents that make no order."""
    found = Thresholds(
        settings.get("context.warn"),
        settings.get("context.compact"),
        settings.get("budget.warn"),
        settings.get("budget.compact"),
        settings.get("budget.halt"),
        settings.get("context.leaves"),
    )
    for names in (("context.warn", "context.compact"), ("budget.warn", "budget.compact", "budget.halt")):
        percents = [settings.get(name) for name in names]
        if percents != sorted(set(percents)) or not percents[0] or (percents[-1] > 100 and names[0] == "context.warn"):
            said = ", ".join(f"{name} {percent}" for name, percent in zip(names, percents, strict=True))
            raise BadInput(f"{said}: each must be more than the one before", "percents, as 70 and 85", "bad_config")
    return found


class Fill(NamedTuple):
    """What is known of one context, in tokens. None: nobody knows."""

    tokens: int | None
    conversation: int | None
    limit: int | None

    @property
    def prefix(self) -> int:
        """What the first call sent."""
        return max(0, (self.tokens or 0) - (self.conversation or 0))

    def share(self, threshold: int) -> float | None:
        """Percent, counted as this threshold has to be."""
        if self.tokens is None or not self.limit:
            return None
        if self.conversation is not None and threshold * self.limit <= 100 * self.prefix < 100 * self.limit:
            return 100 * self.conversation / (self.limit - self.prefix)
        return 100 * self.tokens / self.limit

    def after(self, conversation: int) -> Fill:
        """With a conversation of so many tokens."""
        return Fill(self.prefix + conversation, conversation, self.limit)


def level(fill: Fill, at: Thresholds) -> str:
    """ok, warn, critical or unknown."""
    shares = [(fill.share(at.compact), at.compact, "critical"), (fill.share(at.warn), at.warn, "warn")]
    if shares[0][0] is None:
        return "unknown"
    return next((name for share, threshold, name in shares if share is not None and share >= threshold), "ok")


def loops(fill: Fill, threshold: int, leaves: int) -> str:
    """Why compacting at this threshold would only be done again and again, with the arithmetic; empty if it helps."""
    share = fill.after(leaves).share(threshold)
    if share is None or share < threshold or not fill.limit:
        return ""
    rest = fill.prefix + leaves
    if 100 * fill.prefix >= threshold * fill.limit:
        left = fill.limit - fill.prefix
        return (
            f"compacting at {threshold} % can't help: of {fill.limit} tokens the fixed prefix takes {fill.prefix}, and"
            f" the about {leaves} that a compaction leaves are {share:.0f} % of the remaining {left}"
        )
    return (
        f"compacting at {threshold} % of {fill.limit} tokens = {threshold * fill.limit // 100} can't help: the fixed"
        f" prefix of {fill.prefix} and the about {leaves} that a compaction leaves are {rest}"
    )


def budget_loops(budget: int, threshold: int, leaves: int) -> str:
    """The same for a budget of conversation tokens."""
    if 100 * leaves < threshold * budget:
        return ""
    return (
        f"compacting at {threshold} % of a budget of {budget} tokens = {threshold * budget // 100} can't help:"
        f" a compaction leaves about {leaves}"
    )
