"""The tools that work on files: read, write, edit, list, and reading back a stored result."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from typing import Any

from openclaw.local.place import Place, ToolError
from openclaw.tasks import globs
from openclaw.whole import put

FILE_BYTES = 4_194_304  # larger files are looked at with commands
LISTED = 500  # names
LOOKED_AT = 50_000  # names, until a walk gives up
LINES = 2000  # of one reading


def read(place: Place, given: Mapping[str, Any]) -> str:
    """Lines of a file, numbered."""
    path = place.path("Read", given["path"])
    return _lines(_text(path, place.shown(path)), given)


def read_result(place: Place, given: Mapping[str, Any]) -> str:
    """Lines of a result that was too long to be shown whole."""
    id = str(given["id"])
    if not (id.isalnum() and os.path.isfile(path := os.path.join(place.results, f"{id}.txt"))):
        raise ToolError(f"there is no stored result {id[:40]!r}")
    return _lines(_text(path, id, limit=None), given)


def write(place: Place, given: Mapping[str, Any]) -> str:
    """A file with this content, new or in place of what it had."""
    path = place.path("Write", given["path"])
    if os.path.isdir(path):
        raise ToolError(f"{place.shown(path)} is a folder")
    there = os.path.exists(path)
    _replace(place, path, given["content"])
    lines = given["content"].count("\n") + (not given["content"].endswith("\n"))
    return f"{'replaced' if there else 'made'} {place.shown(path)}: {lines} lines"


def edit(place: Place, given: Mapping[str, Any]) -> str:
    """One text of a file replaced by another; it has to be there exactly once, or `all` is true."""
    path = place.path("Edit", given["path"])
    old, new = given["old"], given["new"]
    text = _text(path, place.shown(path), exact=True)
    count = text.count(old) if old else 0
    if not count:
        raise ToolError(f"`old` is not in {place.shown(path)} as given: read it again, and copy the lines exactly")
    if count > 1 and not given.get("all"):
        raise ToolError(f"`old` is in {place.shown(path)} {count} times: give more of the lines around it, or all=true")
    if old == new:
        raise ToolError("`old` and `new` are the same")
    _replace(place, path, text.replace(old, new))
    line = text[: text.index(old)].count("\n") + 1
    return f"changed {place.shown(path)} at line {line}" + (f" and {count - 1} more places" if count > 1 else "")


def list_files(place: Place, given: Mapping[str, Any]) -> str:
    """The names in a folder, or with a pattern all files below it that match."""
    pattern = given.get("pattern")
    base = given.get("path") or "."
    folder = place.path("Glob", base, pattern=pattern) if pattern else place.path("LS", base)
    if not os.path.isdir(folder):
        raise ToolError(f"{place.shown(folder)} is no folder")
    if not pattern:
        names = sorted(e.name + ("/" if e.is_dir(follow_symlinks=False) else "") for e in os.scandir(folder))
        return _listed(names) if names else "it is empty"
    whole = globs.quote_path(folder).rstrip("/") + "/" + pattern
    found = sorted(place.shown(path) for path in _walk(folder) if globs.matches(whole, path))
    return _listed(found) if found else f"no file below {place.shown(folder)} matches {pattern}"


def _walk(folder: str) -> Iterator[str]:
    seen = 0
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in names:
            seen += 1
            if seen > LOOKED_AT:
                return
            yield os.path.join(at, name)


def _listed(names: list[str]) -> str:
    more = f"\n[… {len(names) - LISTED} more: name a folder or a narrower pattern]" if len(names) > LISTED else ""
    return "\n".join(names[:LISTED]) + more


def _lines(text: str, given: Mapping[str, Any]) -> str:
    first, count = max(1, given.get("line") or 1), min(max(1, given.get("lines") or LINES), LINES)
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    shown = lines[first - 1 : first - 1 + count]
    if not shown:
        return "it is empty" if not lines else f"it has only {len(lines)} lines"
    width = len(str(first + len(shown)))
    rest = len(lines) - (first - 1 + len(shown))
    more = f"\n[{rest} more lines, from line {first + len(shown)}]" if rest else ""
    return "\n".join(f"{number:>{width}}\t{line}" for number, line in enumerate(shown, first)) + more


def _text(path: str, shown: str, limit: int | None = FILE_BYTES, exact: bool = False) -> str:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ToolError(f"there is no file {shown}") from None
    except OSError as error:
        raise ToolError(f"{shown}: {error.strerror}") from None
    try:
        found = os.fstat(fd)
        if stat.S_ISDIR(found.st_mode):
            raise ToolError(f"{shown} is a folder: use list")
        if not stat.S_ISREG(found.st_mode):
            raise ToolError(f"{shown} is no plain file")
        if limit and found.st_size > limit:
            raise ToolError(f"{shown} has {found.st_size} bytes: search in it, or run a command for a part of it")
        with open(fd, "rb", closefd=False) as file:
            data = file.read()
    finally:
        os.close(fd)
    if b"\0" in data[:8192]:
        raise ToolError(f"{shown} is no text: it has {len(data)} bytes, with NULs among them")
    try:
        return data.decode()
    except UnicodeDecodeError:
        if exact:
            raise ToolError(f"{shown} is not UTF-8: change it with a command") from None
        return data.decode("utf-8", "replace")


def _replace(place: Place, path: str, text: str) -> None:
    """Whole or not at all, with the mode that the file has."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        put(path, text.encode("utf-8", "replace"), 0o666)
    except OSError as error:
        raise ToolError(f"{place.shown(path)}: {error.strerror}") from None
