"""Scheduled jobs at the limit of a subscription: the next model takes over, or the run waits for the reset."""

from __future__ import annotations

import json
import time

import pytest

from openclaw.store import db, quotas
from tests.conftest import until
from tests.schedule.conftest import Cron


@pytest.fixture
def jobs(cron: Cron) -> Cron:
    entry = {"command": ["bash", "-c", "exit 0"], "prompt": ["{prompt}"], "usage": "local-log", "memory_mb": 1}
    cron.box.root.joinpath("config").mkdir(exist_ok=True)
    (cron.box.root / "config/agents.yaml").write_text(json.dumps({"one": entry, "two": entry}))
    return cron


def said(cron: Cron, agent: str, percent: float, seconds: float) -> None:
    store = db.connect(str(cron.box.state / "openclaw.db"))
    with db.transaction(store):
        quotas.note(store, agent, [("five-hour", percent, time.time() + seconds, 18_000)], time.time())


def test_a_run_waits_for_the_reset_and_that_is_no_failure(jobs: Cron) -> None:
    jobs.add("beat", "go", agent="one", every="1s")
    said(jobs, "one", 100, 20)
    resets = time.time() + 19

    def waits() -> bool:
        jobs.tick()
        return any(run["state"] == "retry" and "five-hour limit" in run["reason"] for run in jobs.runs())

    until(waits, 30)
    jobs.box.cli("cron", "edit", "beat", "--every", "366d")
    jobs.until("done")
    assert time.time() >= resets
    assert {run["state"] for run in jobs.runs()} <= {"done", "skipped"}, jobs.runs()
    [job] = jobs.box.json("cron", "list")
    assert not job["paused"] and job["failures"] == 0


def test_by_hand_it_is_refused_with_the_reset(jobs: Cron) -> None:
    jobs.add("beat", "go", agent="one")
    said(jobs, "one", 97, 3600)
    done = jobs.box.cli("cron", "run", "beat", exit=None)
    assert done.returncode in (1, 3) and "it resets at" in done.stdout + done.stderr, done


def test_the_next_model_of_the_job_takes_over_at_once_and_the_hop_is_in_the_record(jobs: Cron) -> None:
    jobs.box.cli("cron", "add", "--name", "beat", "--every", "1s", "--message", "go", "--model", "one/a",
                 "--fallback", "two/b")  # fmt: skip
    said(jobs, "one", 97, 3600)
    run = jobs.until("done")
    assert run["model"] in ("b", "two/b")
    [tried, done] = run["attempts"]
    assert tried["state"] == "paused" and tried["model"] == "one/a" and "one is at 97%" in tried["reason"]
    assert done["state"] == "done"
