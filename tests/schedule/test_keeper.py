"""Every firing is accounted for once: simulated months, with the process killed at random and the clock asleep.

The store is the real SQLite file; what runs the work is passed in, and remembers what it was asked to do.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from openclaw.errors import Unavailable
from openclaw.schedule import jobs as services
from openclaw.schedule.document import Spec
from openclaw.schedule.keeper import Keeper
from openclaw.schedule.planner import plan
from openclaw.schedule.times import dues
from openclaw.schedule.work import Begun, Outcome, Rules
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db, inbox, jobs, runs
from openclaw.store.jobs import Job
from openclaw.store.runs import Run
from openclaw.units import from_utc, utc

MINUTE = 60.0


class Killed(BaseException):
    """The process is gone at this line."""


class World:
    """The clock, and what outlives a process: the sessions that were started. `luck` decides when it is killed."""

    def __init__(self, now: float, luck: random.Random | None = None) -> None:
        self.now, self.luck = now, luck
        self.begun: list[tuple[str, str, str]] = []  # job, due, session
        self.sessions: dict[str, float] = {}  # and when each ends
        self.lasts = 90.0
        self.fails: set[str] = set()
        self.down = False
        self.process = 0
        self.risk = 0.0

    def maybe_die(self) -> None:
        if self.luck and self.risk and self.luck.random() < self.risk:
            raise Killed

    # --- the runner

    def new_id(self) -> str:
        return f"s{len(self.sessions)}-{self.process}-{len(self.begun)}"

    def needless(self, job: Job, spec: Spec) -> str:
        return ""

    def begin(self, job: Job, spec: Spec, run: Run, parts: Sequence[tuple[Job, Spec, Run]]) -> Begun:
        self.maybe_die()
        if self.down:
            raise Unavailable("the model is down")
        for theirs, _, each in ((job, spec, run), *parts):
            self.begun.append((theirs.id, each.due, run.session_id))
        self.sessions[run.session_id] = self.now + self.lasts
        self.maybe_die()
        return Begun(run.model)

    def known(self, id: str) -> bool:
        return id in self.sessions

    def outcomes(self, running: Sequence[Run]) -> Mapping[int, Outcome]:
        self.maybe_die()
        state = {run.number: "failed" if run.job_id in self.fails else "done" for run in running}
        return {
            run.number: Outcome(state[run.number], "it broke" if state[run.number] == "failed" else "", "all is well")
            for run in running
            if run.session_id in self.sessions and self.sessions[run.session_id] <= self.now
        }

    def stop(self, run: Run) -> None:
        self.sessions[run.session_id] = self.now

    def keep(self, run: Run, result: str) -> str:
        return ""


class Mortal(sqlite3.Connection):
    """A connection whose process may die before any statement."""

    world: World

    def execute(self, *args: Any) -> sqlite3.Cursor:
        if "ROLLBACK" not in args[0]:  # which is what the death of a process does to a transaction
            self.world.maybe_die()
        return super().execute(*args)


class Office:
    """The store, with a new process whenever the last one has died."""

    def __init__(self, folder: Path, world: World) -> None:
        self.world, self.folder = world, folder
        environ = {"HOME": str(folder), "OPENCLAW_STATE_DIR": str(folder), "OPENCLAW_WORKSPACE": str(folder)}
        self.fleet = Fleet(Settings(environ, cwd=str(folder)), lambda: world.now)
        self.rules = Rules(300, 3, 3)
        self.keeper = self._new()

    def add(self, name: str, **said: Any) -> Job:
        schedule = said.pop("schedule")
        tree = {"name": name, "schedule": schedule, "payload": {"kind": "agentTurn"}, "run": said}
        return services.add(self.fleet, tree, str(self.folder))

    def tick(self) -> None:
        try:
            self.keeper.tick()
        except Killed:
            with suppress(sqlite3.Error):
                self.keeper.store.close()
            self.keeper = self._new()

    def _new(self) -> Keeper:
        self.world.process += 1
        store = self.fleet.store if not self.world.luck else self._mortal()
        me = f"process {self.world.process}"
        return Keeper(store, self.world, self.rules, lambda: self.world.now, me, lambda who: who == me)

    def _mortal(self) -> sqlite3.Connection:
        db.connect(self.fleet.settings.database).close()
        made = sqlite3.connect(self.fleet.settings.database, isolation_level=None, factory=Mortal)
        made.row_factory = sqlite3.Row
        made.world = self.world
        super(Mortal, made).execute("PRAGMA synchronous=OFF")
        return made

    def rows(self, job: str = "") -> list[Run]:
        return runs.of_job(self.fleet.store, job or None, 1_000_000)[::-1]

    def states(self, job: str = "") -> dict[str, int]:
        return dict(Counter(run.state for run in self.rows(job)))


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    yield Office(tmp_path, World(1_800_000_000.0))


def pass_time(office: Office, seconds: float, step: float = MINUTE) -> None:
    end = office.world.now + seconds
    while office.world.now < end:
        office.world.now += step
        office.tick()


EVERY = {"kind": "every", "everyMs": 600_000}
SPANS = {  # both months hold a change of the clock in Berlin, New York and on Lord Howe Island
    "spring": datetime(2026, 3, 6, 23, 17, tzinfo=UTC), "autumn": datetime(2026, 10, 2, 22, 41, tzinfo=UTC),
}  # fmt: skip
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@pytest.mark.parametrize("span", SPANS)
def test_a_month_minute_by_minute_with_kills_and_sleep(tmp_path: Path, span: str) -> None:
    luck = random.Random(span)
    start = SPANS[span].timestamp()
    world = World(start, luck)
    office = Office(tmp_path, world)
    made = [
        office.add(f"{name}-{zone[-5:]}", schedule={"kind": "cron", "expr": expr, "tz": zone}, **more)
        for zone in ZONES
        for name, expr, more in (
            ("night", "30 2 * * *", {"catchUp": "all"}),
            ("morning", "0 7 * * 1-5", {"catchUp": "none"}),
            ("quarter", "*/15 1-3 * * *", {"overlap": "queue"}),
        )
    ]
    made.append(office.add("often", schedule=EVERY | {"staggerMs": 120_000}, overlap="kill"))
    once = {"kind": "at", "at": utc(start + 12 * 86400 + 7)}
    made.append(office.add("once", schedule=once))
    end, slept = start + 31 * 86400, 0.0
    while world.now < end:
        world.now += MINUTE + luck.random()
        if luck.random() < 0.0008:
            slept += (nap := luck.uniform(600, 9 * 3600))
            world.now += nap
        elif luck.random() < 0.0004:
            world.now -= luck.uniform(60, 7200)  # somebody sets the clock
        world.risk = 0.02 if luck.random() < 0.3 else 0.0
        office.tick()
    world.risk, ripe = 0.0, world.now
    pass_time(office, 4 * 3600)
    assert world.process > 50 and slept > 20 * 3600
    for job in made:
        timing = services.spec(job).timing
        assert timing
        until = from_utc(office.rows(job.id)[-1].due)
        expected = []
        for due in dues(timing, start):
            if due > until:
                break
            expected.append(utc(due))
        assert [run.due for run in office.rows(job.id)] == expected
        assert not expected or until > ripe - 3 * 86400 or job.name == "once"
        assert {run.state for run in office.rows(job.id) if from_utc(run.due) < ripe} <= {
            "done", "killed", "skipped", "missed",
        }, job.name  # fmt: skip
    started = Counter((job, due) for job, due, _ in world.begun)
    assert set(started.values()) == {1}
    ran = {(run.job_id, run.due) for run in office.rows() if run.session_id}
    assert set(started) == ran
    states = office.states()
    assert states["done"] > 3000 and states["missed"] > 20
    reported = [note for note in inbox.listed(office.fleet.store, True, 10**6) if "missed" in note.title]
    assert sum(int(note.text.split()[0]) for note in reported) == states["missed"]


def test_overlap_skip_queue_and_kill(office: Office) -> None:
    office.world.lasts = 1500
    for overlap in ("skip", "queue", "kill"):
        office.add(overlap, schedule=EVERY, overlap=overlap)
    pass_time(office, 3600)
    assert office.states("skip") == {"done": 1, "skipped": 4, "running": 1}
    assert office.states("queue") == {"done": 1, "running": 1, "due": 4} or office.states("queue")["done"] == 2
    assert office.states("kill") == {"killed": 5, "running": 1}
    assert "still at work" in office.rows("skip")[1].reason and "ended for the firing" in office.rows("kill")[0].reason
    pass_time(office, 3600)
    assert jobs.find(office.fleet.store, "kill").paused == ""


def test_a_failed_run_is_tried_again_later_and_later_then_the_job_is_paused(office: Office) -> None:
    job = office.add("broken", schedule={"kind": "every", "everyMs": 3_600_000})
    office.world.fails.add(job.id)
    pass_time(office, 3600 * 4)
    assert office.states() == {"failed": 3}
    assert [len(run.tried) for run in office.rows()] == [3, 3, 3]
    assert all("it broke" in run.reason for run in office.rows())
    paused = jobs.find(office.fleet.store, "broken")
    assert "3 firings in a row failed" in paused.paused and paused.next_at is None
    titles = [note.title for note in inbox.listed(office.fleet.store, True)]
    assert titles == ["broken failed"] * 3 + ["broken is paused"]
    office.world.fails.clear()
    services.enable(office.fleet, "broken", True)
    pass_time(office, 3700)
    assert office.states() == {"failed": 3, "done": 1}


def test_a_model_that_is_down_harms_nobody_else_and_the_next_firing_is_right(office: Office) -> None:
    office.add("one", schedule=EVERY)
    office.world.down = True
    pass_time(office, 660)
    assert office.rows("one")[0].state == "retry" and office.rows("one")[0].reason == "the model is down"
    office.world.down = False
    pass_time(office, 300)
    assert office.states("one") == {"done": 1}
    tries = [each["state"] for each in office.rows("one")[0].tried]
    assert tries[0] == "failed" and tries[-1] == "done"


def test_the_next_firing_takes_the_place_of_a_try(office: Office) -> None:
    job = office.add("one", schedule={"kind": "every", "everyMs": 120_000})
    office.world.fails.add(job.id)
    office.rules = office.rules._replace(tries=50, pause_after=1000)
    office.keeper = office._new()
    pass_time(office, 1300)
    rows = office.rows("one")
    assert [run.state for run in rows[:-1]] == ["failed"] * (len(rows) - 1)
    assert any("not tried again" in run.reason for run in rows)
    assert len({run.due for run in rows}) == len(rows) >= 10


def test_active_hours(office: Office) -> None:
    office.add("day", schedule={"kind": "cron", "expr": "0 * * * *", "tz": "UTC"}, activeHours="08:00-22:00")
    office.add("night", schedule={"kind": "cron", "expr": "0 * * * *", "tz": "UTC"}, activeHours="22:00-08:00")
    pass_time(office, 86400)
    for name, count in (("day", 14), ("night", 10)):
        hours = [run.due[11:13] for run in office.rows(name) if run.state != "skipped"]
        assert len(hours) == count and all(("08" <= hour < "22") == (name == "day") for hour in hours)


def test_a_batch_is_one_run_with_separate_results(office: Office) -> None:
    for name in ("a", "b", "c"):
        office.add(name, schedule=EVERY, batch="x")
    office.add("d", schedule=EVERY, batch="x", type="research")
    pass_time(office, 601)
    assert len({session for job, _, session in office.world.begun if job in "abc"}) == 1
    assert len({session for _, _, session in office.world.begun}) == 2
    pass_time(office, 120)
    assert office.states() == {"done": 4}


def test_a_batch_whose_leader_is_removed_is_still_run(office: Office) -> None:
    first, second = (office.add(name, schedule=EVERY, batch="x") for name in "ab")
    office.world.fails.add(first.id)
    pass_time(office, 600 + 100)
    assert [run.state for run in office.rows()] == ["retry", "running"]
    services.remove(office.fleet, [first.id])
    pass_time(office, 300)
    assert office.states(second.id) == {"done": 1}


def test_deciding_nothing_writes_nothing(office: Office) -> None:
    office.add("one", schedule={"kind": "cron", "expr": "0 0 1 1 *"})
    before = office.fleet.store.total_changes
    pass_time(office, 600)
    assert office.fleet.store.total_changes == before


def test_a_job_that_is_due_once_is_over_then(office: Office) -> None:
    office.add("one", schedule={"kind": "at", "at": utc(office.world.now + 90)})
    pass_time(office, 600)
    assert office.states() == {"done": 1}
    job = jobs.find(office.fleet.store, "one")
    assert job.next_at is None
    timing = services.spec(job).timing
    assert timing and plan(timing, job.id, job.cursor, office.world.now + 1e6, "one", 60).firings == ()
