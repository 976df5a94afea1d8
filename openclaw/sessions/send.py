"""Sending text to running sub-agents, with a verdict that is true.

A message is a row from the moment it is accepted. It is typed only while its program is idle, into an empty input
line, by whoever holds the lock on that: this process, or the courier, which waits for a busy program's turn to end.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from typing import NamedTuple

from openclaw import processes
from openclaw.errors import Interrupted
from openclaw.sessions import courier, outbox
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import db, sends, sessions
from openclaw.store.sends import Send
from openclaw.store.sessions import Session
from openclaw.tasks.request import check_text
from openclaw.terminal import deliver
from openclaw.units import from_utc

LARGEST = 1_048_576  # bytes; Claude Code took 1,060,009 exactly
POLL_SECONDS = 0.05
EXITS = {"delivered": 0, "queued": 0, "pressed": 0, "unconfirmed": 6, "waiting": 6, "failed": 1}


class Sent(NamedTuple):
    """What became of a message. `verdict`: delivered; queued; unconfirmed; failed (not delivered); waiting (a person
    must act there first, and nothing was sent); pressed (keys). `late`: a wait for it ran out of time."""

    id: str
    verdict: str
    why: str = ""
    number: int = 0  # of its row, if there is one
    late: bool = False

    @property
    def exit_status(self) -> int:
        return 124 if self.late else EXITS[self.verdict]

    def as_json(self) -> dict[str, object]:
        return {"id": self.id, "verdict": self.verdict, "reason": self.why}


def send(
    fleet: Fleet, id: str, text: str, tells: bool = False, command: bool = False, after_reset: bool = False
) -> Sent:
    """Send `text` to the session as its next prompt, exactly; tabs may arrive as four spaces.

    `after_reset`: not before the limit of its subscription, at which it stands, has reset; at once where it stands at
    none.

    As a `command`, like /compact, it is typed as it is, and has arrived when the program reports what it does then.
    `tells`: the caller will call `told` when it has told the verdict; should this process die before, the same text,
    sent again, is taken for the same message. BadInput, Refused: a text that can't be sent.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    check_text(text, LARGEST, "the message", "put the bulk into a file and name that")
    session = _live(fleet, id)
    if isinstance(session, Sent):
        return session
    not_before = from_utc(session.limited_until) if after_reset and session.limited_until else 0.0
    number = _accept(fleet, session, text, command, not_before)
    try:
        sent = _push_own(fleet, id, number)
        if sent.verdict == "queued":
            courier.ensure(fleet)
    except (Interrupted, KeyboardInterrupt):
        with db.transaction(fleet.store):
            sends.withdraw(fleet.store, number)  # unless it is being typed: then it is the next holder's to finish
        raise
    if not tells:
        told(fleet, [sent])
    return sent


def told(fleet: Fleet, sent: Sequence[Sent]) -> None:
    """Somebody knows what became of these: the same text, sent again, is another message."""
    with db.transaction(fleet.store):
        sends.told(fleet.store, [each.number for each in sent])


def follow(fleet: Fleet, sent: Sent, timeout: float | None = None) -> Sent:
    """What becomes of a queued message, `timeout` seconds at most; any other is returned as it is."""
    began = looked = time.monotonic()
    while sent.verdict == "queued":
        found = sends.get(fleet.store, sent.number)
        if found is None:
            return Sent(sent.id, "failed", "it was withdrawn")
        if found.state not in sends.WAITING:
            return _sent(found)
        if timeout is not None and time.monotonic() > began + timeout:
            return sent._replace(why=f"not taken after {timeout:g} s", late=True)
        if time.monotonic() > looked + 1:
            courier.ensure(fleet)  # it may have been killed
            looked = time.monotonic()
        time.sleep(POLL_SECONDS)  # between two looks at its row
    return sent


def press(fleet: Fleet, id: str, words: Sequence[str]) -> Sent:
    """Press keys in a session's window, on purpose, whatever is open there. BadInput: no such key."""
    keys = [deliver.key(word) for word in words]
    session = _live(fleet, id)
    if isinstance(session, Sent):
        return session
    with outbox.typing(fleet, id):
        pane = settle(fleet)[1].panes.get(id)
        if pane is None:
            return Sent(id, "failed", outbox.UNSEEN)
        deliver.press(fleet.terminal, pane, keys)
    return Sent(id, "pressed", " ".join(keys))


def _live(fleet: Fleet, id: str) -> Session | Sent:
    """The session as it stands; a verdict when nothing can be sent to it."""
    session = next((s for s in settle(fleet)[0] if s.id == id), None)
    if session:
        return session
    [session] = sessions.by_ids(fleet.store, [id])
    return Sent(id, "failed", f"it has ended: {session.status}")


def _accept(fleet: Fleet, session: Session, text: str, command: bool, not_before: float) -> int:
    """A row for the message: that of the same text, if nobody was told what became of it or if it was not confirmed."""
    with db.transaction(fleet.store):
        me = processes.identity(os.getpid())
        for known in sends.open_ends(fleet.store, session.id):
            orphan = known.state != "failed" and known.sender and not processes.alive(known.sender)
            if (known.text, bool(known.command)) == (text, command) and (orphan or known.state == "unconfirmed"):
                if known.state == "unconfirmed":  # it may have arrived since; if it still stands there, Enter is all
                    sends.change(fleet.store, known.number, fleet.now(), "typing", known.why)
                sends.take_over(fleet.store, known.number, me)
                return known.number
        return sends.add(fleet.store, session.id, text, me, fleet.now(), command, not_before)


def _push_own(fleet: Fleet, id: str, number: int) -> Sent:
    """Type what waits, this message last, as long as the program is idle."""
    with outbox.typing(fleet, id):
        while True:
            rows, seen = settle(fleet)
            why = outbox.push(fleet, id, rows, seen)
            mine = sends.get(fleet.store, number)
            if mine is None:
                return Sent(id, "failed", "it was withdrawn")
            if mine.state not in sends.WAITING:
                return _sent(mine)
            if why:
                break
        session = next(s for s in rows if s.id == id)
        if mine.not_before > fleet.clock():
            return Sent(id, "queued", why, number)
        if session.status in ("waiting", "idle"):  # a dialog, or something that covers its input line
            with db.transaction(fleet.store):
                if sends.withdraw(fleet.store, number):
                    return Sent(id, "waiting", why)
    return Sent(id, "queued", why, number)


def _sent(message: Send) -> Sent:
    return Sent(message.session_id, message.state, message.why, message.number)
