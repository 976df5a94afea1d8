"""trial: a model is tried against another on real work, until the pairs say whether it may take over."""

from __future__ import annotations

import json as jsons
import sqlite3
from argparse import ArgumentParser
from collections.abc import Callable

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.errors import BadInput, NotFound, Refused
from openclaw.models import catalogue, comparing, rules
from openclaw.sessions import trial as running
from openclaw.sessions import trialled
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.sessions.trialled import Report
from openclaw.store import db, trials
from openclaw.store.trials import Trial
from openclaw.units import count_argument

TO_JUDGE = 5  # pairs that are named


def trial_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("action", choices=("start", "status", "report", "stop"))
    add("--model", metavar="A", help="the model that is tried")
    add("--against", metavar="B", help="the one that does such work, and goes on doing it")
    add("--sample", metavar="P", type=_share("--sample"), default=0.1, help="the share of tasks, 0.1 or 10%% (10%%)")
    add("--types", metavar="T,..", help="only tasks of these types; else all but those of high risk")
    add("--pairs", metavar="N", type=count_argument("--pairs"), default=20, help="judged pairs wanted of a type (20)")
    add("--margin", metavar="P", type=_share("--margin"), default=0.1, help="how much worse A may be (10%%)")
    add("--budget", metavar="USD", type=_dollars, help="what A's share of the work may cost in all")
    add("--seed", metavar="S", default="", help="take the same tasks each time")
    add("--reset", action="store_true", help="with start: forget all trials before; with stop: this one too")
    json_argument(parser)


def trial(
    action: str, model: str | None, against: str | None, sample: float, types: str | None, pairs: int, margin: float,
    budget: float | None, seed: str, reset: bool, json: bool,
) -> int:  # fmt: skip
    """`start --model A --against B`: of the routine tasks for which nobody names a model (spawn and cron; never of high
    risk) a share is done by both. B's work counts; A's is done aside, in a worktree of its own where anything may be
    written, and nothing of it is delivered or merged. `report`: who did well, by checks (`spawn --check`), results of
    jobs and people (`result ID --good`), at what cost, and for which types A may take over: where it is sure by 95 %
    that A fails at most --margin more often. What a task does outside of files, it does twice: name --types where that
    matters. Exit 3 when a trial runs already.
    """
    fleet = open_fleet()
    if action == "start":
        return _start(fleet, model, against, (sample, types, seed, margin, pairs, budget), reset, json)
    if model or against:
        raise BadInput(f"--model and --against belong to `trial start`, not to {action}")
    settle(fleet)
    running.collect(fleet)
    if action == "stop":
        return _stop(fleet, reset, json)
    found = trialled.report(fleet, _newest(fleet))
    if json:
        render.document(found.as_json())
    else:
        _head(found)
        if action == "report":
            _report(found)
    return 0


def _start(
    fleet: Fleet, a: str | None, b: str | None, given: tuple[float, str | None, str, float, int, float | None],
    reset: bool, json: bool,
) -> int:  # fmt: skip
    if not a or not b:
        raise BadInput("which model is to be tried against which?", "openclaw trial start --model A --against B")
    known = catalogue.load(fleet.settings)
    names = known.get(a).name, known.get(b).name
    if names[0] == names[1]:
        raise BadInput(f"{a[:60]} and {b[:60]} are the same model", "name two")
    sample, types, seed, margin, pairs, budget = given
    kinds = [kind.strip() for kind in (types or "").split(",") if kind.strip()]
    routing = rules.load(fleet.settings)
    for kind in kinds:
        if kind not in routing.kinds and kind != routing.default.name:
            raise NotFound(f"no type {kind[:40]!r}", f"types are {', '.join(routing.kinds)}", code="no_such_type")
        if kind in routing.kinds and routing.kinds[kind].risk == "high":
            raise Refused(f"{kind} is of high risk: nothing is tried on that", "leave it out", code="high_risk")
    if reset:
        running.abandon(fleet)
    now = fleet.now()
    made = Trial(0, *names, sample, jsons.dumps(kinds), seed or now, margin, pairs, budget, 0, now, None)
    try:
        with db.transaction(fleet.store):
            if reset:
                trials.forget(fleet.store)
            trials.start(fleet.store, made)
    except sqlite3.IntegrityError:
        raise Refused("a trial runs already", "`openclaw trial status` shows it, `trial stop` ends it") from None
    found = trialled.report(fleet, _newest(fleet))
    if json:
        render.document(found.as_json())
    else:
        _head(found)
    return 0


