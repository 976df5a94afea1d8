"""Snapshots on disk: taking, finding, comparing and pruning them. A good one is never lost, and none is overwritten."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from typing import Any, NamedTuple

from openclaw.continuity import advice, files, mains, notes
from openclaw.continuity.document import digest, render
from openclaw.continuity.state import TASK, gather
from openclaw.errors import BadInput, NotFound
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.store.mains import Main
from openclaw.units import from_utc, utc
from openclaw.whole import sync_folder

LARGEST = 262_144  # bytes: what is larger is cut, and says so
LATEST = "latest.md"
_NAME = re.compile(r"(\d{4}-\d\d-\d\dT\d{6}\.\d{3}Z)-([a-z0-9-]+)\.md")
_STATE = re.compile(r'^state: "([0-9a-f]{64})"$', re.MULTILINE)
HEAD = 4096  # bytes in which the state's digest stands


class Taken(NamedTuple):
    """What came of taking one. `written` is False when the last one holds the same state, and `path` is that one."""

    path: str
    written: bool
    bytes: int
    tree: dict[str, Any]
    pruned: tuple[str, ...]


class Entry(NamedTuple):
    """One file: its name without .md, path, time (ISO 8601 UTC), reason and size in bytes."""

    name: str
    path: str
    at: str
    reason: str
    bytes: int


def folder(fleet: Fleet) -> str:
    """Where the snapshots of this workspace lie."""
    return os.path.join(fleet.settings.workspace, "memory", "snapshots")


def take(fleet: Fleet, reason: str = "manual", main: Main | None = None) -> Taken:
    """Write the state of everything to markdown, unless the last snapshot says the same already.

    `main` is the main agent if the caller knows it, else the registered one. Whatever kills us leaves the last one.
    """
    slug = slug_of(reason)
    where = folder(fleet)
    os.makedirs(where, exist_ok=True)
    with locked(fleet.state_dir, notes.LOCK):
        tree = gather(fleet, main or mains.current(fleet))
        last = _last_good(fleet)
        if last and _state_of(last) == digest(tree):
            _point(where, last)
            return Taken(last, False, os.path.getsize(last), tree, ())
        now = _free_time(fleet, slug)
        text = _fitting(tree, now, reason)
        path = os.path.join(where, _file_name(now, slug))
        files.write(path, text, 0o600)
        _point(where, path)
        notes.log(fleet, f"snapshot: {os.path.basename(path)} ({_summary(tree)})")
        pruned = _prune(fleet, fleet.settings.get("snapshots.keep"), fleet.settings.get("snapshots.keep_for"))
    return Taken(path, True, len(text.encode()), tree, tuple(pruned))


def slug_of(reason: str) -> str:
    """A reason as part of a file's name. BadInput when nothing of it is left."""
    slug = re.sub("[^a-z0-9]+", "-", reason.lower()).strip("-")[:40].strip("-")
    if not slug or not reason.isprintable() or len(reason) > 200:
        raise BadInput(
            f"the reason {reason[:40]!r} can't be part of a file's name", "a few words of letters and digits"
        )
    return slug


def _file_name(at: str, slug: str) -> str:
    return f"{at.replace(':', '')}-{slug}.md"


def _free_time(fleet: Fleet, slug: str) -> str:
    """Now, or so many milliseconds later that it is after every other and no file is in the way."""
    now = fleet.clock()
    newest = max((from_utc(entry.at) for entry in entries(fleet)), default=0.0)
    if now <= newest < now + 60:  # two within one millisecond, not a clock that was set back
        now = newest + 0.0011
    while os.path.lexists(os.path.join(folder(fleet), _file_name(utc(now), slug))):
        now += 0.001
    return utc(now)


def _fitting(tree: dict[str, Any], now: str, reason: str) -> str:
    """The document, cut further and further until it fits."""
    state = digest(tree)
    text = render(tree, now, reason, state)
    task, lines, kept, rows = TASK, 2, 80, len(tree["sessions"])
    while len(text.encode()) > LARGEST and (task > 1 or rows > 1):
        task, kept, lines, rows = task // 4, kept // 2, lines - 1, rows if task > 40 else rows // 2
        counts = (("notes", kept), ("items", kept), ("sessions", rows))
        smaller = {key: tree[key][:count] for key, count in counts}
        smaller["sessions"] = [
            s | {"task": s["task"][:task], "last_lines": s["last_lines"][-lines:] if lines > 0 else []}
            for s in smaller["sessions"]
        ]
        said = [f"what is beyond {task} characters of a task", f"all but {max(0, lines)} printed lines of each"]
        said += [f"{len(tree[key]) - count} {key}" for key, count in counts if len(tree[key]) > count]
        text = render(tree | smaller | {"left_out": [*tree["left_out"], *said]}, now, reason, state)
    return text


