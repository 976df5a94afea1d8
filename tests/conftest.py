"""Each test gets a box: its own HOME, state folder, workspace and tmux socket; all in it is reaped afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

OPENCLAW = str(Path(sys.executable).parent / "openclaw")
T = TypeVar("T")
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "COVERAGE_PROCESS_START")


def until(probe: Callable[[], T], seconds: float = 30.0, what: str = "") -> T:
    """Wait on a predicate with a deadline; the value when it is true, AssertionError when it never was."""
    deadline = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"never true within {seconds} s: {what or probe}")
        time.sleep(0.02)


class Box:
    """One isolated installation: `cli` runs the real command in it, `tmux` the real tmux on its socket."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.work = root / "work"
        self.state = root / "state"
        self.socket = root / "sock" / "shared.sock"
        self.workspace = root / "workspace"
        for folder in (self.home, self.work):
            folder.mkdir(parents=True)
        self.env = {k: v for k, v in os.environ.items() if k in KEPT} | {
            "HOME": str(self.home),
            "TERM": "xterm-256color",
            "OPENCLAW_STATE_DIR": str(self.state),
            "OPENCLAW_CONFIG": str(root / "config" / "openclaw.yaml"),
            "OPENCLAW_WORKSPACE": str(self.workspace),
            "OPENCLAW_SHARED_SOCKET": str(self.socket),
        }

    def write(self, path: str, text: str | bytes) -> Path:
        """A file below the working folder."""
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)
        return target

    def popen(self, *args: str, env: dict[str, str] | None = None, **more: Any) -> subprocess.Popen[str]:
        more = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL} | more
        return subprocess.Popen([OPENCLAW, *args], cwd=self.work, env=self.env | (env or {}), text=True, **more)

    def cli(
        self,
        *args: str,
        exit: int | None = 0,
        stdin: str | None = None,
        env: dict[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        """Run the command; `exit` is the status it must end with (None: any)."""
        done = subprocess.run(
            [OPENCLAW, *args],
            cwd=cwd or self.work,
            env=self.env | (env or {}),
            text=True,
            capture_output=True,
            timeout=timeout,
            **({"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}),
        )
        assert exit is None or done.returncode == exit, (
            f"openclaw {' '.join(args)[:300]}: exit {done.returncode}, expected {exit}\n{done.stdout}\n{done.stderr}"
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def json(self, *args: str, exit: int | None = 0, **more: Any) -> Any:
        return json.loads(self.cli(*args, "--json", exit=exit, **more).stdout)

    def tmux(self, *args: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *args], env=self.env, text=True, capture_output=True, timeout=20
        )
        assert not check or done.returncode == 0, (args, done.stderr)
        return done.stdout

    def processes(self) -> dict[int, str]:
        """Every live process that was started in this box: pid → command line."""
        mark, found = f"OPENCLAW_STATE_DIR={self.state}".encode(), {}
        sock = str(self.socket).encode()
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != os.getpid():
                try:
                    environ = Path(f"/proc/{entry}/environ").read_bytes().split(b"\0")
                    command = Path(f"/proc/{entry}/cmdline").read_bytes()
                except OSError:
                    continue
                if mark in environ or (sock in command and b"tmux" in command):
                    found[int(entry)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        return found

    def server_pid(self) -> int:
        return int(self.tmux("display-message", "-p", "#{pid}"))

    def reap(self) -> None:
        subprocess.run(
            ["tmux", "-S", str(self.socket), "kill-server"], env=self.env, capture_output=True, timeout=20, check=False
        )
        deadline = time.monotonic() + 10
        while (left := self.processes()) and time.monotonic() < deadline:
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        shutil.rmtree(self.root, ignore_errors=True)


@pytest.fixture
def box() -> Iterator[Box]:
    made = Box(Path(tempfile.mkdtemp(prefix="oc-", dir="/tmp")))  # short: a socket's path holds 107 bytes at most
    try:
        yield made
    finally:
        made.reap()
