"""Markdown that people, agents and several commands write at once: changed under a lock, and replaced whole."""

from __future__ import annotations

import os
from collections.abc import Callable

from openclaw import whole
from openclaw.errors import BadInput, TimedOut

LARGEST = 4 * 2**20  # bytes: what is no longer a file for people
TRIES = 50


def read(path: str) -> str:
    """The text of a file; empty when there is none. What is not UTF-8 survives a change as it was."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            text = file.read(LARGEST + 1)
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "it must be a file that can be read") from error
    if len(text) > LARGEST:
        raise BadInput(f"{path}: more than {LARGEST} characters", "move what is old into another file")
    return text


def write(path: str, text: str, mode: int = 0o600) -> None:
    """Put a whole file in its place: kill -9 at any moment leaves the old one or the new one."""
    whole.put(path, text.encode("utf-8", "surrogateescape"), mode)


def edit(path: str, change: Callable[[str], str]) -> None:
    """Replace a file by what `change` makes of its text; again if somebody else wrote it meanwhile. Links stay links.

    The caller holds the lock of the workspace. TimedOut when it is being written all the time.
    """
    path = os.path.realpath(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    for _ in range(TRIES):
        before = _stamp(path)
        old = read(path)
        new = change(old)
        if new == old:
            return
        if _stamp(path) == before:
            write(path, new, before[3] if before else 0o644)
            return
    raise TimedOut(f"{path} is being written all the time", "try again when that is over")


def _stamp(path: str) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode & 0o777
