"""The way back, with the real tmux: what was lost comes back once, and nothing else is started."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.conftest import OPENCLAW, until
from tests.continuity.conftest import Talkers


def by_id(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {found["id"]: found for found in document["sessions"]}


def test_lost_ones_come_back_and_recycled_ids_are_nobody_s(talkers: Talkers) -> None:
    box = talkers.box
    one, two = talkers.spawn("write the parser", "--write", "a/**"), talkers.spawn("write the docs", "--name", "docs")
    shell = box.json("spawn", f"echo once >>{box.home}/shell; exec sleep 600")
    done = box.json("spawn", "echo the answer is 7")
    box.cli("wait", done["id"])
    until(lambda: (box.home / "shell").exists())
    box.cli("note", "--decision", "tabs are four wide")
    taken = box.json("snapshot")
    talkers.crash()
    talkers.taken_by_others(6)
    document = box.json("restore")
    found = by_id(document)
    assert {id: f["action"] for id, f in found.items()} == {
        one["id"]: "resumed", two["id"]: "resumed", shell["id"]: "lost", done["id"]: "finished",
    }  # fmt: skip
    assert document["snapshot"] == taken["path"]
    for made in (one, two):
        until(lambda id=made["id"]: talkers.row(id)["status"] == "idle", 40)  # type: ignore[misc]
        [first, again] = talkers.starts(made["id"])
        assert first[2:4] == ["--session-id", made["conversation_id"]]
        assert again[2:4] == ["--resume", made["conversation_id"]]
        assert made["task"] in again[-1] and again[0] == str(box.work)
        was = next(s for s in taken["sessions"] if s["id"] == made["id"])["tmux"]
        now = talkers.row(made["id"])["tmux"]
        assert now["server_pid"] != was["server_pid"]
        assert box.tmux("display-message", "-p", "-t", now["pane_id"], "#{@openclaw_id}").strip() == made["id"]
    assert (box.home / "shell").read_text() == "once\n"
    assert sorted(box.tmux("list-sessions", "-F", "#{session_name}").split()) == sorted(
        [*(f"mine{n}" for n in range(6)), f"subagent-{one['id']}", f"subagent-{two['id']}"]
    )
    assert "the answer is 7" in found[done["id"]]["output"] and "tabs are four wide" in document["brief"]
    assert "a/**" in json.dumps(box.json("ps"))
    box.cli("spawn", "true", "--write", "a/x", exit=3)  # its claims are its own again
    once_more = by_id(box.json("restore"))
    assert once_more[one["id"]]["action"] == "corrected" and len(talkers.starts(one["id"])) == 2
    assert one["id"] in box.cli("restore").stdout


def test_peers_14_three_at_once_start_each_only_once(talkers: Talkers) -> None:
    box = talkers.box
    made = [talkers.spawn(f"task {n}")["id"] for n in range(3)]
    box.cli("snapshot")
    talkers.crash()
    running = [box.popen("restore", "--json") for _ in range(3)] + [box.popen("ps") for _ in range(3)]
    outs, errors = zip(*(p.communicate(timeout=120) for p in running), strict=True)
    assert [p.returncode for p in running] == [0] * 6, errors
    actions = [by_id(json.loads(out))[id]["action"] for out in outs[:3] for id in made]
    assert actions.count("resumed") == 3 and "lost" not in actions
    for id in made:
        until(lambda id=id: talkers.row(id)["status"] == "idle", 40)  # type: ignore[misc]
        assert len(talkers.starts(id)) == 2
    assert len(box.tmux("list-sessions").splitlines()) == 3


def test_kill_9_of_restores_starts_nothing_twice_and_loses_nothing(talkers: Talkers) -> None:
    box = talkers.box
    made = [talkers.spawn(f"task {n}", "--write", f"w{n}/**")["id"] for n in range(2)]
    box.cli("snapshot")
    for round in range(5):
        talkers.crash()
        before = {id: len(talkers.starts(id)) for id in made}
        for _ in range(3):
            running = subprocess.Popen([OPENCLAW, "restore"], cwd=box.work, env=box.env, stdout=-3, stderr=-3)
            time.sleep(random.uniform(0.05, 0.5))  # not to wait for something: the moment of the kill
            running.send_signal(signal.SIGKILL)
            running.wait()
        box.cli("restore")
        for id in made:
            until(lambda id=id: talkers.row(id)["status"] == "idle", 40)  # type: ignore[misc]
            assert len(talkers.starts(id)) == before[id] + 1, round
        own = [line for line in box.processes().values() if line == "sleep 7777"]
        assert len(own) == 2, own


def test_a_window_that_comes_late_is_taken_and_not_doubled(talkers: Talkers) -> None:
    box = talkers.box
    id = talkers.spawn("one")["id"]
    box.cli("snapshot")
    talkers.crash()
    until(lambda: talkers.row(id)["status"] == "lost")
    folder = box.state / "sessions" / id
    name = f"subagent-{id}"
    hook = box.root / "bin"  # tmux, before whose first window of ours another one comes with the same name and tag
    hook.mkdir()
    real = shutil.which("tmux")
    other = f"{real} -S {box.socket} -f /dev/null"
    mark = f"OPENCLAW_SESSION_ID={id} OPENCLAW_STATE_DIR={box.state}"
    (hook / "tmux").write_text(
        f"""#!/bin/sh
