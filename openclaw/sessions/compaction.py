"""Having a sub-agent's program compact its conversation, by its own command, and then telling it to go on.

The command goes the way of every message: typed into an empty line of an idle program, and taken when the program says
so. Whoever was killed in the middle calls again what was being done, and nothing is sent twice.
"""

from __future__ import annotations

from openclaw.agents import registry
from openclaw.errors import Unavailable
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.send import Sent, send
from openclaw.store import events, sends
from openclaw.store.sessions import Session

TASK = 4000  # characters of it that are repeated


def ask(fleet: Fleet, session: Session, keep: str = "") -> Sent:
    """Have its program compact its conversation, at once or when its turn ends. `keep`: what must stay, in words.

    Unavailable, BadInput: its program has no such command, or can't be told that.
    """
    agent = registry.load(fleet.settings).get(session.agent)
    if not agent or not agent.compact:
        hint = "`openclaw compact --in` does it for files"
        raise Unavailable(f"{session.agent} has no command that compacts its conversation", hint)
    return send(fleet, session.id, agent.compacting(keep), tells=True, command=True)


def begin(fleet: Fleet, session: Session, command: str, after_event: int) -> Sent:
    """Send the command, unless one has been taken since that event, or waits to be typed."""
    if taken(fleet, session.id, after_event):
        return Sent(session.id, "delivered")
    return queued(fleet, session.id, command) or send(fleet, session.id, command, command=True)


def resume(fleet: Fleet, session: Session, after_event: int) -> Sent:
    """Tell it to go on, unless it was given something to do since it has compacted, or is going to be."""
    text = go_on(session)
    if prompted(fleet, session.id, after_event):
        return Sent(session.id, "delivered")
    return queued(fleet, session.id, text) or send(fleet, session.id, text)


def queued(fleet: Fleet, id: str, text: str) -> Sent | None:
    """A message of this text that waits, and has nobody who could have died over it."""
    found = [s for s in sends.waiting(fleet.store, id) if s.text == text and not s.sender]
    return Sent(id, "queued", "", found[0].number) if found else None


def taken(fleet: Fleet, id: str, after_event: int) -> bool:
    """Whether its program has begun to compact since that event."""
    return bool(events.named(fleet.store, id, "PreCompact", after_event))


def done(fleet: Fleet, id: str, after_event: int) -> bool:
    """Whether it has compacted since that event: a PreCompact alone proves nothing."""
    return bool(events.named(fleet.store, id, "PostCompact", after_event))


def went_on(fleet: Fleet, id: str, after_event: int) -> bool:
    """Whether it has done a turn since it has compacted, so that its context is known again."""
    compacted = events.named(fleet.store, id, "PostCompact", after_event) or after_event
    prompt = events.named(fleet.store, id, "UserPromptSubmit", compacted)
    return bool(prompt and events.named(fleet.store, id, "Stop", prompt))


def prompted(fleet: Fleet, id: str, after_event: int) -> bool:
    """Whether it was given something to do since it has compacted."""
    compacted = events.named(fleet.store, id, "PostCompact", after_event) or after_event
    return bool(events.named(fleet.store, id, "UserPromptSubmit", compacted))


def go_on(session: Session) -> str:
    """What a sub-agent is told whose conversation was compacted while it was idle."""
    task = session.task if len(session.task) <= TASK else session.task[:TASK] + "…"
    lines = [
        "Your conversation was compacted, because its context was nearly full.",
        "If your task is done, say so and do nothing more. Else first look at what is done already, do nothing twice,",
        "and go on with it where you were. It was:",
        "",
        task,
        "",
        "Go on now.",
    ]
    return "\n".join(lines)
