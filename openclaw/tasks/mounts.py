"""From the globs of a scope to the mounts that enforce it: which folders and files are writable, readable, hidden.

A folder that a pattern holds whole is mounted as it is, so the scope is exact there. Where a pattern holds only some
names of a folder (`notes.txt`, `*.md`), programs must still be able to make and replace them, and no mount can say
"only these names": the folder is writable, and everything in it now that is out of scope is mounted over, read-only or
hidden. So what exists is exact, and the one thing that is wider is that other *new* names can be made there: `opened`
names these folders. Reading is always exact: what is named singly is mounted singly.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple

from openclaw.agents.sandbox import Mount
from openclaw.errors import Refused
from openclaw.tasks import globs

MAX_MOUNTS = 500  # bubblewrap takes 0.4 s for as many, and four times that for twice as many
MAX_LOOKS = 100_000  # directory entries


class Layout(NamedTuple):
    """`mounts`, parents first; `missing` folders that the write scope names and that must be made, parents first;
    `opened` folders in which other new names can be made too; `in_place` files that can be changed but not replaced."""

    mounts: tuple[Mount, ...]
    missing: tuple[str, ...]
    opened: tuple[str, ...]
    in_place: tuple[str, ...]


def layout(reads: Sequence[str], writes: Sequence[str]) -> Layout:
    """The mounts for absolute patterns. Refused (`sandbox_scope`) when there would be too many."""
    walk = _Walk(reads, writes)
    anchors = {walk.anchor(pattern, make=True) for pattern in writes} | {walk.anchor(pattern) for pattern in reads}
    done: list[str] = []
    for folder in sorted(anchors - {""}):
        if not any(_is_below(folder, above) for above in done):
            walk.visit(folder, "")
            done.append(folder)
    return Layout(tuple(walk.mounts), tuple(sorted(walk.missing)), tuple(walk.opened), tuple(walk.in_place))


class _Walk:
    def __init__(self, reads: Sequence[str], writes: Sequence[str]) -> None:
        self.reads, self.writes = (*reads, *writes), writes
        self.mounts: list[Mount] = []
        self.missing: set[str] = set()
        self.opened: list[str] = []
        self.in_place: list[str] = []
        self.looks = 0

    def anchor(self, pattern: str, make: bool = False) -> str:
        """The folder to begin at; with `make`, those that the pattern needs are noted as missing. '' for none."""
        names: list[str] = []
        segments = globs.segments(pattern)
        for segment in segments:
            if not isinstance(segment, str):
                break
            names.append(segment)
        if names and len(names) == len(segments) and not os.path.isdir("/" + "/".join(names)):
            names.pop()  # a file, or what may become one
        place = "/"
        for name in names:
            place = os.path.join(place, name)
            if os.path.isdir(place) or place in self.missing:
                continue
            if not make or os.path.lexists(place):
                return ""
            self.missing.add(place)
        return place

    def visit(self, folder: str, shown: str) -> None:
        """Mount what is needed at and below a folder, where `shown` (rw, ro, empty, '') is what is there already."""
        if self._whole(self.writes, folder):
            return self._mount("rw", folder, shown)
        entries = self._entries(folder)
        if self._names_in(folder):
            if len(entries) > MAX_MOUNTS and (single := self._single_files(folder)):
                return self._bind_in_place(folder, single, shown)
            self.opened.append(folder)
            kind = "rw"
        else:
            kind = "ro" if self._whole(self.reads, folder) else "empty" if shown else ""
        self._mount(kind, folder, shown)
        if not self._may_hold(self.writes if kind == "ro" else self.reads, folder) and kind != "rw":
            return None
        for path, is_folder, is_link in entries:
            self._entry(path, is_folder, is_link, kind)
        return None

    def _entry(self, path: str, is_folder: bool, is_link: bool, shown: str) -> None:
        if is_folder and not is_link:
            if shown == "rw" or self._may_hold(self.writes if shown == "ro" else self.reads, path):
                self.visit(path, shown)
            return
        readable = _held(self.reads, path)
        if is_link:  # nothing can be mounted over a link; where it leads is judged there
            if readable and shown in ("", "empty"):
                self._mount("link", path)
        elif shown == "rw" and not _held(self.writes, path):
            self._mount("ro" if readable else "masked", path)
        elif shown in ("", "empty") and readable:
            self._mount("ro", path)

    def _bind_in_place(self, folder: str, files: Sequence[str], shown: str) -> None:
        """In a folder of very many names only the files that are named one by one are writable, as they are."""
        self._mount("ro" if self._whole(self.reads, folder) else "empty" if shown else "", folder, shown)
        for path in files:
            self._mount("rw", path)
        self.in_place += files

    def _single_files(self, folder: str) -> list[str]:
        """The existing files that the patterns name in a folder; none if any pattern there has a wildcard or is new."""
        found = []
        for pattern in self.writes:
            if globs.overlap(pattern, globs.quote_path(folder)) is None:
                continue
            names = globs.segments(pattern)
            path = "/" + "/".join(name for name in names if isinstance(name, str))
            if path.count("/") != len(names) or os.path.dirname(path) != folder or not os.path.isfile(path):
                return []
            found.append(path)
        return found

    def _entries(self, folder: str) -> list[tuple[str, bool, bool]]:
        """(path, is a folder, is a link) of everything in a folder, with the folders that will be made."""
        found = [(path, True, False) for path in self.missing if os.path.dirname(path) == folder]
        try:
            with os.scandir(folder) as entries:
                found += [(each.path, each.is_dir(follow_symlinks=False), each.is_symlink()) for each in entries]
        except OSError:
            pass  # not there yet, or closed to us and so to the agent
        self.looks += len(found)
        if self.looks > MAX_LOOKS:
            raise self._too_fine(f"more than {MAX_LOOKS} files to look at")
        return sorted(found)

    def _mount(self, kind: str, path: str, shown: str = "") -> None:
        if kind and kind != shown:
            self.mounts.append(Mount(kind, path))
        if len(self.mounts) > MAX_MOUNTS:
            raise self._too_fine(f"more than {MAX_MOUNTS} mounts")

    def _too_fine(self, why: str) -> Refused:
        named = ", ".join(dict.fromkeys((*self.writes, *self.reads)))
        return Refused(
            f"the sandbox can't enforce so fine a scope, it would take {why}: {named[:200]}",
            "name whole folders (src/**), or fewer names in smaller folders, or leave --sandbox out",
            code="sandbox_scope",
        )

    def _names_in(self, folder: str) -> bool:
        """Whether a write pattern can match a direct child that may be a file or may not be there yet."""
        inside = globs.quote_path(folder).rstrip("/") + "/"
        for pattern in self.writes:
            if globs.overlap(pattern, inside + "*") is None:
                continue
            plain = list(takewhile(lambda segment: isinstance(segment, str), globs.segments(pattern)))
            named = "/" + "/".join(map(str, plain[: inside.count("/")]))  # a pattern of few plain names ends above
            if os.path.dirname(named) != folder or not (os.path.isdir(named) or named in self.missing):
                return True
        return False

    def _whole(self, patterns: Iterable[str], folder: str) -> bool:
        return any(globs.covers(pattern, folder) for pattern in patterns)

    def _may_hold(self, patterns: Iterable[str], folder: str) -> bool:
        below = globs.quote_path(folder)
        return any(globs.overlap(pattern, below) is not None for pattern in patterns)


def _held(patterns: Iterable[str], path: str) -> bool:
    return any(globs.matches(pattern, path) for pattern in patterns)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
