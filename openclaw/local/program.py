"""The program as a whole: what the session gave it, the conversation, the agent, and the window they meet in."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import signal
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

from openclaw.context.tokens import estimate
from openclaw.context.window import Triggers, pruning
from openclaw.errors import BadInput, NotFound, OpenclawError
from openclaw.local import slash, tools
from openclaw.local.agent import Agent
from openclaw.local.budget import Budget, Halted
from openclaw.local.conversation import Conversation
from openclaw.local.place import Place
from openclaw.local.reports import Reports
from openclaw.local.retry import Retry
from openclaw.local.tools import Tool
from openclaw.local.window import Window
from openclaw.local.wire import Limits
from openclaw.models import endpoints, targets
from openclaw.models.targets import Target
from openclaw.results import Results
from openclaw.roles.summarize import Summarizer, configured
from openclaw.settings import Settings
from openclaw.usage import calibrations
from openclaw.whole import put

FAILED, HALTED = 1, 3  # its exit status: something of ours failed; refused by a guard
ECHOED = 12  # lines of a prompt that are shown
RESULTS = 8  # so many of the largest results of tools fit into a window
CHARS = 4  # of a token, where a limit is wanted and no count
HIDDEN = ("OPENCLAW_LOCAL_", "ANTHROPIC_", "OPENAI_")  # of what a command needs nothing
SYSTEM = """You are a sub-agent: a careful engineer at work on one task, in the folder {cwd} on {system}.
Use your tools to look before you change anything; change only what the task needs. A command can't be asked anything.
What lies outside of your scope is refused: work with the rest, and say in your answer what was missing.
When the task is done, answer in a few lines: what you did, what you checked, what is left."""


def run(given: argparse.Namespace) -> int:
    """Until it ends; the exit status."""
    for name in ("NO_PROXY", "no_proxy"):  # a proxy has nothing to do with models on this machine
        os.environ[name] = ",".join(filter(None, (os.environ.get(name), "127.0.0.1", "localhost", "::1")))
    settings = Settings()
    session = _session(settings.environ)
    id = given.resume or given.conversation or str(uuid.uuid4())
    folder = _folder(settings, id)
    path = os.path.join(folder, f"{id}.jsonl")
    if given.resume and not os.path.exists(path):
        raise NotFound(f"there is no conversation {id[:60]!r}", "it would be in " + folder, code="no_conversation")
    offered = tools.chosen(given.tools.split(",") if given.tools is not None else None)
    overhead = sum(estimate(json.dumps(tool.schema) + tool.about) + 8 for tool in offered)
    conversation = Conversation(path, overhead, known=lambda model: calibrations.at(settings, model))
    target = targets.target(conversation.model or given.model or settings.get("local.model"), settings)
    place = _place(settings, session, folder, target)
    if not conversation.messages:
        own = given.system_prompt or SYSTEM.format(cwd=place.cwd, system=platform.system())
        conversation.system("\n\n".join(filter(None, (own, given.append_system_prompt))))
    return asyncio.run(_Program(settings, session, conversation, offered, target, place, given, id).live())


class _Program:
    """One run of it."""

    def __init__(
        self,
        settings: Settings,
        session: Mapping[str, Any],
        conversation: Conversation,
        offered: Sequence[Tool],
        target: Target,
        place: Place,
        given: argparse.Namespace,
        id: str,
    ) -> None:
        self.settings, self.conversation, self.given = settings, conversation, given
        self.prompts: asyncio.Queue[tuple[str, str]] = asyncio.Queue()  # (text, the id under which it waits)
        self.turn: asyncio.Task[None] | None = None
        self.report = Reports(settings.environ, id, conversation.path)
        self.window = Window(self._entered, self.interrupt, self._figures, "NO_COLOR" not in settings.environ)
        self.agent = Agent(
            conversation,
            place,
            offered,
            target,
            self.window,
            self.report,
            Budget((session.get("budget") or {}).get("tokens")),
            Limits(settings.get("local.output_tokens"), settings.get("local.silence")),
            Retry(settings.get("local.retries")),
            self._others,
            _triggers(settings),
            self._summarizer,
        )
        self.halted = ""
        self.failed = False

    async def live(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self.window.stop)
        resumed = bool(self.given.resume)
        self.report("SessionStart", source="resume" if resumed else "startup")
        self.window.line(f"{self.agent.target.name}, in {self.agent.place.cwd}; /help lists the commands")
        if self.given.prompt:
            self._echo(self.given.prompt)
            self.prompts.put_nowait((self.given.prompt, ""))
        for queued, text in self.conversation.queued.items():  # typed before the program was killed
            self._echo(text)
            self.prompts.put_nowait((text, queued))
        worker = asyncio.create_task(self._work(resumed))
        try:
            await self.window.run()
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            self.report("SessionEnd", reason="other")
            self.conversation.close()
        if not self.halted:
            return FAILED if self.failed else 0
        put(os.path.join(os.path.dirname(self.conversation.path), "ending"), b"halted")
        return HALTED

    def interrupt(self) -> bool:
        """End the turn; whether there was one."""
        if running := self.interruptible:
            self.agent.interrupted = True
            running.cancel()
        return bool(running)

    @property
    def interruptible(self) -> asyncio.Task[None] | None:
        """The turn under way."""
        return self.turn if self.turn and not self.turn.done() else None

    def _entered(self, text: str) -> None:
        command = slash.known(text)
        self._echo(text)
        if command == "/exit":
            self.window.stop()
        elif command in slash.AT_ONCE:
            slash.run(text, self.agent, self.settings)
        else:
            if self.interruptible:
                self.window.line("queued until the turn ends")
            self._queue(text)

    def _queue(self, text: str) -> None:
        """It is in the log before it waits: whoever kills the program does not take it away."""
        try:
            self.prompts.put_nowait((text, self.conversation.queue(text)))
        except OpenclawError:  # a full disk: the turn will say so
            self.prompts.put_nowait((text, ""))

    def _echo(self, text: str) -> None:
        """A prompt above the answer to it; of a long one its begin."""
        first, left = text.split("\n")[:ECHOED], text.count("\n") + 1 - ECHOED
        self.window.line("\n".join([*first, *([f"… {left} more lines"] if left > 0 else [])]), "prompt")

    async def _work(self, resumed: bool) -> None:
        """Turn after turn. One that a kill has cut off is finished first, if nobody says anything else."""
        try:
            if resumed and not self.given.prompt and (self.conversation.open_calls or self.conversation.owes_answer):
                await self._take(self.agent.turn(None))
            elif resumed and self.prompts.empty():
                self.report("Stop")
            while True:
                text, queued = await self.prompts.get()
                if command := slash.known(text):
                    if queued:
                        self.conversation.taken(queued)
                    if command == "/compact":
                        await self._take(slash.compact(text, self.agent))
                    else:
                        slash.run(text, self.agent, self.settings)
                else:
                    await self._take(self.agent.turn(text, queued))
        except Halted as error:
            self.halted = str(error)
            self.window.line(self.halted, "error")
            self.window.stop()
        except Exception as error:  # noqa: BLE001 - a full disk, or a fault of ours: the log holds what counts
            self.failed = True
            said = error.message if isinstance(error, OpenclawError) else f"{type(error).__name__}: {error}"
            self.window.line(said, "error")
            self.report("StopFailure", error=said)
            self.window.stop()

    async def _take(self, turn: Coroutine[Any, Any, None]) -> None:
        self.turn = asyncio.create_task(turn)
        try:
            await self.turn
        except asyncio.CancelledError:
            if not self.agent.interrupted:  # by a person, before it had begun
                raise

    def _others(self) -> list[tuple[str, Target | OpenclawError]]:
        """Those to go on with after the one that is asked now, in turn; the last has none."""
        found: list[tuple[str, Target | OpenclawError]] = []
        for name in filter(None, map(str.strip, self.settings.get("local.fallback_model").split(","))):
            try:
                target = targets.target(name, self.settings)
                found = [] if target.name == self.agent.target.name else [*found, (target.name, target)]
            except OpenclawError as error:
                found.append((name, error))
        return found

    def _summarizer(self, wish: str) -> Summarizer | None:
        """Who summarises; nobody where no model is set for it."""
        return Summarizer(self.settings, wish=wish) if configured(self.settings) else None

    def _figures(self) -> str:
        c, agent = self.conversation, self.agent
        window = agent.target.window
        parts = [agent.target.name, f"context {c.context():,}/{window:,} ({c.context() / window:.0%})"]
        if agent.budget.limit:
            parts.append(f"budget {c.grown():,}/{agent.budget.limit:,} ({c.grown() / agent.budget.limit:.0%})")
        return " · ".join([*parts, "free" if agent.target.free else f"${c.cost_usd:.2f}"])


def _session(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the session was started with; empty outside of one."""
    id, state_dir = environ.get("OPENCLAW_SESSION_ID"), environ.get("OPENCLAW_STATE_DIR")
    if not id or not state_dir:
        return {}
    path = os.path.join(state_dir, "sessions", id, "session.json")
    try:
        with open(path, encoding="utf-8") as file:
            found: dict[str, Any] = json.load(file)
            return found
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: {error}", "start it with openclaw spawn") from error


