"""Changing a program's own configuration file without losing what it, or a person, writes there meanwhile."""

from __future__ import annotations

import os


def replaced(path: str, before: bytes, after: bytes, kept: os.stat_result) -> bool:
    """Put `after` in the place of `before`, whole or not at all; False when the file is another by now."""
    new = f"{path}.openclaw-{os.getpid()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with open(fd, "wb") as file:
            if kept.st_uid != os.geteuid():
                os.fchown(fd, kept.st_uid, kept.st_gid)
            os.fchmod(fd, kept.st_mode & 0o777)
            file.write(after)
            file.flush()
            os.fsync(fd)
        with open(path, "rb") as file:
            if file.read() != before:
                return False
        os.replace(new, path)
        return True
    finally:
        if os.path.exists(new):
            os.unlink(new)


def created(path: str, text: bytes, mode: int) -> bool:
    """Make a file, whole or not at all; False when there is one by now."""
    new = f"{path}.openclaw-{os.getpid()}"
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        with open(fd, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        os.link(new, path)
        return True
    except FileExistsError:
        return False
    finally:
        os.unlink(new)
