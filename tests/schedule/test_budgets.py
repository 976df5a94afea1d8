"""Budgets of scheduled jobs: a firing that they refuse is skipped with the reason, and is no failure of its job."""

from __future__ import annotations

import json

import pytest

from tests.conftest import until
from tests.schedule.conftest import Cron


@pytest.fixture
def jobs(cron: Cron) -> Cron:
    """A program that uses tokens, as far as the budgets know, and does nothing."""
    entry = {"command": ["bash", "-c", "exec sleep 60"], "prompt": ["{prompt}"], "usage": "local-log", "memory_mb": 1}
    cron.box.root.joinpath("config").mkdir(exist_ok=True)
    (cron.box.root / "config/agents.yaml").write_text(json.dumps({"idle": entry}))
    return cron


def brakes(cron: Cron, budgets: object) -> None:
    (cron.box.root / "config/budgets.yaml").write_text(json.dumps({"budgets": budgets}))


def test_sixteen_runs_at_once_take_what_five_may(jobs: Cron) -> None:
    brakes(jobs, {"beats": {"per": "day", "job": "beat-*", "tokens": "100k"}})
    for number in range(16):
        jobs.add(f"beat-{number}", "go", "--budget-tokens", "20k", agent="idle")
    started = [jobs.box.popen("cron", "run", f"beat-{number}") for number in range(16)]
    codes = [process.wait(timeout=120) for process in started]
    errors = "".join(process.communicate()[1] for process in started)
    assert sorted(codes) == [0] * 5 + [3] * 11, errors
    assert errors.count("the budget beats (job beat-*, a day) is used up: 0 tokens of 100,000 tokens spent") == 11
    states = [run["state"] for run in jobs.runs()]
    assert sorted(states) == ["running"] * 5 + ["skipped"] * 11
    assert len(jobs.box.json("ps")) == 5


def test_each_job_has_its_own_and_a_refused_firing_does_not_pause_it(jobs: Cron) -> None:
    brakes(jobs, {"jobs": {"per": "day", "job": "*", "tokens": "10k"}})
    jobs.add("large", "go", "--budget-tokens", "20k", every="1s", agent="idle")
    jobs.add("small", "go", "--budget-tokens", "9k", agent="idle")

    def refused() -> int:
        jobs.tick()
        return sum("the budget jobs (job large, a day) is used up" in run["reason"] for run in jobs.runs("large"))

    until(lambda: refused() > 3, 60)  # one more than failures in a row that pause a job
    assert {run["state"] for run in jobs.runs("large")} == {"skipped"}
    [job] = [job for job in jobs.box.json("cron", "list") if job["name"] == "large"]
    assert not job["paused"], job
    jobs.box.cli("cron", "run", "small")
