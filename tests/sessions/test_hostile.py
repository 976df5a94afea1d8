"""Hostile input: one clear line, the contract's exit status, nothing started; and secrets that stay where they are."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Box, until


def refused(box: Box, *args: str, exit: int, **more: object) -> str:
    done = box.cli("spawn", *args, exit=exit, **more)  # type: ignore[arg-type]
    assert done.stdout == ""
    lines = done.stderr.strip().splitlines()
    assert 1 <= len(lines) <= 2 and all(len(line) < 1000 for line in lines), done.stderr
    assert done.stderr.replace("\n", "").isprintable()
    assert not list((box.state / "sessions").glob("*")), "something was started"
    return lines[0]


@pytest.mark.parametrize("task", ["nul\0", "esc\x1b]0;x\x07", "\x7f", "bell\x07", "", "   \n"])
def test_task_text_that_no_terminal_should_see(box: Box, task: str) -> None:
    if "\0" in task:
        refused(box, "--task-file", "-", exit=2, stdin=task)
    else:
        refused(box, task, exit=2)


def test_a_megabyte_of_task(box: Box) -> None:
    refused(box, "--task-file", "-", exit=3, stdin="x" * 2**20)
    box.write("huge", "y " * 9 * 2**20)
    refused(box, "--task-file", "huge", exit=3)


@pytest.mark.parametrize(
    "text",
    ["#{pid} #(touch PWNED) #[fg=red]", "$(touch PWNED)`touch PWNED`;touch PWNED", "%H #{q:x} \\ ' \" \t é 漢字 🎉"],
)
def test_task_text_is_never_run_or_expanded_on_its_way(box: Box, text: str) -> None:
    box.write("agents.yaml", "")
    config = box.root / "config"
    config.mkdir()
    (config / "agents.yaml").write_text('cat:\n  command: [cat]\n  prompt: ["{prompt_file}"]\n')
    done = box.json("spawn", text, "--agent", "cat", "--name", "carrier", "--wait")
    assert text in (box.state / "sessions" / done["id"] / "task.md").read_text()
    assert done["task"] == text
    assert not list(box.root.rglob("PWNED"))


@pytest.mark.parametrize("name", ["a.b", "a:b", "#{pid}", "=x", "n" * 5000, "-x", "a b", "a\nb", "é/..", "a\x1b[2J"])
def test_names_that_tmux_would_read_as_something_else(box: Box, name: str) -> None:
    refused(box, "true", f"--name={name}", exit=2)


def test_socket_folders_that_are_not_safe(box: Box) -> None:
    folder = box.socket.parent
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    assert str(folder) in refused(box, "true", exit=3)
    folder.rmdir()
    (box.root / "elsewhere").mkdir(mode=0o700)
    folder.symlink_to(box.root / "elsewhere")
    refused(box, "true", exit=3)
    folder.unlink()
    if os.geteuid() == 0:
        folder.mkdir(mode=0o700)
        os.chown(folder, 12345, 12345)
        refused(box, "true", exit=3)


def test_injected_paths_that_are_not_plain_files_of_the_tree(box: Box) -> None:
    box.write("dir/file", "x")
    box.write("binary", b"a\0b")
    box.write("latin", b"caf\xe9")
    os.mkfifo(box.work / "fifo")
    (box.root / "outside.txt").write_text("outside")
    (box.work / "link").symlink_to(box.root / "outside.txt")
    box.write(".env", "KEY=value\n")
    box.write("key.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")
    box.write("huge", "z" * 2**21)
    assert "missing" in refused(box, "true", "--inject", "missing", exit=2)
    for path in ("dir", "binary", "latin", "fifo", "link", ".env", "key.txt", "huge"):
        assert path in refused(box, "true", "--inject", path, exit=3)
    box.json("spawn", "true", "--inject", ".env", "--allow-secret", ".env", "--wait")


def test_over_the_token_limit_names_the_largest_and_what_fits(box: Box) -> None:
    box.write("big.txt", "many words here " * 2000)
    box.write("small.txt", "few\n")
    done = box.cli(
        "spawn", "true", "--inject", "big.txt", "--inject", "small.txt", "--max-inject-tokens", "100", exit=3
    )
    assert "big.txt" in done.stderr and "100" in done.stderr


def test_a_secret_of_the_first_spawner_is_seen_nowhere_else(box: Box) -> None:
    secret = "hunter2-" + "s3cr3t" * 3
    env = {"MY_TOKEN": secret, "ANTHROPIC_API_KEY": secret}
    first = box.json("spawn", "env > first.env; sleep 1000", "--env", "GIVEN", env=env | {"GIVEN": "given-" + secret})
    until(lambda: "PATH=" in (box.work / "first.env").read_text() if (box.work / "first.env").exists() else False)
    assert f"GIVEN=given-{secret}" in (box.work / "first.env").read_text()
    assert "MY_TOKEN" not in (box.work / "first.env").read_text()
    later = box.json("spawn", "env > later.env; sleep 1000")
    until(lambda: "PATH=" in (box.work / "later.env").read_text() if (box.work / "later.env").exists() else False)
    assert secret not in (box.work / "later.env").read_text()
    assert secret not in box.tmux("show-environment", "-g")
    assert secret.encode() not in Path(f"/proc/{box.server_pid()}/environ").read_bytes()
    assert not any(secret in command for command in box.processes().values())
    for file in [p for p in box.state.rglob("*") if p.is_file()]:
        assert secret.encode() not in file.read_bytes(), file
        assert stat.S_IMODE(file.stat().st_mode) & 0o077 == 0, file
    assert first["id"] != later["id"]
