"""Having a sub-agent's program compact its conversation, by its own command, and then telling it to go on.

The command goes the way of every message: typed into an empty line of an idle program, and taken when the program says
so. Whoever was killed in the middle calls again what was being done, and nothing is sent twice.
"""

from __future__ import annotations

from openclaw.sessions.fleet import Fleet
from openclaw.sessions.send import Sent, send
from openclaw.store import events
from openclaw.store.sessions import Session

TASK = 4000  # characters of it that are repeated


def begin(fleet: Fleet, session: Session, command: str, after_event: int) -> Sent:
    """Send the command, unless one has been taken since that event."""
    if taken(fleet, session.id, after_event):
        return Sent(session.id, "delivered")
    return send(fleet, session.id, command, command=True)


def taken(fleet: Fleet, id: str, after_event: int) -> bool:
    """Whether its program has begun to compact since that event."""
    return bool(events.named(fleet.store, id, "PreCompact", after_event))


def done(fleet: Fleet, id: str, after_event: int) -> bool:
    """Whether it has compacted since that event: a PreCompact alone proves nothing."""
    return bool(events.named(fleet.store, id, "PostCompact", after_event))


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
