"""Ends that are really ends, and looks that say nothing about what they can't see."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from tests.conftest import OPENCLAW, Box, until
from tests.sessions.test_life import gone


def test_a_look_at_another_socket_ends_nothing(box: Box) -> None:
    made = box.json("spawn", "sleep 1000", "--write", "w")
    other = {"OPENCLAW_SHARED_SOCKET": str(box.root / "other" / "s.sock")}
    assert [s["status"] for s in box.json("ps", env=other)] == ["working"]
    assert not gone(box, made["id"]) and [s["status"] for s in box.json("ps")] == ["working"]
    box.cli("ps", env={"OPENCLAW_SHARED_SOCKET": "relative.sock"}, exit=2)


def test_an_interrupted_kill_is_finished_before_its_claim_is_given_away(box: Box) -> None:
    script = "trap '' TERM HUP; while :; do date +%s.%N >> out.txt; sleep 0.05; done"
    made = box.json("spawn", script, "--write", "out.txt", env={"OPENCLAW_KILL_GRACE": "2s"})
    until((box.work / "out.txt").exists)
    killer = box.popen("kill", made["id"], env={"OPENCLAW_KILL_GRACE": "60s"})
    until((box.state / "sessions" / made["id"] / "ending").exists)
    killer.send_signal(signal.SIGKILL)
    killer.communicate()
    box.json("spawn", "true", "--write", "out.txt", "--wait", env={"OPENCLAW_KILL_GRACE": "1s"})
    assert gone(box, made["id"])
    assert box.json("result", made["id"])["status"] == "killed"


def test_a_kill_that_was_only_noted_is_done_by_the_next_look(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    (box.state / "sessions" / made["id"] / "ending").write_text("killed")
    assert box.json("ps") == [] and gone(box, made["id"])


def test_why_one_is_ended_is_known_to_whoever_sees_its_end_first(box: Box) -> None:
    made = box.json("spawn", "trap '' TERM HUP; while :; do sleep 0.05; done", "--write", "x")
    ours = "import sys; from openclaw.cli.context import fleet; from openclaw.sessions.end import kill;"
    ours += "from openclaw.store import sessions; f = fleet();"
    ours += "kill(f, sessions.by_ids(f.store, sys.argv[1:]), 'halted', 'it has had enough')"
    words = [sys.executable, "-c", ours, made["id"]]
    killer = subprocess.Popen(words, env=box.env | {"OPENCLAW_KILL_GRACE": "60s"}, cwd=box.work)
    until((box.state / "sessions" / made["id"] / "ending").exists)
    killer.kill()
    killer.wait()
    assert box.json("ps", env={"OPENCLAW_KILL_GRACE": "1s"}) == []
    [row] = box.json("ps", "--all")
    assert (row["status"], row["reason"]) == ("halted", "it has had enough")


def test_a_setting_that_is_wrong_kills_nothing(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    box.cli("kill", made["id"], env={"OPENCLAW_KILL_GRACE": "soon"}, exit=2)
    assert [s["status"] for s in box.json("ps")] == ["working"]


def test_a_child_that_dropped_its_environment_and_terminal_ends_with_the_others(box: Box) -> None:
    script = "env -i setsid bash -c 'echo > up; while :; do sleep 0.05; done' & wait"
    made = box.json("spawn", script, "--write", "up", "--timeout", "1s", env={"OPENCLAW_KILL_GRACE": "1s"})
    until((box.work / "up").exists)
    box.cli("wait", made["id"], exit=124)
    listing = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert str(box.work) not in listing and "echo > up" not in listing


@pytest.mark.parametrize("given", ["command=/bin/false", "limit=1", "cwd=/etc", "dir=/tmp/zzz", "POSIXLY_CORRECT=1"])
def test_what_is_passed_on_never_reaches_the_supervisor(box: Box, given: str) -> None:
    done = box.json("spawn", f"sleep 1.2; pwd; echo ${{{given.partition('=')[0]}}}", "--env", given, "--wait")
    assert done["status"] == "done"
    assert done["result"]["output"].split() == [str(box.work), given.partition("=")[2]]


def test_a_path_without_tools_leaves_no_secret_on_the_disk(box: Box) -> None:
    (box.work / "b").mkdir()
    (box.work / "b" / "bash").symlink_to("/bin/bash")
    args = ("--env", f"PATH={box.work}/b", "--env", "SECRET=topsecret", "--wait")
    done = box.json("spawn", "echo hi; exit 3", *args, exit=1)
    assert (done["status"], done["exit_code"], done["result"]["output"]) == ("failed", 3, "hi")
    assert not (box.state / "sessions" / done["id"] / "env").exists()
    assert "PPID" in box.cli("spawn", "true", "--env", "PPID=4", exit=2).stderr


@pytest.mark.parametrize("record", ["0 exit inf", "0 exit nan", "9" * 30 + " exit 1", "0 working 1", "-1 exit 1", "0"])
def test_a_record_that_no_supervisor_wrote_harms_nobody_else(box: Box, record: str) -> None:
    made, other = box.json("spawn", "sleep 1000"), box.json("spawn", "sleep 1000")
    (box.state / "sessions" / made["id"] / "exit").write_text(record)
    assert [s["id"] for s in box.json("ps")] == [other["id"]]
    result = box.json("result", made["id"])
    assert (result["status"], result["exit_code"]) == ("failed", None) and gone(box, made["id"])


def test_a_removed_folder_does_not_lose_the_exit_code(box: Box) -> None:
    made = box.json("spawn", "until test -e go; do sleep 0.02; done; exit 0")
    shutil.rmtree(box.state / "sessions" / made["id"])
    box.write("go", "")
    box.cli("wait", made["id"])
    assert box.json("result", made["id"])["exit_code"] == 0


def test_a_renamed_window_can_be_ended_and_tidied(box: Box) -> None:
    done, live = box.json("spawn", "true", "--wait"), box.json("spawn", "sleep 1000")
    box.tmux("rename-session", "-t", f"=subagent-{done['id']}", "my name")
    box.tmux("rename-session", "-t", f"=subagent-{live['id']}", "my other")
    box.cli("kill", "--finished")
    box.cli("kill", live["id"])
    assert box.tmux("list-sessions", "-F", "#{session_name}").split() == []


def test_doctor_adopts_what_lives_though_its_folder_is_gone(box: Box) -> None:
    made = box.json("spawn", "sleep 1000", "--name", "alive")
    shutil.rmtree(box.state)
    doctors = [box.popen("doctor", "--fix", "--json") for _ in range(3)]
    for doctor in doctors:
        _, err = doctor.communicate(timeout=60)
        assert "UNIQUE" not in err and "Traceback" not in err, err
    assert [(s["id"], s["name"]) for s in box.json("ps")] == [(made["id"], "alive")]


def test_a_database_without_its_tables_is_damaged(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    with sqlite3.connect(box.state / "openclaw.db") as store:
        store.execute("ALTER TABLE sessions RENAME TO other")
    box.cli("ps", exit=5)
    assert "no such table" in box.cli("doctor", exit=1).stdout
    box.cli("doctor", "--fix", exit=None)
    assert [s["id"] for s in box.json("ps")] == [made["id"]]


def test_doctor_has_no_quarrel_with_a_fresh_machine(box: Box) -> None:
    assert not [c for c in box.json("doctor") if c["level"] == "error"]


def test_ps_fails_like_every_other_verb(box: Box) -> None:
    with open("/dev/full", "w") as full:
        ps = subprocess.run([OPENCLAW, "ps"], env=box.env, cwd=box.work, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ps.returncode == 5 and "Traceback" not in ps.stderr
    gone = box.work / "gone"
    gone.mkdir()
    script = (
        f"cd {gone}; rmdir {gone}; {OPENCLAW} ps; echo $?; {OPENCLAW} spawn true; echo $?; {OPENCLAW} ps >&-; echo $?"
    )
    done = subprocess.run(["bash", "-c", script], env=box.env, capture_output=True, text=True, check=False)
    assert done.stdout.split()[-3:] == ["2", "2", "2"] and done.stderr.count("not there any more") == 3, done.stderr
    closed = subprocess.run(["bash", "-c", f"{OPENCLAW} ps >&- 2>&-"], env=box.env, cwd=box.work, check=False)
    assert closed.returncode == 0


def test_what_can_never_fit_is_not_queued(box: Box) -> None:
    box.write("three.yaml", "- a\n- b\n- c\n")
    box.cli("spawn", "--from", "three.yaml", "--queue", exit=3, env={"OPENCLAW_LIMITS_LIVE_AGENTS": "2"}, timeout=20)


def test_a_task_that_begins_with_a_dash(box: Box) -> None:
    assert '"task": "-x"' in box.cli("spawn", "--dry-run", "--json", "--", "-x").stdout


def test_two_kills_at_once(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    ends: list[int] = []
    threads = [threading.Thread(target=lambda: ends.append(box.cli("kill", made["id"]).returncode)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [0, 0] and box.json("result", made["id"])["status"] == "killed"
