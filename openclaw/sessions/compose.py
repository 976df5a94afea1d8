"""Typing one message into a program's input line, and finding out whether the program took it.

Nothing is typed into a line that holds something else, and Enter is pressed only while the line shows this very text:
whatever a person does there meanwhile, no two texts are joined. What proves delivery is the program's own report.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from openclaw.agents import composer
from openclaw.agents.registry import Agent
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, events, sends
from openclaw.store.sends import Send
from openclaw.store.sessions import Session
from openclaw.terminal import deliver
from openclaw.terminal.panes import Pane, capture
from openclaw.terminal.server import wait_for

SHOW_SECONDS = 5.0  # until what was pasted is drawn; Claude Code needs 0.3 s for a megabyte
ENTER_SECONDS = 2.0  # after so long with the text still there, Enter was swallowed
ENTERS = 4
CONFIRM_SECONDS = 10.0  # a hook reports within 0.4 s; on a machine with forty agents it may take a while
READ_SECONDS = 2.0  # a program that reads its terminal does so at once
COMMANDED = "PreCompact"  # what a program reports that has taken its command to compact: the only one that is sent
COVERED = "something covers its input line (look with openclaw attach)"


class Outcome(NamedTuple):
    """delivered, unconfirmed, failed; or blocked: nothing was typed, and it may be tried again. And why."""

    state: str
    why: str = ""


def type_in(fleet: Fleet, session: Session, agent: Agent | None, pane: Pane, send: Send) -> Outcome:
    """Put the message into the window of an idle program. The caller holds the lock on it."""
    if agent is None or agent.output == "stream":
        return _type_raw(fleet, pane, send)
    text = send.text if send.command else composer.safe(send.text, agent.input)
    after = events.newest(fleet.store, session.id)

    def begin() -> None:
        with db.transaction(fleet.store):
            sends.change(fleet.store, send.number, fleet.now(), "typing", after_event=after)

    if "line" not in agent.input:
        begin()
        deliver.paste(fleet.terminal, pane, text)
        deliver.paste(fleet.terminal, pane, deliver.ENTER, bracketed=False)
        if not session.reporter:
            return Outcome("unconfirmed", "its program confirms nothing: look at its window")
        return _confirmed(fleet, session, send, text, after)
    return _compose(fleet, session, agent, pane, send, text, after, begin)


def taken(fleet: Fleet, send: Send, agent: Agent | None) -> bool:
    """Whether the program has reported this message since its typing began."""
    if send.command:
        return bool(events.named(fleet.store, send.session_id, COMMANDED, send.after_event))
    text = composer.safe(send.text, agent.input if agent else {})
    prompts = events.prompts(fleet.store, send.session_id, send.after_event)
    return any(composer.same(prompt, text) for prompt in prompts)


def _compose(
    fleet: Fleet,
    session: Session,
    agent: Agent,
    pane: Pane,
    send: Send,
    text: str,
    after: int,
    begin: Callable[[], None],
) -> Outcome:
    """Into a line that can be seen: put a draft aside, paste, see it there, Enter, see it taken."""
    line, pasted, notice = agent.input["line"], agent.input.get("pasted", ""), agent.input.get("notice", "")

    def screen() -> str:
        return capture(fleet.terminal, pane.pane_id, ansi=True)

    def held() -> str | None:
        return composer.held(line, screen())

    def shows() -> bool:
        seen = screen()
        drawn = composer.held(line, seen)
        return composer.fills(seen, text) if drawn is None else composer.holds(drawn, text, pasted)

    def noticed() -> bool:
        return bool(notice and re.search(notice, capture(fleet.terminal, pane.pane_id)))

    if noticed():
        deliver.press(fleet.terminal, pane, ["Escape"])
        wait_for(lambda: not noticed(), SHOW_SECONDS)
    if noticed() or not wait_for(lambda: held() is not None, ENTER_SECONDS):
        return Outcome("blocked", COVERED)
    begun = send.state == "typing"  # whoever began died: before Enter, or after it and before the program's report
    if begun and wait_for(lambda: _took(fleet, session, send, text, send.after_event) or shows(), CONFIRM_SECONDS):
        after = send.after_event
    else:
        if held() and (outcome := _put_aside(fleet, agent, pane, screen)):
            return outcome
        begin()
        deliver.paste(fleet.terminal, pane, text)
        if not wait_for(shows, SHOW_SECONDS):
            if held():
                return Outcome("failed", "its input line holds something else beside the message: somebody typed there")
            return Outcome("failed", "its input line did not take the text")
    for _ in range(ENTERS):
        if not _took(fleet, session, send, text, after):
            deliver.paste(fleet.terminal, pane, deliver.ENTER, bracketed=False)
        if wait_for(lambda: _took(fleet, session, send, text, after) or not shows(), ENTER_SECONDS):
            break
    else:
        return Outcome("unconfirmed", "the text stands in its input line, but Enter does not submit it")
    return _confirmed(fleet, session, send, text, after)


def _put_aside(fleet: Fleet, agent: Agent, pane: Pane, screen: Callable[[], str]) -> Outcome | None:
    """Have the program keep the draft in its line for later; an outcome when it can't."""
    line, key, mark = agent.input["line"], agent.input.get("stash"), agent.input.get("stashed", "")
    if not key:
        return Outcome("failed", "a draft stands in its input line: submit or clear it (openclaw attach)")
    if mark and mark in composer.plain(screen()):
        return Outcome("failed", "a draft stands in its input line, and another is put aside already")
    deliver.press(fleet.terminal, pane, [key])
    if not wait_for(lambda: composer.held(line, screen()) == "", SHOW_SECONDS):
        return Outcome("failed", "a draft stands in its input line and could not be put aside")
    return None


def _took(fleet: Fleet, session: Session, send: Send, text: str, after: int) -> bool:
    if send.command:
        return bool(events.named(fleet.store, session.id, COMMANDED, after))
    return any(composer.same(prompt, text) for prompt in events.prompts(fleet.store, session.id, after))


def _confirmed(fleet: Fleet, session: Session, send: Send, text: str, after: int) -> Outcome:
    if wait_for(lambda: _took(fleet, session, send, text, after), CONFIRM_SECONDS):
        return Outcome("delivered")
    prompts = events.prompts(fleet.store, session.id, after)
    if any(text.strip() in prompt for prompt in prompts):
        return Outcome("unconfirmed", "it was taken together with other text")
    return Outcome("unconfirmed", "its program has not reported it: look at its window")


def _type_raw(fleet: Fleet, pane: Pane, send: Send) -> Outcome:
    """To a program that reads lines: exact to the byte, and taken when the terminal has nothing left to be read."""
    device = deliver.tty(fleet.terminal, pane)
    if (length := deliver.longest_line(device, send.text)) > deliver.LINE_BYTES:
        return Outcome(
            "failed", f"a line of {length} bytes would be cut: its terminal takes {deliver.LINE_BYTES}; send a path"
        )
    with db.transaction(fleet.store):
        sends.change(fleet.store, send.number, fleet.now(), "typing")
    deliver.paste(fleet.terminal, pane, send.text + "\n")
    if deliver.was_read(device, READ_SECONDS):
        return Outcome("delivered")
    return Outcome("unconfirmed", "typed, but its program has not read it yet")
