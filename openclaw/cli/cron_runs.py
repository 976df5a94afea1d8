"""cron tick, run, runs, serve, install, uninstall: firing jobs, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.errors import NotFound, OpenclawError
from openclaw.schedule import firing, register
from openclaw.schedule.firing import Tick
from openclaw.schedule.keeper import duration
from openclaw.schedule.runner import run_folder
from openclaw.sessions.fleet import Fleet
from openclaw.store import jobs, runs
from openclaw.store.runs import Run
from openclaw.units import format_duration

STYLES = {"running": "working", "starting": "working", "retry": "waiting", "missed": "warn", "skipped": "dim"}


def cron_tick(json: bool) -> int:
    """Any number at once do no more than one. It waits for nothing: a later look records what ends meanwhile."""
    done = firing.tick(open_fleet())
    if json:
        render.document({"runs": [run.as_json() for run in done.changed], "problems": done.problems})
    else:
        _tell(done)
    return 0


def cron_run(name: str, wait: bool, timeout: float | None, json: bool) -> int:
    """Exit: with --wait that of the run: 0 done, 1 failed, 124 when the time of --timeout was not enough."""
    fleet = open_fleet()
    run = firing.run_now(fleet, name, wait, timeout)
    if json:
        render.document(as_json(fleet, run))
    else:
        render.out(_line(run))
        if run.result:
            render.out(run.result.rstrip("\n"))
    return 1 if run.state == "failed" else 124 if wait and not run.ended_at else 0


def cron_runs(names: list[str], limit: int, state: str | None, json: bool) -> int:
    """The newest first."""
    fleet = open_fleet()
    firing.catch_up(fleet)
    ids: list[str | None] = [_id(fleet, name) for name in names]
    found = [run for id in ids or [None] for run in runs.of_job(fleet.store, id, min(limit, 100_000), state)]
    if json:
        render.document([as_json(fleet, run) for run in found])
        return 0
    if not found:
        render.out("no runs")
        return 0
    table(found)
    return 0


def table(found: Sequence[Run]) -> None:
    """Runs for a person, a line each."""
    rows = [
        (run.job, run.due, run.state, _took(run), f"{run.tokens_used or run.injected_tokens}", f"{len(run.tried)}",
         run.session_id, run.reason or " ".join(run.result.split()))
        for run in found
    ]  # fmt: skip
    headers = ("JOB", "DUE", "STATE", "TOOK", "TOKENS", "TRIES", "SESSION", "WHY OR RESULT")
    render.table(headers, rows, widest="WHY OR RESULT", styled="STATE", right=("TOOK", "TOKENS", "TRIES"))


def cron_serve(json: bool) -> int:
    """For a container, or a window of its own. Ctrl-C or SIGTERM ends it; what runs goes on."""
    if not json:
        render.progress("looking for what is due; Ctrl-C ends it")
    firing.serve(open_fleet(), lambda done: _stream(done, json), _failed)
    return 0


def _stream(done: Tick, json: bool) -> None:
    if json:
        for run in done.changed:
            render.document(run.as_json())  # JSON lines: there is no end to wait for
    else:
        _tell(done)
    sys.stdout.flush()


def _failed(error: OpenclawError) -> None:
    render.warn(error.message)


def _tell(done: Tick) -> None:
    for run in done.changed:
        render.out(_line(run))
    for problem in done.problems:
        render.warn(problem)


def _line(run: Run) -> str:
    state = render.paint(run.state, STYLES.get(run.state, run.state))
    parts = [render.paint(render.clean(run.job), "bold"), run.due, state]
    parts += [run.session_id] if run.session_id else []
    parts += [f"in {_took(run)}"] if run.state in ("done", "failed") and run.started_at else []
    return "  ".join([*parts, *([render.clean(run.reason)] if run.reason else [])])


def _took(run: Run) -> str:
    seconds = duration(run)
    return "" if seconds is None else format_duration(seconds)


def as_json(fleet: Fleet, run: Run) -> dict[str, object]:
    """For scripts: the row, how long it took, and where its folder is."""
    return run.as_json() | {"duration_s": duration(run), "folder": run_folder(fleet.state_dir, run)}


def _id(fleet: Fleet, name: str) -> str:
    """Also of a job that was removed: its runs are there."""
    try:
        return jobs.find(fleet.store, name).id
    except NotFound:
        if known := runs.job_named(fleet.store, name):
            return known
        raise


def cron_install(by: str | None, json: bool) -> int:
    """Exit: 5 when there is neither. Secrets of your environment are not written down."""
    return _registered([register.install(open_fleet(), by)], json)


def cron_uninstall(json: bool) -> int:
    """Jobs and runs stay."""
    return _registered(register.uninstall(open_fleet()), json)


def _registered(found: Sequence[register.Entry], json: bool) -> int:
    if json:
        render.document([each._asdict() for each in found])
    else:
        for each in found:
            render.out(f"{each.way}  {each.outcome}" + (f"  {render.clean(each.place)}" if each.place else ""))
            if each.note:
                render.out(f"         {each.note}")
        if not found:
            render.out("neither systemd for users nor crontab is here")
    return 0
