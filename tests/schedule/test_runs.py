"""Runs of jobs in real sub-agents: one row, one folder, one window each, and what becomes of those that fail."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from openclaw.units import from_utc, utc
from tests.conftest import OPENCLAW, Box, until
from tests.schedule.conftest import Cron


def test_a_run_is_a_row_a_folder_and_a_sub_agent_of_its_own(cron: Cron) -> None:
    cron.add("greet", "echo hello; pwd", "--inject-only", "active-tasks.md", "--type", "cron", every="1s")
    run = cron.until("done")
    assert run["result"].split() == ["hello", str(cron.box.work)] and run["exit_code"] == 0
    assert [Path(each["path"]).name for each in run["injected"]] == ["active-tasks.md"]
    folder = Path(run["folder"])
    assert folder == cron.box.state / "runs/greet" / run["due"].replace(":", "-")
    assert (folder / "result.md").read_text() == run["result"]
    kept = json.loads((folder / "run.json").read_text())
    assert (kept["state"], kept["attempts"]) == ("done", run["attempts"])
    assert (folder / f"session-{run['session_id']}" / "task.md").exists()
    [session] = [s for s in cron.box.json("ps", "--all") if s["id"] == run["session_id"]]
    assert session["name"].startswith("greet-") and session["status"] == "done"
    assert cron.inbox()[0] == ("greet", run["result"])


def test_a_tick_waits_for_nothing_and_a_later_one_records_the_end(cron: Cron) -> None:
    go = cron.box.work / "go"
    cron.add("slow", f"until [ -e {go} ]; do sleep 0.1; done; echo over", every="1s")
    [run] = until(cron.tick)
    assert run["state"] == "running"
    skipped = cron.until("skipped")
    assert "still at work" in skipped["reason"] or "newer firing" in skipped["reason"]
    cron.box.cli("cron", "disable", "slow")
    go.touch()
    until(lambda: "over" in [r["result"] for r in cron.runs()], 40)


def test_thirty_two_ticks_at_once_run_nothing_twice_and_lose_nothing(cron: Cron) -> None:
    """Repeatedly, some of them killed in the middle."""
    box = cron.box
    for n in range(3):
        cron.add(f"job{n}", f"echo {n} >> {box.work}/log", "--catch-up", "all", every="2s")
    for turn in range(4):
        until(lambda: len(due_now(box)) == 3, 40, "firings are due")
        ticks = [box.popen("cron", "tick", "--json") for _ in range(32)]
        for tick in ticks[:turn]:
            os.kill(tick.pid, signal.SIGKILL)
        for tick in ticks:
            _, errors = tick.communicate(timeout=240)
            assert tick.returncode in (0, -signal.SIGKILL), errors
    for n in range(3):
        box.cli("cron", "disable", f"job{n}")

    def over() -> bool:
        cron.tick()
        return all(run["ended_at"] for run in cron.runs())

    until(over, 240, "all have ended")
    found = cron.runs()
    assert len({(run["job"], run["due"]) for run in found}) == len(found)
    done = [run for run in found if run["state"] == "done"]
    lines = Counter((box.work / "log").read_text().split())
    assert lines == Counter(run["job"].removeprefix("job") for run in done)
    assert len({run["session_id"] for run in done}) == len(done) >= 12
    for name in ("job0", "job1", "job2"):  # none lost: each two seconds after the one before
        dues = sorted(from_utc(run["due"]) for run in found if run["job"] == name)
        assert {round((b - a) * 1000) for a, b in pairwise(dues)} == {2000}


def due_now(box: Box) -> list[dict[str, Any]]:
    """Jobs whose next time has come."""
    return [each for each in box.json("cron", "list") if each["next"] and each["next"] <= utc(time.time())]


def test_run_with_wait_ends_as_the_run_does(cron: Cron) -> None:
    cron.add("good", "echo fine")
    cron.add("bad", "echo oh; exit 3")
    assert "fine" in cron.box.cli("cron", "run", "good", "--wait").stdout
    done = cron.box.cli("cron", "run", "bad", "--wait", exit=1)
    assert "exit status 3" in done.stdout and "oh" in done.stdout
    cron.add("long", "sleep 7777")
    assert cron.box.json("cron", "run", "long", "--wait", "--timeout", "1s", exit=124)["state"] == "running"
    assert "still at work" in cron.box.cli("cron", "run", "long", exit=3).stderr
    cron.box.cli("kill", cron.runs("long", "--state", "running")[0]["session_id"])
    [run] = cron.runs("long", "--state", "failed")
    assert "killed" in run["reason"]
    assert cron.box.json("cron", "list")[0]["failures"] == 0  # by hand: says nothing about the job


@pytest.mark.parametrize(
    ("words", "message", "why"),
    [
        (["--inject-only", "gone.md"], "true", "'gone.md', which is to be injected, does not exist"),
        (["--timeout", "1s"], "sleep 7777", "after its limit of 1s"),
        (["--type", "nonsense"], "true", "no template or type 'nonsense'"),
        ([], "kill -9 $$", "exit status 137"),
        (["--max-inject-tokens", "1"], "true", "tokens"),
    ],
)
def test_what_is_wrong_is_on_record_and_the_next_firing_is_right(
    cron: Cron, words: list[str], message: str, why: str
) -> None:
    cron.add("other", "echo unharmed", every="1s")
    cron.add("job", message, *words)
    run = cron.box.json("cron", "run", "job", "--wait", exit=1)
    assert why in run["reason"], run
    assert any(title == "job failed" and why in text for title, text in cron.inbox())
    cron.until("done", "other")
    cron.box.cli("cron", "edit", "job", "--message", "echo mended", "--timeout", "40s", "--type", "command",
                 "--max-inject-tokens", "5000", "--inject-only", "HEARTBEAT.md")  # fmt: skip
    assert cron.box.json("cron", "run", "job", "--wait")["result"] == "mended"


def test_a_program_that_is_not_here(cron: Cron) -> None:
    cron.add("job", "look", agent="gemini", every="1s")
    run = cron.until("retry")
    assert run["attempts"][0]["state"] == "failed" and "gemini" in run["reason"]


@pytest.mark.parametrize(("folder", "state"), [("runs", "done"), ("sessions", "failed")])
def test_a_full_disk_is_on_record_and_the_next_firing_is_right(cron: Cron, folder: str, state: str) -> None:
    """For the run's folder it costs only that; for the session's nothing is started, and the row says why."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("it takes root and namespaces")
    cron.add("job", "echo fine")
    full = cron.box.state / folder
    full.mkdir()
    small = f"mount -t tmpfs -o nr_inodes=1 none {full} && exec {OPENCLAW} cron run job --wait --json"
    done = subprocess.run(["unshare", "-m", "sh", "-c", small], env=cron.box.env, cwd=cron.box.work, text=True,
                          capture_output=True, timeout=120, check=False)  # fmt: skip
    run = json.loads(done.stdout)
    assert run["state"] == state, done.stderr
    assert state == "done" or "No space left on device" in run["reason"]
    assert cron.box.json("cron", "run", "job", "--wait")["result"] == "fine"


