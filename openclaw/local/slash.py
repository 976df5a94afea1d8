"""The commands that a person types: /compact /status /context /model /undo /help /exit."""

from __future__ import annotations

import asyncio

from openclaw.errors import OpenclawError
from openclaw.local.agent import Agent
from openclaw.models import endpoints, targets
from openclaw.settings import Settings

HELP = """/compact [what to keep]  make the conversation smaller, now
/status                  model, tokens, budget, cost, where the log is
/context                 what the conversation holds, by who said it
/model [endpoint/model]  ask another model from now on
/undo                    take back the last compaction, or the last prompt with all that came of it
/help                    this
/exit                    end; Ctrl-D too
Esc or Ctrl-C interrupts. What you type meanwhile is taken when the turn has ended. Alt-Enter is a new line."""
NAMES = tuple(line.split()[0] for line in HELP.splitlines() if line.startswith("/"))
AT_ONCE = ("/status", "/context", "/help", "/exit")  # while a turn runs too: they change nothing
SYSTEM_ROLES = {"system": "system prompt", "user": "you", "assistant": "the model", "tool": "results of tools"}


def known(text: str) -> str:
    """The command that a text is; empty for a prompt, also one that begins with a slash, such as a path."""
    name = text.split()[0] if text.strip() else ""
    return name if name in NAMES else ""


async def compact(text: str, agent: Agent) -> None:
    """/compact: it may ask a model, and can be interrupted like a turn."""
    agent.interrupted = False
    agent.report("PreCompact", trigger="manual")
    try:
        if not await agent.room.compact(None, "you asked for it", text.strip().partition(" ")[2].strip()):
            agent.screen.line("there is nothing to leave out")
    except asyncio.CancelledError:
        if not agent.interrupted:
            raise
        agent.screen.line("interrupted: nothing was compacted", "warn")
    finally:
        agent.screen.status("")
        agent.report("PostCompact", trigger="manual")


def run(text: str, agent: Agent, settings: Settings) -> None:
    """Do what one of these says, but for /compact; what comes of it is shown on the agent's screen."""
    name, _, rest = text.strip().partition(" ")
    try:
        shown = {
            "/status": _status, "/context": _context, "/model": _model, "/undo": _undo,
            "/help": lambda *_: HELP,
        }[name](agent, settings, rest.strip())  # fmt: skip
    except OpenclawError as error:
        agent.screen.line(f"{error.message}; {error.hint}" if error.hint else error.message, "error")
        return
    if shown:
        agent.screen.line(shown)


def _status(agent: Agent, settings: Settings, rest: str) -> str:
    c, target = agent.conversation, agent.target
    return "\n".join(
        (
            f"model    {target.name} at {target.url.partition('?')[0]}, window {target.window:,} tokens",
            f"context  {c.context():,} tokens, {c.context() / target.window:.0%} of the window",
            f"budget   {agent.budget.shown(c.grown())} of conversation",
            f"used     {c.tokens_used:,} tokens in all, " + ("free" if target.free else f"${c.cost_usd:.4f}"),
            f"log      {c.path}",
        )
    )


def _context(agent: Agent, settings: Settings, rest: str) -> str:
    conversation, lines = agent.conversation, []
    beside = conversation.context()
    for role, shown in SYSTEM_ROLES.items():
        if own := [message for message in conversation.messages if message.role == role]:
            tokens = conversation.about(own)
            beside -= tokens
            lines.append(f"{shown:<18}{tokens:>9,} tokens in {len(own)}")
    lines.append(f"{'beside them':<18}{max(0, beside):>9,} tokens: the descriptions of tools and such")
    return "\n".join([*lines, f"{'in all':<18}{conversation.context():>9,} tokens"])


def _model(agent: Agent, settings: Settings, name: str) -> str:
    if not name:
        return f"{agent.target.name}; the endpoints are {', '.join(endpoints.load(settings))}"
    agent.use(targets.target(name, settings))
    return f"from now on {agent.target.name}"


def _undo(agent: Agent, settings: Settings, rest: str) -> str:
    what = agent.conversation.undo()
    if what == "prompt":
        return "the last prompt is taken back, with all that came of it; files stay as they are"
    return "the last compaction is taken back" if what else "there is nothing to take back"
