"""Which files changed since a session started: as its supervisor recorded at the end, or as they are now."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

WALK_LOOKS = 50_000  # files that a bounded walk looks at,
WALK_SECONDS = 2.0  # and how long it takes at most


def recorded(folder: str) -> list[str] | None:
    """What the supervisor of the session with this folder found, absolute; None while it has not ended."""
    try:
        with open(os.path.join(folder, "changed"), encoding="utf-8", errors="surrogateescape") as file:
            return [path for path in file.read().split("\0") if path]
    except OSError:
        return None


def start(folder: str) -> int:
    """When the session began, in nanoseconds, by the clock of its files: what is newer was changed since."""
    try:
        return os.stat(os.path.join(folder, "launch.sh")).st_mtime_ns
    except OSError:
        return 2**63  # nothing is newer


def newer(roots: Iterable[str], start: int, bounded: bool = False) -> Iterator[str]:
    """The files below these folders, or among these files, that changed since `start`. What is in `.git` is git's."""
    looks, deadline = 0, time.monotonic() + WALK_SECONDS
    for root in roots:
        walk = os.walk(root) if os.path.isdir(root) else [(os.path.dirname(root), [], [os.path.basename(root)])]
        for folder, folders, files in walk:
            if ".git" in folders:
                folders.remove(".git")
            for name in files:
                path = os.path.join(folder, name)
                try:
                    if os.lstat(path).st_ctime_ns > start:
                        yield path
                except OSError:
                    continue
            looks += len(files) + 1
            if bounded and (looks > WALK_LOOKS or time.monotonic() > deadline):
                return
