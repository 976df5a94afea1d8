"""Whatever goes wrong around the hook: the agent gets exit 0, soon, an answer it can read; nothing stored is lost."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from openclaw.store import db, spool
from tests.conftest import Box, until
from tests.continuity.test_hooks_main import CONVERSATION, HOOK, call, context_of, event, known, log

EVENTS = [("SessionStart", "startup"), ("SessionStart", "compact"), ("UserPromptSubmit", ""), ("Stop", ""),
          ("PreCompact", ""), ("PostCompact", ""), ("SessionEnd", "")]  # fmt: skip


def every_event(box: Box) -> None:
    """All of them: each ends with 0, and what is said is an answer to that event, or nothing."""
    for name, source in EVENTS:
        said = call(box, event(box, name, source=source, trigger="manual"))
        if name == "SessionStart" and said:
            context_of(said)
        elif name == "PreCompact":
            assert len(said.splitlines()) <= 3 and "Traceback" not in said
        else:
            assert said == ""


@contextmanager
def locked_by_another(box: Box) -> Iterator[None]:
    """A process that holds the write lock of the database until it is killed."""
    code = "import sqlite3, sys, time; s = sqlite3.connect(sys.argv[1], isolation_level=None);"
    code += "s.execute('BEGIN EXCLUSIVE'); print(1, flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", code, box.state / "openclaw.db"], stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline() == b"1\n"
    try:
        yield
    finally:
        holder.kill()
        holder.wait()


def live(box: Box) -> str:
    return str(box.json("spawn", "sleep 600")["id"])


def of_main(box: Box, number: int) -> None:
    call(box, event(box, "UserPromptSubmit", f"c{number}"))


def of_sub_agent(box: Box, id: str, number: int) -> None:
    call(box, event(box, "UserPromptSubmit", prompt=str(number)), "", OPENCLAW_SESSION_ID=id)


def prompts(box: Box, id: str) -> list[str]:
    store = db.connect(str(box.state / "openclaw.db"))
    rows = store.execute(
        "SELECT data FROM events WHERE session_id = ? AND name = 'UserPromptSubmit' ORDER BY number", (id,)
    )
    found = [json.loads(row["data"])["prompt"] for row in rows]
    store.close()
    return found


def test_a_locked_database_delays_a_report_and_loses_none(box: Box) -> None:
    id = live(box)
    call(box, event(box, "SessionStart", source="startup"))
    with locked_by_another(box):
        with ThreadPoolExecutor(20) as pool:
            list(pool.map(lambda n: of_main(box, n), range(20)))
            list(pool.map(lambda n: of_sub_agent(box, id, n), range(20)))
        assert len(spool.waiting(str(box.state))) == 40 and log(box) == ""
    call(box, event(box, "Stop"))  # the next one takes in what waits
    assert spool.waiting(str(box.state)) == []
    rows = known(box)
    assert {f"c{n}" for n in range(20)} <= set(rows) and rows[CONVERSATION].state == "idle"
    assert all(rows[f"c{n}"].state == "working" and rows[f"c{n}"].cwd == str(box.work) for n in range(20))
    assert sorted(prompts(box, id), key=int) == [str(n) for n in range(20)]


def test_all_events_while_the_database_is_locked(box: Box) -> None:
    box.cli("ps")
    with locked_by_another(box):
        every_event(box)
    assert known_after_ps(box).ended_at


def known_after_ps(box: Box) -> Any:
    box.cli("ps")
    return known(box)[CONVERSATION]


def test_what_waited_is_older_than_what_came_since(box: Box) -> None:
    """It is written down, but does not undo what is known by now."""
    id = live(box)
    with locked_by_another(box):
        call(box, event(box, "UserPromptSubmit", prompt="early"), "", OPENCLAW_SESSION_ID=id)
        call(box, event(box, "UserPromptSubmit"))
    [one, two] = [box.state / "spool" / name for name in spool.waiting(str(box.state))]
    aside = [one.rename(box.root / one.name), two.rename(box.root / two.name)]
    call(box, event(box, "Stop"), "", OPENCLAW_SESSION_ID=id)
    call(box, event(box, "Stop"))
    for path in aside:
        path.rename(box.state / "spool" / path.name)
    assert known_after_ps(box).state == "idle" and prompts(box, id) == ["early"]
    store = sqlite3.connect(box.state / "openclaw.db")
    assert store.execute("SELECT reported_state FROM sessions WHERE id = ?", (id,)).fetchone() == ("idle",)
    store.close()


def test_killed_between_taking_in_and_forgetting_it_is_taken_once(box: Box) -> None:
    id = live(box)
    with locked_by_another(box):
        call(box, event(box, "UserPromptSubmit", prompt="once"), "", OPENCLAW_SESSION_ID=id)
    [name] = spool.waiting(str(box.state))
    text = (box.state / "spool" / name).read_text()
    box.cli("ps")
    (box.state / "spool" / name).write_text(text)  # as if its file had not been removed
    box.cli("ps")
    call(box, event(box, "Stop"), "", OPENCLAW_SESSION_ID=id)
    assert prompts(box, id) == ["once"] and spool.waiting(str(box.state)) == []


def test_what_is_no_report_does_not_wait_for_ever(box: Box) -> None:
    live(box)
    (box.state / "spool").mkdir()
    for number, text in enumerate(
        ("", "{", "[]", '{"main": 1}', '{"session": "x", "data": 3, "reporter": ""}', "null")
    ):
        (box.state / "spool" / f"0000000000000{number}-1-1.json").write_text(text)
    (box.state / "spool" / "nonsense.json").write_text("{}")
    box.cli("ps")
    assert spool.waiting(str(box.state)) == []


def full(box: Box) -> Callable[[], None]:
    """As on a full disk: from now on nothing can grow by a byte."""
    import resource

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    return limit


def test_a_full_disk(box: Box) -> None:
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    box.cli("ps")
    call(box, event(box, "SessionStart", source="startup"))
    before = (box.state / "openclaw.db").read_bytes()
    for name, source in EVENTS:
        data = json.dumps(event(box, name, source=source, trigger="manual")).encode()
        done = subprocess.run(
            [HOOK, "main", "claude"], input=data, env=box.env, capture_output=True, timeout=90, preexec_fn=full(box)
        )
        assert (done.returncode, done.stderr) == (0, b"")
        if name == "SessionStart" and done.stdout:
            context_of(done.stdout.decode())
        else:
            assert name == "PreCompact" or done.stdout == b""
    assert (box.state / "openclaw.db").read_bytes()[:100] == before[:100]
    store = sqlite3.connect(box.state / "openclaw.db")
    assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()
    assert known(box)[CONVERSATION].state == "idle" and not any(p.suffix == ".new" for p in box.state.rglob("*"))
    call(box, event(box, "UserPromptSubmit"))  # there is room again
    assert known(box)[CONVERSATION].state == "working"


@pytest.mark.parametrize("what", ["gone", "a file", "no database", "a folder", "garbage", "empty"])
def test_the_state_folder_is_not_what_it_should_be(box: Box, what: str) -> None:
    box.cli("init")
    box.cli("ps")
    database = box.state / "openclaw.db"
    aside = box.root / "aside"
    if what in ("gone", "a file"):
        box.state.rename(aside)
        if what == "a file":
            box.state.write_text("x")
    else:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{database}{suffix}").unlink(missing_ok=True)
        if what == "a folder":
            database.mkdir()
        elif what == "garbage":
            database.write_bytes(b"this is no database\n" * 500)
        elif what == "empty":
            database.write_bytes(b"")
    every_event(box)
    if what == "gone":
        # only what needs all of openclaw makes a new one, for the snapshot and the brief
        assert box.state.is_dir()


def test_a_read_only_state_folder(box: Box) -> None:
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    box.cli("ps")
    before = (box.state / "openclaw.db").read_bytes()
    words = [HOOK, "main", "claude"]
    if os.geteuid() == 0:  # who may write everywhere but on a file system that is read-only
        script = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
        words = ["unshare", "--mount", "sh", "-c", script, str(box.state), *words]
    else:
        box.state.chmod(0o500)
    for name in ("UserPromptSubmit", "SessionStart"):
        data = json.dumps(event(box, name, source="compact")).encode()
        done = subprocess.run(words, input=data, env=box.env, capture_output=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, b"")
        assert not done.stdout or "openclaw restore" in context_of(done.stdout.decode())
    box.state.chmod(0o700)
    assert (box.state / "openclaw.db").read_bytes() == before and known(box) == {}


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\0", b"\xff\xfe\x00", b"null", b"[]", b"7", b'"x"', b"{", b'{"hook_event_name": "Stop"',
        b'{"hook_event_name": "Stop"}', b'{"hook_event_name": 7, "session_id": []}',
        b'{"hook_event_name": "Stop", "session_id": ""}',
        b'{"hook_event_name": "Stop", "session_id": "x", "cwd": 7, "transcript_path": {}}', b"[" * 100_000,
        b'{"hook_event_name": "UserPromptSubmit", "session_id": "x", "prompt": "\\ud800"}',
        b'{"hook_event_name": "Made up", "session_id": "x"}', b"{}" * 9, b"x" * (65 * 2**20),
    ],
    ids=lambda data: repr(data[:40]),
)  # fmt: skip
@pytest.mark.parametrize("words", [("main", "claude"), ("main", "codex"), ("main",), ("statusline",)])
def test_whatever_comes_in(box: Box, data: bytes, words: tuple[str, ...]) -> None:
    box.cli("ps")
    said = call(box, data, *words)
    assert said == ("openclaw\n" if words == ("statusline",) else "")
    box.cli("ps")


@pytest.mark.parametrize("argument", ["", "{", "[]", "null", "7", '{"type": "x"}', '{"type": "agent-turn-complete"}'])
def test_whatever_notify_says(box: Box, argument: str) -> None:
    box.cli("ps")
    assert call(box, b"", "main", "codex-notify", argument) == "" and known(box) == {}


def test_a_huge_report_is_taken(box: Box) -> None:
    box.cli("ps")
    call(box, event(box, "UserPromptSubmit", prompt="x" * 2**24))
    assert known(box)[CONVERSATION].state == "working"


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-", "1>/dev/full", "0</dev/null"])
@pytest.mark.parametrize("words", ["main claude", "statusline", "--version"])
def test_closed_streams(box: Box, closed: str, words: str) -> None:
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    box.write("report.json", json.dumps(event(box, "SessionStart", source="compact")))
    before = (box.state / "openclaw.db").read_bytes() if (box.state / "openclaw.db").exists() else b""
    done = subprocess.run(
        ["sh", "-c", f"exec {HOOK} {words} <report.json {closed}"],
        cwd=box.work,
        env=box.env,
        capture_output=True,
        timeout=60,
    )
    assert done.returncode == 0 and b"Traceback" not in done.stderr
    if before:
        assert (box.state / "openclaw.db").read_bytes()[:16] == before[:16]
    box.cli("doctor", exit=None)


def test_a_folder_that_is_gone(box: Box) -> None:
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    report = box.write("report.json", json.dumps(event(box, "SessionStart", source="compact")))
    shell = f"exec <{report}; mkdir gone; cd gone; rmdir ../gone; exec {HOOK} main claude"
    done = subprocess.run(["sh", "-c", shell], cwd=box.work, env=box.env, capture_output=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"") and "tabs" in context_of(done.stdout.decode())


def test_nobody_reads_what_it_says(box: Box) -> None:
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [HOOK, "main", "claude"], input=json.dumps(event(box, "SessionStart", source="compact")).encode(),
        stdout=writing, stderr=subprocess.PIPE, env=box.env, timeout=60,
    )  # fmt: skip
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_twenty_at_once_are_each_recorded_once(box: Box) -> None:
    id = live(box)
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda n: of_main(box, n), range(20)))
        list(pool.map(lambda n: of_sub_agent(box, id, n), range(20)))
    box.cli("ps")
    assert set(known(box)) == {f"c{n}" for n in range(20)}
    assert sorted(prompts(box, id), key=int) == [str(n) for n in range(20)]


def test_a_fleet_that_does_not_answer_costs_a_line_not_the_agent(box: Box) -> None:
    """tmux hangs while the brief is made: the agent gets where to look instead, well within the hook's time."""
    box.cli("init")
    box.cli("note", "--decision", "tabs")
    live(box)
    box.cli("snapshot")
    pid = box.server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        said = context_of(call(box, event(box, "SessionStart", source="compact")))
        assert "could not say" in said and "openclaw restore" in said
        assert str(box.workspace / "memory/snapshots/latest.md") in said and len(said) < 600
    finally:
        os.kill(pid, signal.SIGCONT)
    until(lambda: "tabs" in context_of(call(box, event(box, "SessionStart", source="compact"))), 40)


def test_a_recall_that_hangs_is_given_up(box: Box) -> None:
    """The lock of the workspace is held by a process that does not move: the hook does not wait for ever."""
    box.cli("init")
    box.cli("ps")
    code = "import fcntl, os, sys, time; os.makedirs(os.path.dirname(sys.argv[1]), exist_ok=True);"
    code += "f = open(sys.argv[1], 'w'); fcntl.flock(f, fcntl.LOCK_EX); print(1, flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", code, box.state / "locks/workspace"], stdout=subprocess.PIPE)
    assert holder.stdout and holder.stdout.readline() == b"1\n"
    try:
        said = call(box, event(box, "PreCompact", trigger="auto"))
        assert "no answer in 20 s" in said and len(said.splitlines()) == 1 and "no answer" in log(box)
    finally:
        holder.kill()
        holder.wait()
    assert not [command for command in box.processes().values() if "hook_recall" in command]
