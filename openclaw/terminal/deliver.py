"""Putting text and keys into a pane: exact to the byte, into this very pane or nowhere.

Text goes through a tmux buffer, not through `send-keys`: nine times as quick at 100 KB, and nothing in it is read as a
key. Enter and other keys that stand for one byte go the same way, because a pane that a person has scrolled back would
take a key for its own; tmux passes a pasted byte on.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import time

from openclaw.errors import BadInput, NotFound, Unavailable
from openclaw.terminal.panes import TAG, Pane
from openclaw.terminal.server import Reply, Terminal, failed, wait_for
from openclaw.terminal.words import command

END_OF_PASTE = "\x1b[201~"  # in a text it would end the bracketed paste: the rest would be keys
ENTER = "\r"
STILL_SECONDS = 0.5  # tmux writes at once, the kernel passes it on within milliseconds
LINE_BYTES = 4095  # of one line, in a terminal in canonical mode: what is longer is cut without a word
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_NAMED = ("Up", "Down", "Left", "Right", "Home", "End", "PageUp", "PageDown", "Enter", "Escape", "Tab", "BTab", "Space")
KEYS = {
    name: name for name in (*_NAMED, *(f"F{n}" for n in range(1, 13)), *(f"{m}-{c}" for m in "CM" for c in _LETTERS))
}
KEYS |= {"Return": "Enter", "Esc": "Escape", "Backspace": "BSpace", "BSpace": "BSpace", "Delete": "DC"}
_KNOWN = {name.lower(): name for name in KEYS} | {f"ctrl-{c}": f"C-{c}" for c in _LETTERS}


def paste(terminal: Terminal, pane: Pane, text: str, bracketed: bool = True) -> None:
    """Put `text` into the pane's input; as one paste, where its program has asked for that and `bracketed` says so.

    NotFound (`no_pane`): this pane of this server is gone; nothing was put anywhere.
    """
    name = f"openclaw-{pane.id}"
    words = ["paste-buffer", "-d", "-r", *(["-p"] if bracketed else []), "-b", name, "-t", pane.pane_id]
    missing = command("delete-buffer", "-b", name) + " ; " + command("display-message", "-p", "gone")
    reply = terminal.run(
        "load-buffer", "-b", name, "-", ";",
        "if-shell", "-F", "-t", pane.pane_id, _is_it(pane), command(*words), missing,
        stdin=text.replace(END_OF_PASTE, ""),
    )  # fmt: skip
    _check(terminal, pane, reply)


def press(terminal: Terminal, pane: Pane, keys: list[str]) -> None:
    """Press keys, by the names of `key`, or single characters; a pane that was scrolled back is brought to its end."""
    leave = command("if-shell", "-F", "-t", pane.pane_id, "#{pane_in_mode}", f"copy-mode -q -t {pane.pane_id}")
    send = command("send-keys", "-t", pane.pane_id, *[KEYS.get(key, key) for key in keys])
    gone = command("display-message", "-p", "gone")
    reply = terminal.run("if-shell", "-F", "-t", pane.pane_id, _is_it(pane), f"{leave} ; {send}", gone)
    _check(terminal, pane, reply)


def key(word: str) -> str:
    """The key that a person means: a name like Enter, Esc, C-c, Up, F1, in any case, or one printable character."""
    if word.lower() in _KNOWN:
        return _KNOWN[word.lower()]
    if len(word) == 1 and word.isprintable() and word != ";":  # a lone ; separates tmux's commands
        return word
    raise BadInput(f"{word[:40]!r} is no key", "name it like Enter, Esc, C-c, Up, Tab, F1, or give one character")


def tty(terminal: Terminal, pane: Pane) -> str:
    """The device behind a pane."""
    reply = terminal.run("display-message", "-p", "-t", pane.pane_id, "#{pane_tty}")
    if reply.code or not reply.out.startswith("/dev/"):
        raise failed(f"ask for the terminal of {pane.pane_id}", reply, terminal.socket)
    return reply.out.strip()


def longest_line(device: str, text: str) -> int:
    """The bytes of the longest line of `text` when the terminal is in canonical mode, which cuts it; else 0."""
    with _opened(device) as fd:
        canonical = termios.tcgetattr(fd)[3] & termios.ICANON
    return max(len(line.encode()) for line in text.split("\n")) if canonical else 0


def was_read(device: str, seconds: float) -> bool:
    """Whether a program has read all that the terminal had for it, within `seconds`.

    What was just pasted may not have reached the terminal: empty means that it stays so for `STILL_SECONDS`.
    """
    since: list[float] = []
    with _opened(device) as fd:

        def empty() -> bool:
            if any(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))):
                since.clear()
                return False
            since.append(time.monotonic())
            return since[-1] - since[0] > STILL_SECONDS

        return wait_for(empty, seconds)


class _opened:
    """A terminal, opened without becoming ours."""

    def __init__(self, device: str) -> None:
        self.device = device

    def __enter__(self) -> int:
        try:
            self.fd = os.open(self.device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise Unavailable(f"the terminal {self.device}: {error.strerror}", "its window may have closed") from error
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def _is_it(pane: Pane) -> str:
    """True for the pane that was seen: tmux's ids start again with the next server, and may be another's by now."""
    same = [("pid", pane.server.pid), ("start_time", pane.server.started), (f"{TAG}id", pane.id), ("pane_dead", 0)]
    tests = [f"#{{==:#{{{variable}}},{value}}}" for variable, value in same]
    return f"#{{&&:{tests[0]},#{{&&:{tests[1]},#{{&&:{tests[2]},{tests[3]}}}}}}}"


def _check(terminal: Terminal, pane: Pane, reply: Reply) -> None:
    if reply.out.strip() == "gone" or "can't find pane" in reply.err:
        raise NotFound(f"the window of session {pane.id} is gone", "`openclaw ps` says what became of it", "no_pane")
    if reply.code:
        raise failed(f"type into the window of session {pane.id}", reply, terminal.socket)
