"""The keeper: every firing of every job is run, skipped or reported as missed, once, whoever looks and however many.

All that was decided is in the store, in one transaction each. A run belongs to the process that begins it; when that
has died, the next look finds out whether its session lives, and else begins it again. What runs things is passed in.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime

from openclaw.errors import Interrupted, OpenclawError
from openclaw.schedule import announce
from openclaw.schedule.document import Spec
from openclaw.schedule.jobs import spec as spec_of
from openclaw.schedule.planner import plan
from openclaw.schedule.times import zone
from openclaw.schedule.work import Outcome, Rules, Runner
from openclaw.store import db, inbox, jobs, runs
from openclaw.store.jobs import Job
from openclaw.store.runs import Run
from openclaw.units import from_utc, utc
from openclaw.usage.quotas import AtLimit

BACKOFF = (30.0, 60.0, 300.0, 900.0, 3600.0)  # seconds before the next try
RESULT_CHARS = 20_000  # of a result, in its row; the whole is in its folder


class Keeper:
    """`me` is the identity of this process, `alive` says whether another's still runs; `clock` gives epoch seconds."""

    def __init__(
        self,
        store: sqlite3.Connection,
        runner: Runner,
        rules: Rules,
        clock: Callable[[], float],
        me: str,
        alive: Callable[[str], bool],
    ) -> None:
        self.store, self.runner, self.rules, self.clock, self.me, self.alive = store, runner, rules, clock, me, alive
        self.problems: list[str] = []

    def tick(self) -> list[Run]:
        """Do all that is due, once. Returns the runs that this look changed, as they are now.

        A run that can't be begun or ended is in `problems`, and keeps nobody else from theirs.
        """
        changed = [*self.collect(), *self.plan(), *self.begin()]
        return [run for number in dict.fromkeys(changed) if (run := runs.get(self.store, number))]

    # --- what is owed

    def plan(self) -> list[int]:
        """Write down all firings that are due by now; the numbers of those that are new."""
        found: list[int] = []
        for id in jobs.to_look_at(self.store, self.clock()):
            while True:
                with db.transaction(self.store):
                    new, more = self._plan(id)
                found += new
                if not more:
                    break
        return found

    def _plan(self, id: str) -> tuple[list[int], bool]:
        job, now = jobs.get(self.store, id), self.clock()
        if job is None:
            return [], False
        try:
            spec = spec_of(job)
        except OpenclawError as error:  # a time zone that is gone, say
            self._pause(job, error.message)
            return [], False
        if spec.never:  # it was planned, so it could be run before
            self._pause(job, spec.never)
            return [], False
        if spec.timing is None or not spec.enabled or job.paused:
            jobs.update(self.store, id, utc(now), next_at=None)
            return [], False
        done = plan(spec.timing, id, job.cursor, now, spec.catch_up, self.rules.grace)
        new, missed = [], []
        for due, state, reason in done.firings:
            if state == "due" and not _active(spec, due):
                state, reason = "skipped", "outside its active hours"
            if number := runs.add(self.store, id, job.name, utc(due), state, reason, utc(now)):
                new.append(number)
                missed += [due] if state == "missed" else []
                if state == "due":
                    self._give_up_retries(id, number)
        if missed:
            announce.missed(self.store, job, missed, now)
        jobs.update(self.store, id, utc(now), cursor=done.cursor, next_at=done.next_at)
        return new, done.next_at is not None and done.next_at <= now

    def _give_up_retries(self, id: str, newer: int) -> None:
        for run in runs.unfinished(self.store, id):
            if run.state == "retry" and run.number != newer:
                failed = any(tried["state"] == "failed" for tried in run.tried)  # else it was only put off
                why = run.reason + "; not tried again, for the next firing was due"
                self._close(run, "failed" if failed else "skipped", why)

    # --- beginning

    def begin(self) -> list[int]:
        """Begin what is due and may be begun; the numbers of the runs that were changed."""
        return [run.number for run in runs.unfinished(self.store) if self.ready(run) and self.begin_one(run.number)]

    def ready(self, run: Run) -> bool:
        """Whether it is to be begun, by what is known of it."""
        if run.leader is not None:
            return False
        if run.state == "starting":
            return run.holder == self.me or not self.alive(run.holder)  # ours: an error has come between
        return run.state == "due" or (run.state == "retry" and run.not_before <= self.clock())

    def begin_one(self, number: int) -> bool:
        """Begin one run, unless another has or its job says no; whether it was changed."""
        run = runs.get(self.store, number)
        if run is None or run.ended_at or not self.ready(run):
            return False
        known, seen = run.state == "starting" and self.runner.known(run.session_id), run
        with db.transaction(self.store):
            run = runs.get(self.store, number)
            if run is None or (run.state, run.holder, run.session_id) != (seen.state, seen.holder, seen.session_id):
                return False
            if known:  # its beginner died after it had begun
                return runs.claim(self.store, run, "", state="running")
            job = jobs.get(self.store, run.job_id)
            spec = self._spec(job, run)
            if job is None or spec is None:
                return True
            if why := self.runner.needless(job, spec):
                return self._skip(run, why)
            ahead = [r for r in runs.unfinished(self.store, job.id) if r.state in runs.AT_WORK and r.number != number]
            if ahead and spec.overlap != "kill":
                if spec.overlap == "queue" or spec.catch_up == "all":
                    return False
                return self._skip(run, f"the run of {ahead[0].due} was still at work")
            if ahead and spec.main:
                return False  # what was sent can't be taken back
            if spec.main:
                return self._tell_main(job, spec, run)
            id = self.runner.new_id()
            model = spec.models[min(len(run.tried), len(spec.models) - 1)] if spec.models else ""
            runs.claim(self.store, run, self.me, state="starting", session_id=id, model=model, injected="[]",
                       started_at=run.started_at or utc(self.clock()))  # fmt: skip
            parts = self._parts(job, spec, run)
        for each in ahead:
            self._end_for(each, run)
        return self._start(job, spec, run._replace(session_id=id, model=model, state="starting", holder=self.me), parts)

    def _spec(self, job: Job | None, run: Run) -> Spec | None:
        """What its job asks for; None when it is not to be run, which is then written down."""
        if job is None:
            self._skip(run, "the job was removed")
            return None
        try:
            spec = spec_of(job)
        except OpenclawError as error:
            self._close(run, "failed", error.message)
            return None
        if spec.never or (not run.by_hand and (job.paused or not spec.enabled)):
            self._skip(run, spec.never or ("the job was paused" if job.paused else "the job was switched off"))
            return None
        return spec

    def _start(self, job: Job, spec: Spec, run: Run, parts: Sequence[tuple[Job, Spec, Run]]) -> bool:
        try:
            begun = self.runner.begin(job, spec, run, parts)
        except Interrupted:
            raise  # the next look finds out what came of it
        except OpenclawError as error:
            if error.code == "budget":  # a brake, and no fault of the job
                with db.transaction(self.store):
                    return self._skip(run, error.message)
            if isinstance(error, AtLimit) and not run.by_hand:
                return self._put_off(spec, run, error)
            lasting = error.exit_status in (2, 3, 4) and error.code != "no_room"  # the same again would fail again
            self._end(run, Outcome("failed", error.message, again=not lasting))
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            self._end(run, Outcome("failed", f"{where}{error.strerror}"))
        else:
            with db.transaction(self.store):
                runs.update(self.store, run.number, state="running", holder="", model=begun.model,
                            saved_tokens=begun.saved_tokens, injected=begun.injected)  # fmt: skip
        return True

    def _put_off(self, spec: Spec, run: Run, limit: AtLimit) -> bool:
        """At a limit of a subscription: the job's next model takes over at once, or the run waits for the reset."""
        attempts, not_before = run.tried, limit.until
        if len(spec.models) > len(attempts) + 1:
            attempts.append({"session": "", "model": run.model, "state": "paused", "reason": limit.message,
                             "at": utc(self.clock())})  # fmt: skip
            not_before = self.clock()
        with db.transaction(self.store):
            runs.update(self.store, run.number, state="retry", holder="", session_id="", reason=limit.message,
                        attempts=json.dumps(attempts), not_before=not_before)  # fmt: skip
        if not_before < limit.until:
            self.begin_one(run.number)
        return True

    def _tell_main(self, job: Job, spec: Spec, run: Run) -> bool:
        """Have it sent into the main session; the run ends when that is decided. The caller holds the transaction."""
        now = utc(self.clock())
        inbox.errand(self.store, run.number, "main", "", spec.message, job.workspace, now)
        return runs.claim(self.store, run, "", state="running", started_at=now)

    def _parts(self, job: Job, spec: Spec, run: Run) -> list[tuple[Job, Spec, Run]]:
        """The others of its batch that are due and would start alike; they are taken along. The caller holds the
        transaction."""
        if not spec.batch or run.by_hand:
            return []
        found = [(theirs, spec_of(theirs), other) for other in runs.led_by(self.store, run.number)
                 if not other.ended_at and (theirs := jobs.get(self.store, other.job_id))]  # fmt: skip
        for other in runs.unfinished(self.store):
            theirs = jobs.get(self.store, other.job_id)
            if other.state != "due" or other.by_hand or other.leader or theirs is None or theirs.id == job.id:
                continue
            wanted = spec_of(theirs)
            alike = ("batch", "models", "agent", "type", "write", "main", "budget_tokens", "timeout")
            if wanted.enabled and all(getattr(spec, key) == getattr(wanted, key) for key in alike) \
                    and (theirs.cwd, theirs.workspace) == (job.cwd, job.workspace):  # fmt: skip
                runs.update(self.store, other.number, state="running", leader=run.number, started_at=utc(self.clock()))
                found.append((theirs, wanted, other))
        return found

    def _end_for(self, run: Run, newer: Run) -> None:
        """Overlap `kill`: the older makes room."""
        self.runner.stop(run)
        with db.transaction(self.store):
            self._close(run, "killed", f"ended for the firing of {newer.due}")

    # --- ending

    def collect(self) -> list[int]:
        """Record what has ended, and have it told; the numbers of those runs."""
        running = [run for run in runs.unfinished(self.store) if run.state == "running" and run.leader is None]
        ended = {run.number: told for run in running if not run.session_id and (told := self._told(run))}
        if working := [run for run in running if run.session_id]:
            ended |= self.runner.outcomes(working)
        for run in running:
            if run.number in ended:
                self._end(run, ended[run.number])
        return list(ended)

    def _told(self, run: Run) -> Outcome | None:
        """What became of a message to the main session."""
        for errand in inbox.errands_of(self.store, run.number):
            if errand.way == "main" and errand.state != "waiting":
                done = errand.state == "delivered"
                return Outcome("done" if done else "failed", errand.why, again=False)
            if errand.way == "main" and errand.why != run.reason:
                with db.transaction(self.store):  # for whoever asks what it waits for
                    runs.update(self.store, run.number, reason=errand.why)
        return None

    def _end(self, run: Run, outcome: Outcome) -> None:
        at = outcome.ended_at or utc(self.clock())
        known = {"session": run.session_id, "model": run.model, "state": outcome.state, "reason": outcome.reason,
                 "at": at}  # fmt: skip
        used = {
            "attempts": json.dumps([*run.tried, known]),
            "exit_code": outcome.exit_code,
            "injected": json.dumps(json.loads(run.injected) + json.loads(outcome.injected)),
            "injected_tokens": outcome.injected_tokens,
            "tokens_used": run.tokens_used + outcome.tokens_used,
            "cost_usd": run.cost_usd + outcome.cost_usd,
        }
        whole = run._replace(**used)  # type: ignore[arg-type]
        results = announce.split(outcome.result, [whole, *runs.led_by(self.store, run.number)])
        for each, text in results:
            ended = each._replace(reason=outcome.reason, state=outcome.state, ended_at=at)
            if problem := self.runner.keep(ended, text):
                self.problems.append(problem)
        with db.transaction(self.store):
            fresh = runs.get(self.store, run.number)
            if fresh is None or fresh.ended_at or (fresh.session_id, fresh.state) != (run.session_id, run.state):
                return  # another has recorded it
            runs.update(self.store, run.number, **used)
            if outcome.state == "failed" and self._again(fresh, outcome):
                return
            for each, text in reversed(results):  # the leader of a batch last
                self._close(each, outcome.state, outcome.reason, text, at)

    def _again(self, run: Run, outcome: Outcome) -> bool:
        """Whether it is tried once more, which is then written down."""
        tries = len(run.tried) + 1
        newer = any(r.due > run.due for r in runs.unfinished(self.store, run.job_id) if not r.by_hand)
        if not outcome.again or run.by_hand or tries >= self.rules.tries or newer:
            return False
        job = jobs.get(self.store, run.job_id)
        if job is None or job.paused:
            return False
        wait = BACKOFF[min(tries, len(BACKOFF)) - 1]
        return runs.update(self.store, run.number, state="retry", holder="", reason=outcome.reason,
                           not_before=self.clock() + wait)  # fmt: skip

    def _close(self, run: Run, state: str, reason: str, result: str = "", at: str = "") -> None:
        """The end of a run, with what follows from it. The caller holds the transaction."""
        closed = runs.finish(self.store, run.number, state, reason, at or utc(self.clock()), result[:RESULT_CHARS])
        job = jobs.get(self.store, run.job_id)
        if not closed or job is None:
            return
        fresh = runs.get(self.store, run.number) or run
        if state == "done":
            jobs.update(self.store, job.id, utc(self.clock()), failures=0)
            announce.result(self.store, job, spec_of(job), fresh, result, self.rules.turn, self.clock())
            if spec_of(job).delete_after and not run.by_hand:
                jobs.delete(self.store, job.id)
        elif state == "failed":
            failures = job.failures + (0 if run.by_hand else 1)
            jobs.update(self.store, job.id, utc(self.clock()), failures=failures)
            announce.failure(self.store, job, fresh, self.rules.turn, self.clock())
            if failures >= self.rules.pause_after and not job.paused and not run.by_hand:
                self._pause(job, f"{failures} firings in a row failed, the last: {reason}", fresh)

    def _skip(self, run: Run, reason: str) -> bool:
        self._close(run, "skipped", reason)
        return True

    def _pause(self, job: Job, why: str, run: Run | None = None) -> None:
        jobs.update(self.store, job.id, utc(self.clock()), paused=why, next_at=None)
        announce.paused(self.store, job, why, run, self.clock())


def _active(spec: Spec, due: float) -> bool:
    if spec.active is None or spec.timing is None:
        return True
    at = datetime.fromtimestamp(due, zone(spec.timing.tz))
    first, last = spec.active
    minute = at.hour * 60 + at.minute
    return first <= minute < last if first < last else minute >= first or minute < last


def duration(run: Run) -> float | None:
    """How long a run took, in seconds."""
    return from_utc(run.ended_at) - from_utc(run.started_at) if run.started_at and run.ended_at else None
