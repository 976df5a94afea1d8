"""Room for the next request: the budget kept, and the conversation compacted before it outgrows its window."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from openclaw.local import aside, shrink
from openclaw.local.budget import TARGET, Budget, Halted
from openclaw.local.conversation import Conversation
from openclaw.local.place import Place
from openclaw.local.screen import Screen

if TYPE_CHECKING:
    from openclaw.roles.summarize import Summarizer

WINDOW_SHARE = 0.8  # of the window: then the conversation is compacted, before a request fails
PROGRESS = 0.05  # a compaction that saves less than this share has changed next to nothing
FUTILE = 3
OVERFLOWS = 3  # compactions in a row because the server said that it is too long


class Room:
    """Looks at a conversation before each request."""

    def __init__(
        self,
        conversation: Conversation,
        budget: Budget,
        window: Callable[[], int],
        screen: Screen,
        place: Place,
        summarizer: Callable[[str], Summarizer | None] = lambda wish: None,
    ) -> None:
        self.conversation, self.budget, self.window = conversation, budget, window
        self.screen, self.place, self.summarizer = screen, place, summarizer
        self._warned = False
        self._overflows = self._futile = 0
        self._off = False

    async def make(self) -> None:
        """Compact where it is due, warn where it soon will be. Halted: the budget is used up."""
        conversation, window = self.conversation, self.window()
        if conversation.context() >= window * WINDOW_SHARE and not self._off:
            before = conversation.context()
            await self.compact(round(window * TARGET), f"the window of {window:,} tokens is {before / window:.0%} full")
            self._judge(conversation.context() < before * (1 - PROGRESS))
        if self.budget.level(conversation.sent()) == "halt":
            raise Halted(self._halted(conversation.sent()))
        level = self.budget.level(conversation.grown())
        if level in ("compact", "halt") and self.budget.limit:
            first = conversation.first or 0
            await self.compact(
                first + round(self.budget.limit * TARGET), f"its budget, {self.budget.shown(conversation.grown())}"
            )
            if self.budget.level(conversation.grown()) == "halt":
                raise Halted(self._halted(conversation.grown()))
        elif level == "warn" and not self._warned:
            self._warned = True
            self.screen.line(f"80 % of its budget is used: {self.budget.shown(conversation.grown())}", "warn")

    async def overflowed(self) -> bool:
        """The server says that it is too long: compact further; False when that has not helped."""
        self._overflows += 1
        target = min(self.conversation.context(), self.window()) // 2**self._overflows
        return self._overflows <= OVERFLOWS and await self.compact(target, "the server says it is too long")

    def answered(self) -> None:
        """A request went through."""
        self._overflows = 0

    async def compact(self, target: int | None, why: str, wish: str = "") -> bool:
        """Make it `target` tokens, None: as few as it gets; whether it became smaller. `wish` says what matters, in a
        person's words. A model that summarises is asked beside the window, which stays alive."""
        conversation, before = self.conversation, self.conversation.context()
        aim = None if target is None else conversation.estimated(target)
        given = list(conversation.messages), aim, self.place, wish, conversation.path
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

    def _judge(self, progress: bool) -> None:
        """After so many attempts that changed next to nothing no more are made, until a person does something."""
        self._futile = 0 if progress else self._futile + 1
        if self._futile >= FUTILE:
            self._off = True
            self.screen.line(
                f"compacting is off: {FUTILE} attempts changed next to nothing. What is always kept fills the window: "
                "begin a new conversation, or take a model with a larger window (/model)",
                "error",
            )

    def _halted(self, tokens: int) -> str:
        """Save what a new session needs, and say how to go on."""
        path = os.path.join(os.path.dirname(self.conversation.path), "summary.md")
        shrink.save(path, shrink.summary(self.conversation.messages, self.conversation.path))
        self.conversation.note("halted", tokens=tokens, limit=self.budget.limit, summary=path)
        return (
            f"halted: its budget is used up ({self.budget.shown(tokens)}). Its state is saved; go on in a new session: "
            f"openclaw spawn --agent local --model {self.conversation.model} --inject {path} 'Go on with this task.'"
        )
