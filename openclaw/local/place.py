"""Where tools work: the folder, the scope that binds them, and what they may take. One look at the scope, for all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.agents.calls import DENIED
from openclaw.results import Results
from openclaw.tasks import guard
from openclaw.whole import put


class ToolError(Exception):
    """A tool could not do what it was asked; the text is for the model."""


class Place(NamedTuple):
    """`scope` is the session's, `folder` its folder, `also` what was injected; `environ` is for commands, without keys.

    `results` is where long results are kept, `known` what pure tools have said before, in other sessions too. `chars`
    of a result go to the model, seconds are a command's.
    """

    cwd: str
    scope: Mapping[str, Any]
    folder: str
    results: str
    also: Sequence[str] = ()
    environ: Mapping[str, str] = {}
    chars: int = 20_000
    command_s: float = 120.0
    known: Results | None = None

    def path(self, tool: str, named: str, **more: str) -> str:
        """Where a path really leads, if `tool` (by the guard's names) may go there; ToolError if not.

        What is judged is what is opened: links and `..` are followed first.
        """
        if not isinstance(named, str) or not named or "\0" in named:
            raise ToolError("the path is empty or no path")
        home = self.environ.get("HOME", "~")
        named = home + named[1:] if named == "~" or named.startswith("~/") else named
        try:
            real = os.path.realpath(os.path.join(self.cwd, named))
            real.encode()
        except ValueError:
            raise ToolError("the path is not UTF-8") from None
        field = "path" if tool in ("LS", "Grep", "Glob") else "file_path"
        reason = guard.judge(tool, {field: real, **more}, self.cwd, self.scope, self.folder, self.also)
        if reason:
            raise ToolError(DENIED + reason)
        return real

    def shown(self, path: str) -> str:
        """A path as the model knows it: relative to the working folder where it is below."""
        return path.removeprefix(self.cwd.rstrip("/") + "/") if path != self.cwd else "."


def keep(place: Place, text: str, source: str) -> str:
    """A result as the model gets it: a long one is stored as a whole, and begin and end of it are shown."""
    if len(text) <= place.chars:
        return text
    id = keep_aside(place, text)
    head, tail = place.chars * 3 // 5, place.chars // 5
    first, last = text[:head].rpartition("\n")[0] or text[:head], text[-tail:].partition("\n")[2] or text[-tail:]
    left = text.count("\n") - first.count("\n") - last.count("\n")
    return (
        f"{first}\n[… about {left} lines of {source} left out; all {text.count(chr(10)) + 1} lines are kept: "
        f'read_result with id "{id}" and the line to start from]\n{last}'
    )


def keep_aside(place: Place, text: str) -> str:
    """Store a text; the id by which `read_result` finds it again, the same for the same text."""
    data = text.encode("utf-8", "replace")
    id = f"r{hashlib.sha256(data).hexdigest()[:8]}"
    path = os.path.join(place.results, f"{id}.txt")
    if not os.path.exists(path):
        os.makedirs(place.results, mode=0o700, exist_ok=True)
        put(path, data)
    return id
