"""Looking at the windows of sub-agents: all of them in one tmux process, their tags, their screens.

What carries no tag of ours is somebody else's and is not listed.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Collection, Mapping
from typing import NamedTuple

from openclaw.errors import NotFound, Unavailable
from openclaw.terminal.server import SERVER_FORMAT, Server, Terminal, failed, parse_server, says_absent, wait_for
from openclaw.terminal.words import command

PREFIX = "subagent-"
TAG = "@openclaw_"
# Options we make ourselves beside the tags: the id on the pane; the id on the session, because a person may split off
# panes that carry none; the task as one line that a terminal can be shown; the mark of a view.
OWN = ("id", "session", "line", "view")
# Few fields, because each costs at 500 panes. The session's name is last: a person may rename it to have spaces.
PANE_FORMAT = (
    "#{@openclaw_id} #{session_id} #{window_id} #{pane_id} #{pane_pid} #{pane_dead} #{pane_dead_status} "
    "#{pane_dead_signal} #{window_activity} #{session_attached} #{session_name}"
)
PANE_FIELDS = PANE_FORMAT.count(" ")
NOTICE_SECONDS = 2.0  # between a terminal that was let go of and the end of its process, on a busy machine
NO_SESSIONS = "no current target"  # what `list-panes -a` says on a server that has none


class Pane(NamedTuple):
    """The pane of one sub-agent. A dead pane whose `dead_status` is None ended in a way that tmux missed: not 0."""

    id: str
    session_name: str
    session_id: str
    window_id: str
    pane_id: str
    pid: int
    dead: bool
    dead_status: int | None
    dead_signal: int | None
    activity: int  # epoch seconds of the last output
    attached: int  # clients
    server: Server

    @property
    def unexplained(self) -> bool:
        """Whether it is dead and tmux does not say how it ended, or not yet."""
        return self.dead and self.dead_status is None and self.dead_signal is None


class View(NamedTuple):
    """All that tmux shows at one moment. `unknown` is a hiccup of tmux: it says nothing about who is alive."""

    presence: str  # present | absent | unknown
    server: Server | None
    panes: dict[str, Pane]  # by sub-agent
    problem: str  # why it is unknown


def view(terminal: Terminal, known: Server | None = None) -> View:
    """All our panes, with one tmux process; starts no server. Refused: the socket isn't safe.

    Give `known`, the server last seen, so that one whose socket was deleted is brought back and not called absent.
    """
    try:
        if known and not os.path.lexists(terminal.socket):
            terminal.revive(known)
        reply = terminal.run("display-message", "-p", SERVER_FORMAT, ";", "list-panes", "-a", "-F", PANE_FORMAT)
    except Unavailable as error:
        if error.code == "no_folder":
            return View("absent", None, {}, "")
        return View("unknown", None, {}, error.message)
    if says_absent(reply):
        return View("absent", None, {}, "")
    server = parse_server(reply.out)
    if server is None or (reply.code and reply.err != NO_SESSIONS):
        return View("unknown", None, {}, failed("list the panes", reply, terminal.socket).message)
    panes: dict[str, Pane] = {}
    for line in reply.out.splitlines()[1:]:
        pane = parse_pane(line, server)
        if pane and (pane.id not in panes or pane.session_name == PREFIX + pane.id):  # a window may be linked twice
            panes[pane.id] = pane
    return View("present", server, panes, "")


def noticed(terminal: Terminal, ids: Collection[str], known: Server | None = None) -> View:
    """All our panes, once tmux knows how the dead ones of these ended, or after `NOTICE_SECONDS` as far as it does.

    A pane is dead as soon as its terminal is let go of; the exit status comes with the process's end, a moment later.
    tmux 3.3a with libutempter misses that at times, until the next child of its own ends: `run-shell` makes one.
    """
    seen = [view(terminal, known)]

    def known_all() -> bool:
        terminal.run("run-shell", "true")
        seen[0] = view(terminal, known)
        return not any(pane.unexplained for id, pane in seen[0].panes.items() if id in ids)

    try:
        wait_for(known_all, NOTICE_SECONDS)
    except Unavailable:
        pass  # the server has gone meanwhile, or hangs: the view says which
    return seen[0]


def parse_pane(line: str, server: Server) -> Pane | None:
    """A line of `PANE_FORMAT`; None when it isn't a pane of ours."""
    if line.startswith(" "):
        return None
    words = line.split(" ", PANE_FIELDS)
    try:
        id, session_id, window_id, pane_id, pid, dead, status, killer, activity, attached, name = words
        return Pane(
            id, name, session_id, window_id, pane_id, int(pid), dead == "1", int(status) if status else None,
            _signal(killer) if killer else None, int(activity or 0), int(attached or 0), server,
        )  # fmt: skip
    except ValueError:  # somebody else put a text with blanks into @openclaw_id
        return None


