"""`make bench-peers`: list, spawn and load of other tools beside ours, in turn, in one run.

The peers that PyPI has are installed into environments of their own below `.make/peers`. What is compared is what each
says it does: cli-agent-orchestrator starts an agent and waits until it is ready (its own credential-free `mock_cli`
provider, answered by a six-line stand-in); tmuxp opens the windows of a file and lists its files.
"""

from __future__ import annotations

import socket
import statistics
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lab import DEADLINE, EMPTY_PYTHON, Failed, Lab, timed, until

VENVS = Path(__file__).parent.parent / ".make" / "peers"
PACKAGES = {"cao": "cli-agent-orchestrator", "tmuxp": "tmuxp"}
ROUNDS = 5
WINDOWS = 20
MOCK = """#!/bin/sh
# what cli-agent-orchestrator's mock_cli provider expects to talk to
printf '❯ '
while read -r line; do
    printf '> MOCK: %s\\n❯ ' "$line"
done
"""
Call = Callable[[], object]


def install(name: str) -> Path:
    """The folder of the peer's commands; installed when it isn't there. Failed with pip's last word."""
    venv, package = VENVS / name, PACKAGES[name]
    if not (venv / "bin" / name).exists():
        print(f"installing {package} …", file=sys.stderr)
        python = str(venv / "bin" / "python")
        make = [sys.executable, "-m", "venv", "--clear", str(venv)]
        for argv in (make, [python, "-m", "pip", "install", "-qq", package]):
            done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode:
                said = (done.stderr.strip() or "no message").splitlines()[-1]
                raise Failed(f"could not install {package}: {said[:160]}")
    return venv / "bin"


