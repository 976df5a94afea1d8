"""The scripts that people run before anything else: each is run for real, in a box or in a folder of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Box

ROOT = Path(__file__).parent.parent
SETUP = ROOT / "scripts" / "setup-shared-terminal-access.sh"
BOOTSTRAP = ROOT / "scripts" / "bootstrap.sh"


def run(script: Path, env: dict[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [script, *args], env=env, text=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=60, check=False
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


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="no shellcheck here")
def test_scripts_are_clean_for_shellcheck() -> None:
    scripts = [*(ROOT / "scripts").glob("*.sh"), ROOT / ".ci" / "run"]
    done = subprocess.run(["shellcheck", *scripts], text=True, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
