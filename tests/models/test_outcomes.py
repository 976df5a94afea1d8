"""What is learned comes from outcomes alone: checks, runs of jobs, exit statuses, people. Each counts once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box, until
from tests.local.conftest import Local
from tests.loopback.api import Api, Reply, Tool
from tests.schedule.conftest import Cron

MODEL = "ollama/qwen2.5:7b"


@pytest.fixture
def routed(box: Box) -> Iterator[Local]:
    """The server on loopback has whatever model is asked for; commands can see it, for the routing asks it too."""
    with Api(isolated=False) as api:
        local = Local(box, api)
        (box.root / "config/endpoints.yaml").write_text("ollama: {lists: false}\n")
        yield local


def learned(box: Box) -> list[tuple[Any, ...]]:
    keys = ("type", "model", "n", "good", "bad")
    return [tuple(row[key] for key in keys) for row in box.json("models", "learning")]


def test_a_check_says_whether_the_work_is_good(routed: Local) -> None:
    box = routed.box
    write = Reply("", tools=(Tool("write", {"path": "out.txt", "content": "right\n"}),))
    routed.api.say(write, "Written.")
    words = ("--agent", "local", "--type", "code-edit", "--model", MODEL, "--write", "out.txt")
    done = box.json("spawn", "write it", *words, "--check", "cat out.txt; grep -q right out.txt", "--wait")
    found = box.json("result", done["id"])
    assert (found["check"]["good"], found["check"]["said"]) == (True, "exit status 0")
    assert found["verdict"] == {"good": True, "by": "check", "type": "code-edit", "model": "qwen2.5:7b"}
    assert Path(box.state, "sessions", done["id"], "check.log").read_text() == "right\n"
    routed.api.say("Nothing to do.")
    bad = box.cli("spawn", "write it", *words[:-2], "--check", "grep -q wrong out.txt", "--wait", "--json", exit=1)
    assert '"idle"' in bad.stdout
    assert learned(box) == [("code-edit", "qwen2.5:7b", 2, pytest.approx(0.98), 1.0)]
    shown = box.cli("result", done["id"]).stdout
    assert "check `cat out.txt; grep -q right out.txt`: passed (exit status 0; see check.log)" in shown
    assert "its work is good, by check; it counts for qwen2.5:7b" in shown


def test_a_check_that_was_cut_off_is_run_again_and_counts_once(box: Box) -> None:
    log, go = box.work / "log", box.work / "go"
    check = f"echo $$ >> {log}; until [ -e {go} ]; do sleep 0.05; done; exit 3"
    words = ("spawn", "--agent", "shell", "--model", "deepseek", "--type", "code-edit", "true", "--check", check)
    id = box.json(*words)["id"]
    [first] = until(lambda: log.read_text().split() if log.exists() else [], 40)
    [checker] = [pid for pid, command in box.processes().items() if "openclaw.sessions.checker" in command]
    os.kill(checker, signal.SIGKILL)
    waiting = box.popen("wait", id)
    until(lambda: waiting.poll() is None and checker not in box.processes(), 40)
    assert log.read_text().split() == [first]  # the one that was left still runs, and holds the lock
    os.kill(int(first), signal.SIGKILL)
    until(lambda: len(log.read_text().split()) == 2, 40, "it is run again")
    go.touch()
    assert waiting.wait(40) == 1
    found = box.json("result", id)
    assert (found["check"]["exit_code"], found["verdict"]["by"]) == (3, "check")
    assert [(kind, n) for kind, _, n, _, _ in learned(box)] == [("code-edit", 1)]


def test_that_one_has_ended_teaches_nothing_but_an_exit_status_does(box: Box) -> None:
    words = ("spawn", "--agent", "shell", "--model", "deepseek", "--type", "review", "--wait", "--json")
    box.cli(*words, "exit 0")
    box.cli(*words, "exit 7", exit=1)
    box.cli("spawn", "--agent", "shell", "--wait", "exit 7", exit=1)  # no model was at work
    killed = box.json("spawn", "--agent", "shell", "--model", "deepseek", "--type", "review", "sleep 60")["id"]
    box.cli("kill", killed)
    assert learned(box) == [("review", "deepseek", 2, pytest.approx(0.98), 1.0)]


def test_an_agent_that_ends_its_turn_teaches_nothing(routed: Local) -> None:
    id = routed.spawn("begin")["id"]
    routed.until(id, "idle")
    routed.box.cli("kill", id)
    assert learned(routed.box) == []


def test_a_job_without_a_model_gets_one_and_its_runs_teach(routed: Local) -> None:
    cron = Cron(routed.box)
    routed.api.say("All is well.")
    words = ("--every", "366d", "--message", "list the open tasks", "--inject-only", "HEARTBEAT.md")
    routed.box.cli("cron", "add", "--name", "look", *words)
    run = routed.box.json("cron", "run", "look", "--wait")
    assert (run["state"], run["result"]) == ("done", "All is well.") and run["model"] == "ollama/qwen2.5:3b"
    found = routed.box.json("result", run["session_id"])
    assert found["routed"]["kind"] == "cron" and "This is cron (scheduled routine)" in found["routed"]["why"]
    assert found["verdict"] == {"good": True, "by": "run", "type": "cron", "model": "qwen2.5:3b"}
    cron.tick()
    assert learned(routed.box) == [("cron", "qwen2.5:3b", 1, 1.0, 0.0)]
    routed.box.cli("result", run["session_id"], "--bad")
    assert learned(routed.box) == [("cron", "qwen2.5:3b", 1, 0.0, 1.0)]


def test_a_job_without_a_model_where_none_can_be_used_says_so(box: Box) -> None:
    cron = Cron(box)
    box.env["OLLAMA_HOST"] = "127.0.0.1:9"
    box.cli("cron", "add", "--name", "look", "--every", "366d", "--message", "list the open tasks")
    run = box.json("cron", "run", "look", "--wait", exit=1)
    assert run["state"] == "failed" and "no model for this: cron needs local" in run["reason"]
    assert cron.runs()[0]["session_id"] not in [s["id"] for s in box.json("ps", "--all")]