def version(bin: Path, package: str) -> str:
    """The installed version of a distribution."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([bin / "python", "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class Peer:
    """One tool: what it runs for each line of the table. A line that it has no command for is missing."""

    def __init__(self, name: str, lines: dict[str, Call]) -> None:
        self.name = name
        self.lines = lines


def openclaw(lab: Lab) -> Peer:
    """Ours, timed until every task has really begun: the others wait for their programs too."""

    def spawn(count: int) -> None:
        path, flags = lab.idle_tasks(count)
        lab.openclaw("spawn", "--from", str(path))
        until(lambda: all(flag.exists() for flag in flags), f"{count} sub-agents begin")

    lines: dict[str, Call] = {
        "spawn": lambda: spawn(1),
        "list": lambda: lab.openclaw("ps", "--json"),
        "load": lambda: spawn(WINDOWS),
    }
    return Peer("openclaw", lines)


def tmuxp(lab: Lab, bin: Path) -> Peer:
    """`tmuxp load -d` of a one-window and of a many-window file, `tmuxp ls`."""
    config = lab.root / "tmuxp"
    config.mkdir()
    env = lab.env | {"TMUXP_CONFIGDIR": str(config), "PATH": f"{bin}:{lab.env['PATH']}", "SHELL": "/bin/sh"}

    def load(windows: int) -> None:
        name = lab.name("tmuxp")
        lines = [f"session_name: {name}", "windows:"] + ["- {panes: [sleep 3600]}"] * windows
        (config / f"{name}.yaml").write_text("\n".join(lines) + "\n")
        lab.run([str(bin / "tmuxp"), "load", "-d", "-y", "-S", lab.raw_socket, str(config / f"{name}.yaml")], env=env)

    return Peer(
        "tmuxp",
        {
            "spawn": lambda: load(1),
            "list": lambda: lab.run([str(bin / "tmuxp"), "ls"], env=env),
            "load": lambda: load(WINDOWS),
        },
    )


@contextmanager
def cao(lab: Lab, bin: Path) -> Iterator[Peer]:
    """`cao launch` and `cao session list` against a cao-server of this run, on a tmux of its own."""
    tools, tmux = lab.root / "bin", lab.root / "cao-tmux"
    tools.mkdir()
    tmux.mkdir(mode=0o700)
    (tools / "mock_cli").write_text(MOCK)
    (tools / "mock_cli").chmod(0o755)
    path = f"{tools}:{bin}:{lab.env['PATH']}"
    (Path(lab.env["HOME"]) / ".bash_profile").write_text(f"export PATH='{path}'\n")  # its windows are login shells
    work = Path(lab.env["HOME"]) / "work"  # it only works below HOME
    work.mkdir()
    port = free_port()
    own = {"PATH": path, "TMUX_TMPDIR": str(tmux), "CAO_API_PORT": str(port), "SHELL": "/bin/bash", "LANG": "C.UTF-8"}
    env = lab.env | own

    def run(*args: str) -> None:
        lab.run([str(bin / "cao"), *args], env=env)

    def launch() -> None:
        name, place = lab.name("cao"), str(work)
        options = ("--headless", "--auto-approve", "--provider", "mock_cli", "--working-directory", place)
        run("launch", "--agents", "developer", *options, "--session-name", name)

    run("init")
    quiet = subprocess.DEVNULL
    server = subprocess.Popen([bin / "cao-server"], env=env, cwd=work, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        until(lambda: server.poll() is not None or healthy(port), "cao-server answers")
        if server.poll() is not None:
            raise Failed(f"cao-server ended at once with status {server.returncode}")
        yield Peer("cao", {"spawn": launch, "list": lambda: run("session", "list", "--json")})
    finally:
        server.terminate()
        server.wait(DEADLINE)
        subprocess.run(["tmux", "kill-server"], env=env, capture_output=True, check=False, timeout=DEADLINE)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def healthy(port: int) -> bool:
    """Does cao-server answer?"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def measure(peers: list[Peer], line: str, empty: Call) -> str:
    """One line of the table: medians of all in turn, and theirs against ours."""
    calls = {peer.name: peer.lines[line] for peer in peers if line in peer.lines} | {"empty Python": empty}
    times: dict[str, list[float]] = {name: [] for name in calls}
    said: dict[str, str] = {}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            if name in said:
                continue
            try:
                times[name].append(timed(call))
            except (Failed, subprocess.SubprocessError) as error:
                said[name] = f"not measured: {error}"
    medians = {name: statistics.median(took) for name, took in times.items() if took and name not in said}
    ours = medians.get("openclaw")
    rows = [f"{line} (n = {ROUNDS}, in turn)"]
    for name in [*(peer.name for peer in peers), "empty Python"]:
        if name in medians:
            took = sorted(times[name])
            against = f"{medians[name] / ours:7.2f} x openclaw" if ours else ""
            figures = f"{medians[name] * 1000:9.1f} ms  {took[0] * 1000:8.1f} – {took[-1] * 1000:.1f}"
            rows.append(f"  {name:<14} {figures:<34} {against}")
        else:
            rows.append(f"  {name:<14} {said.get(name, 'has no such command')}")
    return "\n".join(rows)


def main() -> None:
    """Install, start what needs starting, and print the three comparisons."""
    with Lab() as lab, ExitStack() as stack:
        print(f"{'openclaw':<14} {lab.openclaw('--version').strip()}")
        peers = [openclaw(lab)]
        for name, package in PACKAGES.items():
            try:
                bin = install(name)
                peers.append(stack.enter_context(cao(lab, bin)) if name == "cao" else tmuxp(lab, bin))
                print(f"{name:<14} {package} {version(bin, package)}")
            except (Failed, OSError, subprocess.SubprocessError) as error:
                print(f"{name:<14} not measured: {error}")
        empty: Call = lambda: lab.run(EMPTY_PYTHON)  # noqa: E731
        for line in ("spawn", "list", "load"):  # list comes after spawn, so that there is something to list
            print(f"\n{measure(peers, line, empty)}", flush=True)
    print(f"\nlist: ours and cao's list the {ROUNDS} live agents that the line above started; tmuxp's lists its files.")
    print(f"load: {WINDOWS} agents (ours) or windows (tmuxp) from one file.")


if __name__ == "__main__":
    main()
