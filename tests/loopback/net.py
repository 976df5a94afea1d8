"""A network of its own with nothing but loopback, for a server and the programs that may reach only that.

Linux with root: a thread moves into a new network namespace and lives as long as the place; what it opens is in there,
and `wrap` starts programs there. Elsewhere programs share the host's network, and a dead proxy keeps them on loopback.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import queue
import shlex
import shutil
import socket
import struct
import sys
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
CLOSED = "http://127.0.0.1:9"  # the discard port: nobody answers


class Place:
    """`run` calls a function in it; `wrap` gives a command that runs in it; `env` is what such a command needs.

    Not `isolated`, it is the host's own loopback.
    """

    def __init__(self, isolated: bool = True) -> None:
        self._calls: queue.Queue[Callable[[], None] | None] = queue.Queue()
        can = sys.platform == "linux" and os.geteuid() == 0 and shutil.which("nsenter") is not None
        thread = threading.Thread(target=self._live, daemon=True)
        thread.start()
        self.isolated = self.run(_enter) if can and isolated else False
        self._net = f"/proc/{os.getpid()}/task/{thread.native_id}/ns/net"
        proxies = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        loopback = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        self.env = {} if self.isolated else dict.fromkeys(proxies, CLOSED) | loopback

    def run(self, call: Callable[[], T]) -> T:
        """The result of the call, made by the thread that lives in the place."""
        answer: queue.Queue[Any] = queue.Queue()

        def guarded() -> None:
            try:
                answer.put((call(), None))
            except BaseException as error:  # noqa: BLE001 - raised again where it was called
                answer.put((None, error))

        self._calls.put(guarded)
        value, error = answer.get(timeout=30)
        if error:
            raise error
        return value  # type: ignore[no-any-return]

    def wrap(self, program: str) -> str:
        """A script that becomes `program`, in the place, with its arguments."""
        enter = f"nsenter --net={self._net} -- " if self.isolated else ""
        return f'#!/bin/sh\nexec {enter}{shlex.quote(program)} "$@"\n'

    def close(self) -> None:
        self._calls.put(None)

    def _live(self) -> None:
        while call := self._calls.get():
            call()


def _enter() -> bool:
    """Move the calling thread into a new network with `lo` up; False where that is not allowed."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as lo:
        fcntl.ioctl(lo, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
    return True
