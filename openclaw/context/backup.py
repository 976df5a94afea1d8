"""The full history, kept before any rewrite: whole, under its own hash, on the disk before the rewrite begins.

<state>/compactions/<sha256>          what a file held, or what a rewrite put there
<state>/compactions/index.jsonl       one line for each rewrite and each undo, only ever appended to
<state>/compactions/results/<hash>    tool results that are stored by reference
"""

from __future__ import annotations

import hashlib
import json
import os
from typing import Any, NamedTuple

from openclaw.errors import BadInput, NotFound
from openclaw.whole import put

FOLDER, INDEX, RESULTS = "compactions", "index.jsonl", "results"


class Kept(NamedTuple):
    """What was kept of one history."""

    sha256: str
    path: str


class Backup:
    """The backups of one installation."""

    def __init__(self, state_dir: str) -> None:
        self.folder = os.path.join(state_dir, FOLDER)
        self.index = os.path.join(self.folder, INDEX)

    def keep(self, data: bytes) -> Kept:
        """Put a copy on the disk; the same content is kept once."""
        return self._put(self.folder, hashlib.sha256(data).hexdigest(), data)

    def store(self, content: str) -> str:
        """Keep a tool's result, and return the path by which anything that reads files reads it back."""
        data = content.encode("utf-8", "surrogatepass")
        return self._put(os.path.join(self.folder, RESULTS), hashlib.sha256(data).hexdigest()[:16], data).path

    def rewrote(self, at: str, source: str, output: str, before: Kept, after: Kept) -> None:
        """Note a rewrite: `output` now holds `after`, made of what `source` held."""
        made = {"from": before.sha256, "to": after.sha256}
        self._note({"type": "rewrite", "at": at, "in": source, "out": output, **made})

    def undo(self, path: str, at: str) -> bytes:
        """Bring back into `path` what its last compaction was made from; what stands there now is kept as well.

        NotFound if no compaction of this file is known, BadInput if its backup is damaged.
        """
        path = os.path.realpath(path)
        last = self._last(path)
        if last is None:
            raise NotFound(f"no compaction of {path} is known here", f"{self.folder} has all that are")
        copy = os.path.join(self.folder, last["from"])
        try:
            with open(copy, "rb") as file:
                data = file.read()
        except OSError as error:
            raise BadInput(f"the backup {copy} can't be read: {error.strerror}", "it was moved or removed") from error
        if hashlib.sha256(data).hexdigest() != last["from"]:
            raise BadInput(f"the backup {copy} was changed since it was made", "look at it before you use it")
        if os.path.exists(path):
            with open(path, "rb") as file:
                self.keep(file.read())
        self._note({"type": "undo", "at": at, "out": path})
        put(path, data)
        return data

    def _last(self, path: str) -> dict[str, Any] | None:
        """The last rewrite of a file that was not undone."""
        standing: list[dict[str, Any]] = []
        try:
            with open(self.index, encoding="utf-8", errors="surrogateescape") as file:
                rows = file.read().split("\n")
        except FileNotFoundError:
            return None
        for row in rows:
            try:
                line = json.loads(row)
            except ValueError:
                continue  # what a crash tore
            if isinstance(line, dict) and line.get("out") == path:
                if line.get("type") == "rewrite":
                    standing.append(line)
                elif standing:
                    standing.pop()
        return standing[-1] if standing else None

    def _note(self, record: dict[str, Any]) -> None:
        from openclaw.context.forms import log

        log.append(self.index, [record])

    def _put(self, folder: str, name: str, data: bytes) -> Kept:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        path = os.path.join(folder, name)
        if not os.path.exists(path) or os.path.getsize(path) != len(data):
            put(path, data)
        return Kept(name, path)