def _folder(settings: Settings, id: str) -> str:
    """Where its log lies: the folder in which a session may write, or one for all that have no session."""
    result = settings.environ.get("OPENCLAW_RESULT_FILE", "")
    folder = os.path.dirname(result) if result else os.path.join(settings.state_dir, "local")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    return folder


def _triggers(settings: Settings) -> Triggers:
    raw = {name: settings.get(f"contextPruning.{name}") for name in ("mode", "maxMessages", "compactAfter")}
    return Triggers(
        share=settings.get("compact.percent") / 100,
        tokens=settings.get("compact.tokens"),
        minutes=settings.get("compact.after") / 60,
        turns=settings.get("compact.turns"),
        pruning=pruning(raw),
    )


def _place(settings: Settings, session: Mapping[str, Any], folder: str, target: Target) -> Place:
    secret = endpoints.keys(settings)
    environ = {k: v for k, v in settings.environ.items() if k not in secret and not k.startswith(HIDDEN)}
    cwd = os.path.realpath(session.get("cwd") or settings.cwd)
    return Place(
        cwd,
        session.get("scope") or {"read": ["/**"], "open": True},
        os.path.join(settings.sessions_dir, session["id"]) if session else folder,
        os.path.join(folder, "results"),
        [os.path.realpath(os.path.join(cwd, item["path"])) for item in session.get("injected") or ()],
        environ,
        min(settings.get("local.result_tokens"), target.window // RESULTS) * CHARS,
        settings.get("local.command_limit"),
        Results(settings),
    )
