"""A role's run in this process: its text and its input go to the model, its tool calls are run until it has said all.

It shows nothing, keeps nothing and asks nobody. Imports what takes seconds.
"""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Sequence
from typing import Any

from openclaw.context.history import Message, Result, Text, Usage
from openclaw.context.weight import tokens
from openclaw.errors import OpenclawError, Refused, TimedOut, Unavailable
from openclaw.local import tools, wire
from openclaw.local.place import Place, ToolError
from openclaw.local.retry import Retry
from openclaw.local.wire import Answer, Limits, WireError
from openclaw.models import targets
from openclaw.roles.job import Job, Outcome, RoleResult
from openclaw.settings import Settings
from openclaw.store.turns import Turn
from openclaw.units import utc
from openclaw.usage import calibrations

STEPS = 50  # model calls of one run: what calls tools for ever is stopped
LEAST = 16  # tokens that must be left for an answer
THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>\s*|\Z)", re.DOTALL)  # what some models think, before they say it
COMMANDS = "run"  # the tool that no scope can bind


async def run(job: Job, settings: Settings) -> Outcome:
    """What came of it. Never raises but for being cancelled: what failed was paid for too."""
    began = time.monotonic()
    asking: _Asking | None = None
    try:
        asking = _Asking(job, settings)
        async with asking, asyncio.timeout(job.timeout_s):
            text = await asking.text()
    except TimeoutError:
        turns = asking.turns if asking else []
        error: OpenclawError = TimedOut(
            f"role {job.role.name}: {job.model} was not done within {job.timeout_s:g} s",
            "allow more with --timeout, or name another model",
        )
        return Outcome(None, error, tuple(turns))
    except OpenclawError as error:
        return Outcome(None, error, tuple(asking.turns if asking else ()))
    return Outcome(
        RoleResult(
            text,
            job.role.name,
            job.model,
            sum(turn.context for turn in asking.turns),
            sum(turn.output for turn in asking.turns),
            asking.cost_usd,
            round(time.monotonic() - began, 3),
            asking.attempts,
            asking.whole,
            tuple(asking.notes),
        ),
        None,
        tuple(asking.turns),
    )


