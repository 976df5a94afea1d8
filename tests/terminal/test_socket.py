"""The folder of the socket must be ours alone before anything is said through it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from openclaw.errors import BadInput, OpenclawError, Refused, Unavailable
from openclaw.terminal.server import Terminal
from openclaw.terminal.socket import check_folder
from openclaw.terminal.windows import view
from tests.conftest import Box

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")


def refusal(path: Path) -> OpenclawError:
    """What `check_folder` says to an unsafe place; every other way in must say the same."""
    with pytest.raises(Refused) as caught:
        check_folder(str(path), create=True)
    terminal = Terminal(str(path))
    for use in (terminal.ensure, terminal.running, lambda: view(terminal), lambda: terminal.run("list-sessions")):
        if use != terminal.running or os.path.lexists(path):
            with pytest.raises(Refused):
                use()
    assert caught.value.exit_status == 3 and caught.value.code == "unsafe_socket"
    assert "\n" not in caught.value.message and "OPENCLAW_SHARED_SOCKET" in caught.value.hint
    return caught.value


def test_a_missing_folder_is_made_for_us_alone(box: Box) -> None:
    with pytest.raises(Unavailable) as caught:
        check_folder(str(box.socket), create=False)
    assert caught.value.code == "no_folder" and not box.socket.parent.exists()
    before = os.umask(0)
    try:
        check_folder(str(box.socket), create=True)
    finally:
        os.umask(before)
    assert box.socket.parent.stat().st_mode & 0o777 == 0o700
    check_folder(str(box.socket), create=False)


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o701, 0o750, 0o1777])
def test_a_folder_others_can_reach_into(box: Box, mode: int) -> None:
    box.socket.parent.mkdir()
    box.socket.parent.chmod(mode)
    assert f"chmod 700 {box.socket.parent}" in refusal(box.socket).hint


def test_a_folder_that_is_a_symlink(box: Box) -> None:
    (box.root / "real").mkdir(mode=0o700)
    box.socket.parent.symlink_to(box.root / "real")
    assert "symlink" in refusal(box.socket).message


def test_a_symlink_to_nowhere_is_not_followed(box: Box) -> None:
    box.socket.parent.symlink_to(box.root / "nowhere")
    assert "symlink" in refusal(box.socket).message
    assert not (box.root / "nowhere").exists()


def test_a_folder_that_is_a_file(box: Box) -> None:
    box.socket.parent.write_text("")
    assert "not a directory" in refusal(box.socket).message


@needs_root
def test_a_folder_of_another_user(box: Box) -> None:
    box.socket.parent.mkdir(mode=0o700)
    os.chown(box.socket.parent, 65534, 65534)
    assert "65534" in refusal(box.socket).message


@needs_root
def test_a_socket_planted_by_another_user(box: Box) -> None:
    box.socket.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(box.socket))
        os.chown(box.socket, 65534, 65534)
        assert "65534" in refusal(box.socket).message


def test_a_socket_that_is_a_symlink(box: Box) -> None:
    box.socket.parent.mkdir(mode=0o700)
    box.socket.symlink_to(box.root / "elsewhere")
    assert "symlink" in refusal(box.socket).message


def test_a_socket_that_is_a_file(box: Box) -> None:
    box.socket.parent.mkdir(mode=0o700)
    box.socket.write_text("")
    assert "not a socket" in refusal(box.socket).message


def test_a_parent_everyone_can_write_to(box: Box) -> None:
    parent = box.root / "open"
    parent.mkdir()
    parent.chmod(0o777)
    inner = parent / "mine" / "sock"
    assert f"chmod o-w {parent}" in refusal(inner / "s").hint
    parent.chmod(0o1777)  # sticky, like /tmp: nobody can swap what is mine
    check_folder(str(inner / "s"), create=True)


@pytest.mark.parametrize("path", ["/tmp/" + "x" * 103, "/tmp/" + "é" * 52, "/tmp/a\0b", ""])
def test_a_path_that_no_socket_can_have(path: str) -> None:
    with pytest.raises(BadInput) as caught:
        check_folder(path, create=True)
    assert caught.value.exit_status == 2


def test_a_folder_that_cannot_be_made(box: Box) -> None:
    box.write("file", "")
    with pytest.raises(Unavailable):
        check_folder(str(box.work / "file" / "folder" / "s"), create=True)
