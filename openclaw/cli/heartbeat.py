"""heartbeat: a look at HEARTBEAT.md now and then, in a fresh session with nothing else."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render
from openclaw.cli import cron_jobs, cron_runs
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.schedule import firing
from openclaw.schedule import heartbeat as beats
from openclaw.sessions.fleet import Fleet
from openclaw.store import runs
from openclaw.store.jobs import Job
from openclaw.units import duration_argument

SHOWN = 10


def heartbeat_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "run", "show"), nargs="?", default="show")
    parser.add_argument("--every", metavar="D", type=duration_argument("--every"), help="install: how often (30m)")
    parser.add_argument("--model", metavar="M", help="install: whom to ask, like ollama/qwen2.5:3b")
    parser.add_argument("--agent", metavar="A", help="install: the program; else the one that the model names")
    parser.add_argument("--active", metavar="H:M-H:M", help="install: no beats outside these hours")
    json_argument(parser)


def heartbeat(
    action: str, every: float | None, model: str | None, agent: str | None, active: str | None, json: bool
) -> int:
    """`install` makes it a job of this workspace (see `openclaw cron`), `run` beats now, `show` says how it does.

    Silence when the answer is HEARTBEAT_OK; anything else is announced. A file with nothing in it calls no model.
    """
    fleet = open_fleet()
    if action == "install":
        return cron_jobs.told(fleet, beats.install(fleet, every, model, agent, active), json)
    job = beats.get(fleet)
    if action == "run":
        return cron_runs.cron_run(job.id, wait=True, timeout=None, json=json)
    return _show(fleet, job, json)


def _show(fleet: Fleet, job: Job, json: bool) -> int:
    firing.catch_up(fleet)
    last = runs.of_job(fleet.store, job.id, SHOWN)
    needless = beats.needless(job.workspace)
    if json:
        shown = [cron_runs.as_json(fleet, run) for run in last]
        render.document({"job": cron_jobs.as_json(job), "needless": needless, "beats": shown})
        return 0
    cron_jobs.told(fleet, job, False)
    if needless:
        render.out(needless.replace("was", "is"))
    if last:
        cron_runs.table(last)
    return 0
