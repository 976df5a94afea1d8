"""The loop: ask the model, run what it calls, until it has nothing more to call.

Everything stands in the log before it counts, so that a kill at any line costs nothing but the answer under way: who
resumes finds the calls that have no result, knows which had begun, and goes on there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from openclaw.context.history import Call
from openclaw.context.window import Triggers
from openclaw.errors import OpenclawError
from openclaw.local import tools, wire
from openclaw.local.budget import Budget, Halted
from openclaw.local.conversation import Conversation
from openclaw.local.place import Place, ToolError
from openclaw.local.retry import Retry
from openclaw.local.room import Room, Summarizer
from openclaw.local.screen import Screen
from openclaw.local.tools import Tool
from openclaw.local.wire import Answer, Limits, WireError
from openclaw.models.targets import Target
from openclaw.store.events import HOP

STEPS = 200  # model calls of one turn: what calls tools for ever is stopped
INTERRUPTED = "was interrupted: it had begun, and its outcome is unknown. Look what is done before you do it again."
STOPPED = "was not finished: the person interrupted it."


class TurnFailed(Exception):
    """The turn can't go on; the conversation is as it was."""


class Agent:
    """One conversation at work. `report` tells openclaw what happens, by the names of hook events. `others` are the
    models to go on with after the one that is asked now, in turn, each with why it can't be used where it can't."""

    def __init__(
        self,
        conversation: Conversation,
        place: Place,
        offered: Sequence[Tool],
        target: Target,
        screen: Screen,
        report: Callable[..., None],
        budget: Budget,
        limits: Limits = Limits(),  # noqa: B008 - a constant
        retry: Retry = Retry(),  # noqa: B008 - a constant
        others: Callable[[], Iterable[tuple[str, Target | OpenclawError]]] = tuple,
        triggers: Triggers = Triggers(),  # noqa: B008 - a constant
        summarizer: Callable[[str], Summarizer | None] = lambda wish: None,
    ) -> None:
        self.conversation, self.place, self.tools = conversation, place, offered
        self.target, self.screen, self.report, self.budget = target, screen, report, budget
        self.limits, self.retry, self._others = limits, retry, others
        self.room = Room(conversation, budget, triggers, screen, place, summarizer)
        self.interrupted = False
        self._model: Any = None
        self.use(target)

    def use(self, target: Target) -> None:
        """Ask this model from now on. Refused where its window is too small for what is always kept."""
        self.room.use(target.window)
        self.target = target
        self._model = wire.connect(target, self.limits)
        if self.conversation.model != target.name:
            self.conversation.use(target.name)

    async def turn(self, prompt: str | None, queued: str = "") -> None:
        """Take a prompt, or go on where the log ends, until the model calls nothing more. Halted: the budget is gone.

        `queued` is the id under which the prompt has waited.

        Whoever cancels it says with `interrupted` that a person did; else it ends as a kill would end it.
        """
        self.interrupted = False
        try:
            if prompt is not None:
                await self._run_calls()
                self.conversation.user(prompt, queued)
                self.report("UserPromptSubmit", prompt=prompt)
            await self._work()
        except asyncio.CancelledError:
            if not self.interrupted:
                raise
            for call in self.conversation.open_calls:
                self.conversation.result(call, STOPPED, error=True)
            self.screen.text_end()
            self.screen.line("interrupted", "warn")
            self.report("Interrupt")
        except TurnFailed as error:
            self.screen.line(str(error), "error")
            self.report("StopFailure", error=str(error))
        except Halted as error:
            self.report("StopFailure", error=str(error))
            raise
        else:
            self.report("Stop", last_assistant_message=self.conversation.last_text)
        finally:
            self.screen.status("")

    async def _work(self) -> None:
        for _ in range(STEPS):
            await self._run_calls()
            if not self.conversation.owes_answer:
                return
            await self.room.make()
            self.screen.status("asking")
            answer = await self._ask()
            self.conversation.add(
                answer.message, model=self.target.name, cost_usd=wire.cost(self.target, answer.message.usage)
            )
            if answer.cut:
                self.screen.line(answer.cut, "warn")
            elif not answer.message.parts:
                self.screen.line("the model said nothing", "warn")
        raise TurnFailed(f"stopped after {STEPS} model calls in one turn: say how to go on")

    # --- asking

    async def _ask(self) -> Answer:
        """An answer, however often it takes, within `retry`; from the other model where there is one."""
        attempt = 0
        while True:
            try:
                answer = await wire.ask(
                    self._model, self.conversation.messages, self.tools, self.limits, self.screen.text
                )
                self.room.answered()
                return answer
            except WireError as error:
                self.screen.text_end()
                if error.kind == "overflow" and await self.room.overflowed():
                    continue
                wait = self.retry.wait(attempt, error.after)
                again = error.kind == "again" and attempt < self.retry.tries and wait <= self.retry.patience_s
                if not again:
                    await self._fall_back(error, attempt)
                    attempt = 0
                    continue
                attempt += 1
                self.screen.status(f"{error.message}; again in {wait:g} s ({attempt} of {self.retry.tries})")
                self.conversation.note("again", why=error.message, wait_s=wait)
                await self.retry.sleep(wait)
            finally:
                self.screen.text_end()

    async def _fall_back(self, error: WireError, attempt: int) -> None:
        """Go on with the next model that can take the conversation as it is; else with the first that can after a
        compaction. TurnFailed where there is none."""
        tried = f" (tried {attempt + 1} times)" if attempt else ""
        if error.kind == "overflow":
            raise TurnFailed(f"the conversation is too long for {self.target.name}: {error.message}") from error
        failed = f"{self.target.name}: {error.message}{tried}"
        others = [(name, other) for name, other in self._others() if name != self.target.name]
        skipped: dict[str, str] = {}
        for name, other in others:
            if isinstance(other, OpenclawError):
                skipped[name] = other.message
            elif (why := self.room.too_small(other.window)) or (why := self._go_on(other, failed)):
                skipped[name] = why
            else:
                self._tell_skipped(skipped)
                return
        for _, other in others:
            if not isinstance(other, OpenclawError) and not self._go_on(other, failed):
                await self.room.make()
                return
        self._tell_skipped(skipped)
        nor = "; ".join(skipped.values())
        raise TurnFailed(f"{failed}; nor can the other model be used: {nor}" if nor else failed) from error

    def _go_on(self, other: Target, failed: str) -> str:
        """Ask this model from now on; why that can't be. The hop is told, and recorded."""
        before = self.target.name
        try:
            self.use(other)
        except OpenclawError as problem:
            return problem.message
        self.screen.line(f"{failed}; going on with {other.name}", "warn")
        self.report(HOP, source=before, model=other.name, reason=failed)
        return ""

    def _tell_skipped(self, skipped: Mapping[str, str]) -> None:
        for name, why in skipped.items():
            self.conversation.note("skipped", model=name, why=why)
            self.screen.line(f"not with {name}: {why}", "warn")

    # --- calling

    async def _run_calls(self) -> None:
        """Every call that has no result yet, in order. What had begun in an earlier life is not begun again."""
        for call in self.conversation.open_calls:
            tool = next((tool for tool in self.tools if tool.name == call.name), None)
            if call.id in self.conversation.started and not (tool and tool.again):
                self.screen.line(f"{tools.in_one_line(call)}: interrupted, not run again", "warn")
                self.conversation.result(call, INTERRUPTED, error=True)
                continue
            await self._run(call)

    async def _run(self, call: Call) -> None:
        shown = tools.in_one_line(call)
        self.screen.status(shown)
        self.conversation.start(call)
        try:
            text = await tools.call(self.tools, call, self.place)
        except ToolError as error:
            self.screen.line(f"{shown}: {error}".split("\n")[0], "error")
            self.conversation.result(call, str(error), error=True)
            return
        self.screen.line(f"{shown} → {tools.outcome(text)}", "call")
        self.conversation.result(call, text)
