"""The limits of subscriptions (five-hour, weekly), as programs report them: which hold now, and which is the wall."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from openclaw.errors import Refused
from openclaw.store import quotas
from openclaw.units import format_duration, utc

FIVE_HOURS = 18_000
UNTOLD_SECONDS = 900.0  # how long a limit holds of which nobody said when it resets


class Quota(NamedTuple):
    """What a program said last of one limit. Percent; epoch seconds; `seconds` long is its window."""

    agent: str
    kind: str
    percent: float
    resets_at: float
    seconds: int
    seen_at: float

    @property
    def frees_at(self) -> float:
        return self.resets_at or self.seen_at + UNTOLD_SECONDS

    def known(self, now: float) -> bool:
        """Whether it says anything of now: a report whose window has ended, or can't have begun, says nothing."""
        return now < self.frees_at <= now + self.seconds + 3600  # an hour: clocks differ

    def holds(self, model: str) -> bool:
        """Whether it is a limit of this model: one of another family is not."""
        own = self.kind.removeprefix("weekly-")
        return own == self.kind or own in re.split(r"[-/:. ]", model.lower())

    def as_json(self, now: float) -> dict[str, Any]:
        return {
            "agent": self.agent, "limit": self.kind, "percent": self.percent if self.known(now) else None,
            "resets_at": utc(self.resets_at) if self.resets_at else None, "seen_at": utc(self.seen_at),
        }  # fmt: skip


class AtLimit(Refused):
    """A program stands at a limit of its subscription until `until` (epoch seconds); nothing was started."""

    code = "quota"

    def __init__(self, message: str, hint: str, until: float) -> None:
        super().__init__(message, hint)
        self.until = until


def every(connection: sqlite3.Connection, agent: str = "") -> list[Quota]:
    """All that programs have reported, or one of them; also what has passed."""
    return [Quota(*row) for row in quotas.of(connection, agent)]


def wall(
    found: Sequence[Quota], model: str, now: float, pause: float, hold: float = 0.0, unseen: Sequence[float] = (),
    more: int = 1,
) -> Quota | None:
    """The limit at which `more` sub-agents with this model can't be started: the one that resets last.

    Percent: from `pause` on nothing is started; each sub-agent that was started since the report (`unseen`: when) is
    counted with `hold` of five hours, for what it uses is not in the report.
    """
    if not pause:
        return None
    blocking = []
    for quota in found:
        if quota.known(now) and quota.holds(model):
            after = sum(at > quota.seen_at for at in unseen) + more - 1
            if quota.percent + after * hold * FIVE_HOURS / quota.seconds >= pause:
                blocking.append(quota)
    return max(blocking, key=lambda quota: quota.frees_at, default=None)


def refusal(quota: Quota, now: float, pause: float) -> AtLimit:
    """Why nothing is started, and when it can be again."""
    resets = f"it resets at {utc(quota.resets_at)}, in {format_duration(quota.resets_at - now)}"
    counted = "" if quota.percent >= pause else ", beside what was started since"
    return AtLimit(
        f"{quota.agent} is at {quota.percent:.0f}% of its {quota.kind} limit{counted}, and from {pause:.0f}% on"
        f" nothing is started: {resets if quota.resets_at else 'nobody said when it resets'}",
        "--queue waits for that; or name another --agent; quotas.pause says where it pauses (0: never)",
        quota.frees_at,
    )
