"""The log of a conversation as a file: JSON lines, only appended to, on the disk before anything goes on.

What the lines say is `context.forms.log`'s. What a kill left torn at the end is passed over, and so is any line that is
none: what can be read counts.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from openclaw.errors import Unavailable
from openclaw.whole import sync_folder


class Log:
    """The file, ours alone while it is open. Unavailable when another process has it, or the disk takes nothing."""

    def __init__(self, path: str) -> None:
        self.path = path
        new = not os.path.exists(path)
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if new:
                sync_folder(os.path.dirname(path))
        except BlockingIOError:
            raise Unavailable(f"{path} is in use by another process", "end that one first") from None
        except OSError as error:
            raise Unavailable(f"{path}: {error.strerror}", code="system") from error
        size = os.fstat(self._fd).st_size
        self._torn = bool(size) and os.pread(self._fd, 1, size - 1) != b"\n"

    def entries(self) -> Iterator[dict[str, Any]]:
        """What stands in it, in its order."""
        with open(self.path, "rb") as file:
            for line in file:
                try:
                    entry = json.loads(line)
                except ValueError:
                    continue
                if isinstance(entry, dict) and isinstance(entry.get("type"), str):
                    yield entry

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append one line; it is on the disk afterwards. Unavailable when it can't be."""
        line = json.dumps(entry, separators=(",", ":")).encode()
        view = memoryview((b"\n" if self._torn else b"") + line + b"\n")  # what is torn stays a line of its own
        try:
            self._torn = True
            while view:
                view = view[os.write(self._fd, view) :]
            os.fsync(self._fd)
            self._torn = False
        except OSError as error:
            raise Unavailable(f"{self.path}: {error.strerror}", "make room on the disk", code="system") from error

    def close(self) -> None:
        os.close(self._fd)
