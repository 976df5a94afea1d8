"""What a sub-agent said and did: its log as text, its last output, the files it changed."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from openclaw.agents import registry
from openclaw.agents.launch import watched
from openclaw.errors import BadInput, NotFound
from openclaw.sessions import changes
from openclaw.sessions.decision import read_exit
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import sessions, turns
from openclaw.store.sessions import Session
from openclaw.tasks.globs import matches
from openclaw.terminal.windows import capture, view

TAIL_BYTES = 262_144  # what is first read of the end of a log for its last lines
RESULT_BYTES = 1_048_576  # what is read of result.md
LOG_BLOCK = 512  # bytes: the unit of a log's limit
HELD_BYTES = 4096  # of an escape sequence that has not ended: `follow_text` waits for no more
# CSI, OSC and other strings, two-byte escapes; then what remains of C0 but tab and newline, and C1
_ESCAPES = re.compile(rb"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-~]")
_CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]")
_C1 = re.compile("[\x80-\x9f]")
# what the next bytes may complete: an escape sequence, the end of a line, a character of UTF-8
_UNFINISHED = re.compile(
    rb"(?:\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)"
    rb"|\r+|[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)


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
    data = _erased(_ESCAPES.sub(b"", data).replace(b"\r\n", b"\n"))
    lines = (line.rstrip(b"\r").rpartition(b"\r")[2] for line in data.split(b"\n"))
    return _C1.sub("", _CONTROL.sub(b"", b"\n".join(lines)).decode("utf-8", "replace"))


def _erased(data: bytes) -> bytes:
    """Each backspace takes the character before it, but no newline; one pass, for there may be thousands."""
    first, *parts = data.split(b"\x08")
    seen = bytearray(first)
    for part in parts:
        while seen and seen[-1] & 0xC0 == 0x80:  # what continues a character of UTF-8
            seen.pop()
        if seen and seen[-1] != 0x0A:
            seen.pop()
        seen += part
    return bytes(seen)


def logs(fleet: Fleet, session: Session, lines: int | None) -> str:
    """The last `lines` lines (None: all) of what it printed. A program that draws is read from its window.

    Of a log that has reached its limit the rest comes from the window, as long as it is there; a line says so.
    """
    if _draws(fleet, session):
        shown = _shown(fleet, session)
        if shown is not None:
            return _last(shown, lines)
    if not _is_cut(fleet, session) or lines == 0:
        return _logged(fleet, session, lines)
    shown = _shown(fleet, session)
    limit = _log_limit(fleet)
    if shown is None:
        note = f"[the log was cut at its limit of {limit} bytes (log_bytes): what came after it is lost]"
        return f"{_logged(fleet, session, lines)}\n{note}"
    note = f"[the log was cut at its limit of {limit} bytes (log_bytes): this is what its window shows]"
    tail = _last(shown, lines)
    more = None if lines is None else lines - (tail.count("\n") + 1)
    head = _logged(fleet, session, more) + "\n" if more is None or more > 0 else ""
    return f"{head}{note}\n{tail}"


def _shown(fleet: Fleet, session: Session) -> str | None:
    """What its window shows, with its history; None when it has none any more."""
    pane = view(fleet.terminal).panes.get(session.id)
    try:
        return capture(fleet.terminal, pane.pane_id, None) if pane else None
    except NotFound:
        return None


def _log_limit(fleet: Fleet) -> int:
    return int(fleet.settings.get("log_bytes"))


def _is_cut(fleet: Fleet, session: Session) -> bool:
    try:
        size = os.stat(os.path.join(fleet.folder(session.id), "terminal.log")).st_size
    except OSError:
        return False
    return size >= max(1, _log_limit(fleet) // LOG_BLOCK) * LOG_BLOCK


def _logged(fleet: Fleet, session: Session, lines: int | None) -> str:
    """The last lines of the log: of its end twice as much is read until they are all there."""
    size = TAIL_BYTES
    while lines is not None:
        data = raw(fleet, session, size)
        if len(data) < size:
            return _last(plain(data), lines)
        # one more than asked for, as the first may have lost its beginning; cleaning can take lines away
        if data.count(b"\n") > lines and (text := plain(data).rstrip("\n")).count("\n") >= lines:
            return _last(text, lines)
        size *= 2
    return _last(plain(raw(fleet, session)), None)


def raw(fleet: Fleet, session: Session, last_bytes: int | None = None) -> bytes:
    """The log as the terminal received it, or its last bytes. NotFound when the session left none."""
    path = os.path.join(fleet.folder(session.id), "terminal.log")
    try:
        with open(path, "rb") as file:
            if last_bytes is not None and (size := os.fstat(file.fileno()).st_size) > last_bytes:
                file.seek(size - last_bytes)
            return file.read()
    except FileNotFoundError:
        raise NotFound(
            f"session {session.id} has no log", f"its folder is {fleet.folder(session.id)}", code="no_log"
        ) from None


def follow_text(chunks: Iterable[bytes]) -> Iterator[str]:
    """What `follow` gives as clean text: what a chunk only begins (an escape, a character) waits for the next."""
    held = b""
    for chunk in chunks:
        data = held + chunk
        found = _UNFINISHED.search(data, max(0, len(data) - HELD_BYTES))
        held = data[found.start() :] if found else b""
        yield plain(data[: len(data) - len(held)])
    yield plain(held)


def follow(fleet: Fleet, session: Session, lines: int | None) -> Iterator[bytes]:
    """The log as it grows, until the session has ended and all of it was given. NotFound as `raw`."""
    start = raw(fleet, session)
    with open(os.path.join(fleet.folder(session.id), "terminal.log"), "rb") as file:
        count = 0 if lines is None else lines + start.endswith(b"\n")  # the last line may be under way
        yield start if lines is None else b"\n".join(start.split(b"\n")[-count:]) if lines else b""
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
    text = _written(fleet, session) or plain(said.encode("utf-8", "replace"))
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
    from openclaw.usage import ledger  # only where a program reports

    form, known = ledger.reader(session.reporter), turns.transcripts(fleet.store, [session.id])
    denied = [call for each in known for call in form.denials(each.path)]
    return form.last_message(form.current(known, session.conversation_id)), denied


def _written(fleet: Fleet, session: Session) -> str | None:
    """The agent's own result: `result.md`, or `out/result.md` from its sandbox, from where no link may lead out."""
    for name in ("result.md", "out/result.md"):
        path = os.path.join(fleet.folder(session.id), name)
        try:
            fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(fd, "rb") as file:
                if not stat.S_ISREG(os.fstat(fd).st_mode):
                    continue
                data = file.read(RESULT_BYTES + 1)
        except OSError:
            continue
        cut = f"\n[{name} was cut: it has more than {RESULT_BYTES} bytes]" if len(data) > RESULT_BYTES else ""
        return plain(data[:RESULT_BYTES]) + cut
    return None


def changed(fleet: Fleet, session: Session) -> list[str]:
    """Files within its write scope that were written while it ran: as recorded at its end, or as they are now."""
    folder = fleet.folder(session.id)
    paths = changes.recorded(folder)
    if paths is None:
        paths = list(changes.newer(watched(session.writes), changes.start(folder))) if session.live else []
    inside = {p for p in paths if any(matches(pattern, p) for pattern in session.writes)}
    return sorted(os.path.relpath(p, session.cwd) if p.startswith(session.cwd + "/") else p for p in inside)


def screen_agents(fleet: Fleet) -> set[str]:
    """The names of the programs that draw, so that their window reads better than their log."""
    try:
        agents = registry.load(fleet.settings)
    except BadInput:  # someone is at work on agents.yaml: what has run can be read all the same
        agents = registry.shipped()
    return {agent.name for agent in agents.values() if agent.output == "screen"}


def _draws(fleet: Fleet, session: Session) -> bool:
    return session.agent in screen_agents(fleet)


def _last(text: str, lines: int | None) -> str:
    text = text.rstrip("\n")
    return text if lines is None else "\n".join(text.split("\n")[-lines:]) if lines else ""
