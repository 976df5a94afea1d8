"""The monitor: each crossing acted upon once, whoever looks and however often they are killed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from openclaw.continuity import warnings
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import crossings, sessions
from tests.conftest import Box, until
from tests.continuity.test_context import Talk


@pytest.fixture
def talk(box: Box) -> Talk:
    made = Talk(box)
    made.turn(20_000)
    return made


def once(box: Box, exit: int = 0, **env: str) -> dict[str, Any]:
    return dict(box.json("monitor", "--once", exit=exit, env=env))


def happened(report: dict[str, Any]) -> list[str]:
    return [each["what"].partition(" /")[0] for each in report["happened"]]


def snapshots(box: Box, reason: str) -> list[str]:
    return [each["name"] for each in box.json("snapshots") if each["reason"] == reason]


def heartbeat(box: Box) -> str:
    return (box.workspace / "HEARTBEAT.md").read_text()


def test_a_crossing_is_acted_upon_once_and_again_after_it_fell_below(talk: Talk) -> None:
    box, before = talk.box, heartbeat(talk.box)
    assert not once(box)["happened"] and heartbeat(box) == before
    talk.turn(141_000)
    assert happened(once(box)) == ["70 % of its context passed: 70 %", "snapshot"]
    assert len(snapshots(box, "context-70")) == 1 and "used up: main." in heartbeat(box)
    for tokens in (145_000, 139_000, 142_000):  # about the threshold is no new crossing
        talk.turn(tokens)
        assert not once(box)["happened"]
    talk.turn(171_000)
    assert happened(once(box, exit=6)) == ["85 % of its context passed: 86 %", "snapshot"]  # the policy is to warn
    assert not once(box, exit=6)["happened"]
    assert heartbeat(box).count(warnings.MARK) == 1
    talk.compact()
    assert not once(box)["happened"] and heartbeat(box) == before
    talk.turn(30_000)
    talk.turn(141_000)
    assert len(happened(once(box))) == 2 and len(snapshots(box, "context-70")) == 2


def test_what_can_not_be_read_crosses_and_clears_nothing(talk: Talk) -> None:
    talk.turn(150_000)
    once(talk.box)
    talk.path.rename(talk.box.root / "aside")
    assert not once(talk.box)["happened"] and "used up: main." in heartbeat(talk.box)
    (talk.box.root / "aside").rename(talk.path)
    assert not once(talk.box)["happened"]


def test_another_conversation_crosses_by_itself(talk: Talk) -> None:
    talk.turn(150_000)
    once(talk.box)
    [crossing] = crossings.pending(talk.store)
    other = Talk(talk.box)
    with other.store:
        other.store.execute("UPDATE mains SET ended_at = '2' WHERE conversation_id = 'conv-1'")
    once(talk.box)
    assert crossing.conversation == "conv-1" and not crossings.pending(talk.store)


def test_killed_at_any_moment_each_crossing_is_acted_upon_once(talk: Talk) -> None:
    """A hundred monitors are killed while a context rises and falls six times."""
    box, chance, running = talk.box, random.Random(7), list[subprocess.Popen[str]]()

    def kill_some(count: int) -> None:
        for _ in range(count):
            running.append(box.popen("monitor", "--interval", "0.02", stdout=subprocess.DEVNULL))
            time.sleep(chance.uniform(0.05, 0.6))  # a moment at random
            running[-1].kill()
            running[-1].communicate()

    for crossed in range(1, 7):
        talk.turn(150_000 + crossed)
        kill_some(8)
        once(box)
        rows = talk.store.execute("SELECT state FROM crossings ORDER BY number").fetchall()
        assert [row[0] for row in rows] == ["done"] * crossed
        assert len(snapshots(box, "context-70")) == crossed and heartbeat(box).count(warnings.MARK) == 1
        talk.turn(40_000)
        kill_some(4)
        once(box)
        assert warnings.MARK not in heartbeat(box)


def test_one_monitor_runs_and_the_second_says_which(talk: Talk) -> None:
    printed = talk.box.root / "printed"
    with printed.open("w") as file:
        first = talk.box.popen("monitor", "--interval", "0.1", "--json", stdout=file)
    try:
        until(lambda: (talk.box.state / "monitor.lock").exists() and (talk.box.state / "monitor.lock").read_text())
        refused = talk.box.cli("monitor", "--json", exit=3)
        assert json.loads(refused.stderr)["error"]["code"] == "monitor_runs" and str(first.pid) in refused.stderr
        talk.turn(150_000)
        until(lambda: printed.read_text().count("\n") == 2, what="it has told of the crossing")
        looked = talk.box.cli("monitor", "--once", "--json")
        assert str(first.pid) in looked.stderr and not json.loads(looked.stdout)["happened"]
    finally:
        first.send_signal(signal.SIGTERM)
        err = first.communicate(timeout=40)[1]
    assert first.returncode == 130 and "Traceback" not in err
    lines = [json.loads(line) for line in printed.read_text().splitlines()]
    assert len(lines) == 2 and lines[1]["happened"][0]["what"].startswith("70 % of its context passed")
    assert not once(talk.box)["happened"]


def test_the_heartbeat_line_is_replaced_and_leaves_no_trace(box: Box) -> None:
    box.cli("init")
    fleet = Fleet(Settings(box.env, str(box.work)))
    path = box.workspace / "HEARTBEAT.md"
    for text in ("# Heartbeat\nbe well\n", "no end", "", "a\r\nb\r\n"):
        path.write_bytes(text.encode())
        warnings.in_heartbeat(fleet, ["k3v9tq"])
        warnings.in_heartbeat(fleet, ["k3v9tq", "main", "a", "b", "c"])
        shown = path.read_text()
        assert shown.count(warnings.MARK) == 1 and "k3v9tq, main, a, 2 more" in shown
        warnings.in_heartbeat(fleet, [])
        assert path.read_bytes().decode().strip() == (text or "# Heartbeat").strip()


def test_a_heartbeat_can_still_be_started_with_the_line_in_it(talk: Talk) -> None:
    talk.turn(150_000)
    once(talk.box)
    plan = talk.box.json("spawn", "beat", "--type", "heartbeat", "--dry-run", env={"PATH": os.environ["PATH"]})
    assert plan


def test_peers_18_a_hundred_sub_agents_cost_one_process(talk: Talk) -> None:
    box = talk.box
    (box.work / "many.json").write_text(json.dumps([{"task": "exec sleep 600"}] * 100))
    box.cli("spawn", "--from", "many.json", env={"OPENCLAW_LIMITS_FREE_MEMORY_MB": "1"})
    assert len(box.json("context")) == 101
    trace = box.root / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=execve", "-o", str(trace), "openclaw", "monitor", "--once", "--json"],
        env=box.env | {"PATH": f"{Path(sys.executable).parent}:{box.env['PATH']}"}, capture_output=True, check=False,
    ) if subprocess.run(["which", "strace"], capture_output=True, check=False).returncode == 0 else None  # fmt: skip
    if done is not None:
        assert done.returncode == 0
        assert sum("execve(" in line and "= 0" in line for line in trace.read_text().splitlines()) <= 3
    watching = box.popen("monitor", "--interval", "0.05", "--json", stdout=subprocess.DEVNULL)
    try:
        until(lambda: (box.state / "monitor.lock").exists() and (box.state / "monitor.lock").read_text())
        most = 0
        until(lambda: int(Path(f"/proc/{watching.pid}/stat").read_text().rpartition(")")[2].split()[11]) > 100, 60)
        for _ in range(200):
            children = Path(f"/proc/{watching.pid}/task/{watching.pid}/children").read_text().split()
            most = max(most, len(children))
        assert most <= 1
    finally:
        watching.kill()
        watching.communicate()


def test_policies_that_are_none_are_refused(box: Box) -> None:
    box.cli("monitor", "--once", exit=2, env={"OPENCLAW_CONTEXT_POLICY": "eat"})
    box.cli("spawn", "true", "--on-context", "eat", exit=2)
    made = box.json("spawn", "exec sleep 600", "--on-context", "compact")["id"]
    with Fleet(Settings(box.env, str(box.work))).store as store:
        assert sessions.find(store, made).on_context == "compact"
    assert box.json("context", made)["policy"] == "compact"


def test_the_script_of_that_name_looks_once(talk: Talk) -> None:
    script = Path(__file__).parents[2] / "scripts" / "context-monitor.py"
    talk.turn(190_000)
    done = subprocess.run(
        [sys.executable, script, "--json"],
        env=talk.box.env,
        cwd=talk.box.work,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 6 and json.loads(done.stdout)["needs_person"] == ["conv-1"], done.stderr
    talk.compact()
    done = subprocess.run([sys.executable, script], env=talk.box.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "unknown" in done.stdout


def test_of_two_who_see_it_at_once_only_one_has_crossed(talk: Talk) -> None:
    with talk.store:
        assert crossings.cross(talk.store, "conv-1", "warn", "conv-1", 150_000, "1")
        assert not crossings.cross(talk.store, "conv-1", "warn", "conv-1", 151_000, "2")
    [found] = crossings.pending(talk.store)
    assert found.tokens == 150_000
