"""What is sent into the main session: typed only into the empty input line of its window, while it is idle.

It has delivered what the main agent's own hooks then report as the begin of a turn, after the text has left the line.
"""

from __future__ import annotations

from collections.abc import Iterator

from openclaw.agents import composer, registry
from openclaw.continuity import main_window
from openclaw.errors import OpenclawError
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, inbox, mains
from openclaw.store.inbox import Errand
from openclaw.store.mains import Main
from openclaw.terminal import deliver
from openclaw.terminal.server import Terminal, wait_for

COVERED_SECONDS = 2.0  # a line that is drawn anew just now is back by then
CONFIRM_SECONDS = 10.0
HEAD = "A scheduled message:"  # before a text that would be taken for a command
TYPING = "typing since "  # the mark of one whose sender may have died in the middle, with what it saw before


def tell(fleet: Fleet, errand: Errand) -> tuple[str, str]:
    """Send it into the main session: delivered, failed, or waiting until it can be; and why."""
    main = mains.current(fleet.store, errand.workspace)
    if main is None:
        return "failed", "no main session is registered for its workspace"
    with locked(fleet.state_dir, "main-window"):
        main = mains.current(fleet.store, errand.workspace) or main
        if main.ended_at:
            return _waits(errand, "the main session has ended; the next one gets it")
        if errand.why.startswith(TYPING) and errand.why.removeprefix(TYPING) < main.seen_at:
            return "delivered", ""  # whoever typed it died before it could say so
        if not main.socket or not main.pane_id:
            return "failed", "the main session runs outside of tmux"
        return _type(fleet, errand, main)


def screens(fleet: Fleet, workspace: str) -> Iterator[tuple[Terminal, str]]:
    """Where a person may look: the shared terminal, and the pane of the main session."""
    try:
        if fleet.terminal.running():
            yield fleet.terminal, ""
    except OpenclawError:
        pass  # nobody looks at it
    main = mains.current(fleet.store, workspace)
    if main and main.socket and main.pane_id and not main.ended_at:
        yield _terminal(fleet, main), main.pane_id


def _type(fleet: Fleet, errand: Errand, main: Main) -> tuple[str, str]:
    agents = registry.load(fleet.settings)
    if main.agent not in agents or not agents[main.agent].input.get("line"):
        return "failed", f"nobody knows how {main.agent} draws its input line"
    window = main_window.find(main, agents[main.agent], hooks=True)
    if isinstance(window, str):
        return _waits(errand, f"the main session: {window}")
    text = composer.safe(errand.text, agents[main.agent].input, HEAD)

    def reported() -> bool:
        fresh = mains.current(fleet.store, errand.workspace)
        return fresh is not None and fresh.seen_at > main.seen_at

    if not wait_for(lambda: window.held() is not None, COVERED_SECONDS):
        return _waits(errand, "something covers the input line of the main session")
    if not (errand.why.startswith(TYPING) and window.shows(text)):
        if window.held():
            return _waits(errand, "a draft stands in the input line of the main session")
        with db.transaction(fleet.store):
            inbox.remark(fleet.store, errand.number, TYPING + main.seen_at)
        deliver.paste(window.terminal, window.pane, text)
        if not wait_for(lambda: window.shows(text), main_window.SHOW_SECONDS):
            return "failed", "the input line of the main session did not take the text"
    if why := main_window.enter(window, text):
        return "failed", why
    if wait_for(reported, CONFIRM_SECONDS):
        return "delivered", ""
    return "failed", "typed into the main session, which has not reported it: look at its window"


def _waits(errand: Errand, why: str) -> tuple[str, str]:
    """Another time. What was once typed keeps its mark."""
    return "waiting", errand.why if errand.why.startswith(TYPING) else why


def _terminal(fleet: Fleet, main: Main) -> Terminal:
    return Terminal(main.socket, fleet.settings.get("tmux.command"), fleet.settings.get("tmux.timeout"))
