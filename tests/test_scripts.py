"""The scripts that people run before anything else: each is run for real, in a box or in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Box

ROOT = Path(__file__).parent.parent
SETUP = ROOT / "scripts" / "setup-shared-terminal-access.sh"
BOOTSTRAP = ROOT / "scripts" / "bootstrap.sh"


def run(script: Path, env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *args],
        env=env,
        cwd=env["HOME"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def path_without(tool: str, folder: Path) -> str:
    """A PATH on which everything of the caller's PATH is found, but not `tool`."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for name in os.listdir(place) if os.path.isdir(place) else ():
            if name != tool and not os.path.lexists(folder / name):
                (folder / name).symlink_to(os.path.join(place, name))
    return str(folder)


def refused(box: Box, status: int, *words: str, **env: str) -> None:
    """The set-up script ends with this status and one clear error that has these words."""
    done = run(SETUP, box.env | env)
    assert done.returncode == status, (done.stdout, done.stderr)
    lines = done.stderr.splitlines()
    assert len(lines) == 2 and lines[0].startswith("error: ") and lines[1].startswith("hint: "), done.stderr
    assert all(word in done.stderr for word in words), done.stderr
    assert not done.stdout


def test_setup_runs_twice_and_says_what_next(box: Box) -> None:
    first, second = run(SETUP, box.env), run(SETUP, box.env)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert first.stdout == second.stdout
    assert "openclaw doctor" in first.stdout and "openclaw attach" in first.stdout
    assert box.socket.parent.stat().st_mode & 0o7777 == 0o700


def test_setup_keeps_a_running_server(box: Box) -> None:
    assert run(SETUP, box.env).returncode == 0
    box.tmux("-f", "/dev/null", "new-session", "-d", "-s", "mine", "sleep 600")
    assert run(SETUP, box.env).returncode == 0
    assert box.tmux("list-sessions", "-F", "#{session_name}").split() == ["mine"]


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o701, 0o500])
def test_setup_refuses_a_folder_that_others_reach(box: Box, mode: int) -> None:
    box.socket.parent.mkdir()
    box.socket.parent.chmod(mode)
    refused(box, 3, str(box.socket.parent), f"{mode:o}", "chmod 700")
    assert box.socket.parent.stat().st_mode & 0o777 == mode  # nothing was changed behind the person's back


def test_setup_refuses_a_symlink(box: Box) -> None:
    (box.root / "elsewhere").mkdir(mode=0o700)
    box.socket.parent.symlink_to(box.root / "elsewhere")
    refused(box, 3, "symlink")


def test_setup_refuses_a_dangling_symlink(box: Box) -> None:
    box.socket.parent.symlink_to(box.root / "nowhere")
    refused(box, 3, "symlink")
    assert not (box.root / "nowhere").exists()


def test_setup_refuses_a_file_as_folder_and_a_file_as_socket(box: Box) -> None:
    box.socket.parent.write_text("")
    refused(box, 3, "not a folder")
    box.socket.parent.unlink()
    box.socket.parent.mkdir(mode=0o700)
    box.socket.write_text("")
    refused(box, 3, "not a socket")
    box.socket.unlink()
    box.socket.symlink_to(box.root / "nowhere.sock")
    refused(box, 3, "not a socket")


def test_setup_refuses_a_parent_that_everybody_writes(box: Box) -> None:
    box.root.chmod(0o777)
    refused(box, 3, str(box.root), "sticky")
    box.root.chmod(0o1777)
    assert run(SETUP, box.env).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_setup_refuses_a_folder_of_another_user(box: Box) -> None:
    box.socket.parent.mkdir(mode=0o700)
    os.chown(box.socket.parent, 12345, 12345)
    refused(box, 3, "another user")


def test_setup_refuses_relative_and_overlong_paths(box: Box) -> None:
    refused(box, 2, "absolute", OPENCLAW_SHARED_SOCKET="here/shared.sock")
    refused(box, 2, "characters", OPENCLAW_SHARED_SOCKET="/tmp/" + "x" * 100 + "/shared.sock")


