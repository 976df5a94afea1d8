"""Compaction: a ladder, each step only if the one before did not suffice. Pure but for what is passed in.

1 `store`: results over a size are stored, with a digest in their place. 2 `mask`: old results are left out.
3 `summarise`: the oldest exchanges become a state, simple ones are dropped. 4 `reset`: all but the tail does. System
prompts, what the user said, decisions and the last exchanges are never changed by any of them, and pairs are whole
before and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from openclaw.context import marks
from openclaw.context.forms.shared import stand_in
from openclaw.context.history import Attachment, Message, Part, Result, Text
from openclaw.context.ledger import reading, sayings
from openclaw.context.ledger.facts import Facts, gather, in_play
from openclaw.context.ledger.text import written
from openclaw.context.policy import Policy
from openclaw.context.repair import Repaired, repaired
from openclaw.context.units import Unit, tail_start, units
from openclaw.context.weight import Count, tokens

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
        while upto < len(masked) and _state_of(masked[upto].head) is not None:
            upto += 1  # an earlier state is merged, and never left behind the new one
        spoken, facts, gone, small = _sorted(original[:upto])
        if not gone:
            return
        earlier = facts.earlier
        replaced = sum(tokens(message, self.count) for unit in gone for message in unit.messages) + earlier[1]
        known = gather(facts.facts, [unit for unit in original[:upto] if _state_of(unit.head) is None])
        in_play(known, units([message for unit in masked[upto:] for message in unit.messages] + list(tail)), known.end)
        number = sum(len(unit.messages) for unit in gone) + earlier[0]
        whole = earlier[1] + sum(tokens(message, self.count) for unit in original for message in unit.messages)
        whole += sum(tokens(message, self.count) for message in tail)
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


class _Earlier(NamedTuple):
    """Facts of an earlier state, and the (messages, tokens) it stood for."""

    facts: Facts
    earlier: tuple[int, int]


def _sorted(old: Sequence[Unit]) -> tuple[list[Message], _Earlier, list[Unit], int]:
    """(messages that stay word for word, the earlier state, units that go, messages of those that are small talk)."""
    spoken: list[Message] = []
    gone: list[Unit] = []
    facts, stood_for, small = Facts(), (0, 0), 0
    talk: list[str] = []
    asked = False  # whether the model's last words were a question: then "ok" is an answer
    idle = False  # whether the user's last words were small talk
    for unit, after in zip_longest(old, old[1:]):
        head = unit.head
        answered = after is not None and after.head.role == "assistant"  # in what was compacted before nothing is
        if (state := _state_of(head)) is not None:
            stood_for = reading.stands_for(state) or (0, 0)
            facts = reading.read(state)
            spoken += _without_state(head)
        elif head.role == "assistant":
            gone.append(unit)
            small += idle and not head.calls
            asked = head.text.rstrip().endswith(("?", "？")) or bool(head.calls)
        elif head.role == "user" and answered and not asked and "\n" not in head.text and sayings.small(head.text):
            gone.append(unit)
            talk.append(head.text.strip())
            small += 1
            idle = True
        elif head.role != "tool":
            spoken.append(_words(head))
            idle = False
    for said in talk:
        facts.small_talk.setdefault(said, 0)
    return spoken, _Earlier(facts, stood_for), gone, small


def _state_of(message: Message) -> str | None:
    """The state that a message of the user's holds; None if it holds none."""
    if message.role != "user":
        return None
    texts: Iterable[str] = (part.text for part in message.parts if isinstance(part, Text))
    return next((text for text in texts if reading.stands_for(text)), None)


def _without_state(message: Message) -> list[Message]:
    """What else stands in the message with the state: both APIs may have made one message of several."""
    parts = tuple(part for part in message.parts if not (isinstance(part, Text) and reading.stands_for(part.text)))
    return [_words(message._replace(parts=parts, extra={}))] if parts else []


def _words(message: Message) -> Message:
    """The message with what it shows named instead of shown; the very same if it is all text."""
    if not any(isinstance(part, Attachment) for part in message.parts):
        return message
    parts = [
        Text(stand_in(part)) if isinstance(part, Attachment) else part
        for part in message.parts
        if not isinstance(part, Attachment) or stand_in(part)
    ]
    return message._replace(parts=tuple(parts), extra={})


def _inside(summary: str) -> str:
    """A summary that can't be taken for a section of the state."""
    return "\n".join("#" + line if line.startswith("## ") else line for line in summary.split("\n"))
