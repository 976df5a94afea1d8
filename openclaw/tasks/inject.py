"""Reading what is injected: paths, line ranges and globs to exact text, with everything unsafe refused by name.

Read once, so that what is counted, hashed and given to the agent is the same. The bytes are never changed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from openclaw.context.tokens import Counter
from openclaw.errors import BadInput, OpenclawError, Refused
from openclaw.settings import Settings
from openclaw.tasks import globs, secrets
from openclaw.tasks.files import Unreadable, read_plain
from openclaw.tasks.joins import Gap

MAX_FILES = 1000  # that one glob may name
MAX_LOOKS = 200_000  # directory entries that one glob may look at
MAX_BYTES = 64 * 2**20  # of all files of one task

_RANGE = re.compile(r"(.+):(\d{1,9})(?:-(\d{1,9}))?", re.DOTALL)


class Injected(NamedTuple):
    """A file, or lines `first` to `last` of it, as it goes into the prompt.

    `path` is relative to the cwd where below it. `tokens`, `sha256` and `bytes` are those of `text`.
    """

    path: str
    absolute: str
    first: int | None
    last: int | None
    tokens: int
    sha256: str
    text: str
    bytes: int


class Named(NamedTuple):
    """A file that a spec names. `tree` is the folder that its symlinks may not lead out of."""

    path: str
    tree: str
    first: int | None = None
    last: int | None = None


def read_all(
    specs: Iterable[str], cwd: str, settings: Settings, counter: Counter, *,
    allow_secret: Sequence[str] = (), model: str | None = None, exact: bool = False,
) -> list[Injected]:  # fmt: skip
    """Every file that the specs `PATH`, `PATH:A`, `PATH:A-B` or GLOB name, each path and range once, in their order.

    BadInput for what is not there, Refused (`unsafe_file`) for what must not be injected, and nothing in between.
    """
    cwd = os.path.realpath(cwd)
    allowed = real_paths(allow_secret, cwd)
    found: dict[tuple[str, int | None, int | None], Injected] = {}
    total = 0
    for spec in specs:
        for named in find(spec, cwd):
            item = read(named, cwd, settings, counter, allowed=allowed, model=model, exact=exact)
            if found.setdefault((item.absolute, item.first, item.last), item) is item:
                total += item.bytes
            if total > MAX_BYTES:
                raise Refused(f"the injected files have more than {MAX_BYTES} bytes", "inject fewer", code="over_limit")
    return list(found.values())


def real_paths(paths: Iterable[str], cwd: str) -> set[str]:
    """Paths as typed, relative to the cwd, with symlinks followed."""
    return {os.path.realpath(os.path.join(cwd, os.path.expanduser(path))) for path in paths}


# --- from specs to files


def find(spec: str, cwd: str) -> Iterator[Named]:
    """The files that a spec names, a glob's sorted. A file that really has this name wins over range and glob."""
    if not spec or not spec.isprintable():
        raise BadInput(f"the path {spec[:80]!r} to inject can't be named", "it must be printable, and not empty")
    spec = os.path.expanduser(spec)
    path = os.path.join(cwd, spec)
    if os.path.lexists(path):
        yield Named(path, _tree(path, cwd))
        return
    bare, first, last = _lines(spec)
    path = os.path.join(cwd, bare)
    if first is None and _is_glob(bare):
        for match in sorted({match for pattern in globs.expand(bare) for match in _matches(pattern, cwd)}):
            yield Named(match, _tree(match, cwd))
        return
    if not os.path.lexists(path):
        raise BadInput(f"{bare[:200]!r}, which is to be injected, does not exist", f"it is looked up in {cwd}")
    yield Named(path, _tree(path, cwd), first, last)


def _lines(spec: str) -> tuple[str, int | None, int | None]:
    if not (found := _RANGE.fullmatch(spec)):
        return spec, None, None
    first, last = int(found[2]), int(found[3] or found[2])
    if first < 1 or last < first:
        raise BadInput(f"{spec[:200]!r} has no lines {first}-{last}", "lines count from 1, and the first comes first")
    return found[1], first, last


def _is_glob(spec: str) -> bool:
    return len(globs.expand(spec)) > 1 or any(globs.is_wild(part) for part in spec.split("/"))


def _matches(pattern: str, cwd: str) -> list[str]:
    found = list(_walk(globs.segments(os.path.join(globs.quote_path(cwd), pattern)), pattern))
    if not found:
        raise BadInput(f"no file matches {pattern[:200]!r}", f"it is looked up in {cwd}")
    return found


