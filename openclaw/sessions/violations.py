"""What changed outside a write scope while its sub-agent worked: the net below the guard and the sandbox.

Looked for when a turn or a session ends, in the cwd's tree: what the supervisor saw as newer than the start, and what
git misses. Not blamed: what another session that ran meanwhile had claimed, what git ignores, and our own state. It
says that a file changed while the sub-agent ran, not who did it: a person may have.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence

from openclaw.sessions import changes
from openclaw.sessions.fleet import Fleet
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.tasks.globs import matches, quote_path

MAX_RECORDED = 200  # paths
# What programs write beside what they read, unasked, where no repository says what to ignore.
CACHES = (
    "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".DS_Store", ".aider.tags.cache.v4",
)  # fmt: skip
GIT_SECONDS = 10.0
GIT_KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM")


def watched(scope: str, cwd: str, home: str) -> list[str]:
    """The pattern to watch beside the write scope of a session's scope JSON; none if writing is not limited.

    A cwd that holds HOME is more than can be looked through.
    """
    too_wide = (os.path.realpath(home) + "/").startswith(cwd.rstrip("/") + "/")
    return [] if json.loads(scope).get("open") or too_wide else [quote_path(cwd)]


def find(fleet: Fleet, ended: Sequence[Session]) -> dict[str, list[str]]:
    """By session the paths that changed outside its scope, absolute, with those that are recorded already.

    Only sessions with something to record that is not yet. Never fails: what can't be looked at is not reported.
    """
    found = {}
    deleted: dict[str, list[str]] = {}
    for session in ended:
        if not watched(session.scope, session.cwd, fleet.settings.home):
            continue
        if session.cwd not in deleted:
            deleted[session.cwd] = _deleted(fleet, session.cwd)
        start = changes.start(fleet.folder(session.id))
        paths = {*_changed(fleet, session, start), *(p for p in deleted[session.cwd] if _left_since(p, start))}
        known = json.loads(session.violations)
        strange = {p for p in paths if not any(matches(pattern, p) for pattern in session.writes)} - set(known)
        if strange := strange and _unexplained(fleet, session, strange):
            found[session.id] = [*known, *sorted(strange)][:MAX_RECORDED]
    return found


def relative(session: Session) -> list[str]:
    """The recorded paths as people read them."""
    start = session.cwd.rstrip("/") + "/"
    return [path.removeprefix(start) for path in json.loads(session.violations)]


# --- where to look


def _changed(fleet: Fleet, session: Session, start: int) -> Iterable[str]:
    found = changes.recorded(fleet.folder(session.id))
    return changes.newer([session.cwd], start, bounded=True) if found is None else found


def _deleted(fleet: Fleet, cwd: str) -> list[str]:
    """What git knows below the cwd and is not there."""
    out = _git(fleet, cwd, "ls-files", "--deleted", "-z")
    return [os.path.join(cwd, name) for name in out.split("\0") if name]


def _left_since(path: str, start: int) -> bool:
    """Whether the folder that it was in, or what is left of it, changed since then."""
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return os.stat(folder).st_mtime_ns > start


# --- what explains a change


def _unexplained(fleet: Fleet, session: Session, paths: set[str]) -> set[str]:
    ours = [fleet.state_dir, os.path.dirname(fleet.terminal.socket)]
    ours = [
        place for place in ours if not (session.cwd + "/").startswith(place + "/")
    ]  # it may work in a worktree there
    left = {
        path
        for path in paths
        if not any((path + "/").startswith(place + "/") for place in ours) and not set(path.split("/")) & set(CACHES)
    }
    for other in sessions.beside(fleet.store, session, fleet.now()):
        left = {path for path in left if not any(matches(pattern, path) for pattern in other.writes)}
    ignored = _git(fleet, session.cwd, "check-ignore", "-z", "--stdin", given="\0".join(left)) if left else ""
    return left - set(ignored.split("\0"))


def _git(fleet: Fleet, cwd: str, *args: str, given: str = "") -> str:
    """What git says; nothing where there is no repository or no git."""
    environ = {name: value for name, value in fleet.settings.environ.items() if name in GIT_KEPT}
    try:
        return subprocess.run(
            ["git", "-c", "core.fsmonitor=false", "-C", cwd, *args],
            input=given, env=environ | {"GIT_OPTIONAL_LOCKS": "0"}, capture_output=True, timeout=GIT_SECONDS,
            encoding="utf-8", errors="surrogateescape", check=False,
        ).stdout  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return ""
