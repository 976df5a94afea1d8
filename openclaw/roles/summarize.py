"""The Summarizer: the older part of a conversation as a short text, made by a cheap model and audited.

What comes back stands in the state that the context engine writes. A bad text is asked for once more, with what it
lacks, and then thrown away; without a reachable model nothing comes back. The engine then goes on without one, and
`notes` say why.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence

from openclaw.context.audit import Must, audit, must_hold
from openclaw.context.history import Call, Message, Result, Text
from openclaw.context.ledger import words
from openclaw.context.ledger.text import MARK as STATE
from openclaw.context.tokens import estimate
from openclaw.errors import OpenclawError
from openclaw.roles import library
from openclaw.roles.job import RoleResult
from openclaw.roles.role import Role
from openclaw.roles.run import KINDS, judged, models_for, run_role
from openclaw.settings import Settings
from openclaw.tasks.render import fence

NAME = "summarizer"
CLIPS = (1_500, 500, 150, 40)  # characters of a result or an argument that it is shown, most first
SHARE = 0.7  # of the model's window that the conversation may take: the rest is for the role and the answer
RUNS = 4  # model calls of one compaction: it may try two cuts, and each is paid for
NAMED = 6  # faults of a kind that are named
LEAST = 120  # tokens of a summary: less says nothing
WRAPPED = re.compile(r"\A```\w*\n(.*)\n```\Z", re.DOTALL)


class Summarizer:
    """`summarize` of the context engine, by a model. For one compaction."""

    def __init__(
        self, settings: Settings, model: str | None = None, wish: str = "", session: str | None = None
    ) -> None:
        self.notes: list[str] = []
        self.runs: list[RoleResult] = []
        self.done = False  # whether a text of the model's was taken
        self._settings, self._wish, self._session = settings, wish, session
        self._role: Role | None = None
        self._model, self._off = model or "", ""
        self._others: list[str] = []  # which to go on with, in turn, where the routing has chosen it
        self._known: dict[str, str | None] = {}
        try:  # a role of the person's own may say it better; it gets no tools: what it works on is all it is given
            self._role = library.find(NAME, settings)._replace(tools=())
            [self._model, *self._others], why = models_for(self._role, settings, model)
            self._room = _window(self._model, settings)
            self.notes += [f"{self._model} was chosen by the routing: {why}"] if why else []
        except OpenclawError as error:
            self._give_up(error.message)

    def __call__(self, messages: Sequence[Message], earlier: str, tokens: int) -> str | None:
        """The text, of at most `tokens` tokens, that stands for these messages and the earlier summary; None for none.

        What is in the state beside it (decisions, files, names) takes its part of the tokens, so half of them is asked.
        """
        if self._off:
            return None
        must = must_hold([m for m in messages if not m.text.startswith(STATE)], estimate)  # that is not what was said
        must = must._replace(decisions=_latest(must.decisions, tokens // 2))
        asked = self._asked(messages, earlier, max(LEAST, tokens // 2), must)
        if asked and asked not in self._known:
            self._known[asked] = self._summary(messages, asked, max(tokens, LEAST), must)
        return self._known.get(asked)

    def _summary(self, messages: Sequence[Message], asked: str, most: int, must: Must) -> str | None:
        faults: list[str] = []
        for again in (False, True):
            if len(self.runs) >= RUNS or self._role is None:
                return None
            more = f"\n\nA first attempt was refused: {'; '.join(faults)}. Write it again, without that fault."
            try:
                found = run_role(
                    self._role, asked + (more if again else ""), self._model, settings=self._settings,
                    session=self._session,
                )  # fmt: skip
            except OpenclawError as error:
                if error.code == "model_unreachable" and self._others:
                    self.notes.append(f"{error.message}; going on with {self._others[0]}")
                    self._model = self._others.pop(0)
                    return self._summary(messages, asked, most, must)
                self._give_up(error.message)
                return None
            self.runs.append(found)
            text = _bare(found.text)
            faults = _faults(text, messages, must, most) if found.whole else ["it was cut off"]
            if found.attempts:  # what was said before has been judged before
                judged(self._settings, KINDS[NAME], found.model, not faults)
            if not faults:
                self.done = True
                self.notes.append(f"summarised by {found.model}" + (", at the second attempt" if again else ""))
                return text
        self._give_up(f"that of {self._model} was thrown away after two attempts ({'; '.join(faults)})")
        return None

    def _give_up(self, why: str) -> None:
        """No further summary is asked for: what failed once would fail, and cost, each time."""
        self._off = why
        self.notes.append(f"summarised without a model: {why}")

    def _asked(self, messages: Sequence[Message], earlier: str, most: int, must: Must) -> str:
        """What the model is given; empty where even the shortest form is too long for its window."""
        for clip in CLIPS:
            shown = _shown(messages, clip)
            mark = fence(shown, earlier, self._wish)
            parts = [f"At most about {most} tokens."]
            parts += [f"To be kept above all: {self._wish}"] if self._wish else []
            parts += _wanted(must)
            parts += [f"An earlier summary, to be merged into yours:\n{mark}\n{earlier}\n{mark} end"] if earlier else []
            parts.append(f"The part of the conversation, between the lines with {mark}:\n{mark}\n{shown}\n{mark} end")
            text = "\n\n".join(parts)
            if estimate(text) <= self._room:
                return text
        self._give_up(f"what is to be summarised is too long for the window of {self._model}")
        return ""


def _wanted(must: Must) -> list[str]:
    """What it will be audited for: told before, it is seldom missing."""
    names, lines = (*must.paths, *must.identifiers), (*must.asks, *must.decisions)
    found = [f"To be named, exactly as they are written: {', '.join(names)}"] if names else []
    return found + (["\n".join(["To be kept word for word:", *(f"- {line}" for line in lines)])] if lines else [])


def _latest(lines: Sequence[str], tokens: int) -> tuple[str, ...]:
    """The last that have so many tokens: the state keeps all decisions word for word beside the text."""
    kept: list[str] = []
    for line in reversed(lines):
        tokens -= estimate(line)
        if tokens < 0:
            break
        kept.append(line)
    return tuple(reversed(kept))


def _faults(text: str, messages: Sequence[Message], must: Must, most: int) -> list[str]:
    """Why this text may not stand for these messages: it has lost, or made up, what others will rely on."""
    faults = list(audit(text, must, estimate).problems)
    if (size := estimate(text)) > most:
        faults.append(f"it has {size} tokens, {most} are allowed")
    if invented := list(_invented(text, messages)):
        faults.append(f"it names what was never there: {', '.join(invented[:NAMED])}")
    return faults


def _invented(text: str, messages: Sequence[Message]) -> Iterator[str]:
    """Paths and names that stand nowhere in what was summarised. Words like JavaScript are names to nobody."""
    source = _shown(messages, sys.maxsize).lower()
    for path in dict.fromkeys(words.paths(text)):
        if path.lower().rsplit("/", 1)[-1] not in source:
            yield path
    for word, _, kind in words.names(text):
        if kind in (words.SNAKE, words.HEX) and word.lower() not in source:
            yield word


def configured(settings: Settings) -> bool:
    """Whether a person has said that a model is to summarise."""
    return bool(settings.get("roles.summarizer"))


def _window(model: str, settings: Settings) -> int:
    """What the conversation may take of its window, in tokens as we estimate them."""
    from openclaw.models import targets  # YAML
    from openclaw.usage import calibrations  # the store

    target = targets.target(model, settings)
    return round(target.window * SHARE / calibrations.at(settings, target.model).factor)


def _shown(messages: Sequence[Message], clip: int) -> str:
    """A conversation as text. What was said is whole, what tools were given and gave is clipped."""
    names = {"user": "Person", "assistant": "Agent", "system": "System", "tool": "Tools"}
    rows: list[str] = []
    for message in messages:
        said: list[str] = []
        for part in message.parts:
            if isinstance(part, Text) and part.text.strip():
                said.append(part.text.strip())
            elif isinstance(part, Call):
                said.append(f"→ {part.name} {_clipped(part.arguments, clip)}")
            elif isinstance(part, Result):
                said.append(f"← {'error: ' if part.error else ''}{_clipped(part.content, clip)}")
        if said:
            who = "Earlier state" if message.text.startswith(STATE) else names[message.role]
            rows.append(f"{who}:\n" + "\n".join(said))
    return "\n\n".join(rows)


def _clipped(text: str, clip: int) -> str:
    """Begin and end of a long text, and how much is between them."""
    text = text.strip()
    if len(text) <= clip:
        return text
    return f"{text[: clip * 2 // 3]} [… {len(text) - clip} characters …] {text[-clip // 3 :]}"


def _bare(text: str) -> str:
    """Without the fence that some models put around all they write."""
    return WRAPPED.sub(r"\1", text.strip()).strip()