if test ! -e {hook}/once && ! test "$4" = -N; then
  touch {hook}/once
  {other} new-session -d -s {name} "env {mark} bash {folder}/launch.sh" \\; \\
    set-option -p -t ={name}: @openclaw_id {id} \\; set-option -t ={name}: @openclaw_session {id}
fi
exec {real} "$@"
"""
    )
    (hook / "tmux").chmod(0o755)
    found = by_id(box.json("restore", env={"PATH": f"{hook}:{box.env['PATH']}"}))[id]
    assert (hook / "once").exists() and found["action"] == "resumed"
    until(lambda: talkers.row(id)["status"] == "idle", 40)
    assert len(talkers.starts(id)) == 2


def test_peers_13_two_in_one_folder_each_get_their_own_conversation(talkers: Talkers) -> None:
    one, two = talkers.spawn("one"), talkers.spawn("two")
    assert one["cwd"] == two["cwd"]
    talkers.box.cli("snapshot")
    talkers.crash()
    talkers.box.cli("restore")
    for made in (one, two):
        until(lambda id=made["id"]: len(talkers.starts(id)) == 2, 40)  # type: ignore[misc]
        assert talkers.starts(made["id"])[1][2:4] == ["--resume", made["conversation_id"]]


def test_peers_13_a_conversation_of_another_is_never_taken_for_its_own(talkers: Talkers) -> None:
    box = talkers.box
    one, two = talkers.spawn("one"), talkers.spawn("two")
    with sqlite3.connect(box.state / "openclaw.db") as store:  # as a tool that guesses would have it
        other = str(box.home / "history" / f"{two['conversation_id']}.jsonl")
        store.execute("INSERT INTO transcripts (session_id, path) VALUES (?, ?)", (one["id"], other))
    talkers.crash()
    (box.home / "history" / f"{one['conversation_id']}.jsonl").unlink()
    found = by_id(box.json("restore"))
    assert found[one["id"]]["action"] == "lost" and found[two["id"]]["action"] == "resumed"


def test_peers_26_without_its_history_it_is_not_started(talkers: Talkers) -> None:
    box = talkers.box
    made = talkers.spawn("task")
    box.cli("snapshot")
    talkers.crash()
    shutil.rmtree(box.home / "history")
    found = by_id(box.json("restore"))[made["id"]]
    assert found["action"] == "lost" and "no history" in found["detail"] and len(talkers.starts(made["id"])) == 1
    assert by_id(box.json("restore", "--rerun"))[made["id"]]["action"] == "rerun"
    until(lambda: len(talkers.starts(made["id"])) == 2, 40)
    assert talkers.starts(made["id"])[1][2] == "--session-id"


def test_rerun_starts_a_command_again_and_the_first_end_is_kept(talkers: Talkers) -> None:
    box = talkers.box
    id = box.json("spawn", f"echo life >>{box.home}/lives; exec sleep 600")["id"]
    until(lambda: (box.home / "lives").exists())
    box.cli("snapshot")
    talkers.crash()
    dry = by_id(box.json("restore", "--rerun", "--dry-run"))[id]
    assert dry["action"] == "rerun" and talkers.row(id)["status"] == "lost"
    assert by_id(box.json("restore", "--rerun"))[id]["action"] == "rerun"
    until(lambda: (box.home / "lives").read_text() == "life\nlife\n", 40)
    assert talkers.row(id)["status"] == "working"
    folder = box.state / "sessions" / id
    assert (folder / "life-1" / "launch.sh").exists() and not (folder / "exit").exists()
    box.cli("kill", id)
    assert by_id(box.json("restore", "--rerun"))[id]["action"] == "finished"


def test_a_claim_that_another_has_by_now_is_refused_for_that_one(talkers: Talkers) -> None:
    box = talkers.box
    one, two = talkers.spawn("one", "--write", "src/**"), talkers.spawn("two", "--write", "docs/**")
    box.cli("snapshot")
    talkers.crash()
    box.cli("spawn", "exec sleep 600", "--write", "src/a.py")
    done = box.cli("restore", "--json", exit=3)
    found = by_id(json.loads(done.stdout))
    assert found[one["id"]]["action"] == "refused" and found[one["id"]]["error"]["code"] == "claim_conflict"
    assert found[two["id"]]["action"] == "resumed" and talkers.row(one["id"])["status"] == "lost"
    assert "could not be brought back" in json.loads(done.stdout)["brief"]


def test_what_was_killed_or_has_ended_stays_ended(talkers: Talkers) -> None:
    box = talkers.box
    one, two = talkers.spawn("one")["id"], talkers.spawn("two")["id"]
    box.cli("snapshot")
    box.cli("kill", one)
    talkers.crash()
    found = by_id(box.json("restore"))
    assert found[one]["action"] == "finished" and found[two]["action"] == "resumed"
    assert len(talkers.starts(one)) == 1


def test_a_lost_one_that_was_given_up_stays_so(talkers: Talkers) -> None:
    box = talkers.box
    id = talkers.spawn("one")["id"]
    box.cli("snapshot")
    talkers.crash()
    until(lambda: talkers.row(id)["status"] == "lost")
    box.cli("kill", id)
    assert by_id(box.json("restore"))[id]["action"] == "finished" and talkers.row(id)["status"] == "killed"


def test_peers_12_after_a_reboot(talkers: Talkers) -> None:
    box = talkers.box
    made = talkers.spawn("one")
    shell = box.json("spawn", "exec sleep 600")["id"]
    box.cli("snapshot")
    os.kill(box.server_pid(), signal.SIGKILL)

    def all_gone() -> bool:
        for pid in box.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not box.processes()

    until(all_gone)
    shutil.rmtree(box.socket.parent)  # /tmp is empty
    with sqlite3.connect(box.state / "openclaw.db") as store:  # the pid of the old server is somebody else's
        store.execute("UPDATE sessions SET server_pid = ?, pid = ?", (os.getpid(), os.getpid()))
    found = by_id(box.json("restore"))
    assert found[made["id"]]["action"] == "resumed" and found[shell]["action"] == "lost"
    until(lambda: talkers.row(made["id"])["status"] == "idle", 40)
    assert [words[2] for words in talkers.starts(made["id"])] == ["--session-id", "--resume"]


def test_a_secret_of_a_task_is_not_in_the_brief(talkers: Talkers) -> None:
    secret = "-".join(("sk", "ant", "api03", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1fG3hJ5"))
    talkers.box.cli("spawn", f"true {secret}; exec sleep 600")
    done = talkers.box.cli("restore", "--json")
    assert secret not in done.stdout and "[an Anthropic key]" in done.stdout


def test_peers_08_a_tmux_that_does_not_answer_is_not_all_dead(talkers: Talkers) -> None:
    box = talkers.box
    id = talkers.spawn("one")["id"]
    box.cli("snapshot")
    os.kill(box.server_pid(), signal.SIGSTOP)
    server = talkers.row(id)["tmux"]["server_pid"]
    try:
        box.cli("restore", exit=5, env={"OPENCLAW_TMUX_TIMEOUT": "1s"})
    finally:
        os.kill(server, signal.SIGCONT)
    assert by_id(box.json("restore"))[id]["action"] == "confirmed" and len(talkers.starts(id)) == 1


def test_without_a_snapshot_it_is_rebuilt_and_says_so(talkers: Talkers) -> None:
    box = talkers.box
    id, live = talkers.spawn("one")["id"], None
    talkers.crash()
    live = box.json("spawn", "exec sleep 600")["id"]
    document = box.json("restore")
    found = by_id(document)
    assert document["snapshot"] is None and any("no snapshot" in warning for warning in document["warnings"])
    assert found[id]["action"] == "resumed" and found[live]["action"] == "confirmed"
    assert "There was no snapshot" in document["brief"]


def test_a_lost_database_is_rebuilt_from_tags_and_snapshot(talkers: Talkers) -> None:
    box = talkers.box
    one = talkers.spawn("one", "--write", "x/**")["id"]
    box.cli("snapshot")
    for path in box.state.glob("openclaw.db*"):
        path.unlink()
    assert by_id(box.json("restore"))[one]["action"] == "confirmed"  # its window is there and has its tags
    talkers.crash()
    for path in box.state.glob("openclaw.db*"):
        path.unlink()
    until((box.state / "sessions" / one / "exit").exists, 40)  # its supervisor has seen the hangup, and writes no more
    shutil.rmtree(box.state / "sessions")
    assert by_id(box.json("restore", "--dry-run"))[one]["action"] == "resumed"
    assert by_id(box.json("restore"))[one]["action"] == "resumed"
    until(lambda: len(talkers.starts(one)) == 2, 40)
    assert talkers.starts(one)[1][2] == "--resume"
    box.cli("spawn", "true", "--write", "x/y", exit=3)


def test_a_damaged_newest_snapshot_is_passed_over_with_its_line(talkers: Talkers) -> None:
    box = talkers.box
    id = talkers.spawn("one")["id"]
    good = box.json("snapshot")["path"]
    box.cli("note", "more")
    bad = Path(box.json("snapshot")["path"])
    bad.write_text("---\nopenclaw_snap")
    document = box.json("restore")
    assert document["snapshot"] == good and "line 2" in document["warnings"][0]
    assert by_id(document)[id]["action"] == "confirmed" and bad.read_text() == "---\nopenclaw_snap"
    done = box.cli("restore", "1", exit=2)
    assert "line 2" in done.stderr


def test_a_lost_worktree_session_comes_back_in_its_worktree(talkers: Talkers) -> None:
    box = talkers.box
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "-b", "main"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=box.work, check=True, env=box.env)
    clean = talkers.spawn("clean", "--worktree=clean")
    busy = talkers.spawn("busy", "--worktree=busy")
    (Path(busy["worktree"]) / "new.txt").write_text("not committed")
    box.cli("snapshot")
    talkers.crash()
    until(lambda: talkers.row(clean["id"])["status"] == "lost")
    assert not os.path.exists(clean["worktree"])  # nothing was in it
    found = by_id(box.json("restore"))
    for made in (clean, busy):
        assert found[made["id"]]["action"] == "resumed"
        until(lambda id=made["id"]: len(talkers.starts(id)) == 2, 40)  # type: ignore[misc]
        assert talkers.starts(made["id"])[1][0] == made["cwd"]
        head = subprocess.run(
            ["git", "branch", "--show-current"], cwd=made["worktree"], capture_output=True, text=True, check=True
        )
        assert head.stdout.strip() == made["task"]
    assert (Path(busy["worktree"]) / "new.txt").read_text() == "not committed"
    assert talkers.row(clean["id"])["worktree"] == clean["worktree"]


def test_variables_that_are_gone_are_named_and_secrets_are_not_kept(talkers: Talkers) -> None:
    box = talkers.box
    box.env["DEPLOY"] = "to-the-moon"
    id = talkers.spawn("one", "--env", "DEPLOY", "--env", "OTHER=7")["id"]
    text = Path(box.json("snapshot")["path"]).read_text()
    assert "to-the-moon" not in text and '"env": ["DEPLOY", "OTHER"]' in text
    talkers.crash()
    box.env["SHADE"] = "blue"
    box.cli("restore")
    until(lambda: len(talkers.starts(id)) == 2, 40)
    again = talkers.starts(id)[1]
    assert again[1] == "blue" and "not set any more: OTHER" in again[-1]
    assert not list((box.state / "sessions" / id).rglob("env"))


def test_it_comes_back_as_often_as_it_is_lost(talkers: Talkers) -> None:
    id = talkers.spawn("one")["id"]
    for life in (2, 3, 4):
        talkers.crash()
        talkers.box.cli("restore")
        until(lambda: talkers.row(id)["status"] == "idle", 40)
        assert len(talkers.starts(id)) == life and talkers.starts(id)[-1][2] == "--resume"
    assert len(list((talkers.box.state / "sessions" / id).glob("life-*"))) == 3
    assert "one" in (talkers.box.state / "sessions" / id / "task.md").read_text()


def test_the_gate_of_a_restore_that_died_is_opened_though_its_program_still_starts(talkers: Talkers) -> None:
    box = talkers.box
    id = talkers.spawn("one")["id"]
    gates = box.state / "gates"
    gates.mkdir(exist_ok=True)
    os.mkfifo(gates / f"999999999:1-{id}")
    with sqlite3.connect(box.state / "openclaw.db") as store:
        store.execute(
            "UPDATE sessions SET status = 'starting', reported_state = '', status_file = '', spawner = '999999999:1'"
        )
    assert talkers.row(id)["status"] == "starting"
    assert not list(gates.iterdir())
    with sqlite3.connect(box.state / "openclaw.db") as store:
        assert store.execute("SELECT spawner FROM sessions").fetchone() == ("",)
