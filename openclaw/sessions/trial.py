"""A trial: a share of routine tasks is done twice, by the model that does such work (B) and aside by the one that is
tried (A), until the pairs say whether A may take over.

B's work is the one that counts. A's is done by a sub-agent of its own, its shadow: in a worktree of its own where
anything may be written, with nothing delivered and nothing merged. A task of high risk is never taken, nor one for
which somebody has named a model. What can't be isolated, paid or started is left out, and why is written down; the work
that counts never fails for it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from openclaw import processes
from openclaw.agents import launch, registry
from openclaw.agents.registry import Agent
from openclaw.errors import BadInput, Interrupted, OpenclawError, Unavailable
from openclaw.models import catalogue, rules
from openclaw.models.catalogue import Model
from openclaw.sessions import end, judging, routed, worktree
from openclaw.sessions.fleet import Fleet, new_id
from openclaw.store import checks, db, sessions, trials
from openclaw.store.sessions import Session
from openclaw.store.trials import Pair, Trial
from openclaw.tasks.prepare import Task
from openclaw.tasks.request import Request

STOPPED = ("idle", "done", "failed", "timeout")  # it has done what it could
SHOWN = 200  # characters of a task that are kept with its pair


class Draw(NamedTuple):
    """A task that the trial could take; `pair` where chance has taken it, and then `told` is what B is called there."""

    trial: int
    pair: Pair | None = None
    told: str = ""


def draw(fleet: Fleet, task: Task, agent: Agent, id: str, before: int) -> Draw | None:
    """Whether the running trial takes a task for which nobody has named a model. `before`: tasks of the same call that
    it could have taken. None: it is not for it."""
    trial = trials.running(fleet.store)
    if trial is None or routed.named(fleet, agent):
        return None
    try:
        known = rules.load(fleet.settings)
        told = catalogue.load(fleet.settings).get(trial.b).agents.get(agent.name)
    except OpenclawError:
        return None  # a file that can't be read, or B is in none any more: `trial status` says so, the task goes on
    judged = rules.judge(known, task.text, "" if task.type == routed.UNTYPED else task.type)
    if judged.risk == "high" or told is None or (trial.kinds and judged.kind.name not in trial.kinds):
        return None
    chance = random.Random(f"{trial.seed} {trial.seen + before}")
    if chance.random() >= trial.sample or _used_up(fleet, trial):
        return Draw(trial.number)
    pair = Pair(
        id, new_id(), trial.number, fleet.now(), judged.kind.name, judged.risk,
        " ".join(task.text.split())[:SHOWN], "wanted", holder=processes.identity(os.getpid()),
    )  # fmt: skip
    return Draw(trial.number, pair, told)


def given(
    fleet: Fleet, drawn: Draw | None, task: Task, agent: Agent, environ: dict[str, str]
) -> tuple[Task, dict[str, str]]:
    """The task with B as its model, where it was taken, and what follows if B fails: then the pair says nothing."""
    if drawn is None or drawn.pair is None:
        return task, environ
    if agent.name == "local" and not environ.get(routed.FALLBACKS):
        type = "" if task.type == routed.UNTYPED else task.type
        choice = routed.decided(fleet, task.text, type, agent.name, task.tokens)
        names = [step.told for step in choice.chain if step.told != drawn.told]
        environ = environ | {routed.FALLBACKS: ",".join(names[:3])}
    return task._replace(model=drawn.told), environ


def record(fleet: Fleet, drawn: Draw) -> None:
    """Write it down; the caller holds the transaction that reserves the task's own sub-agent."""
    trials.saw(fleet.store, drawn.trial)
    if drawn.pair:
        trials.add(fleet.store, drawn.pair)


class Start(Protocol):
    """`spawn.spawn`, which calls us."""

    def __call__(self, fleet: Fleet, requests: Sequence[Request], *, ids: Sequence[str]) -> object: ...


def shadow(fleet: Fleet, pair: Pair, request: Request, task: Task, start: Start) -> None:
    """Have A do the same, aside. Whatever keeps it from that is written down, and harms nobody."""
    try:
        trial = trials.newest(fleet.store)
        assert trial
        start(fleet, [_aside(fleet, trial, pair, request, task)], ids=[pair.shadow_id])
    except Interrupted:
        raise
    except (OpenclawError, OSError) as error:
        _over(fleet, pair, "skipped", error.message if isinstance(error, OpenclawError) else str(error))
        return
    with db.transaction(fleet.store):
        trials.update(fleet.store, pair.session_id, state="running", holder="")


