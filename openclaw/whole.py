"""A file is written whole: kill -9, a full disk or a power cut leaves the old one or the new one, never half of it."""

from __future__ import annotations

import os


def put(path: str, data: bytes, mode: int = 0o600) -> None:
    """Put a file with these bytes in its place, on the disk when this returns. OSError when that can't be done.

    A file that was there keeps its mode; a new one gets `mode`, less the umask.
    """
    try:
        old = os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        old = None
    fresh = f"{path}.{os.getpid()}.new"
    try:
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with open(fd, "wb") as file:
            if old is not None:
                os.fchmod(fd, old)
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(fresh, path)
    except BaseException:  # whatever it was, nothing half-written stays beside it
        if os.path.lexists(fresh):
            os.unlink(fresh)
        raise
    sync_folder(os.path.dirname(path) or ".")


def sync_folder(folder: str) -> None:
    """Make the names in a folder outlive a power cut."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
