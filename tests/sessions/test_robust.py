"""Crashes, dead servers, lost databases: what is left is set right by the next command, and the truth is told."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from openclaw.sessions import spawn
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store.sessions import Session
from openclaw.tasks.request import Request
from tests.conftest import Box, until


def rows(box: Box, table: str) -> int:
    path = box.state / "openclaw.db"
    if not path.exists():
        return 0
    return int(sqlite3.connect(path).execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def windows_are(box: Box, ids: set[str]) -> bool:
    """A client that outlives its killed spawner may still open its window: doctor closes it then."""
    names = box.tmux("list-sessions", "-F", "#{session_name}").split()
    if {name.removeprefix("subagent-") for name in names} == ids:
        return True
    box.cli("doctor", "--fix", exit=None)
    return False


def test_exit_codes_of_the_quickest_commands_are_right(box: Box) -> None:
    codes = [random.Random(7).randrange(256) for _ in range(1)] + [random.Random(i).randrange(256) for i in range(199)]
    box.write("tasks.json", "[" + ",".join(f'"exit {code}"' for code in codes) + "]")
    made = box.json("spawn", "--from", "tasks.json")
    box.cli("wait", *[s["id"] for s in made], exit=None)
    found = {s["id"]: s["exit_code"] for s in box.json("ps", "--all")}
    assert [found[s["id"]] for s in made] == codes


def test_a_killed_spawn_leaves_nothing_that_is_not_set_right(box: Box) -> None:
    begun = time.monotonic()
    box.json("spawn", "sleep 1000", "--name", "standing", "--write", "standing")
    whole = time.monotonic() - begun
    for moment in range(20):
        spawner = box.popen("spawn", "sleep 1000", "--name", f"crash{moment}", "--write", "contested/**")
        time.sleep(whole * 1.2 * moment / 20)  # the moment at which it dies is what varies here
        spawner.send_signal(signal.SIGKILL)
        spawner.wait()
        live = box.json("ps")  # the next command
        [standing] = [s for s in live if s["name"] == "standing"]
        others = [s for s in live if s["name"] != "standing"]
        assert len(others) <= 1
        # whatever is left is one whole sub-agent, or nothing at all
        for other in others:
            assert other["status"] == "working" and other["tmux"]["pane_id"]
            assert (box.state / "sessions" / other["id"] / "launch.sh").exists()
        assert rows(box, "claims") == 1 + len(others)
        box.cli("doctor", "--fix", exit=None)
        expected = {standing["id"], *(o["id"] for o in others)}
        until(partial(windows_are, box, expected), what="the windows are those of the rows")
        assert {p.name for p in (box.state / "sessions").iterdir()} == {s["id"] for s in live}
        for other in others:
            box.cli("kill", other["id"])
            for leftover in box.json("ps", "--all"):
                assert leftover["id"] == standing["id"] or leftover["status"] == "killed"
            folder = box.state / "sessions" / other["id"]
            os.rename(folder, box.root / other["id"])
    assert box.json("spawn", "true", "--write", "contested/a", "--wait")["status"] == "done"


def test_peers_08_a_dead_server_is_lost_a_silent_one_is_not(box: Box) -> None:
    made = [box.json("spawn", "sleep 1000", "--write", f"w{i}") for i in range(3)]
    server = box.server_pid()
    os.kill(server, signal.SIGSTOP)
    try:
        shown = box.cli("ps", "--json", env={"OPENCLAW_TMUX_TIMEOUT": "1s"})
        assert "last ones known" in shown.stderr
        assert shown.stdout.count('"working"') == 3
    finally:
        os.kill(server, signal.SIGCONT)
    assert [s["status"] for s in box.json("ps")] == ["working"] * 3
    os.kill(server, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{server}").exists() or "Z" in Path(f"/proc/{server}/stat").read_text().split()[2])
    assert box.json("ps") == []
    assert [s["status"] for s in box.json("ps", "--all")] == ["lost"] * 3
    assert rows(box, "claims") == 0
    assert not any("sleep 1000" in command for command in box.processes().values())
    again = box.json("spawn", "sleep 1000", "--write", "w0")
    assert again["status"] == "working" and again["tmux"]["server_pid"] != made[0]["tmux"]["server_pid"]


def test_a_deleted_socket_is_brought_back_not_doubled(box: Box) -> None:
    first = box.json("spawn", "sleep 1000")
    box.socket.unlink()
    assert [s["id"] for s in box.json("ps")] == [first["id"]]
    box.socket.unlink()
    second = box.json("spawn", "sleep 1000")
    assert second["tmux"]["server_pid"] == first["tmux"]["server_pid"]
    assert len(box.json("ps")) == 2


def test_recycled_ids_are_not_taken_for_the_old_window(box: Box) -> None:
    old = box.json("spawn", "sleep 1000")
    os.kill(box.server_pid(), signal.SIGKILL)
    new = box.json("spawn", "sleep 1000")
    assert new["tmux"]["pane_id"] == old["tmux"]["pane_id"]
    assert {s["id"]: s["status"] for s in box.json("ps", "--all")} == {old["id"]: "lost", new["id"]: "working"}


def test_a_lost_database_is_rebuilt_from_the_tags(box: Box) -> None:
    made = box.json("spawn", "sleep 1000", "--name", "survivor", "--write", "kept/**", "--timeout", "1h")
    for file in box.state.glob("openclaw.db*"):
        file.unlink()
    assert box.json("ps") == []
    assert "not in the store" in box.cli("doctor", exit=1).stdout
    box.cli("doctor", "--fix")
    [back] = box.json("ps")
    for key in ("id", "name", "task", "scope", "timeout_s", "tmux", "created_at", "agent", "cwd"):
        assert back[key] == made[key], key
    box.cli("spawn", "true", "--write", "kept/x", exit=3)  # its claim is back too


def test_a_damaged_database_is_named_set_aside_and_rebuilt(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    for file in box.state.glob("openclaw.db*"):
        file.write_bytes(b"this is no database, " * 500)
    refused = box.cli("ps", exit=5)
    assert "openclaw.db" in refused.stderr and "doctor --fix" in refused.stderr
    box.cli("doctor", "--fix", exit=None)
    assert [s["id"] for s in box.json("ps")] == [made["id"]]
    assert list(box.state.glob("openclaw.db.damaged-*"))


def test_peers_10_what_is_not_ours_is_never_touched(box: Box) -> None:
    box.json("spawn", "sleep 1000")
    box.tmux("new-session", "-d", "-s", "mine", "sleep 1000")
    box.tmux("new-session", "-d", "-s", "subagent-zzz", "sleep 1000")
    other = {"OPENCLAW_STATE_DIR": str(box.root / "other")}
    theirs = box.json("spawn", "sleep 1000", env=other)
    box.cli("doctor", "--fix", exit=None)
    box.cli("kill", "--all")
    names = box.tmux("list-sessions", "-F", "#{session_name}").split()
    assert sorted(names) == sorted(["mine", "subagent-zzz", f"subagent-{theirs['id']}"])
    assert [s["id"] for s in box.json("ps", env=other)] == [theirs["id"]]


def test_peers_21_an_unreadable_exit_record_is_no_success(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    (box.state / "sessions" / made["id"] / "exit").write_text("garbage")
    box.cli("wait", made["id"], exit=1)
    result = box.json("result", made["id"])
    assert (result["status"], result["exit_code"]) == ("failed", None)


def test_peers_24_a_limit_refuses_with_the_figures_or_queues(box: Box) -> None:
    env = {"OPENCLAW_LIMITS_LIVE_AGENTS": "2"}
    first = box.json("spawn", "sleep 1000", env=env)
    box.json("spawn", "sleep 1000", env=env)
    assert "2 sub-agents are live" in box.cli("spawn", "true", exit=3, env=env).stderr
    assert (
        "MB of memory" in box.cli("spawn", "true", exit=3, env={"OPENCLAW_LIMITS_FREE_MEMORY_MB": "999999999"}).stderr
    )
    queued = [box.popen("spawn", f"echo {i}; sleep 1000", "--queue", "--json", env=env) for i in range(2)]
    until(lambda: rows(box, "queue") == 2)
    assert all(q.poll() is None for q in queued)
    box.cli("kill", first["id"])
    until(lambda: sum(q.poll() is not None for q in queued) == 1, what="one of the two got the place")
    for q in queued:
        q.send_signal(signal.SIGTERM)
        q.communicate(timeout=30)
    assert rows(box, "queue") == 0
    assert len(box.json("ps")) == 2


def test_a_failed_start_undoes_itself(box: Box) -> None:
    box.cli("spawn", "true", "--agent", "nobody", exit=4)
    box.cli("spawn", "true", "--agent", "aider", exit=5, env={"PATH": "/usr/bin:/bin"})
    box.cli("spawn", "true", env={"OPENCLAW_TMUX_COMMAND": "/nonexistent/tmux"}, exit=5)
    assert box.json("ps", "--all") == [] and rows(box, "claims") == 0
    assert not list((box.state / "sessions").iterdir())


def at_the_gate(box: Box) -> int:
    """How many windows wait to begin; tmux itself is too busy to be asked."""
    gates, found = f"{box.state}/gates/".encode(), 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = file.read_bytes()
        except OSError:
            continue
        found += command.startswith(b"sh\0") and gates in command
    return found


def test_a_batch_whose_server_is_killed_half_way_runs_once_or_not_at_all(box: Box) -> None:
    """What was opened on the server that died has begun nothing, so that all of it may be opened again on the next."""
    box.json("spawn", "true", "--wait")
    box.write("tasks.json", "[" + ",".join(f'"echo once >> began{i}; sleep 1000"' for i in range(120)) + "]")
    server = box.server_pid()
    batch = box.popen("spawn", "--from", "tasks.json", "--json")
    until(lambda: at_the_gate(box) > 20, what="some of the windows are open")
    os.kill(server, signal.SIGKILL)
    _, err = batch.communicate(timeout=60)
    assert batch.returncode in (0, 5), err
    whole = 0 if batch.returncode else 120
    assert len(box.json("ps")) == whole
    until(lambda: len(list(box.work.glob("began*"))) == whole)
    until(lambda: at_the_gate(box) == 0)
    assert all(file.read_text() == "once\n" for file in box.work.glob("began*"))


def test_a_batch_whose_spawner_is_killed_is_whole_or_gone(box: Box) -> None:
    box.json("spawn", "sleep 1000", "--name", "standing")
    box.write("tasks.json", "[" + ",".join(f'"echo > began{i}; sleep 1000"' for i in range(30)) + "]")
    for moment in range(6):
        batch = box.popen("spawn", "--from", "tasks.json")
        time.sleep(0.08 + 0.04 * moment)  # the moment at which it dies is what varies here
        batch.send_signal(signal.SIGKILL)
        batch.communicate()
        live = until(lambda: [s for s in box.json("ps") if s["status"] == "working"] and box.json("ps"))
        ids = [s["id"] for s in live if s["name"] != "standing"]
        until(lambda: len(list(box.work.glob("began*"))) == len(ids), what="what lives has begun")  # noqa: B023
        assert not list((box.state / "gates").iterdir()) if (box.state / "gates").exists() else True
        if ids:
            box.cli("kill", *ids)
        for file in box.work.glob("began*"):
            file.unlink()


def test_a_batch_that_fails_is_undone_once_and_while_its_gate_is_closed(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    undone, real, gates = [], spawn._undo, box.state / "gates"

    def undo(fleet: Fleet, rows: Sequence[Session]) -> None:
        real(fleet, rows)
        undone.append(len(list(gates.iterdir())))

    def fail(*_: object) -> list[Session]:
        raise OSError("the disk is full")

    monkeypatch.setattr(spawn, "_undo", undo)
    monkeypatch.setattr(spawn, "_started", fail)
    fleet = Fleet(Settings(environ=box.env))
    with pytest.raises(OSError, match="disk is full"):
        spawn.spawn(fleet, [Request(task=f"touch {box.root}/began", cwd=str(box.work)) for _ in range(3)])
    assert undone == [1] and not list(gates.iterdir()) and not (box.root / "began").exists()
    assert box.json("ps", "--all") == [] and not list((box.state / "sessions").iterdir())
