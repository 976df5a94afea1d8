"""The files of a conversation: what was done to each, under one name however it was written, and which matter. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from openclaw.context.ledger import words

EARLIER = -1  # when: before all that is at hand
HOME = 3  # slashes of a path as deep as /home/me/project: no root is above it because of files in it


class File:
    """What was done to one file."""

    __slots__ = ("asked", "crowd", "edits", "last", "reads", "seen")

    def __init__(self, last: int = EARLIER) -> None:
        self.edits = self.reads = 0
        self.last = last  # when
        self.asked = False  # whether somebody named it, or only a command's output did
        self.seen = 0  # how many texts name it
        self.crowd = 1 << 30  # in how small a text, counted in paths

    @property
    def printed(self) -> bool:
        """Whether only commands have named it."""
        return not (self.edits or self.reads or self.asked)


class Mention(NamedTuple):
    """A path in a text, with how many others."""

    path: str
    at: int
    asked: bool
    crowd: int


def mentions(text: str, at: int, asked: bool) -> list[Mention]:
    """Every path in a text."""
    found = list(words.paths(text))
    crowd = len(set(found))
    return [Mention(path, at, asked, crowd) for path in found]


def worth(file: File, end: int) -> float:
    """How likely a file is needed again: changed, read, named; late; often, and not as one of hundreds."""
    level = 2.0 if file.edits else 1.0 if file.reads else 0.6 if file.asked else 0.0
    often = 0.15 * math.log(1 + file.seen)
    return level + (file.last + 1) / (end + 1) + often - (0.15 * math.log(max(file.crowd, 3)) if file.printed else 0.0)


def settled(files: Mapping[str, File], mentioned: Sequence[Mention], root: str) -> tuple[dict[str, File], str]:
    """(the files, each under one name, with those that were only mentioned; the folder that most of them are in)."""
    root = root or _root(list(files))
    found: dict[str, File] = {}
    for path, file in files.items():
        short = relative(path, root)
        if (known := found.get(short)) is None:
            found[short] = file
            continue
        known.edits, known.reads = known.edits + file.edits, known.reads + file.reads
        known.last = max(known.last, file.last)
    by_end: dict[str, str] = {}
    for path in found:
        by_end.setdefault(ending(_whole(path, root)), path)
    for path, at, asked, crowd in mentioned:
        if not asked and (words.MADE.search(path) or path.startswith("../")):
            continue
        short = relative(path, root)
        if short not in found:
            short = by_end.setdefault(ending(_whole(short, root)), short)
        file = found.setdefault(short, File(at))
        file.last, file.asked = max(file.last, at), file.asked or asked
        file.seen, file.crowd = file.seen + 1, min(file.crowd, crowd)
    return found, root


def relative(path: str, root: str) -> str:
    """The path from the root, if it is below it, also where it is written from a folder above the root."""
    if not root or path.startswith(root + "/"):
        return path[len(root) + 1 :] if root else path
    if path[:1] not in "/~":
        parts = path.split("/")
        for number in range(len(parts) - 1, 0, -1):
            if root.endswith("/" + "/".join(parts[:number])):
                return "/".join(parts[number:])
    return path


def ending(path: str) -> str:
    """The last two parts of a path."""
    return "/".join(path.rsplit("/", 2)[-2:])


def _whole(path: str, root: str) -> str:
    return path if path.startswith(("/", "~")) or not root else f"{root}/{path}"


def _root(paths: Sequence[str]) -> str:
    """The deepest folder that holds most of the absolute paths; empty if there is none.

    Where a file lies directly in it, it is the folder above: a name without any folder says little.
    """
    absolute = [path for path in paths if path.startswith("/") or path[1:3] == ":/"]
    folders = Counter(folder for path in absolute for folder in _above(path))
    most = [folder for folder, count in folders.items() if count >= 0.7 * len(absolute)]
    root = max(most, key=len, default="") if len(absolute) > 1 else ""
    around = {path.rpartition("/")[0] for path in absolute}
    while root in around and root.count("/") > HOME:
        root = root.rpartition("/")[0]
    return root


def _above(path: str) -> Iterator[str]:
    parts = path.split("/")[:-1]
    yield from ("/".join(parts[:depth]) for depth in range(2, len(parts) + 1))
