"""The window of the main session: what is sent there is typed only into an empty input line while it is idle.

It has delivered what the main agent's own hooks then report as the begin of a turn, after the text has left the line.
"""

from __future__ import annotations

from collections.abc import Iterator

from openclaw.agents import composer, registry
from openclaw.errors import OpenclawError
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, inbox, mains
from openclaw.store.inbox import Errand
from openclaw.store.mains import Main
from openclaw.terminal import deliver
from openclaw.terminal.panes import TAG, Pane, capture
from openclaw.terminal.server import Server, Terminal, wait_for

SHOW_SECONDS = 5.0
ENTER_SECONDS = 2.0
ENTERS = 4
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
        if main.state != "idle":
            return _waits(errand, f"the main session is {main.state}")
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
    entry = agents[main.agent].input if main.agent in agents else {}
    line, pasted = entry.get("line", ""), entry.get("pasted", "")
    terminal = _terminal(fleet, main)
    pane = _pane(terminal, main)
    if pane is None:
        return _waits(errand, "the window of the main session is gone")
    if not line:
        return "failed", f"nobody knows how {main.agent} draws its input line"
    text = composer.safe(errand.text, entry, HEAD)

    def screen() -> str:
        return capture(terminal, main.pane_id, ansi=True)

    def held() -> str | None:
        return composer.held(line, screen())

    def shows() -> bool:
        seen = screen()
        drawn = composer.held(line, seen)
        return composer.fills(seen, text) if drawn is None else composer.holds(drawn, text, pasted)

    def reported() -> bool:
        fresh = mains.current(fleet.store, errand.workspace)
        return fresh is not None and fresh.seen_at > main.seen_at

    if not wait_for(lambda: held() is not None, ENTER_SECONDS):
        return _waits(errand, "something covers the input line of the main session")
    if not (errand.why.startswith(TYPING) and shows()):
        if held():
            return _waits(errand, "a draft stands in the input line of the main session")
        with db.transaction(fleet.store):
            inbox.remark(fleet.store, errand.number, TYPING + main.seen_at)
        deliver.paste(terminal, pane, text)
        if not wait_for(shows, SHOW_SECONDS):
            return "failed", "the input line of the main session did not take the text"
    for _ in range(ENTERS):
        deliver.paste(terminal, pane, deliver.ENTER, bracketed=False)
        if wait_for(lambda: reported() or not shows(), ENTER_SECONDS):
            break
    if wait_for(reported, CONFIRM_SECONDS):
        return "delivered", ""
    return "failed", "typed into the main session, which has not reported it: look at its window"


def _waits(errand: Errand, why: str) -> tuple[str, str]:
    """Another time. What was once typed keeps its mark."""
    return "waiting", errand.why if errand.why.startswith(TYPING) else why


def _terminal(fleet: Fleet, main: Main) -> Terminal:
    return Terminal(main.socket, fleet.settings.get("tmux.command"), fleet.settings.get("tmux.timeout"))


def _pane(terminal: Terminal, main: Main) -> Pane | None:
    """Its pane as it is now; None when it is gone, or a sub-agent's by now."""
    words = f"#{{pid}} #{{start_time}} #{{session_id}} #{{window_id}} #{{pane_pid}} #{{pane_dead}} #{{{TAG}id}}"
    try:
        reply = terminal.run("display-message", "-p", "-t", main.pane_id, words)
    except OpenclawError:
        return None
    parts = reply.out.split()
    if reply.code or len(parts) != 6 or parts[5] != "0":
        return None
    server = Server(int(parts[0]), int(parts[1]))
    return Pane("", "", parts[2], parts[3], main.pane_id, int(parts[4]), False, None, None, 0, 0, server)