def _walk(segments: tuple[globs.Segment | Gap, ...], pattern: str) -> Iterator[str]:
    """The files below the root that a pattern names. Symlinked folders and `.git` are not walked into by `**`."""
    looks = files = 0
    todo, seen = [("/", segments)], set[tuple[str, int]]()
    while todo:
        place, rest = todo.pop()
        if (place, len(rest)) in seen:
            continue
        seen.add((place, len(rest)))
        if not rest:
            if not os.path.isdir(place):
                files += 1
                yield place
        elif isinstance(rest[0], str):
            if os.path.lexists(os.path.join(place, rest[0])):
                todo.append((os.path.join(place, rest[0]), rest[1:]))
        else:
            entries = _entries(place)
            looks += len(entries)
            for entry in entries:
                if isinstance(rest[0], Gap):
                    if entry.is_dir(follow_symlinks=False) and entry.name != ".git":
                        todo.append((entry.path, rest))
                    elif len(rest) == 1:
                        todo.append((entry.path, ()))
                elif globs.name_matches(rest[0], entry.name):
                    todo.append((entry.path, rest[1:]))
            if isinstance(rest[0], Gap) and len(rest) > 1:
                todo.append((place, rest[1:]))
        if files > MAX_FILES or looks > MAX_LOOKS:
            what = f"more than {MAX_FILES} files" if files > MAX_FILES else f"a tree of more than {MAX_LOOKS} files"
            raise Refused(f"{pattern[:200]!r} names {what}", "name a smaller part", code="over_limit")


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # no folder, or not ours to read: nothing in it matches


def _tree(path: str, cwd: str) -> str:
    """What a path's symlinks must stay in: the cwd for what is named below it, else the folder it is named in."""
    below = (os.path.normpath(path) + "/").startswith(cwd.rstrip("/") + "/")
    return cwd if below else os.path.realpath(os.path.dirname(path))


# --- from files to text


def read(
    named: Named, cwd: str, settings: Settings, counter: Counter, *,
    allowed: Iterable[str] = (), model: str | None = None, exact: bool = False,
) -> Injected:  # fmt: skip
    """One file, checked. `allowed` are the real paths that may look like secrets. Refused or BadInput as `read_all`."""
    real = os.path.realpath(named.path)
    path = os.path.relpath(real, cwd) if (real + "/").startswith(cwd.rstrip("/") + "/") else real
    shown = os.path.relpath(named.path, cwd) if (named.path + "/").startswith(cwd.rstrip("/") + "/") else named.path
    if not (path + shown).isprintable():
        raise _unsafe(repr(shown), "has a name that is not printable", "rename it")
    if not (real + "/").startswith(named.tree.rstrip("/") + "/"):
        raise _unsafe(shown, f"leads out of {named.tree}, to {real}", "name the file itself if it is meant")
    if real not in allowed:
        for name in (named.path, real):
            if secrets.by_name(os.path.basename(name)):
                raise _secret(shown, "by its name")
    data = _bytes(real, shown, settings.get("limits.file_bytes"))
    text, last = _cut(data, named, shown)
    if real not in allowed and (hit := secrets.in_text(text)):
        raise _secret(shown, f"{hit[0]} in line {hit[1] + (named.first or 1) - 1}")
    used = text.encode()
    tokens = counter.count(text, model=model, exact=exact).tokens
    return Injected(path, real, named.first, last, tokens, hashlib.sha256(used).hexdigest(), text, len(used))


def _bytes(real: str, shown: str, limit: int) -> bytes:
    try:
        data = read_plain(real, limit)
    except Unreadable as error:
        if error.missing:
            raise BadInput(f"{shown} {error}", "a symlink may lead to nothing") from error
        hint = "only plain files that can be read are injected"
        if str(error) == "is a directory":
            hint = f"name files in it, such as '{shown.rstrip('/')}/*.md'"
        elif "bytes" in str(error):
            hint = "cut out what is needed, or raise limits.file_bytes"
        raise _unsafe(shown, str(error), hint) from error
    if b"\0" in data:
        raise _unsafe(shown, f"is binary (a NUL at byte {data.index(0)})", "only text is injected")
    return data


def _cut(data: bytes, named: Named, shown: str) -> tuple[str, int | None]:
    """The text of the named lines and the number of the last; of a range beyond the end, what is there of it."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _unsafe(shown, f"is not UTF-8 text (byte {error.start})", "convert it, or leave it out") from error
    if named.first is None or named.last is None:
        return text, None
    lines = text.split("\n")
    count = len(lines) - (lines[-1] == "")
    if named.first > count:
        raise BadInput(f"{shown} has {count} lines, not {named.first}", "name lines that are there")
    last = min(named.last, count)
    part = "\n".join(lines[named.first - 1 : last])
    return part + "\n" * (last < len(lines)), last


def _unsafe(shown: str, why: str, hint: str) -> OpenclawError:
    return Refused(f"{shown[:200]} {why}: not injected", hint, code="unsafe_file")


def _secret(shown: str, why: str) -> OpenclawError:
    hint = f"leave it out, or let exactly this file through with --allow-secret {shown[:200]}"
    return Refused(f"{shown[:200]} looks like a secret ({why}): not injected", hint, code="unsafe_file")
