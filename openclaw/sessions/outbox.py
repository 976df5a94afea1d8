"""The messages that wait for a session, typed one at a time, in their order, by whoever holds its lock."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager

from openclaw.agents import registry
from openclaw.locks import locked
from openclaw.sessions import compose
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, sends
from openclaw.store.sends import Send
from openclaw.store.sessions import Session
from openclaw.terminal.windows import View
from openclaw.units import utc

UNSEEN = "its window can't be seen"


def typing(fleet: Fleet, id: str) -> AbstractContextManager[None]:
    """While nobody else types into the session's window."""
    return locked(fleet.state_dir, f"send-{os.path.basename(id)}")


def push(fleet: Fleet, id: str, rows: Sequence[Session], seen: View) -> str:
    """Type the oldest message that waits for a session, if that is idle. Returns why it can't be now; empty when it
    was decided, or none waits. The caller holds the lock; `rows` and `seen` are from a look after it was taken."""
    queue = sends.waiting(fleet.store, id)
    if not queue:
        return ""
    session = next((s for s in rows if s.id == id), None)
    if session is None:
        decide(fleet, queue, "failed", "it ended before it could be sent")
        return ""
    first = next((message for message in queue if message.not_before <= fleet.clock()), None)
    if first is None:
        return f"it waits until {utc(queue[0].not_before)}"
    agent = registry.load(fleet.settings).get(session.agent)
    if first.state == "typing" and compose.taken(fleet, first, agent):  # whoever typed it died before it could say so
        decide(fleet, [first], "delivered")
        return ""
    if seen.presence == "unknown":
        return seen.problem or "tmux does not answer"
    pane = seen.panes.get(id)
    if pane is None or session.status == "waiting":
        return session.reason or UNSEEN
    if not ready(session, first):
        return f"it is {session.status}"
    outcome = compose.type_in(fleet, session, agent, pane, first)
    if outcome.state == "blocked":
        return outcome.why
    decide(fleet, [first], outcome.state, outcome.why)
    return ""


def ready(session: Session, first: Send) -> bool:
    """Whether a message may be typed: into a program that is idle, or has started and waits for its first prompt."""
    begun = session.status == "starting" and bool(session.reported_at) and first.sender == sends.FIRST
    return not session.reporter or session.status == "idle" or begun


def decide(fleet: Fleet, messages: Sequence[Send], state: str, why: str = "") -> None:
    """Write down what became of them."""
    with db.transaction(fleet.store):
        for message in messages:
            sends.change(fleet.store, message.number, fleet.now(), state, why)
