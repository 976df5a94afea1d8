"""What a sub-agent said and did: its log as text, its last output, the files it changed."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from openclaw.agents import registry
from openclaw.agents.launch import watched
from openclaw.errors import NotFound
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import read_exit, settle
from openclaw.store import sessions, turns
from openclaw.store.sessions import Session
from openclaw.tasks.globs import matches
from openclaw.terminal.windows import capture, view

TAIL_BYTES = 262_144  # what is read of the end of a log for its last lines
# CSI, OSC and other strings, two-byte escapes; then what remains of C0 but tab and newline
_ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]", re.DOTALL)
_BACKSPACE = re.compile(rb"[^\x08\n]\x08")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")


class Result(NamedTuple):
    """`output` is the agent's own result, its last message, or the last lines it printed; `changed` are paths relative
    to its cwd; `denied` are tool calls that were not allowed. `by_itself` is None while it lives."""

    session: Session
    output: str
    changed: list[str]
    denied: list[str]
    by_itself: bool | None

    def as_json(self) -> dict[str, Any]:
        return self.session.as_json() | {
            "result": {"output": self.output, "changed": self.changed},
            "error": self.session.last_error,
            "denied": self.denied,
            "by_itself": self.by_itself,
        }


def plain(data: bytes) -> str:
    """Terminal output as the text that a person saw: no escapes, progress bars as their last state."""
    data = _ESCAPES.sub(b"", data).replace(b"\r\n", b"\n")
    while b"\x08" in data and (shorter := _BACKSPACE.sub(b"", data)) != data:
        data = shorter
    lines = (line.rstrip(b"\r").rpartition(b"\r")[2] for line in data.split(b"\n"))
    return _CONTROL.sub(b"", b"\n".join(lines)).decode("utf-8", "replace")


def logs(fleet: Fleet, session: Session, lines: int | None) -> str:
    """The last `lines` lines (None: all) of what it printed. A program that draws is read from its window."""
    if _draws(fleet, session):
        pane = view(fleet.terminal).panes.get(session.id)
        if pane:
            return _last(capture(fleet.terminal, pane.pane_id, None), lines)
    return _last(plain(raw(fleet, session, None if lines is None else TAIL_BYTES)), lines)


def raw(fleet: Fleet, session: Session, last_bytes: int | None = None) -> bytes:
    """The log as the terminal received it. NotFound when the session left none."""
    path = os.path.join(fleet.folder(session.id), "terminal.log")
    try:
        with open(path, "rb") as file:
            if last_bytes is not None and (size := os.fstat(file.fileno()).st_size) > last_bytes:
                file.seek(size - last_bytes)
                file.readline()
            return file.read()
    except FileNotFoundError:
        raise NotFound(
            f"session {session.id} has no log", f"its folder is {fleet.folder(session.id)}", code="no_log"
        ) from None


def follow(fleet: Fleet, session: Session, lines: int | None) -> Iterator[bytes]:
    """The log as it grows, until the session has ended and all of it was given."""
    path = os.path.join(fleet.folder(session.id), "terminal.log")
    with open(path, "rb") as file:
        start = raw(fleet, session, None)
        yield b"\n".join(start.split(b"\n")[-lines - 1 :]) if lines is not None else start
        file.seek(len(start))
        looked = time.monotonic()
        while True:
            if data := file.read(65536):
                yield data
                continue
            if not sessions.by_ids(fleet.store, [session.id])[0].live:
                yield file.read()
                return
            if time.monotonic() > looked + 1:
                settle(fleet)
                looked = time.monotonic()
            elif os.path.exists(os.path.join(fleet.folder(session.id), "exit")):
                settle(fleet)
            time.sleep(0.05)  # between two looks for more


def result(fleet: Fleet, session: Session, lines: int = 20) -> Result:
    """What came of it, while it runs too: `result.md` if the agent wrote one, else its last message or lines."""
    said, denied = _own_words(fleet, session) if session.reporter else ("", [])
    text = _written(fleet, session) or said
    if not text:
        try:
            text = logs(fleet, session, lines)
        except NotFound:
            text = ""
    exit = read_exit(fleet.folder(session.id))
    by_itself = None if session.live else exit is not None and exit.how == "exit"
    return Result(session, text.strip("\n"), changed(fleet, session), denied, by_itself)


def _own_words(fleet: Fleet, session: Session) -> tuple[str, list[str]]:
    """The last message and the denials, from the transcripts of a program that writes them."""
    from openclaw.usage import transcripts  # only where a program reports

    known = turns.transcripts(fleet.store, [session.id])
    denied = [call for each in known for call in transcripts.denials(each.path)]
    return transcripts.last_message(transcripts.current(known, session.conversation_id)), denied


def _written(fleet: Fleet, session: Session) -> str | None:
    """The agent's own result: `result.md`, or `out/result.md` from its sandbox, from where no link may lead out."""
    for name in ("result.md", "out/result.md"):
        path = os.path.join(fleet.folder(session.id), name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(fd, encoding="utf-8", errors="replace") as file:
                if stat.S_ISREG(os.fstat(fd).st_mode):
                    return file.read()
        except OSError:
            continue
    return None


def changed(fleet: Fleet, session: Session) -> list[str]:
    """Files within its write scope that were written while it ran: as recorded at its end, or as they are now."""
    folder = fleet.folder(session.id)
    try:
        with open(os.path.join(folder, "changed"), encoding="utf-8", errors="surrogateescape") as file:
            paths = [p for p in file.read().split("\0") if p]
    except OSError:
        paths = list(_newer(watched(session.writes), os.path.join(folder, "launch.sh"))) if session.live else []
    inside = {p for p in paths if any(matches(pattern, p) for pattern in session.writes)}
    return sorted(os.path.relpath(p, session.cwd) if p.startswith(session.cwd + "/") else p for p in inside)


def _newer(roots: list[str], reference: str) -> Iterator[str]:
    try:
        start = os.stat(reference).st_ctime_ns
    except OSError:
        return
    for root in roots:
        for folder, folders, files in (
            os.walk(root) if os.path.isdir(root) else [(os.path.dirname(root), [], [os.path.basename(root)])]
        ):
            if ".git" in folders:
                folders.remove(".git")
            for name in files:
                path = os.path.join(folder, name)
                try:
                    if os.lstat(path).st_ctime_ns > start:
                        yield path
                except OSError:
                    continue


def _draws(fleet: Fleet, session: Session) -> bool:
    agent = registry.load(fleet.settings).get(session.agent)
    return agent is not None and agent.output == "screen"


def _last(text: str, lines: int | None) -> str:
    text = text.rstrip("\n")
    return text if lines is None else "\n".join(text.split("\n")[-lines:]) if lines else ""
