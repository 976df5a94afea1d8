"""Compaction: a ladder, each step only if the one before did not suffice. Pure but for what is passed in.

1 `store`: results over a size are stored, with a digest in their place. 2 `mask`: old results are left out.
3 `summarise`: the oldest exchanges become a state, simple ones are dropped. 4 `reset`: all but the tail does. System
prompts, what the user said, decisions and the last exchanges are never changed by any of them, and pairs are whole
before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from openclaw.context import marks
from openclaw.context.history import Message, Part, Result, Text
from openclaw.context.ledger.facts import gather, in_play
from openclaw.context.ledger.text import written
from openclaw.context.parting import parted, state_of
from openclaw.context.policy import Policy
from openclaw.context.repair import Repaired, repaired
from openclaw.context.units import Unit, tail_start, units
from openclaw.context.weight import Count, said, tokens

Store = Callable[[str], str]  # keeps a result somewhere and returns by what it is found again
Summarize = Callable[[Sequence[Message], str, int], str | None]  # (messages, what must stay, tokens) → text or None


class Report(NamedTuple):
    """What was done, in numbers of messages and tokens, and why it ended there."""

    before: int
    after: int
    target: int
    steps: tuple[str, ...] = ()
    stored: int = 0
    masked: int = 0
    summarised: int = 0
    dropped: int = 0
    kept: int = 0  # messages of the tail
    state: int = 0  # tokens of the state
    moved: int = 0
    unanswered: int = 0
    unasked: int = 0
    why: str = ""

    @property
    def reached(self) -> bool:
        return self.target <= 0 or self.after <= self.target

    def as_json(self) -> dict[str, Any]:
        repaired = {"moved": self.moved, "unanswered": self.unanswered, "unasked": self.unasked}
        left = {k: v for k, v in self._asdict().items() if k not in repaired and k != "steps"}
        return left | {"steps": list(self.steps), "repaired": repaired, "reached": self.reached}


class Compacted(NamedTuple):
    """The history for the next call, and what was done to it."""

    messages: tuple[Message, ...]
    report: Report


def compact(
    history: Sequence[Message], policy: Policy, *, count: Count, store: Store | None = None,
    summarize: Summarize | None = None, where: str = "", how: str = marks.HOW,
) -> Compacted:  # fmt: skip
    """The history made small enough for the policy's target, or as small as it gets. Twice equals once.

    `where` is said to be where the full history lies, `how` how a stored result is read back.
    """
    count = _remembered(count)
    before = sum(tokens(message, count) for message in history)
    mended = repaired(history)
    work = _Work(mended, policy, count, store, summarize, where, how)
    while work.size > policy.target and work.descend():
        pass  # until nothing is left that could become smaller: what comes out would come out again
    final = repaired(work.messages).messages
    report = Report(
        before, work.size, policy.target, tuple(dict.fromkeys(work.steps)), work.stored, work.masked,
        work.summarised, work.dropped, work.kept, work.state, mended.moved, mended.unanswered, mended.unasked,
        work.why(),
    )  # fmt: skip
    return Compacted(final, report)


def _remembered(count: Count) -> Count:
    """The same counts, each made once: most texts are asked about at every step."""
    known: dict[str, int] = {}

    def remembered(text: str) -> int:
        found = known.get(text)
        if found is None:
            found = known[text] = count(text)
        return found

    return remembered


class _Work:
    """One compaction on its way down the ladder."""

    def __init__(
        self, mended: Repaired, policy: Policy, count: Count, store: Store | None, summarize: Summarize | None,
        where: str, how: str,
    ) -> None:  # fmt: skip
        self.policy, self.count, self.where, self.how = policy, count, where, how
        self.store, self.summarize = store, summarize
        self.messages: tuple[Message, ...] = mended.messages
        self.sizes = [tokens(message, count) for message in mended.messages]
        self.steps: list[str] = []
        self.stored = self.masked = self.summarised = self.dropped = self.kept = self.state = 0

    @property
    def size(self) -> int:
        return sum(self.sizes)

    def descend(self) -> bool:
        """All steps that are needed, once; whether the history became smaller."""
        before, original = self.size, units(self.messages)
        start = tail_start(original, self.policy.keep_last)
        old = sum(len(unit.messages) for unit in original[:start])
        self.kept = len(self.messages) - old
        if self.store:
            self._results(old, self._stored, "store")
        if self.size > self.policy.target:
            self._results(old, self._masked, "mask")
        if self.size > self.policy.target:
            self._summarise(original[:start], old)
        return self.size < before

    def why(self) -> str:
        """Why it ended where it did, in one line."""
        if self.size <= self.policy.target:
            return "the target is reached" if self.steps else "nothing to do: it is within the target already"
        if self.policy.target <= 0:
            return "all that may go is summarised" if self.steps else "nothing to do: all of it is always kept"
        kept = sum(self.sizes[len(self.sizes) - self.kept :]) if self.kept else 0
        return f"what is always kept takes {self.size} tokens, {kept} of them the last exchanges"

    # --- steps 1 and 2: results

    def _results(self, old: int, change: Callable[[Result, int], Result | None], step: str) -> None:
        """Change the results of the old messages where that makes them smaller, all in one go."""
        messages = list(self.messages)
        for number in range(old):
            message = messages[number]
            if message.role != "tool":
                continue
            parts: list[Part] = []
            for part in message.parts:
                size = self.count(part.content) if isinstance(part, Result) else 0
                new = change(part, size) if isinstance(part, Result) else None
                parts.append(part if new is None or self.count(new.content) >= size else new)
            if tuple(parts) != message.parts:
                messages[number] = message._replace(parts=tuple(parts), extra={})
                self.sizes[number] = tokens(messages[number], self.count)
                self.steps.append(step)
                self.stored += step == "store"
                self.masked += step == "mask"
        self.messages = tuple(messages)

    def _stored(self, result: Result, size: int) -> Result | None:
        if size <= self.policy.large or marks.known(result.content) or self.store is None:
            return None
        text = marks.stored(result.content, self.store(result.content), size, self.how)
        return Result(result.call_id, text, result.error)

    def _masked(self, result: Result, size: int) -> Result | None:
        return Result(result.call_id, marks.masked(result.content, size), result.error)

    # --- steps 3 and 4: a state in place of the old exchanges

    def _summarise(self, original: Sequence[Unit], old: int) -> None:
        """Step 3 as far as the target needs it; where it is not enough, step 4."""
        masked, tail = units(self.messages[:old]), self.messages[old:]
        sizes, at = [], 0
        for unit in masked:
            sizes.append(sum(self.sizes[at : at + len(unit.messages)]))
            at += len(unit.messages)
        if (enough := self._enough(masked, sizes)) < len(masked):
            self._replace(original, masked, enough, tail, "summarise")
            if self.size <= self.policy.target:
                return
        self._replace(original, masked, len(masked), tail, "reset")

    def _enough(self, masked: Sequence[Unit], sizes: Sequence[int]) -> int:
        """How many of the oldest units have to go, so that the target is reached with room for their state."""
        excess = self.size - self.policy.target + self.policy.state_least
        for number, unit in enumerate(masked):
            if excess <= 0:
                return number
            if unit.head.role == "assistant":
                excess -= round(sizes[number] * (1 - self.policy.share))
        return len(masked)

    def _replace(
        self, original: Sequence[Unit], masked: Sequence[Unit], upto: int, tail: Sequence[Message], step: str
    ) -> None:
        """Put a state in place of the first units, if that makes the history smaller."""
        while upto < len(masked) and state_of(masked[upto].head) is not None:
            upto += 1  # an earlier state is merged, and never left behind the new one
        spoken, gone, small, facts, earlier = parted(original[:upto])
        if not gone:
            return
        replaced = sum(tokens(message, self.count) for unit in gone for message in unit.messages) + earlier[1]
        known = gather(facts, [unit for unit in original[:upto] if state_of(unit.head) is None])
        in_play(known, units([message for unit in masked[upto:] for message in unit.messages] + list(tail)), known.end)
        number = sum(len(unit.messages) for unit in gone) + earlier[0]
        whole = earlier[1] + sum(said(message, self.count) for unit in original for message in unit.messages)
        whole += sum(said(message, self.count) for message in tail)
        budget = min(max(round(self.policy.share * whole), self.policy.state_least), self.policy.state_most)
        if self.summarize:
            texts = [message for unit in original[:upto] for message in unit.messages]
            known.summary = _inside(self.summarize(texts, known.summary, budget) or known.summary)
        rest = [message for unit in masked[upto:] for message in unit.messages]
        text = written(known, budget, self.count, number, replaced, self.where)
        fresh = (*spoken, Message("user", (Text(text),)), *rest, *tail)
        sizes = [tokens(message, self.count) for message in fresh]
        if sum(sizes) >= self.size:
            return
        self.messages, self.sizes = fresh, sizes
        self.steps.append(step)
        self.summarised, self.dropped = number - small, small
        self.state = self.count(text)


def _inside(summary: str) -> str:
    """A summary that can't be taken for a section of the state."""
    return "\n".join("#" + line if line.startswith("## ") else line for line in summary.split("\n"))
