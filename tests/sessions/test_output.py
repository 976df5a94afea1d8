"""What `logs` and `result` show: clean text in linear time, no line lost without a word, and nothing endless."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from openclaw.sessions import output
from openclaw.sessions.output import follow_text, plain
from tests.conftest import Box


def finished(box: Box, command: str = "true") -> tuple[str, Path]:
    """A session that has ended, and its folder."""
    id = box.json("spawn", command, "--wait")["id"]
    return id, box.state / "sessions" / id


@pytest.mark.parametrize("data", [
    b"\x08" * 400_000, b"a" * 400_000 + b"\x08" * 400_000, b"ab\x08" * 200_000, b"\n\x08" * 200_000, b"\x1b]" * 200_000,
    b"\x1bP" * 200_000, b"\x1b[" * 200_000, b"\x1b[" + b"0" * 400_000, b"\r" * 400_000, b"\x1b]" + b"a\n" * 200_000,
])  # fmt: skip
def test_no_output_takes_for_ever(data: bytes) -> None:
    assert len(plain(data)) <= len(data)  # the square of its length would take an hour


@pytest.mark.parametrize(("data", "text"), [
    (b"ab\x08c", "ac"), (b"abc\x08\x08\x08x", "x"), (b"a\n\x08b", "a\nb"), (b"\x08a", "a"), ("é\x08e".encode(), "e"),
    (b"\x1b]0;title\x07x", "x"), (b"\x1b]0;title\x1b\\x", "x"), (b"\x1bPq\x1b\\x", "x"), ("a\x9b\x85b".encode(), "ab"),
])  # fmt: skip
def test_plain(data: bytes, text: str) -> None:
    assert plain(data) == text


def test_what_follows_is_whole_wherever_the_chunks_end() -> None:
    data = "é€😀\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b]0;t\x1b\\x\r\n100%\r\r\nend €".encode()
    for size in (1, 2, 3, 5, 7):
        chunks = [data[at : at + size] for at in range(0, len(data), size)]
        assert "".join(follow_text(chunks)) == plain(data)


def test_an_escape_that_never_ends_does_not_hold_back_the_rest() -> None:
    given = [b"\x1b]" + b"x" * 3000, b"y" * 3000, b"\nz"]
    assert "".join(follow_text(given)).endswith("\nz") and "yyy" in "".join(list(follow_text(given))[:2])


def test_all_lines_that_were_asked_for(box: Box) -> None:
    id, folder = finished(box)
    (folder / "terminal.log").write_bytes("".join(f"{i}\r\n" for i in range(1, 100_001)).encode())
    assert len(box.cli("logs", id, "-n", "90000").stdout.splitlines()) == 90_000
    assert box.cli("logs", id, "-n", "2").stdout == "99999\n100000\n"
    assert len(box.cli("logs", id).stdout.splitlines()) == 100_000


def test_one_line_longer_than_what_is_read_at_once(box: Box) -> None:
    id, folder = finished(box)
    (folder / "terminal.log").write_bytes(b"first\r\n" + b"x" * 400_000)
    assert box.cli("logs", id, "-n", "1").stdout == "x" * 400_000 + "\n"
    assert box.json("result", id)["result"]["output"].endswith("\n" + "x" * 400_000)


def test_a_log_at_its_limit_goes_on_in_the_window_and_says_so(box: Box) -> None:
    limited = {"OPENCLAW_LOG_BYTES": "4096"}
    made = box.json("spawn", "seq 1 3000; echo the end", env=limited)
    box.cli("wait", made["id"])
    last = box.cli("logs", made["id"], "-n", "2", env=limited).stdout
    assert last.splitlines()[-2:] == ["3000", "the end"] and "cut at its limit of 4096 bytes" in last
    assert "the end" in box.json("result", made["id"], env=limited)["result"]["output"]
    whole = box.cli("logs", made["id"], env=limited).stdout
    assert whole.startswith("1\n2\n") and "cut at its limit" in whole and whole.endswith("3000\nthe end\n")
    box.cli("kill", "--finished")
    gone = box.cli("logs", made["id"], "-n", "2", env=limited).stdout
    assert "is lost" in gone and "the end" not in gone


def test_following_without_a_log_is_not_found(box: Box) -> None:
    id, folder = finished(box)
    (folder / "terminal.log").unlink()
    box.cli("logs", id, "-f", exit=4)


def test_following_the_last_lines(box: Box) -> None:
    id, folder = finished(box)
    (folder / "terminal.log").write_bytes(b"a\nb\nc")
    assert box.cli("logs", id, "-f", "-n", "1").stdout == "c"
    assert box.cli("logs", id, "-f", "-n", "2", "--raw").stdout == "b\nc"


def test_a_result_is_clean_and_bounded(box: Box) -> None:
    id, folder = finished(box)
    (folder / "result.md").write_bytes("\x1b]0;owned\x07\x1b[31mdone\x1b[0m \x9b31m€\r\n".encode())
    assert box.json("result", id)["result"]["output"] == "done 31m€"
    (folder / "result.md").write_bytes(b"x" * (output.RESULT_BYTES + 5))
    found = box.json("result", id)["result"]["output"]
    assert found.count("x") == output.RESULT_BYTES and "result.md was cut" in found


def test_a_result_that_is_a_pipe_is_passed_over(box: Box) -> None:
    id, folder = finished(box, "echo said")
    os.mkfifo(folder / "result.md")
    assert box.json("result", id)["result"]["output"] == "said"


def test_a_broken_agents_file_does_not_hide_what_has_run(box: Box) -> None:
    id, _ = finished(box, "echo said")
    config = box.root / "config"
    config.mkdir(exist_ok=True)
    (config / "agents.yaml").write_text("shell: 5\n")
    assert box.cli("logs", id).stdout == "said\n"
    assert box.json("result", id)["result"]["output"] == "said"
    box.cli("spawn", f"echo {shlex.quote(id)}", exit=2)
