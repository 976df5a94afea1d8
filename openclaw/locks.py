"""One command at a time: locks by name in the state folder, which the kernel frees for a process that dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def locked(state_dir: str, name: str) -> Iterator[None]:
    """While no other command of ours is within the lock of this name."""
    folder = os.path.join(state_dir, "locks")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    fd = os.open(os.path.join(folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
