"""Reading one file whole and once: never blocking, never more than a limit, never half old and half new."""

from __future__ import annotations

import os
import stat
import time

TRIES = 5
TICK_NS = 20_000_000  # two writes that are this far apart have different time stamps; the kernel's clock is that coarse

_KINDS = {
    stat.S_IFDIR: "is a directory", stat.S_IFIFO: "is a pipe", stat.S_IFSOCK: "is a socket",
    stat.S_IFCHR: "is a device", stat.S_IFBLK: "is a device", stat.S_IFLNK: "is a symlink",
}  # fmt: skip


class Unreadable(Exception):
    """Why a file was not read, as words that follow its name: `is a pipe`. `missing` if nothing is there."""

    def __init__(self, why: str, missing: bool = False) -> None:
        super().__init__(why)
        self.missing = missing


def read_plain(path: str, limit: int) -> bytes:
    """The bytes of a plain file of at most `limit` bytes, read again while it changes. Raises Unreadable.

    Symlinks must be resolved before. Pipes and devices are told apart before they are opened, and never waited for.
    """
    try:
        _check_kind(os.lstat(path))
        for _ in range(TRIES):
            data = _read(path, limit)
            if data is not None:
                return data
    except OSError as error:
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        raise Unreadable("does not exist" if missing else f"can't be read: {error.strerror}", missing) from error
    raise Unreadable(f"keeps changing: {TRIES} reads, no two looks at it agree")


def _read(path: str, limit: int) -> bytes | None:
    """One try; None if the file changed meanwhile."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        before = os.fstat(handle)
        _check_kind(before)
        if (left := _until_told_apart(before)) > 0:
            time.sleep(left)
            before = os.fstat(handle)
            if _until_told_apart(before) > 0:
                return None
        data = _pull(handle, limit)
        after = os.fstat(handle)
    finally:
        os.close(handle)
    same = (before.st_size, before.st_mtime_ns, before.st_ino) == (after.st_size, after.st_mtime_ns, after.st_ino)
    return data if same else None


def _until_told_apart(found: os.stat_result) -> float:
    """Seconds until the next write is sure to give the file another time stamp."""
    age = time.time_ns() - found.st_mtime_ns
    return (TICK_NS - age) / 1e9 if 0 <= age < TICK_NS else 0.0


def _pull(handle: int, limit: int) -> bytes:
    parts, size = [], 0
    while part := os.pread(handle, min(1 << 20, limit + 1 - size), size):
        parts.append(part)
        size += len(part)
        if size > limit:
            found = max(size, os.fstat(handle).st_size)
            raise Unreadable(f"has {found} bytes, {limit} are allowed")
    return b"".join(parts)


def _check_kind(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Unreadable(_KINDS.get(stat.S_IFMT(found.st_mode), "is no plain file"))
