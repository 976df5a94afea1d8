"""Notes: what must survive a conversation, as list items in the files of the day and in MEMORY.md.

    - 04:15 decision: the parser stays hand-written
    - 04:20 the deploy needs the VPN

Further lines of a note are indented by two blanks. What people write in that form counts as well.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from openclaw.continuity import files, items
from openclaw.errors import BadInput, Refused
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.tasks import secrets

KINDS = ("note", "decision", "preference", "task")
LONGEST = 4000  # characters
DAYS = 7  # for so many files of the day decisions and preferences are looked for; plain notes in the last two
LOCK = "workspace"
_ITEM = re.compile(
    r"[-*] (?:(\d{4}-\d\d-\d\d|\d\d:\d\d) )?(?:(note|decision|preference|task|snapshot): +)?(.*)", re.IGNORECASE
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DAY = re.compile(r"\d{4}-\d\d-\d\d\.md")


class Note(NamedTuple):
    """One note. `at` is a day or a minute in UTC as far as it is known, `path` relative to the workspace."""

    kind: str
    text: str
    at: str
    path: str
    line: int


def add(fleet: Fleet, text: str, kind: str = "note", long_term: bool = False) -> Note:
    """Write a note into the file of the day, or into MEMORY.md; a task becomes an open item of active-tasks.md too.

    BadInput for no text or too much of it; Refused when it looks like a secret.
    """
    lines = [line.rstrip() for line in text.replace("\r\n", "\n").split("\n")]
    text = "\n".join(line for line in lines if line)
    if not text.strip():
        raise BadInput("the note is empty", "say what must not be forgotten")
    if len(text) > LONGEST:
        raise BadInput(
            f"the note has {len(text)} characters, {LONGEST} are allowed", "put it into a file and name that"
        )
    if _CONTROL.search(text):
        raise BadInput("the note holds control characters or bytes that are no UTF-8", "give it as plain text")
    if found := secrets.in_text(text):
        raise Refused(f"line {found[1]} of the note looks like {found[0]}", "name where it is kept, not what it is")
    now = fleet.now()
    day, minute = now[:10], now[11:16]
    body = ("" if kind == "note" else f"{kind}: ") + text.replace("\n", "\n  ")
    with locked(fleet.state_dir, LOCK):
        if kind == "task":
            add_item = "- [ ] " + text.replace("\n", "\n  ")
            files.edit(items.path_of(fleet), lambda old: _appended(old or "# Active tasks\n", add_item))
        if long_term:
            path, at = "MEMORY.md", day
            files.edit(os.path.join(fleet.settings.workspace, path), lambda old: _on_top(old, f"- {day} {body}"))
        else:
            path, at = os.path.join("memory", f"{day}.md"), f"{day} {minute}"
            log(fleet, body)
    return Note(kind, text, at, path, 0)


def log(fleet: Fleet, body: str) -> None:
    """A line at the end of the file of the day, with the time. The caller holds the lock of the workspace."""
    now = fleet.now()
    path = os.path.join(fleet.settings.workspace, "memory", f"{now[:10]}.md")
    files.edit(path, lambda old: _appended(old or f"# {now[:10]}\n", f"- {now[11:16]} {body}"))


def collect(fleet: Fleet) -> list[Note]:
    """What is to be kept in mind, newest first: decisions and preferences, and the plain notes of two days."""
    folder = os.path.join(fleet.settings.workspace, "memory")
    try:
        days = sorted((name for name in os.listdir(folder) if _DAY.fullmatch(name)), reverse=True)[:DAYS]
    except OSError:
        days = []
    found: list[Note] = []
    for number, name in enumerate(days):
        notes = parse(files.read(os.path.join(folder, name)), os.path.join("memory", name), name[:10])
        found += [
            n for n in reversed(notes) if n.kind in ("decision", "preference") or (n.kind == "note" and number < 2)
        ]
    memory = parse(files.read(os.path.join(fleet.settings.workspace, "MEMORY.md")), "MEMORY.md", "")
    return found + [n for n in memory if n.kind in ("decision", "preference")]


def parse(text: str, path: str, day: str) -> list[Note]:
    """The notes of one file in their order; what is no list item is left out."""
    found: list[Note] = []
    for number, line in enumerate(text.split("\n"), 1):
        if hit := _ITEM.fullmatch(line.rstrip("\r")):
            at = hit[1] or ""
            at = f"{day} {at}".strip() if ":" in at else at or day
            found.append(Note((hit[2] or "note").lower(), hit[3], at, path, number))
        elif found and line.startswith("  ") and line.strip() and found[-1].line + _lines(found[-1]) == number:
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line[2:]}")
    return [note for note in found if note.text.strip()]


def _lines(note: Note) -> int:
    return note.text.count("\n") + 1


def _appended(old: str, line: str) -> str:
    return old + ("" if not old or old.endswith("\n") else "\n") + line + "\n"


def _on_top(old: str, line: str) -> str:
    """Before the first list item: newest first, below the head of the file."""
    lines = (old or "# Long-term memory\n").splitlines(keepends=True)
    if not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    at = next((i for i, text in enumerate(lines) if text.startswith(("- ", "* ", "## "))), len(lines))
    return "".join([*lines[:at], line + "\n", *lines[at:]])
