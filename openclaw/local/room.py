"""Room for the next request: the budget kept, and the conversation compacted before it outgrows its window."""

from __future__ import annotations

import os
from collections.abc import Callable

from openclaw.local import shrink
from openclaw.local.budget import TARGET, Budget, Halted
from openclaw.local.conversation import Conversation
from openclaw.local.place import Place
from openclaw.local.screen import Screen

WINDOW_SHARE = 0.8  # of the window: then the conversation is compacted, before a request fails
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
    ) -> None:
        self.conversation, self.budget, self.window = conversation, budget, window
        self.screen, self.place = screen, place
        self._warned = False
        self._overflows = 0

    def make(self) -> None:
        """Compact where it is due, warn where it soon will be. Halted: the budget is used up."""
        conversation, window = self.conversation, self.window()
        if conversation.context() >= window * WINDOW_SHARE:
            self.compact(round(window * TARGET), f"the window of {window:,} tokens is {WINDOW_SHARE:.0%} full")
        sent, level = conversation.sent(), self.budget.level(conversation.grown())
        if self.budget.level(sent) == "halt":
            raise Halted(self._halted(sent))
        if level in ("compact", "halt") and self.budget.limit:
            first = conversation.first or 0
            self.compact(first + round(self.budget.limit * TARGET), f"its budget is at {level}")
            if self.budget.level(conversation.grown()) == "halt":
                raise Halted(self._halted(conversation.grown()))
        elif level == "warn" and not self._warned:
            self._warned = True
            self.screen.line(f"80 % of its budget is used: {self.budget.shown(conversation.grown())}", "warn")

    def overflowed(self) -> bool:
        """The server says that it is too long: compact further; False when that has not helped."""
        self._overflows += 1
        if self._overflows > OVERFLOWS:
            return False
        return self.compact(self.conversation.context() // 2, "the server says it is too long")

    def answered(self) -> None:
        """A request went through."""
        self._overflows = 0

    def compact(self, target: int, why: str, keep: str = "") -> bool:
        """Make it `target` tokens; whether it became smaller. `keep` says what matters, in a person's words."""
        conversation, before = self.conversation, self.conversation.context()
        found = shrink.shrunk(conversation.messages, target, self.place, keep)
        if found is None:
            return False
        conversation.compact(found, why, before=before)
        self.screen.line(f"compacted, for {why}: {before:,} → {conversation.context():,} tokens", "warn")
        return True

    def _halted(self, tokens: int) -> str:
        """Save what a new session needs, and say how to go on."""
        path = os.path.join(os.path.dirname(self.conversation.path), "summary.md")
        shrink.save(path, shrink.summary(self.conversation.messages))
        self.conversation.note("halted", tokens=tokens, limit=self.budget.limit, summary=path)
        return (
            f"halted: its budget is used up ({self.budget.shown(tokens)}). Its state is saved; go on in a new session: "
            f"openclaw spawn --agent local --model {self.conversation.model} --inject {path} 'Go on with this task.'"
        )