def _signal(text: str) -> int:
    """tmux prints a number or, where the system knows them, a name without SIG."""
    return int(text) if text.isdecimal() else getattr(signal, "SIG" + text.upper(), 0)


def tags(terminal: Terminal) -> dict[str, dict[str, str]]:
    """Every sub-agent's tags as they were given, to rebuild a lost database. Three tmux processes in all.

    Empty when there is no server; Unavailable when tmux doesn't say.
    """
    seen = view(terminal)
    if seen.presence == "unknown":
        raise Unavailable(seen.problem, "try again when tmux answers", "tmux_failed")
    # show-options prints values escaped in a way that differs between versions: take only the names from it
    mark = os.urandom(8).hex()
    ask = [
        command("display-message", "-p", f"{mark} {pane.id}") + "\n" + command("show-options", "-t", pane.session_id)
        for pane in seen.panes.values()
    ]
    names: list[tuple[Pane, str]] = []
    for chunk in _said(terminal, ask).split(f"{mark} ")[1:]:
        id, _, options = chunk.partition("\n")
        keys = re.findall(rf"^{TAG}([a-z0-9_]+)\b", options, re.M)
        names += [(seen.panes[id], key) for key in keys if key not in OWN]
    ask = [
        command("display-message", "-p", "-t", f"{pane.session_id}:", f"{mark} {pane.id} {key} #{{{TAG}{key}}}")
        for pane, key in names
    ]
    found: dict[str, dict[str, str]] = {id: {} for id in seen.panes}
    for chunk in _said(terminal, ask).split(f"{mark} ")[1:]:
        id, key, value = chunk.split(" ", 2)
        found[id][key] = value.removesuffix("\n")
    return found


def _said(terminal: Terminal, commands: list[str]) -> str:
    """What tmux prints for these commands. Sessions that ended meanwhile say nothing."""
    return terminal.run("source-file", "-", stdin="\n".join(commands) + "\n").out if commands else ""


def capture(terminal: Terminal, pane_id: str, lines: int | None = 0, ansi: bool = False) -> str:
    """The screen of a pane and `lines` of history above it (None: all), wrapped lines joined, trailing blanks cut.

    `ansi` keeps colours as escape sequences. NotFound: there is no such pane any more.
    """
    start = "-" if lines is None else f"-{lines}" if lines else "0"
    reply = terminal.run("capture-pane", "-p", "-J", *(["-e"] if ansi else []), "-S", start, "-t", pane_id)
    if reply.code:
        if says_absent(reply) or "can't find" in reply.err:
            raise NotFound(f"there is no pane {pane_id} on {terminal.socket}", "its log may still be there", "no_pane")
        raise failed(f"capture the pane {pane_id}", reply, terminal.socket)
    return "\n".join(line.rstrip() for line in reply.out.split("\n")).rstrip("\n") + "\n"


def captures(terminal: Terminal, pane_ids: Mapping[str, str]) -> dict[str, str]:
    """The screens of many panes by a key of the caller's, with one tmux process; those that are gone are left out."""
    mark = os.urandom(8).hex()
    ask = [  # one line each: tmux leaves it at the error of a pane that is gone
        f"{command('display-message', '-p', '-t', pane, f'{mark} {key}')} ; {command('capture-pane', '-p', '-t', pane)}"
        for key, pane in pane_ids.items()
    ]
    chunks = _said(terminal, ask).split(f"{mark} ")[1:]
    return {key: text for key, _, text in (chunk.partition("\n") for chunk in chunks)}