def collect(fleet: Fleet) -> None:
    """Record what has become of pairs: end shadows that have stopped, take down outcomes and costs."""
    for pair in trials.unfinished(fleet.store):
        found = {s.id: s for s in sessions.by_ids(fleet.store, [pair.session_id, pair.shadow_id])}
        ours, other = found.get(pair.shadow_id), found.get(pair.session_id)
        if pair.state == "wanted":
            if processes.alive(pair.holder):
                continue
            if ours is None:  # who was to start it died before it could
                _over(fleet, pair, "skipped", "its start was cut off")
                continue
        if ours is None or other is None:
            _over(fleet, pair, "skipped", "its session is not known any more")
            continue
        if why := next((why for s, who in ((ours, "A"), (other, "B")) if (why := _unfair(fleet, s, who))), ""):
            _end(fleet, ours)
            _over(fleet, pair, "skipped", why)
        elif _stopped(fleet, ours) and _stopped(fleet, other):
            _judge(fleet, ours, other)
            _end(fleet, ours)
            known = costs(fleet, [pair])
            _over(fleet, pair, "ended", "", a_usd=known[ours.id], b_usd=known[other.id])


def costs(fleet: Fleet, pairs: Sequence[Pair]) -> dict[str, float | None]:
    """What the sessions of pairs have cost by now, in dollars; where they are forgotten, at their end. None: nobody
    knows a price."""
    found: dict[str, float | None] = {pair.shadow_id: pair.a_usd for pair in pairs}
    found |= {pair.session_id: pair.b_usd for pair in pairs}
    for session in sessions.by_ids(fleet.store, list(found)):
        found[session.id] = None if trials.unpriced(fleet.store, session.id) else session.cost_usd
    return found


def abandon(fleet: Fleet) -> None:
    """End all shadows that are at work: what they find is not wanted any more."""
    for pair in trials.unfinished(fleet.store):
        for session in sessions.by_ids(fleet.store, [pair.shadow_id]):
            _end(fleet, session)
        _over(fleet, pair, "skipped", "the trial was forgotten")


def _aside(fleet: Fleet, trial: Trial, pair: Pair, request: Request, task: Task) -> Request:
    """What A's sub-agent is asked. Unavailable or BadInput: why it can't be done aside."""
    model, agents = catalogue.load(fleet.settings).get(trial.a), registry.load(fleet.settings)
    agent, told = _program(model, agents, task.agent, fleet)
    if registry.get(agents, agent).reports == "none" and not request.sandbox:
        raise BadInput(f"{agent} can't be kept to a scope", "use a program that reports, or --sandbox")
    tree = request.worktree
    if tree is not None or task.scope.write or task.open:
        if not task.worktree and (count := worktree.unseen(fleet, request.cwd)):
            raise BadInput(f"{count} changed files are not committed: a worktree of its own would be without them")
        tree = ""
    return request._replace(agent=agent, model=told, name=f"trial-{pair.shadow_id}", worktree=tree)


def _program(model: Model, agents: Mapping[str, Agent], same: str, fleet: Fleet) -> tuple[str, str]:
    """The program that asks this model, the same as B's if that can, and what it calls it."""
    for name in (same, *model.agents):
        if name in model.agents and name in agents:
            try:
                launch.check_installed(agents[name], fleet.settings.environ)
            except Unavailable:
                continue
            return name, model.agents[name]
    raise Unavailable(f"no program here asks {model.name}", "`openclaw models check` says what can be used")


def _unfair(fleet: Fleet, session: Session, who: str) -> str:
    """Why a session says nothing of its model."""
    if session.status in ("killed", "lost", "halted"):
        return f"{who} was {session.status}"
    if session.reporter == "local" and trials.models_of(fleet.store, session.id) > 1:
        return f"{who} went on with another model"
    if who == "A" and session.status == "waiting":
        return "A asked for something, and nobody answers it"
    return ""


def _stopped(fleet: Fleet, session: Session) -> bool:
    return session.status in STOPPED and not any(c.ended_at is None for c in checks.of(fleet.store, [session.id]))


def _judge(fleet: Fleet, ours: Session, other: Session) -> None:
    """What the ends alone say: a turn that failed has failed; a job's run is judged as runs are, A's as B's."""
    from openclaw.sessions import output  # only when a pair is over

    run = trials.job_of(fleet.store, other.id)
    for session in (ours, other):
        failed = bool(session.last_error) or session.status in ("failed", "timeout")
        if failed:
            judging.judge(fleet, session, False, "run")
        elif run:
            judging.judge(fleet, session, bool(output.result(fleet, session).output.strip()), "run")


def _end(fleet: Fleet, session: Session) -> None:
    if session.live:
        end.kill(fleet, [session], "done")


def _over(fleet: Fleet, pair: Pair, state: str, why: str, **more: object) -> None:
    with db.transaction(fleet.store):
        trials.update(fleet.store, pair.session_id, state=state, why=why, holder="", **more)


def _used_up(fleet: Fleet, trial: Trial) -> bool:
    """Whether the shadows have cost what they may."""
    if trial.budget_usd is None:
        return False
    pairs = trials.pairs(fleet.store, trial.number)
    known = costs(fleet, pairs)
    return sum(known[pair.shadow_id] or 0.0 for pair in pairs) >= trial.budget_usd