def test_setup_without_tmux(box: Box) -> None:
    refused(box, 5, "tmux is missing", "apt-get install tmux", PATH=path_without("tmux", box.root / "bin"))
    assert not box.socket.parent.exists()


def test_setup_with_an_old_tmux(box: Box) -> None:
    path = path_without("tmux", box.root / "bin")
    old = box.root / "bin" / "tmux"
    old.write_text("#!/bin/sh\necho tmux 2.9a\n")
    old.chmod(0o755)
    refused(box, 5, "2.9", "too old", PATH=path)
    old.write_text("#!/bin/sh\necho tmux 3.10\n")
    assert run(SETUP, box.env | {"PATH": path}).returncode == 0


@pytest.mark.skipif(not (ROOT / ".venv" / ".project").exists(), reason="needs the .venv that make test sets up")
def test_bootstrap_without_tmux_and_without_the_right_to_install(box: Box) -> None:
    path = path_without("tmux", box.root / "bin")
    for name in ("apt-get", "brew", "sudo"):
        stub = box.root / "bin" / name
        stub.unlink(missing_ok=True)
        stub.write_text("#!/bin/sh\nexit 1\n")
        stub.chmod(0o755)
    done = run(BOOTSTRAP, box.env | {"PATH": path})
    assert done.returncode == 5
    assert "Type: sudo apt-get install tmux" in done.stderr


@pytest.mark.skipif(not (ROOT / ".venv" / ".project").exists(), reason="needs the .venv that make test sets up")
def test_bootstrap_of_a_complete_setup_needs_no_index_and_says_nothing(box: Box) -> None:
    done = run(BOOTSTRAP, box.env | {"PIP_NO_INDEX": "1", "PIP_TARGET": "/nowhere", "PYTHONHOME": "/nowhere"})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.fixture
def copy(box: Box) -> Iterator[Path]:
    """The project in a folder of its own, with our environment, so that a person's own demo is left alone."""
    folder = box.root / "copy of it"
    folder.mkdir()
    for name in ("openclaw", "scripts", "tests", "skills", "docs", ".ci"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, folder)
    (folder / ".venv").symlink_to(Path(sys.executable).parent.parent)
    box.env["TMPDIR"] = str(box.root)
    yield folder
    run(folder / "scripts" / "demo.sh", box.env, "clean")


def test_demo_works_refuses_and_leaves_windows_to_attach_to(box: Box, copy: Path) -> None:
    demo, out = copy / "scripts" / "demo.sh", copy / ".make" / "demo"
    for _ in range(2):  # the second run ends what the first left
        done = run(demo, box.env)
        assert done.returncode == 0, done.stdout + done.stderr
        root = Path((out / "root").read_text().strip())
        assert [p.name for p in box.root.glob("openclaw-demo.*")] == [root.name]
    assert "\nexit 3\n" in done.stdout
    assert f"{out.relative_to(copy)}/openclaw attach" in done.stdout
    assert "# Review: " in (out / "review.md").read_text()
    assert "`openclaw/errors.py`" in (out / "MODULES.md").read_text()
    assert " passed" in (out / "tests.txt").read_text()
    sessions = subprocess.run([out / "openclaw", "ps", "--all", "--json"], text=True, capture_output=True, check=True)
    found = {s["name"]: s for s in json.loads(sessions.stdout)}
    assert {name: s["status"] for name, s in found.items()} == dict.fromkeys(("review", "index", "tests"), "done")
    assert all(s["injected"] and s["injected_tokens"] > 0 for s in found.values())
    tmux = ["tmux", "-S", str(root / "sock" / "shared.sock"), "list-panes", "-a", "-F", "#{session_name}"]
    windows = subprocess.run(tmux, text=True, capture_output=True, check=True, env=box.env).stdout.split()
    assert sorted(windows) == sorted(f"subagent-{s['id']}" for s in found.values())

    assert run(demo, box.env, "clean").returncode == 0
    assert not root.exists() and not out.exists()
    assert subprocess.run(tmux, capture_output=True, check=False, env=box.env).returncode != 0


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_scripts_are_clean_for_shellcheck() -> None:
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    done = subprocess.run(["shellcheck", *scripts], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