def test_a_run_that_can_not_write_is_tried_again(cron: Cron) -> None:
    """No space for the folder of the session: nothing is started, and the row says why."""
    cron.add("job", "echo fine", every="1s")
    folder = cron.box.state / "sessions"
    folder.write_text("in the way")
    run = cron.until("retry")
    assert run["attempts"][0]["state"] == "failed" and "sessions" in run["reason"]
    folder.unlink()
    cron.until("done")


def test_serve_fires_until_it_is_ended(cron: Cron) -> None:
    cron.add("job", "echo fine", every="1s")
    server = cron.box.popen("cron", "serve", "--json")
    until(lambda: any(run["state"] == "done" for run in cron.runs()), 40)
    server.send_signal(signal.SIGTERM)
    out, errors = server.communicate(timeout=40)
    assert server.returncode == 130, errors
    assert {json.loads(line)["job"] for line in out.splitlines()} == {"job"}


def test_a_removed_job_leaves_its_runs(cron: Cron) -> None:
    cron.add("job", "echo fine")
    cron.box.cli("cron", "run", "job", "--wait")
    cron.box.cli("cron", "rm", "job")
    assert [run["result"] for run in cron.runs("job")] == ["fine"]
    cron.box.cli("cron", "runs", "never-was", exit=4)