def _summary(tree: dict[str, Any]) -> str:
    live = sum(s["status"] in advice.LIVE for s in tree["sessions"])
    return f"{live} sub-agents live, {len(tree['items'])} open items, {len(tree['notes'])} notes"


def _point(where: str, path: str) -> None:
    """`latest.md` leads to it. One that somebody made a file of its own, with an editor, is kept beside it."""
    link, name = os.path.join(where, LATEST), os.path.basename(path)
    try:
        if os.readlink(link) == name:
            return
    except FileNotFoundError:
        pass
    except OSError:  # a plain file
        kept = os.path.join(where, f"latest-edited-{int(os.lstat(link).st_mtime)}.md")
        if not os.path.lexists(kept):
            os.rename(link, kept)
    fresh = f"{link}.{os.getpid()}.new"
    if os.path.lexists(fresh):
        os.unlink(fresh)
    os.symlink(name, fresh)
    os.replace(fresh, link)
    sync_folder(where)


# --- what is there


def entries(fleet: Fleet) -> list[Entry]:
    """All snapshots, newest first, without reading them."""
    return sorted(_entries(folder(fleet)), key=lambda entry: entry.at, reverse=True)


def _entries(where: str) -> Iterator[Entry]:
    try:
        names = os.listdir(where)
    except OSError:
        return
    for name in names:
        if hit := _NAME.fullmatch(name):
            path = os.path.join(where, name)
            try:
                found = os.stat(path)
            except OSError:  # pruned just now
                continue
            if not stat.S_ISREG(found.st_mode):
                continue
            at = f"{hit[1][:13]}:{hit[1][13:15]}:{hit[1][15:]}"
            yield Entry(name.removesuffix(".md"), path, at, hit[2], found.st_size)


def find(fleet: Fleet, word: str = "latest") -> str:
    """The path of the snapshot that `word` names: latest, a path, a number (1 is the newest), or a start of a name."""
    found = entries(fleet)
    if word in ("", "latest", LATEST):
        link = os.path.join(folder(fleet), LATEST)
        if os.path.exists(link):
            return os.path.realpath(link)
        if found:
            return found[0].path
        raise NotFound("there is no snapshot yet", "`openclaw snapshot` takes one", "no_snapshot")
    if os.sep in word or os.path.exists(word):
        return os.path.abspath(word)
    if word.isdecimal() and 1 <= int(word) <= len(found):
        return found[int(word) - 1].path
    named = [entry for entry in found if entry.name.startswith(word.removesuffix(".md"))]
    if not named:
        raise NotFound(f"no snapshot {word[:60]!r}", "`openclaw snapshots list` names them", "no_snapshot")
    if len(named) > 1 and word.removesuffix(".md") != named[0].name:
        raise BadInput(f"{word!r} is the start of {len(named)} snapshots", "type more of it", "ambiguous")
    return named[0].path


def _last_good(fleet: Fleet) -> str:
    """The newest that is whole and as it was written; empty when there is none."""
    from openclaw.continuity.reading import condition

    for entry in entries(fleet):
        if entry.bytes <= 2 * LARGEST and condition(files.read(entry.path)) == "whole":
            return entry.path
    return ""


def _state_of(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as file:
        hit = _STATE.search(file.read(HEAD))
    return hit[1] if hit else ""


# --- pruning


def prune(fleet: Fleet, keep: int | None = None, older_than: float | None = None) -> list[str]:
    """Remove snapshots beyond `keep` and those older than `older_than` seconds; never the last good one."""
    keep = fleet.settings.get("snapshots.keep") if keep is None else keep
    older_than = fleet.settings.get("snapshots.keep_for") if older_than is None else older_than
    with locked(fleet.state_dir, notes.LOCK):
        return _prune(fleet, int(keep), float(older_than))


def _prune(fleet: Fleet, keep: int, older_than: float) -> list[str]:
    oldest = utc(fleet.clock() - older_than)
    found = entries(fleet)
    old = [entry for number, entry in enumerate(found) if number >= keep or entry.at < oldest]
    if not old:
        return []
    spared = {_last_good(fleet), os.path.realpath(os.path.join(folder(fleet), LATEST))}
    gone = [entry for entry in old if entry.path not in spared and os.path.realpath(entry.path) not in spared]
    for entry in gone:
        os.unlink(entry.path)
    _sweep(folder(fleet))
    return [entry.name for entry in gone]


def _sweep(where: str) -> None:
    """What writers that were killed have left."""
    for name in os.listdir(where):
        hit = re.search(r"\.(\d+)\.new$", name)
        if hit and not os.path.isdir(f"/proc/{hit[1]}") and os.path.isdir("/proc"):
            os.unlink(os.path.join(where, name))
