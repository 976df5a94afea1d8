"""What is looked for, and what is said of it."""

from __future__ import annotations

from typing import Any, NamedTuple

SCOPE, INJECT, ISOLATION = "scope", "inject", "isolation"
UNKNOWN, MANY = "\ue000", "\ue001"  # in a word, what is only known when it runs; as a word, any number of words


class Spawn(NamedTuple):
    """A place where an agent is started: what starts it, what that does not say, and how to mend it."""

    line: int
    what: str
    lacks: tuple[str, ...] = ()
    mend: str = ""


class Finding(NamedTuple):
    """A spawn that lacks something, in a file."""

    path: str
    line: int
    what: str
    lacks: tuple[str, ...]
    mend: str

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"lacks": list(self.lacks)}


class Broken(Exception):
    """A file that can't be read as what it is: the line, 0 where none is known, and why."""

    def __init__(self, line: int, why: str) -> None:
        super().__init__(why)
        self.line, self.why = line, why
