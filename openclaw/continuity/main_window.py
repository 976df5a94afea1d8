"""Typing into the window of the main agent, which is no window of ours: only where it is surely that very program.

The pane must hold the process that its program's own session file names for this conversation, that file must say idle,
and the input line must be empty. What can't be seen is not typed into. For a program without such a file the word of
its hooks may be enough, if the caller says so.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from openclaw.agents import composer
from openclaw.agents.registry import Agent
from openclaw.agents.reported import find_status_file
from openclaw.agents.reporters import Signal, reporter
from openclaw.errors import OpenclawError
from openclaw.store.mains import Main
from openclaw.terminal import deliver
from openclaw.terminal.panes import TAG, Pane, capture
from openclaw.terminal.server import SERVER_FORMAT, Terminal, parse_server, wait_for

SHOW_SECONDS = 5.0  # until what was pasted is drawn
ENTER_SECONDS = 2.0
ENTERS = 4


class Window(NamedTuple):
    """The main agent's pane, and how its program draws its input line."""

    terminal: Terminal
    pane: Pane
    line: str
    pasted: str

    def held(self) -> str | None:
        return composer.held(self.line, capture(self.terminal, self.pane.pane_id, ansi=True))

    def shows(self, text: str) -> bool:
        """Whether its input line holds this text and no other."""
        screen = capture(self.terminal, self.pane.pane_id, ansi=True)
        drawn = composer.held(self.line, screen)
        return composer.fills(screen, text) if drawn is None else composer.holds(drawn, text, self.pasted)


def find(main: Main, agent: Agent, hooks: bool = False) -> Window | str:
    """Its window, if it is idle there and can be typed into; else why not. `hooks`: their word is enough where its
    program has no session file."""
    try:
        return _found(main, agent, hooks)
    except OpenclawError as error:  # its tmux does not answer, or is not safe to use
        return error.message


def _found(main: Main, agent: Agent, hooks: bool) -> Window | str:
    line = agent.input.get("line")
    if not main.socket or not main.pane_id or not line:
        return "it runs in no tmux pane that is known"
    status_file = find_status_file(main.transcript, main.conversation_id)
    signal = reporter(agent.reports).look(status_file, main.conversation_id) if status_file else None
    if hooks and not status_file:
        signal = Signal(main.state)
    if signal is None or signal.state != "idle":
        return "it is not known to be idle" if signal is None else f"it is {signal.state}"
    terminal = Terminal(main.socket)
    names = ("pane_pid", "session_id", "window_id", "pane_dead", f"{TAG}id", "session_name")
    asked = " ".join((SERVER_FORMAT, *(f"#{{{name}}}" for name in names)))
    reply = terminal.run("display-message", "-p", "-t", main.pane_id, asked)
    words = reply.out.rstrip("\n").split(" ", 7)
    server = parse_server(" ".join(words[:2]))
    if reply.code or server is None or len(words) < 8 or words[5] != "0":
        return "its pane is gone"
    pid = os.path.basename(status_file).removesuffix(".json")
    if words[6] or (status_file and not (pid.isdecimal() and _descends(int(pid), int(words[2])))):
        return "another program is in its pane"
    pane = Pane("", words[7], words[3], words[4], main.pane_id, int(words[2]), False, None, None, 0, 0, server)
    return Window(terminal, pane, line, agent.input.get("pasted", ""))


def type_in(window: Window, text: str) -> str:
    """Paste a text into its empty input line, see it there, and press Enter; why not, or empty when it was taken."""
    try:
        if window.held() != "":
            return "its input line is not empty, or covered"
        deliver.paste(window.terminal, window.pane, text)
        if not wait_for(lambda: window.shows(text), SHOW_SECONDS):
            return "its input line does not show the text"
        return enter(window, text)
    except OpenclawError as error:
        return error.message


def enter(window: Window, text: str) -> str:
    """Press Enter as long as the input line shows this text; empty when it was taken."""
    for _ in range(ENTERS):
        deliver.paste(window.terminal, window.pane, deliver.ENTER, bracketed=False)
        if wait_for(lambda: not window.shows(text), ENTER_SECONDS):
            return ""
    return "the text stands in its input line, but Enter does not submit it"


def _descends(pid: int, ancestor: int) -> bool:
    """Whether a process is this one or comes from it."""
    while pid > 1 and pid != ancestor:
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
                pid = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return False
    return pid == ancestor
