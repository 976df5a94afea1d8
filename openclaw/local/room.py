"""Room for the next request: the budget kept, and the conversation compacted before it outgrows its window."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from openclaw.context.history import Message
from openclaw.context.policy import Policy
from openclaw.context.window import ContextWindow, Triggers
from openclaw.local import aside, shrink
from openclaw.local.budget import TARGET, Budget, Halted
from openclaw.local.conversation import Conversation
from openclaw.local.place import Place
from openclaw.local.screen import Screen
from openclaw.whole import put

OVERFLOWS = 3  # compactions in a row because the server said that it is too long


class Summarizer(Protocol):
    """Who writes what stands for older messages; `notes` says, for people, what became of it."""

    notes: list[str]

    def __call__(self, messages: Sequence[Message], earlier: str, tokens: int) -> str | None: ...


class Room:
    """Looks at a conversation before each request. `clock` gives epoch seconds."""

    def __init__(
        self,
        conversation: Conversation,
        budget: Budget,
        triggers: Triggers,
        screen: Screen,
        place: Place,
        summarizer: Callable[[str], Summarizer | None] = lambda wish: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.conversation, self.budget, self.triggers = conversation, budget, triggers
        self.screen, self.place, self._clock = screen, place, clock
        self.summarizer = summarizer
        self._warned = False
        self._overflows = 0
        self._window: ContextWindow | None = None

    def use(self, window: int) -> None:
        """From now on there is a window of so many tokens. Refused where compactions could only loop in it."""
        triggers = self.triggers._replace(window=window)
        self._window = ContextWindow(triggers, Policy(), self._clock(), self.conversation.fixed())

    def too_small(self, window: int) -> str:
        """Why a window of so many tokens could not take the conversation as it is; empty when it could."""
        tokens, most = self.conversation.context(), self.triggers._replace(window=window).threshold
        if tokens < most:
            return ""
        return f"its window of {window:,} tokens is too small for the {tokens:,} of the conversation"

    async def make(self) -> None:
        """Compact where it is due, warn where it soon will be. Halted: the budget is used up."""
        conversation, window = self.conversation, self._window
        assert window is not None
        if self.budget.level(conversation.sent()) == "halt":
            raise Halted(self._halted(conversation.sent()))
        if why := window.due(conversation.seen(), self._clock()):
            before, policy = conversation.context(), window.policy()
            full = before >= window.triggers.threshold  # else it has room, and what was asked for is a smaller one
            await self.compact(
                (policy.target or window.triggers.threshold // 2) if full else None, why, keep_last=policy.keep_last
            )
            if problem := window.compacted(before, conversation.context(), self._clock()):
                self.screen.line(problem, "error")
        level = self.budget.level(conversation.grown())
        if level in ("compact", "halt") and self.budget.limit:
            why = f"its budget: {self.budget.shown(conversation.grown())}"
            await self.compact((conversation.first or 0) + round(self.budget.limit * TARGET), why)
            if self.budget.level(conversation.grown()) == "halt":
                raise Halted(self._halted(conversation.grown()))
        elif level == "warn" and not self._warned:
            self._warned = True
            self.screen.line(f"80 % of its budget is used: {self.budget.shown(conversation.grown())}", "warn")

    async def overflowed(self) -> bool:
        """The server says that it is too long: compact further; False when that has not helped."""
        self._overflows += 1
        most = self._window.triggers.window if self._window else self.conversation.context()
        target = min(self.conversation.context(), most) // 2**self._overflows
        return self._overflows <= OVERFLOWS and await self.compact(target, "the server says it is too long")

    def answered(self) -> None:
        """A request went through."""
        self._overflows = 0

    async def compact(self, target: int | None, why: str, wish: str = "", keep_last: int = shrink.KEPT[0]) -> bool:
        """Make it `target` tokens, None: as few as it gets; whether it became smaller. `wish` says what matters, in a
        person's words. A model that summarises is asked beside the window, which stays alive."""
        conversation, before = self.conversation, self.conversation.context()
        aim = None if target is None else conversation.estimated(target)
        given = list(conversation.messages), aim, self.place, wish, conversation.path, keep_last
        if summarizer := self.summarizer(wish):
            self.screen.status("summarising")
            found = await aside.call(lambda: shrink.shrunk(*given, summarizer))
            for note in summarizer.notes if not found or found.fits else ["its summary would have been too long"]:
                self.screen.line(note)
        else:
            found = shrink.shrunk(*given)
        if found is None:
            return False
        conversation.compact(found.messages, why, before=before, done=found.done)
        self.screen.line(f"compacted, for {why}: {before:,} → {conversation.context():,} tokens; {found.done}", "warn")
        return True

    def _halted(self, tokens: int) -> str:
        """Save what a new session needs, and say how to go on."""
        path = os.path.join(os.path.dirname(self.conversation.path), "summary.md")
        put(path, shrink.summary(self.conversation.messages, self.conversation.path).encode("utf-8", "replace"))
        self.conversation.note("halted", tokens=tokens, limit=self.budget.limit, summary=path)
        return (
            f"halted: its budget is used up ({self.budget.shown(tokens)}). Its state is saved; go on in a new session: "
            f"openclaw spawn --agent local --model {self.conversation.model} --inject {path} 'Go on with this task.'"
        )
