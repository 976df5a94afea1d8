"""What the door calls: one tick, one job now, the loop in the foreground."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

from openclaw import processes
from openclaw.errors import NotFound, OpenclawError, Refused
from openclaw.schedule import deliver, heartbeat
from openclaw.schedule.keeper import Keeper
from openclaw.schedule.runner import SessionRunner
from openclaw.schedule.work import Rules
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.wait import LOOK_SECONDS
from openclaw.sessions.wait import wait as wait_for
from openclaw.store import db, jobs, runs, sessions, trials
from openclaw.store.runs import Run
from openclaw.units import utc

LONGEST_NAP = 30.0  # seconds; a job that was added meanwhile is seen then
WORKING_NAP = 2.0  # while something runs, its end is looked for


class Tick(NamedTuple):
    """The runs that a look changed, and what went wrong with the looking itself, a line each."""

    changed: tuple[Run, ...]
    problems: tuple[str, ...]


def keeper(fleet: Fleet) -> Keeper:
    """The keeper of this fleet's jobs."""
    get = fleet.settings.get
    rules = Rules(get("cron.grace"), get("cron.tries"), get("cron.pause_after"), get("cron.announce_turn"))
    me = processes.identity(os.getpid())
    return Keeper(fleet.store, SessionRunner(fleet), rules, fleet.clock, me, processes.alive)


def tick(fleet: Fleet) -> Tick:
    """Do all that is due, once. Any number at once do no more than one."""
    owner = keeper(fleet)
    changed = owner.tick()
    problems = [*owner.problems, *deliver.errands(fleet)]
    changed += [run for number in owner.collect() if (run := runs.get(fleet.store, number))]  # told to the main session
    tidy(fleet)
    return Tick(tuple(changed), tuple(problems))


def catch_up(fleet: Fleet) -> None:
    """Record what has ended, and nothing else: for whoever is about to show it."""
    if any(run.state == "running" for run in runs.unfinished(fleet.store)):
        keeper(fleet).collect()
        tidy(fleet)


def tidy(fleet: Fleet) -> None:
    """End the windows of runs that have ended; forget what is older than `cron.keep_for`."""
    if trials.unfinished(fleet.store):
        from openclaw.sessions import trial  # YAML, and only while one runs

        trial.collect(fleet)
    SessionRunner(fleet).sweep(runs.sessions_left(fleet.store))
    before = utc(fleet.clock() - fleet.settings.get("cron.keep_for"))
    if old := runs.older(fleet.store, before):
        from openclaw.schedule import forget  # once a day at most

        forget.forget(fleet, old, before)


def run_now(fleet: Fleet, word: str, wait: bool, timeout: float | None = None) -> Run:
    """Run a job now, whatever its schedule says. Refused when it can't be begun: its run before is at work."""
    job = jobs.find(fleet.store, word)
    with db.transaction(fleet.store):
        number = 0
        while not number:  # two within a millisecond
            number = runs.add(fleet.store, job.id, job.name, fleet.now(), "due", "", fleet.now(), by_hand=True)
    owner = keeper(fleet)
    owner.begin_one(number)
    deliver.errands(fleet)
    owner.collect()
    run = _get(fleet, number)
    if run.state == "skipped" and heartbeat.SPARED not in run.reason:
        raise Refused(f"{job.name} was not run: {run.reason}", "`openclaw cron runs` shows it", code="skipped")
    if wait:
        run = _followed(fleet, owner, run, timeout)
        deliver.errands(fleet)
    tidy(fleet)
    return run


def _followed(fleet: Fleet, owner: Keeper, run: Run, timeout: float | None) -> Run:
    deadline = None if timeout is None else time.monotonic() + timeout
    while not run.ended_at and (deadline is None or time.monotonic() < deadline):
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if run.state == "running" and run.session_id and sessions.by_ids(fleet.store, [run.session_id]):
            session = wait_for(fleet, [run.session_id], timeout=left)[0][0]
            if session.status == "waiting":  # for a person: until then, or until its limit
                time.sleep(LOOK_SECONDS)
        else:
            time.sleep(LOOK_SECONDS)  # between two looks: a message waits for the main session, or it for its turn
            owner.begin_one(run.number)
            deliver.errands(fleet)
        owner.collect()
        run = _get(fleet, run.number)
    return run


def _get(fleet: Fleet, number: int) -> Run:
    if run := runs.get(fleet.store, number):
        return run
    raise NotFound(f"run {number} is gone", "it was older than cron.keep_for")


def serve(fleet: Fleet, told: Callable[[Tick], None], failed: Callable[[OpenclawError], None]) -> None:
    """Tick for ever. A look that fails is told, and the next comes all the same."""
    while True:
        try:
            told(tick(fleet))
            nap = _nap(fleet)
        except OpenclawError as error:
            if error.exit_status == 130:
                raise
            failed(error)
            fleet.forget_store()
            nap = LONGEST_NAP
        time.sleep(nap)  # until the next firing, or the next look at what runs


def _nap(fleet: Fleet) -> float:
    unfinished = runs.unfinished(fleet.store)
    times = [job.next_at for job in jobs.every(fleet.store) if job.next_at is not None]
    times += [run.not_before for run in unfinished if run.state == "retry"]
    nap = min([LONGEST_NAP, *(at - fleet.clock() for at in times)])
    return max(0.05, min(nap, WORKING_NAP) if any(run.state in runs.AT_WORK for run in unfinished) else nap)
