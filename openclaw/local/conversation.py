"""A conversation as it stands now, made from its log: what happens is written there first, then it is so.

Whoever opens the same log after a kill has the same conversation, and knows which tools had begun.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.context.calibration import Calibration, Sample, assumed, carried_on
from openclaw.context.forms import log as form
from openclaw.context.history import Call, Message, Result, Text
from openclaw.context.weight import tokens
from openclaw.context.window import Seen
from openclaw.errors import BadInput
from openclaw.local.log import Log
from openclaw.units import utc

SAMPLES = 20  # calls that say what an estimate is worth, the latest


class Mark(NamedTuple):
    """A point to go back to: what has changed it (prompt, compaction), what was before, and for a compaction how many
    messages it put in place of that."""

    what: str
    messages: tuple[Message, ...]
    length: int = 0


class Conversation:
    """`messages` is what the next request sends; `started` are the ids of calls that began and have no result;
    `queued` is what a person typed and nobody has taken.

    `overhead` are the tokens that a request has beside the messages: the descriptions of tools. `known` says what was
    learned of a model in other conversations.
    """

    def __init__(
        self, path: str, overhead: int = 0, clock: Callable[[], float] = time.time,
        known: Callable[[str], Calibration] = assumed,
    ) -> None:  # fmt: skip
        self.messages: list[Message] = []
        self.started: set[str] = set()
        self.queued: dict[str, str] = {}  # by its id
        self.model = ""
        self.tokens_used = 0
        self.cost_usd = 0.0
        self.first: int | None = None  # tokens of the first request
        self._sent = 0
        self._context: int | None = None  # counted when it is asked for: the status line asks all the time
        self._measured: tuple[int, int] | None = None  # so many messages have so many tokens, says the server
        self._marks: list[Mark] = []
        self._clock, self.overhead = clock, overhead
        self._known = known
        self._before: tuple[str, Calibration] | None = None  # of a model, what was learned before
        self._samples: list[Sample] = []
        self._since = 0  # what came after this message came after the last compaction
        self._log = Log(path)
        self.path = path
        for entry in self._log.entries():
            self._take(entry)

    # --- what happens to it

    def add(self, message: Message, **more: Any) -> None:
        """One more message; `more` is written beside it (model, cost_usd)."""
        self._do(form.record(message) | more)

    def user(self, text: str, queued: str = "") -> None:
        """A prompt; `queued` is the id under which it has waited, which it does no longer."""
        self.add(Message("user", (Text(text),)), **({"queued": queued} if queued else {}))

    def queue(self, text: str) -> str:
        """What a person typed waits for its turn, over the end of the program too; the id under which it does."""
        id = uuid.uuid4().hex
        self._do({"type": "queued", "queued": id, "text": text})
        return id

    def taken(self, queued: str) -> None:
        """What has waited under this id is no prompt, and done with."""
        self._do({"type": "taken", "queued": queued})

    def system(self, text: str) -> None:
        self.add(Message("system", (Text(text),)))

    def start(self, call: Call) -> None:
        """This call is about to run: whatever comes, it does not run a second time."""
        self._do({"type": "started", "call": call.id, "name": call.name})

    def result(self, call: Call, content: str, error: bool = False) -> None:
        self.add(Message("tool", (Result(call.id, content, error),)))

    def compact(self, messages: Sequence[Message], why: str, **report: Any) -> None:
        """Other messages in place of these, which stay in the log. `report` is written beside them."""
        self._rewrite(messages, why=why, **report)

    def undo(self) -> str:
        """Take back the last compaction, or the last prompt with all that came of it; which it was, or empty.

        What was said since a compaction stays.
        """
        if not self._marks:
            return ""
        what, messages, length = self._marks[-1]
        since = self.messages[length:] if what == "compaction" else []
        self._rewrite([*messages, *since], undone=what)
        return what

    def use(self, model: str) -> None:
        """The model from now on."""
        self._do({"type": "model", "model": model})

    def note(self, what: str, **data: Any) -> None:
        """Something for people who read the log: it changes nothing."""
        self._do({"type": "note", "what": what, **data})

    def close(self) -> None:
        self._log.close()

    # --- what is asked of it

    @property
    def open_calls(self) -> list[Call]:
        """The calls of the last answer that have no result yet, in their order."""
        for at in range(len(self.messages) - 1, -1, -1):
            message = self.messages[at]
            if message.role == "assistant":
                answered = {result.call_id for later in self.messages[at + 1 :] for result in later.results}
                return [call for call in message.calls if call.id not in answered]
            if message.role != "tool":
                return []
        return []

    @property
    def owes_answer(self) -> bool:
        """Whether the model has something to answer: a prompt, or the results of its calls."""
        return bool(self.messages) and self.messages[-1].role in ("user", "tool")

    @property
    def last_text(self) -> str:
        """What the model said last."""
        return next((m.text for m in reversed(self.messages) if m.role == "assistant" and m.text), "")

    def context(self) -> int:
        """The tokens of the next request: what the server counted, and an estimate of what came since."""
        if self._context is None:
            count, known = self._measured or (0, 0)
            found = self._learned._replace(offset=known) if known else self._learned
            self._context = found.tokens(*_weight(self.messages[count:]))
        return self._context

    def fixed(self) -> int:
        """The tokens that no compaction saves: system prompt and tools."""
        return self._learned.tokens(*_weight([m for m in self.messages if m.role == "system"]))

    def about(self, messages: Sequence[Message]) -> int:
        """The tokens of some messages, as the model counts them."""
        return self._learned._replace(offset=0).tokens(*_weight(messages))

    def seen(self) -> Seen:
        """How it stands, for who decides whether it is compacted."""
        since = self.messages[self._since :]
        said = self.about(since)
        turns, exchanges = (sum(m.role == role for m in since) for role in ("assistant", "user"))
        return Seen(self.context(), said, turns, len(self.messages), exchanges)

    def estimated(self, tokens: int) -> int:
        """So many of a request's tokens, as our own estimate of messages such as these."""
        found, (estimate, calls) = self._learned, _weight(self.messages)
        each = found.factor + (found.call * calls / estimate if estimate else 0)
        return max(1, round((tokens - found.offset) / each))

    @property
    def _learned(self) -> Calibration:
        """From our estimate to what the server counts: learned from this conversation, before that from others."""
        if self._before is None or self._before[0] != self.model:
            self._before = self.model, self._known(self.model)
        before = self._before[1]
        return carried_on(self._samples, before._replace(offset=self.overhead * before.factor))

    def sent(self) -> int:
        """Tokens of the conversation in the last request, as the server counted them; 0 when nothing is known."""
        return max(0, self._sent - self.first) if self.first is not None else 0

    def grown(self) -> int:
        """The tokens of the conversation: what the next request has more than the first."""
        return max(0, self.context() - self.first) if self.first is not None else 0

    # --- what a line does

    def _rewrite(self, messages: Sequence[Message], **more: Any) -> None:
        self._do(form.rewrite(messages, **more))

    def _do(self, entry: Mapping[str, Any]) -> None:
        dated = {"v": form.VERSION, **entry, "at": utc(self._clock())}
        self._log.write(dated)
        self._take(dated)

    def _take(self, entry: dict[str, Any]) -> None:
        kind = entry["type"]
        self._context = None
        if kind != "queued":
            self.queued.pop(str(entry.get("queued")), None)
        elif isinstance(text := entry.get("text"), str):
            self.queued[str(entry.get("queued"))] = text
        if kind == "message" and (message := _message(entry)):
            if message.role == "user":
                self._marks.append(Mark("prompt", tuple(self.messages)))
            self.messages.append(message)
            self.started -= {result.call_id for result in message.results}
            if message.role == "assistant":
                self._count(message, entry)
        elif kind == "started":
            self.started.add(str(entry.get("call")))
        elif kind == "rewrite":
            new = [message for each in entry.get("messages") or () if (message := _message(each))]
            if not entry.get("undone"):
                self._marks.append(Mark("compaction", tuple(self.messages), len(new)))
            elif self._marks:
                self._marks.pop()
            self.messages, self._measured, self._sent, self._since = new, None, 0, len(new)
        elif kind == "undo":  # by `openclaw compact --undo`
            at = next((n for n in range(len(self._marks) - 1, -1, -1) if self._marks[n].what == "compaction"), None)
            if at is not None:
                mark = self._marks.pop(at)
                self.messages = [*mark.messages, *self.messages[mark.length :]]
                self._measured, self._sent = None, 0
        elif kind == "model":
            self.model = str(entry.get("model") or "")

    def _count(self, message: Message, entry: dict[str, Any]) -> None:
        used = message.usage
        if used and used.context:
            self._samples = [*self._samples, Sample(*_weight(self.messages[:-1]), used.context)][-SAMPLES:]
            self._measured, self._sent = (len(self.messages), used.context + used.output), used.context
            self.first = used.context if self.first is None else self.first
            self.tokens_used += used.context + used.output
        self.cost_usd += float(entry.get("cost_usd") or 0)


def _message(entry: Any) -> Message | None:
    try:
        return form.read_record(entry)
    except BadInput:
        return None  # as any other line that is none


def _weight(messages: Sequence[Message]) -> tuple[int, int]:
    """(estimated tokens, tool calls)."""
    return sum(map(tokens, messages)), sum(len(message.calls) for message in messages)