# --- where it goes


def test_delivery_to_a_file_and_to_a_command(cron: Cron) -> None:
    work = cron.box.work
    cron.add("file", "echo report", "--delivery", "file:out/{job}.md")
    cron.box.cli("cron", "run", "file", "--wait")
    assert (work / "out/file.md").read_text() == "report\n"
    script = cron.box.write("take", "#!/bin/sh\ncat > \"$1\"\n")
    script.chmod(0o755)
    cron.add("told", "echo 'a $(touch nope) b'", "--delivery", f"command:{script} '{work}/got it'")
    cron.box.cli("cron", "run", "told", "--wait")
    until(lambda: cron.tick() is not None and (work / "got it").exists())
    assert (work / "got it").read_text().strip() == "a $(touch nope) b" and not (work / "nope").exists()
    assert cron.inbox() == []


def test_a_delivery_that_fails_is_tried_again(cron: Cron) -> None:
    target = cron.box.work / "sub"
    target.write_text("in the way")
    cron.add("file", "echo report", "--delivery", "file:sub/out.md")
    cron.box.cli("cron", "run", "file", "--wait")
    assert cron.box.json("cron", "tick")["problems"]
    target.unlink()
    cron.tick()
    assert (target / "out.md").read_text() == "report\n"


def test_silence_is_silent_and_the_rest_is_announced(cron: Cron) -> None:
    for text in ("HEARTBEAT_OK", "**NO_REPLY**.", "HEARTBEAT_OK\n"):
        cron.add("quiet", f"echo '{text}'")
        assert cron.box.json("cron", "run", "quiet", "--wait")["state"] == "done"
        cron.box.cli("cron", "rm", "quiet")
    assert cron.inbox() == []
    cron.add("loud", "echo 'HEARTBEAT_OK, but the disk is full'")
    cron.box.cli("cron", "run", "loud", "--wait")
    assert cron.inbox() == [("loud", "but the disk is full")]


def test_an_announcement_stands_on_the_screen_of_who_looks(cron: Cron) -> None:
    cron.add("job", "echo 'look #{pid} #[fg=red] here'")
    cron.box.cli("spawn", "sleep 7777")
    watcher = subprocess.Popen(
        ["script", "-qefc", f"tmux -S {cron.box.socket} attach", str(cron.box.root / "seen")], env=cron.box.env,
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: cron.box.tmux("list-clients"))
        cron.box.cli("cron", "run", "job", "--wait")
        cron.tick()
        until(lambda: b"look #{pid} # [fg=red] here" in (cron.box.root / "seen").read_bytes(), 40)
    finally:
        watcher.kill()
        watcher.wait()


def test_the_inbox_is_read_once(cron: Cron) -> None:
    cron.add("job", "echo one; echo two")
    cron.box.cli("cron", "run", "job", "--wait")
    assert "one two" in cron.box.cli("inbox").stdout
    assert "one\ntwo\n" in cron.box.cli("inbox", "read").stdout
    assert cron.box.cli("inbox").stdout == "nothing that was not read\n"
    assert "one\ntwo\n" in cron.box.cli("inbox", "read", "1").stdout
    for wrong in ("x", "-1", "0x1"):
        cron.box.cli("inbox", "read", "--", wrong, exit=2)
    cron.box.cli("inbox", "read", "99", exit=4)
