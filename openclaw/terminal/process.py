"""The tmux server as a process: is it ours, who listens on the socket, how many files may it open.

Linux tells through /proc and the socket; where that is missing the answers are "no" and None, and nothing is signalled.
"""

from __future__ import annotations

import os
import resource

WANTED_FILES = 65536  # open files of the server: it hangs its clients, without a word, when it has none left


def is_server(pid: int, socket: str) -> bool:
    """Is that process a tmux server on `socket`? Its number may have been given to another program since."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as comm, open(f"/proc/{pid}/cmdline", "rb") as cmdline:
            words = cmdline.read().split(b"\0")
            return comm.read().startswith(b"tmux: server") and os.fsencode(socket) in words
    except OSError:
        return False


def listener(path: str) -> int | None:
    """The process that listens on a socket; None when nobody does."""
    import socket  # only needed when a server is deaf
    import struct

    if not hasattr(socket, "SO_PEERCRED"):
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(path)
            size = struct.calcsize("3i")
            return int(struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))[0])
        except OSError:
            return None


def free_files(pid: int) -> int | None:
    """How many more files a process may open; None when it isn't known or not limited."""
    try:
        used = len(os.listdir(f"/proc/{pid}/fd"))
        with open(f"/proc/{pid}/limits", encoding="ascii") as file:
            soft = next(line.split()[3] for line in file if line.startswith("Max open files"))
        return max(0, int(soft) - used)
    except (OSError, StopIteration, ValueError):
        return None


def wanted_files() -> int:
    """The limit of open files that a server we start will have."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)


class ManyOpenFiles:
    """While in it, our own soft limit of open files is what a server that we start shall inherit."""

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._set(max(wanted_files(), self.before[0]))

    def __exit__(self, *_: object) -> None:
        self._set(self.before[0])

    def _set(self, soft: int) -> None:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, self.before[1]))
        except (OSError, ValueError):
            pass  # macOS refuses what it calls possible: the server then starts with what there was
