"""The windows of sub-agents: open many at once, tag, close. Looking at them is in `panes`, and named here too.

A sub-agent has a session `subagent-<id>` with one window. All commands for a sub-agent stand on one line of a
`source-file -`: tmux leaves a line at its first error, so what exists under the same name is never touched.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openclaw.errors import BadInput, Unavailable
from openclaw.terminal.panes import OWN, PANE_FORMAT, PREFIX, TAG, Pane, View, capture, noticed, parse_pane, tags, view
from openclaw.terminal.server import SERVER_FORMAT, Server, Terminal, failed, parse_server, says_absent
from openclaw.terminal.words import command, literal, one_line

__all__ = [
    "NewWindow", "Pane", "View", "capture", "close", "noticed", "open_windows", "session_name", "set_tags", "tags",
    "view",
]  # fmt: skip

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
_BLOCK = 512  # bytes: the unit of sh's `ulimit -f`


class NewWindow(NamedTuple):
    """A window to open: `argv` runs in `cwd` with no shell between; what it prints goes to `log`, up to `log_bytes`.

    `argv` should not end in the moment it prints. Of 10,400 commands that did, tmux 3.3a lost the output of 4 on a busy
    machine, on the screen too; of 6,400 that lived 30 ms longer none. It hangs up before the kernel has passed all on.
    """

    id: str
    argv: tuple[str, ...]
    cwd: str
    log: str
    log_bytes: int
    title: str
    tags: dict[str, str]


def session_name(id: str) -> str:
    """The name of a sub-agent's tmux session. BadInput for an id that tmux would change or read in its own way."""
    if not _ID.fullmatch(id):
        raise BadInput(f"{id[:40]!r} can't be the id of a sub-agent", "letters, digits, - and _, 64 at most", "bad_id")
    return PREFIX + id


def open_windows(terminal: Terminal, windows: Sequence[NewWindow], known: Server | None = None) -> dict[str, Pane]:
    """Open all windows with one tmux process, each tagged and logged before it can print. All or none; by sub-agent.

    BadInput: an id, tag, folder or text that tmux can't take. Unavailable (`tmux_failed`): one couldn't be opened, and
    those that could were closed again. After a `tmux_timeout` windows may still appear: look before trying again.
    """
    if not windows:
        return {}
    script = "".join(_opening(terminal, window) for window in windows)
    reply = terminal.start("source-file", "-", stdin=script, known=known)
    made: list[tuple[Server, str]] = []
    panes: dict[str, Pane] = {}
    for line in reply.out.splitlines():
        mark, pid, started, rest = (line.split(" ", 3) + [""] * 3)[:4]
        server = parse_server(f"{pid} {started}")
        if server and mark == "made":
            made.append((server, rest))
        elif server and mark == "open" and (pane := parse_pane(rest, server)):
            panes[pane.id] = pane
    missing = [window.id for window in windows if window.id not in panes]
    if missing:
        _kill(terminal, made, tagged=False)  # these are surely ours, even if tagging them failed
        named = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        raise failed(f"open {len(missing)} of {len(windows)} windows ({named})", reply, terminal.socket)
    return panes


def _opening(terminal: Terminal, window: NewWindow) -> str:
    """The line of tmux commands that opens one window. It ends by printing the pane, so that means: all went well."""
    name = session_name(window.id)
    if not window.argv:
        raise BadInput(f"sub-agent {window.id} has no command to run")
    for folder in (window.cwd, os.path.dirname(window.log)):
        if not os.path.isdir(folder):  # tmux would silently start in another folder, or log nowhere
            raise BadInput(f"{folder[:200]!r} is not a folder", "make it first, or name another", "bad_cwd")
    # a single word would be read by a shell
    argv = window.argv if len(window.argv) > 1 else ("/bin/sh", "-c", 'exec "$0"', window.argv[0])
    size = ("-x", str(terminal.columns), "-y", str(terminal.rows))
    printed = f"made {SERVER_FORMAT} #{{session_id}}"
    commands = [
        ["new-session", "-d", "-P", "-F", printed, "-s", name, "-n", literal(one_line(window.title, 80)), *size,
         "-c", literal(window.cwd), "--", *argv],
        ["set-option", "-p", "-t", f"={name}:", f"{TAG}id", window.id],
        ["set-option", "-t", f"={name}:", f"{TAG}session", window.id],
        *_tagging(name, window.tags),
        ["pipe-pane", "-t", f"={name}:", _logging(window.log, window.log_bytes)],
        ["display-message", "-p", "-t", f"={name}:", f"open {SERVER_FORMAT} {PANE_FORMAT}"],
    ]  # fmt: skip
    return " ; ".join(command(*words) for words in commands) + "\n"


