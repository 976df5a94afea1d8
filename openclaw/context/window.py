"""When a history is compacted: just in time before a call, and rarely. Pure; the clock's time is passed in.

A threshold below what is always kept would be crossed again at once, for ever: it is refused, with the arithmetic. And
whatever the reason, three attempts that gained nothing switch it off, with a message that says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from openclaw.context.policy import WINDOW, Policy
from openclaw.errors import BadInput, Refused
from openclaw.units import format_duration

Mode = Literal["off", "default", "aggressive"]
MODES = ("off", "default", "aggressive")
ATTEMPTS = 3  # without progress, then it is off
PROGRESS = 0.05  # of the tokens before, the least that counts as progress
ROOM = 0.05  # of the window, the least that must be free for new turns between two compactions


class Pruning(NamedTuple):
    """`contextPruning` of a configuration: `{mode, maxMessages, compactAfter}`; 0 is no limit."""

    mode: Mode = "off"
    max_messages: int = 0
    compact_after: int = 0  # exchanges


class Triggers(NamedTuple):
    """What makes a compaction due; 0 switches a trigger off."""

    window: int = WINDOW
    share: float = 0.8  # of the window
    tokens: int = 0  # of conversation since the last compaction; the seeds' is 15k
    minutes: float = 0  # since the last compaction; the seeds' is 30
    turns: int = 0  # since the last compaction; the seeds' is 20
    pruning: Pruning = Pruning()

    @property
    def threshold(self) -> int:
        """Tokens of a call at which it is due."""
        return int(self.window * self.share)


class Seen(NamedTuple):
    """How a conversation stands before a call."""

    tokens: int  # that the call would send, all in all
    conversation: int = 0  # of these, what was said since the last compaction
    turns: int = 0  # since then
    messages: int = 0  # in all
    exchanges: int = 0  # since then


def pruning(raw: Any, where: str = "contextPruning") -> Pruning:
    """Read the setting as the seeds write it. BadInput names what is wrong."""
    if not isinstance(raw, Mapping):
        raise BadInput(f"{where} must be a mapping", "write {mode: default, maxMessages: 20, compactAfter: 10}")
    if unknown := sorted(str(key) for key in raw if key not in ("mode", "maxMessages", "compactAfter")):
        raise BadInput(f"{where}: {unknown[0]!r} is not known", "it takes mode, maxMessages and compactAfter")
    mode = raw.get("mode", "default")
    if mode is False:  # YAML 1.1 reads `off` as false
        mode = "off"
    if mode not in MODES:
        raise BadInput(f"{where}: the mode {str(mode)[:40]!r} is not known", f"it is one of {', '.join(MODES)}")
    numbers = []
    for key in ("maxMessages", "compactAfter"):
        number = raw.get(key, 0)
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise BadInput(f"{where}: {key} must be a whole number of 0 or more", "0 is no limit")
        numbers.append(number)
    return Pruning(mode, *numbers)


class ContextWindow:
    """Decides for one conversation when it is compacted. `now` is in epoch seconds everywhere."""

    def __init__(self, triggers: Triggers, policy: Policy, now: float, fixed: int = 0) -> None:
        """`fixed` is what no compaction makes smaller: system prompt, tools, and the exchanges that are kept.

        Refused, with the arithmetic, when the threshold could only loop.
        """
        least = fixed + policy.state_least
        room = int(triggers.window * ROOM)
        if least + room > triggers.threshold:
            raise Refused(
                f"a threshold of {triggers.threshold} tokens would be crossed again at once: {fixed} are always kept, "
                f"{policy.state_least} are the least for a summary, {room} for new turns: {least + room} in all",
                "take a larger window or share, or keep fewer exchanges",
            )
        self.triggers, self.base = triggers, policy
        self.attempts = 0
        self.off = ""  # why it is switched off; empty while it is on
        self._since = now

    def due(self, seen: Seen, now: float) -> str:
        """Why the history should be compacted before this call; empty if it should not."""
        if self.off:
            return ""
        given, cut = self.triggers, self.triggers.pruning
        if seen.tokens >= given.threshold:
            return f"the call would take {seen.tokens} tokens, {given.share:.0%} of the window are {given.threshold}"
        if given.tokens and seen.conversation >= given.tokens:
            return f"{seen.conversation} tokens since the last compaction, {given.tokens} are allowed"
        if given.turns and seen.turns >= given.turns:
            return f"{seen.turns} turns since the last compaction, {given.turns} are allowed"
        if given.minutes and seen.turns and now - self._since >= given.minutes * 60:
            return f"{format_duration(now - self._since)} since the last compaction, {given.minutes:g} min are allowed"
        if cut.mode != "off" and cut.max_messages and seen.messages > cut.max_messages and seen.turns:
            return f"{seen.messages} messages, {cut.max_messages} are allowed"
        if cut.mode != "off" and cut.compact_after and seen.exchanges >= cut.compact_after:
            return f"{seen.exchanges} exchanges since the last compaction, {cut.compact_after} are allowed"
        return ""

    def policy(self) -> Policy:
        """How far to go: half the threshold, so that it is rarely done; all the way where pruning is aggressive."""
        cut, found = self.triggers.pruning, self.base
        if cut.mode != "off" and cut.max_messages:
            # a round has two messages at least, and beside the tail stand a system prompt, the user's words and a state
            found = found._replace(keep_last=min(found.keep_last, max(1, cut.max_messages // 6)))
        if cut.mode == "aggressive":
            return found._replace(target=0)
        return found if found.target else found._replace(target=self.triggers.threshold // 2)

    def compacted(self, before: int, after: int, now: float) -> str:
        """Note what an attempt gained, in tokens of the call; a message if compaction is now switched off."""
        self._since = now
        if before - after >= PROGRESS * before and after < self.triggers.threshold:
            self.attempts = 0
            return ""
        self.attempts += 1
        if self.attempts >= ATTEMPTS:
            self.off = (
                f"compaction is off: {ATTEMPTS} attempts gained nothing (the last {before} → {after} tokens); "
                "go on in a new session, or keep fewer exchanges"
            )
        return self.off