def _stop(fleet: Fleet, reset: bool, json: bool) -> int:
    stopped = _newest(fleet)
    if reset:
        running.abandon(fleet)
    with db.transaction(fleet.store):
        trials.stop(fleet.store, fleet.now())
        if reset:
            trials.forget(fleet.store)
    if json:
        render.document({"stopped": stopped.number, "forgotten": reset})
    else:
        render.out("all trials are forgotten" if reset else "no more tasks are taken; what has begun is finished")
    return 0


def _newest(fleet: Fleet) -> Trial:
    if found := trials.newest(fleet.store):
        return found
    raise NotFound("there is no trial", "openclaw trial start --model A --against B", code="no_trial")


def _head(found: Report) -> None:
    trial = found.trial
    until = f", stopped {trial.stopped_at[:16].replace('T', ' ')}" if trial.stopped_at else ""
    render.out(
        f"A {render.paint(render.clean(trial.a), 'bold')} is tried against B {render.paint(trial.b, 'bold')}"
        f" since {trial.started_at[:16].replace('T', ' ')}{until}"
    )
    which = ", ".join(trial.kinds) or "all routine tasks"
    limit = f", for at most ${trial.budget_usd:.2f}" if trial.budget_usd is not None else ""
    render.out(f"on {trial.sample:.0%} of {which}{limit}; {trial.seen} tasks were looked at")
    done = sum(line.pairs for line in found.lines)
    render.out(
        f"{done} pairs are done, {len(found.unjudged)} of them not judged; {found.working} at work,"
        f" {sum(found.skipped.values())} left out"
    )


def _report(found: Report) -> None:
    if found.lines:
        render.out()
        headers = ("TYPE", "JUDGED", "A GOOD", "B GOOD", "SURE", "A", "B", "MAY A TAKE OVER?")
        rows = [
            (
                line.kind, f"{line.tally.n} of {line.pairs}", str(line.tally.good_a), str(line.tally.good_b),
                f"{line.finding.chance:.0%}" if line.tally.n else "–", f"${line.a_usd:.2f}", f"${line.b_usd:.2f}",
                line.finding.said,
            )
            for line in found.lines
        ]  # fmt: skip
        render.table(headers, rows, right=headers[1:-1])
        margin = f"{found.trial.margin:.0%}"
        told = f"SURE: how likely it is that A fails at most {margin} more often than B; wanted: {comparing.SURE:.0%}"
        render.out(render.paint(told, "dim"))
    for line in found.lines:
        if line.finding.word == "yes":
            render.out(f"\n{line.kind} goes to A with this in your routing.yaml:\n  {line.entry}")
    if found.unjudged:
        render.out("\nnot judged yet: say how they are with `openclaw result ID --good` or `--bad`")
        for pair in found.unjudged[:TO_JUDGE]:
            render.out(f"  A {pair.shadow_id}  B {pair.session_id}  {pair.kind}: {render.clean(pair.task[:60])}")
        if more := len(found.unjudged) - TO_JUDGE:
            render.out(f"  and {more} more" if more > 0 else "")
    for why, count in sorted(found.skipped.items(), key=lambda each: -each[1]):
        render.out(f"left out, {count} times: {render.clean(why)}")


def _share(option: str) -> Callable[[str], float]:
    """Reads 0.1 and 10% alike."""

    def read(text: str) -> float:
        try:
            value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            value = -1.0
        if not 0 < value <= 1:
            raise BadInput(f"{option} {text[:20]!r} is no share", "write it like 0.1 or 10%")
        return value

    return read


def _dollars(text: str) -> float:
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e9:
        raise BadInput(f"--budget {text[:20]!r} is no amount of dollars", "write it like 5 or 0.50")
    return value
