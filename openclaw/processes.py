"""The process table: who is alive, which processes are a sub-agent's, and ending exactly those.

A process is ours when OPENCLAW_SESSION_ID in its environment says so, or when it descends from one that is. A pid alone
proves nothing, it may be somebody else's by now: identities carry the start time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

MARK = "OPENCLAW_SESSION_ID"


def identity(pid: int) -> str:
    """`pid:start`, unique while the machine runs; empty when there is no such process (a zombie counts as none)."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return "" if fields[0] in "ZX" else f"{pid}:{fields[19]}"
    except OSError:
        if os.path.isdir("/proc/self"):
            return ""
    import psutil  # 20 ms, and only where there is no /proc

    try:
        return f"{pid}:{psutil.Process(pid).create_time():.3f}"
    except psutil.Error:
        return ""


def alive(known: str) -> bool:
    """Whether the process that `identity` named still runs."""
    pid = known.partition(":")[0]
    return pid.isdigit() and identity(int(pid)) == known


def members(ids: Iterable[str]) -> dict[str, list[psutil.Process]]:
    """The live processes of each session: those that carry its mark, and all that descend from them."""
    import psutil  # only when something is to be ended or examined

    found: dict[str, list[psutil.Process]] = {i: [] for i in ids}
    owner: dict[int, str] = {}
    children: dict[int, list[psutil.Process]] = {}
    marked: list[psutil.Process] = []
    for process in psutil.process_iter(["pid", "ppid", "status"]):
        if process.info["status"] == psutil.STATUS_ZOMBIE or process.pid == os.getpid():
            continue
        children.setdefault(process.info["ppid"], []).append(process)
        mark = _mark(process)
        if mark in found:
            owner[process.pid] = mark
            marked.append(process)
    queue = marked
    while queue:
        process = queue.pop()
        mark = owner[process.pid]
        found[mark].append(process)
        for child in children.get(process.pid, []):
            if child.pid not in owner:
                owner[child.pid] = mark
                queue.append(child)
    return found


def end(ids: Iterable[str], grace: float, clock: Callable[[], float] = time.monotonic) -> list[str]:
    """End every process of these sessions: TERM, KILL for what is left after `grace` seconds, again for late-born ones.

    Returns the ids of sessions some of whose processes are still there (stuck in the kernel), normally none.
    """
    import psutil

    wanted = list(ids)
    deadline = clock() + grace
    signalled: set[tuple[int, float]] = set()
    while left := [p for group in members(wanted).values() for p in group]:
        late = clock() > deadline
        if clock() > deadline + 5:
            return [i for i, group in members(wanted).items() if group]
        for process in left:
            key = (process.pid, process.create_time())
            try:
                if late:
                    process.kill()
                elif key not in signalled:
                    signalled.add(key)
                    process.terminate()
                    process.resume()  # a stopped process takes no TERM
            except psutil.Error:
                pass
        psutil.wait_procs(left, timeout=max(0.0, min(deadline, clock() + 0.5) - clock()) if not late else 0.5)
    return []


def _mark(process: psutil.Process) -> str:
    import psutil

    try:
        with open(f"/proc/{process.pid}/environ", "rb") as file:
            for item in file.read().split(b"\0"):
                if item.startswith(b"OPENCLAW_SESSION_ID="):
                    return item.partition(b"=")[2].decode(errors="replace")
        return ""
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return ""
    except OSError:
        return ""
    try:
        return process.environ().get(MARK, "")
    except psutil.Error:
        return ""