class _Asking:
    """One run: the conversation so far, and what it has cost."""

    def __init__(self, job: Job, settings: Settings) -> None:
        self.job = job
        self.target = targets.target(job.model, settings)
        self.known = calibrations.at(settings, self.target.model)._replace(offset=0)  # which is of other tools
        self.longest, self.silence = settings.get("local.output_tokens"), settings.get("local.silence")
        self.retry = Retry(settings.get("roles.retries"))
        self.place = Place(job.cwd, job.scope, job.folder, job.folder, environ={"HOME": settings.home})
        self.tools = tuple(tool for tool in tools.chosen(job.role.tools or ()) if tool.name != COMMANDS)
        self.history = [Message("system", (Text(job.role.prompt),)), Message("user", (Text(job.input),))]
        self.turns: list[Turn] = []
        self.notes: list[str] = []
        self.attempts = 0
        self.whole = True
        self.cost_usd: float | None = 0.0
        self.model: Any = None
        self.deadline = 0.0
        given = {name for tool in self.tools for name in (tool.name, *tool.like)}
        if missing := [name for name in (*(job.role.tools or ()), *job.role.partly) if name not in given]:
            self.notes.append(f"tools it does not have here: {', '.join(missing)}")

    async def __aenter__(self) -> None:
        """Get ready, which takes seconds of imports: the time limit begins after them. Refused: there is no room."""
        self.model = wire.connect(self.target, self._room())
        self.deadline = time.monotonic() + self.job.timeout_s

    async def __aexit__(self, *_: object) -> None:
        await self.model.client.close()  # before its loop is: a connection that is left complains on stderr

    async def text(self) -> str:
        """Its last words."""
        for _ in range(STEPS):
            answer = await self._ask(self._room())
            self._count(answer)
            self.history.append(answer.message)
            if not answer.message.calls:
                if answer.cut:
                    self.whole = False
                    self.notes.append(answer.cut)
                text = THOUGHT.sub("", answer.message.text)
                if not text.strip():
                    raise OpenclawError(f"{self._who} said nothing", "try again, or name another model", "no_answer")
                return text
            for call in answer.message.calls:
                try:
                    result = Result(call.id, await tools.call(self.tools, call, self.place))
                except ToolError as error:
                    result = Result(call.id, str(error), error=True)
                self.history.append(Message("tool", (result,)))
        raise OpenclawError(f"{self._who} called tools {STEPS} times without an answer", "give it less to look at")

    def _tokens(self, messages: Sequence[Message]) -> int:
        """About how many tokens the model counts for these messages."""
        calls = sum(len(message.calls) for message in messages)
        return self.known.tokens(sum(map(tokens, messages)), calls)

    @property
    def _who(self) -> str:
        return f"role {self.job.role.name}: {self.job.model}"

    def _room(self) -> Limits:
        """How long the next answer may be. Refused when the request alone is too much: it is not sent."""
        sent = self._tokens(self.history)
        room = self.target.window - sent
        if room < LEAST:
            raise Refused(
                f"{self._who} has a window of {self.target.window} tokens, and the input has about {sent}",
                "give it less, or name a model with a larger window",
                code="over_window",
            )
        if self.job.budget is not None:
            used = sum(turn.context + turn.output for turn in self.turns)
            left = self.job.budget - used - sent
            if left < LEAST:
                before = f"{used} tokens are used, and the next request" if used else "its input"
                raise Refused(
                    f"{self._who}: {before} has about {sent}, of a budget of {self.job.budget}",
                    "give it less, or allow more with --budget-tokens",
                    code="over_budget",
                )
            room = min(room, left)
        return Limits(min(room, self.longest), self.silence)

    async def _ask(self, limits: Limits) -> Answer:
        """One answer, however often it takes, within the retries and the time that is left."""
        for tried in range(self.retry.tries + 1):
            self.attempts += 1
            try:
                return await wire.ask(self.model, self.history, self.tools, limits, lambda _: None)
            except WireError as error:
                if error.kind == "overflow":
                    raise Refused(f"{self._who}: {error.message}", "give it less", code="over_window") from error
                wait = self.retry.wait(tried, error.after)
                late = time.monotonic() + wait > self.deadline
                if error.kind != "again" or tried == self.retry.tries or late:
                    raise self._unreachable(error, tried + 1, wait if late else 0) from error
                await self.retry.sleep(wait)
        raise AssertionError("the last try returns or raises")

    def _unreachable(self, error: WireError, tried: int, wait: float) -> Unavailable:
        url = self.target.url.partition("?")[0]
        times = f"tried {tried} times" if tried > 1 else "tried once"
        late = f"; it asks to wait {wait:g} s, which is past the time limit" if wait and error.after else ""
        return Unavailable(
            f"{self._who} at {url}: {error.message} ({times}{late})",
            "start its server or set its key, or name another with --model",
            code="model_unreachable",
        )

    def _count(self, answer: Answer) -> None:
        """Take down what the server says that the call used, or what it must have been about."""
        used = answer.message.usage or Usage()
        if not answer.known:
            used = Usage(self._tokens(self.history), 0, 0, self._tokens([answer.message]))
            if (note := "the server reported no usage: its tokens are estimates") not in self.notes:
                self.notes.append(note)
        cost = wire.cost(self.target, used)
        known = self.target.free or cost > 0
        self.cost_usd = self.cost_usd + cost if known and self.cost_usd is not None else None
        call = (used.input, used.cache_write, used.cache_read, used.output)
        id = answer.message.id or uuid.uuid4().hex
        self.turns.append(Turn(id, "", utc(time.time()), self.target.name, True, *call))
