"""What was computed once is not computed again: results by a key of all they depend on, for a time, across processes.

Who asks while it is being computed waits for it; the lock is the kernel's, which frees it for a process that dies.
Errors are not kept. Where the files can't be used, everything is computed.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from openclaw.errors import OpenclawError
from openclaw.settings import Settings
from openclaw.store import cache_uses, db
from openclaw.store.cache_uses import Uses
from openclaw.store.results import Kept, Result, Table
from openclaw.units import utc

SIZE = 1000  # results of one name


class Worth(NamedTuple):
    """What a value took beside time, which is spared when it is known."""

    tokens: int = 0
    cost_usd: float = 0.0


class Found(NamedTuple):
    """A value; and how it was kept, None where it was computed just now."""

    value: Any
    known: Result | None


class Hold(NamedTuple):
    """The right to compute what belongs to a key; nobody else has it before `free`."""

    path: str
    fd: int

    def free(self) -> None:
        if self.fd >= 0:
            _unlink(self.path)  # before others get it: they see that it is gone, and take another
            fcntl.flock(self.fd, fcntl.LOCK_UN)  # a child may have it open, too
            os.close(self.fd)


class Results:
    """Those of one state folder. `clock` gives epoch seconds."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self.clock = clock
        self.enabled: bool = settings.get("cache.enabled")
        self.keep_for: float = settings.get("cache.keep_for")  # seconds, where nothing else is said
        self._most_bytes: int = settings.get("cache.bytes")
        self._state_dir, self._database = settings.state_dir, settings.database
        self._own = _Own()

    def once(
        self,
        name: str,
        key: str,
        ttl: float,
        compute: Callable[[], Any],
        size: int = SIZE,
        worth: Callable[[Any], Worth | None] = lambda value: Worth(),
    ) -> Found:
        """What is known by this key, else what `compute` returns, which is kept for `ttl` seconds.

        `worth` says what a value took; None for one that is not to be kept.
        """
        computing = self._own.current().computing
        if not self.enabled or key in computing:  # what asks for itself would wait for itself
            return Found(compute(), None)
        if found := self.look(name, key):
            return found
        hold = self.hold(key)
        computing.add(key)
        try:
            if found := self.look(name, key):
                return found
            began = time.monotonic()
            value = compute()
            if (took := worth(value)) is not None:
                self.keep(name, key, value, ttl, time.monotonic() - began, size, took)
            return Found(value, None)
        finally:
            computing.discard(key)
            if hold:
                hold.free()

    def look(self, name: str, key: str) -> Found | None:
        """What is known by this key, and counted as used."""
        known = self._own.current().table(self._state_dir).get(key, self.clock()) if self.enabled else None
        if known is None:
            return None
        try:
            value = _decoded(known)
        except Exception:  # noqa: BLE001 - a class that has changed since can raise anything: it is computed anew
            return None
        self._count(Uses(name, 1, 0, known.seconds, known.tokens, known.cost_usd))
        return Found(value, known)

    def keep(
        self,
        name: str,
        key: str,
        value: Any,
        ttl: float,
        seconds: float,
        size: int = SIZE,
        took: Worth = Worth(),  # noqa: B008
    ) -> None:
        """Keep a value that took so many `seconds`. TypeError when it is of a kind that can't be kept."""
        form, data = _encoded(value)
        found = Result(name, self.clock(), form, data, seconds, *took)
        self._own.current().table(self._state_dir).put(key, found, ttl, size, self._most_bytes)
        self._count(Uses(name, 0, 1, 0.0, 0, 0.0))

    def hold(self, key: str, wait: bool = True) -> Hold | None:
        """The right to compute this key's value; None without `wait`, when somebody has it."""
        folder = os.path.join(self._state_dir, "locks")
        path = os.path.join(folder, f"result-{key[:40]}")
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            while True:
                fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
                if not _locked(fd, wait):
                    return None
                if _is(path, fd):
                    return Hold(path, fd)
                os.close(fd)  # whoever had it has removed the file: the next one may be there already
        except OSError:  # a state folder that can't be written: each computes for itself
            return Hold("", -1)

    def kept(self) -> list[Kept]:
        """What is kept, by name."""
        return self._own.current().table(self._state_dir).kept(self.clock())

    def clear(self, name: str | None = None) -> int:
        """Forget the results of a name, or all; how many there were."""
        return self._own.current().table(self._state_dir).clear(name)

    def _count(self, uses: Uses) -> None:
        try:
            store = self._own.current().store(self._database)
            with db.transaction(store):
                cache_uses.count(store, utc(self.clock())[:10], uses)
        except (OpenclawError, sqlite3.Error):  # in a sandbox, or while the disk is full: the value counts more
            pass


def key_of(*parts: Any) -> str:
    """The key of plain data (JSON): the same for the same content, whatever the order of mappings."""
    text = json.dumps(parts, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


class _Connections:
    """Of one thread: SQLite's are not shared. And the keys that it computes."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.computing: set[str] = set()
        self._table: Table | None = None
        self._store: sqlite3.Connection | None = None

    def table(self, folder: str) -> Table:
        if self._table is None:
            self._table = Table(folder)
        return self._table

    def store(self, path: str) -> sqlite3.Connection:
        if self._store is None:
            self._store = db.connect(path)
        return self._store


class _Own(threading.local):
    """The connections of this thread in this process: a fork gets others."""

    _of: _Connections | None = None

    def current(self) -> _Connections:
        if self._of is None or self._of.pid != os.getpid():
            self._of = _Connections()
        return self._of


# --- values


def _encoded(value: Any) -> tuple[str, bytes]:
    if _is_json(value):
        return "json", json.dumps(value, separators=(",", ":")).encode()
    try:
        return "pickle", pickle.dumps(value)
    except Exception as error:  # pickle lets through whatever an object raises
        raise TypeError(f"a {type(value).__name__} can't be kept: {error}") from error


def _decoded(found: Result) -> Any:
    """The file is ours alone (store/results.py looks at that), so that what is unpickled was pickled by us."""
    return json.loads(found.value) if found.form == "json" else pickle.loads(found.value)


def _is_json(value: Any) -> bool:
    """Whether JSON gives back the very same: no tuples, no keys that are numbers, no classes of anybody's own."""
    kind = type(value)
    if kind is dict:
        return all(type(key) is str and _is_json(each) for key, each in value.items())
    return all(map(_is_json, value)) if kind is list else value is None or kind in (str, int, float, bool)


# --- files


def _locked(fd: int, wait: bool) -> bool:
    """Lock it; False, and it is closed, where somebody has it and we don't wait."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        os.close(fd)
        return False
    except BaseException:  # Ctrl-C while waiting
        os.close(fd)
        raise
    return True


def _is(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(fd))
    except FileNotFoundError:
        return False


def _unlink(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