def _logging(log: str, log_bytes: int) -> str:
    """The shell command that `pipe-pane` feeds. tmux expands it as a time format and a format: both are kept from it.

    `cat`, because `head -c` holds back what it has until it has a block. shlex, because tmux's own `q:` leaves
    newlines, tabs and braces bare.
    """
    limited = f"umask 077; ulimit -f {max(1, log_bytes // _BLOCK)}; exec cat >>{shlex.quote(log)}"
    return literal(limited).replace("%", "%%")


def _tagging(name: str, tags: Mapping[str, str]) -> list[list[str]]:
    for key in tags:
        if not _KEY.fullmatch(key) or key in OWN:
            raise BadInput(f"{key[:40]!r} can't be the name of a tag", "lower case letters, digits and _", "bad_tag")
    lines = {"line": one_line(tags["task"])} if "task" in tags else {}
    return [["set-option", "-t", f"={name}:", "--", f"{TAG}{key}", text] for key, text in {**tags, **lines}.items()]


def set_tags(terminal: Terminal, changes: Mapping[str, Mapping[str, str]]) -> None:
    """Set tags of sub-agents (id → key → text) with one tmux process. Those that are gone are passed over."""
    lines = []
    for id, changed in changes.items():
        name = session_name(id)
        body = " ; ".join(command(*words) for words in _tagging(name, changed))
        lines.append(command("if-shell", "-F", "-t", f"={name}:", _is(f"{TAG}session", id), body))
    _run_script(terminal, lines, "tag")


def close(terminal: Terminal, session_ids: Sequence[tuple[Server, str]]) -> None:
    """End sessions, named by `$id` or `subagent-<id>`, with one tmux process.

    Only those with our tag, and only on the server they were seen on: its successor gives the same ids to others. The
    server checks that itself, right before the kill. What is gone already is fine.
    """
    _kill(terminal, session_ids, tagged=True)


def _kill(terminal: Terminal, session_ids: Sequence[tuple[Server, str]], tagged: bool) -> None:
    lines = []
    for server, target in session_ids:
        if not re.fullmatch(rf"\$\d+|{PREFIX}{_ID.pattern}", target):
            raise BadInput(f"{target[:40]!r} is not a session of ours", "a tmux id like $3, or subagent-<id>", "bad_id")
        exact = target if target.startswith("$") else f"={target}"  # a bare name would match any that begins with it
        same = f"#{{&&:{_is('pid', str(server.pid))},{_is('start_time', str(server.started))}}}"
        if tagged:
            same = f"#{{&&:{same},#{{!=:#{{{TAG}session}},}}}}"
        lines.append(command("if-shell", "-F", "-t", f"{exact}:", same, command("kill-session", "-t", exact)))
    _run_script(terminal, lines, "close")


def _is(variable: str, value: str) -> str:
    return f"#{{==:#{{{variable}}},{value}}}"


def _run_script(terminal: Terminal, lines: list[str], what: str) -> None:
    if not lines:
        return
    try:
        reply = terminal.run("source-file", "-", stdin="\n".join(lines) + "\n")
    except Unavailable as error:
        if error.code == "no_folder":
            return
        raise
    problems = [line for line in reply.err.splitlines() if "can't find" not in line and "no such" not in line]
    if problems and not says_absent(reply):
        raise failed(f"{what} {len(lines)} sessions", reply, terminal.socket)
