"""What the benchmarks share: an installation of its own that is reaped afterwards, and timing in turn.

Every figure is a ratio: ours and the reference run in turn (A B A B …) in one process of one run, and the medians are
divided. The spread is the middle half of the ratios of neighbouring runs.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

BIN = Path(sys.executable).parent
OPENCLAW = str(BIN / "openclaw")
HOOK = str(BIN / "openclaw-hook")
EMPTY_PYTHON = [sys.executable, "-I", "-c", "pass"]
KEPT = ("PATH", "LANG", "LC_ALL", "TZ")
DEADLINE = 120.0


class Failed(RuntimeError):
    """A measured command ended with an error, so it has no time worth printing."""


class Figure(NamedTuple):
    """Medians in seconds of `n` runs each, and the quartiles of the ratios of neighbouring runs."""

    n: int
    ours: float
    reference: float
    low: float
    high: float

    @property
    def ratio(self) -> float:
        return self.ours / self.reference


def timed(call: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turn(
    n: int, ours: Callable[[], object], reference: Callable[[], object], between: Callable[[], object] = lambda: None
) -> Figure:
    """Run both in turn `n` times after one warm-up each; `between` puts things right, untimed, after every run."""
    pairs = []
    for _ in range(n + 1):
        pair = []
        for call in (ours, reference):
            pair.append(timed(call))
            between()
        pairs.append(pair)
    first, second = zip(*pairs[1:], strict=True)
    ratios = [a / b for a, b in pairs[1:]]
    low, _, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    return Figure(n, statistics.median(first), statistics.median(second), low, high)


def until(probe: Callable[[], object], what: str) -> None:
    """Wait on a predicate with a deadline; Failed when it never comes true."""
    deadline = time.monotonic() + DEADLINE
    while not probe():
        if time.monotonic() > deadline:
            raise Failed(f"waited {DEADLINE:g} s in vain: {what}")
        time.sleep(0.01)


class Lab:
    """HOME, state, workspace and sockets of its own, for the time of a `with`."""

    def __enter__(self) -> Lab:
        self.root = Path(tempfile.mkdtemp(prefix="oc-bench-", dir="/tmp"))  # short: a socket's path is limited
        for name in ("home", "work", "sock", "flags", "logs"):
            (self.root / name).mkdir(mode=0o700)
        self.work = self.root / "work"
        self.socket = str(self.root / "sock" / "shared.sock")
        self.raw_socket = str(self.root / "sock" / "raw.sock")
        self.env = {k: v for k, v in os.environ.items() if k in KEPT} | {
            "HOME": str(self.root / "home"),
            "TERM": "xterm-256color",
            "OPENCLAW_STATE_DIR": str(self.root / "state"),
            "OPENCLAW_CONFIG": str(self.root / "openclaw.yaml"),
            "OPENCLAW_WORKSPACE": str(self.root / "workspace"),
            "OPENCLAW_SHARED_SOCKET": self.socket,
            "OPENCLAW_LIMITS_LIVE_AGENTS": "1000",
        }
        self._count = 0
        return self

    def __exit__(self, *_: object) -> None:
        self.end_servers()
        self._reap()
        shutil.rmtree(self.root, ignore_errors=True)

    def run(self, argv: Sequence[str], ok: Iterable[int] = (0,), env: dict[str, str] | None = None) -> str:
        """The standard output of a process. Failed, with its last word, when it ends with another status than `ok`."""
        done = subprocess.run(
            argv, env=env or self.env, cwd=self.work, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=DEADLINE, check=False,
        )  # fmt: skip
        if done.returncode not in ok:
            said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
            raise Failed(f"{Path(argv[0]).name} {' '.join(argv[1:3])}: exit {done.returncode}: {said[:160]}")
        return done.stdout

    def openclaw(self, *args: str) -> str:
        return self.run([OPENCLAW, *args])

    def json(self, *args: str) -> Any:
        return json.loads(self.openclaw(*args, "--json"))

    def name(self, prefix: str) -> str:
        """A name that was not used before."""
        self._count += 1
        return f"{prefix}{self._count}"

    # --- raw tmux, the reference

    def raw(self, *args: str) -> str:
        return self.run(["tmux", "-f", "/dev/null", "-S", self.raw_socket, *args])

    def raw_session(self) -> None:
        """One `tmux new-session` process, as small as it gets: no shell, no option."""
        self.raw("new-session", "-d", "-s", self.name("raw"), "sleep", "3600")

    def raw_server(self) -> None:
        """A reference server that is there before the first measured session."""
        self.raw_session()

    def end_servers(self) -> None:
        """End both servers with everything in them, and wait until they are gone."""
        for socket in (self.socket, self.raw_socket):
            argv = ["tmux", "-S", socket]
            subprocess.run([*argv, "kill-server"], capture_output=True, check=False, timeout=DEADLINE)
            alive = [*argv, "display-message", "-p", "up"]
            until(
                lambda argv=alive: subprocess.run(argv, capture_output=True, check=False, timeout=DEADLINE).returncode,  # type: ignore[misc]
                f"the end of the server on {socket}",
            )

    # --- sub-agents

    def idle_tasks(self, count: int) -> tuple[Path, list[Path]]:
        """A file for `spawn --from`, and the flags that say that each task has begun to do nothing."""
        flags = [self.root / "flags" / self.name("f") for _ in range(count)]
        tasks = [{"task": f"touch {flag}; exec sleep 3600", "name": f"idle-{flag.name}"} for flag in flags]
        path = self.root / self.name("tasks")
        path = path.with_suffix(".json")
        path.write_text(json.dumps(tasks))
        return path, flags

    def _reap(self) -> None:
        """KILL what was started in here and is still there; only what carries our state folder in its environment."""
        mark = f"OPENCLAW_STATE_DIR={self.root / 'state'}".encode()
        for entry in os.listdir("/proc") if os.path.isdir("/proc") else ():
            if entry.isdigit() and int(entry) != os.getpid():
                try:
                    if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                        os.kill(int(entry), signal.SIGKILL)
                except OSError:
                    continue
