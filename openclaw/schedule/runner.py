"""The runner: each run of a job is a fresh sub-agent on the shared socket, with its claims, limits and record."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from openclaw.agents import registry
from openclaw.agents.registry import Agent
from openclaw.errors import BadInput, Unavailable
from openclaw.schedule import announce, heartbeat
from openclaw.schedule.document import Spec
from openclaw.schedule.work import Begun, Outcome
from openclaw.sessions import end, output, spawn
from openclaw.sessions.fleet import Fleet, new_id
from openclaw.sessions.status import read_usage, settle
from openclaw.settings import Settings
from openclaw.store import db, sends, sessions
from openclaw.store.jobs import Job
from openclaw.store.runs import Run
from openclaw.store.sessions import Session
from openclaw.tasks.request import Request
from openclaw.whole import put

LOST = "it was lost before"  # the reason of a lost one that was given up
ALIASES = ("haiku", "sonnet", "opus")  # families of models, which Claude Code knows by these names


class SessionRunner:
    """Runs jobs as sessions of one fleet. Each job has its own workspace and cwd."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def new_id(self) -> str:
        return new_id()

    def needless(self, job: Job, spec: Spec) -> str:
        return heartbeat.needless(job.cwd) if heartbeat.is_beat(spec) else ""

    def begin(self, job: Job, spec: Spec, run: Run, parts: Sequence[tuple[Job, Spec, Run]]) -> Begun:
        """Start the session of a run, with the work of `parts` in the same prompt."""
        fleet = self._fleet(job)
        request = wanted(fleet, job, spec, run)
        saved, injected = 0, "[]"
        if heartbeat.is_beat(spec):
            text, file = heartbeat.task(fleet, job.cwd, spec.message)
            request = request._replace(task=text, only=())
            injected = json.dumps([{"path": file.path, "tokens": file.tokens, "sha256": file.sha256}])
        if parts:
            alone = [request, *(wanted(fleet, theirs, each, run) for theirs, each, _ in parts)]
            request = together(alone, [run.job, *(part.job for _, _, part in parts)])
            counted = [planned.task.tokens for planned in spawn.plan(fleet, [request, *alone])]
            saved = max(0, sum(counted[1:]) - counted[0])
        [started] = spawn.spawn(fleet, [request], ids=[run.session_id])
        return Begun(started.model or "", saved, injected)

    def known(self, id: str) -> bool:
        """After a look: a start that was cut off is completed or undone by then."""
        settle(self.fleet)
        return bool(sessions.by_ids(self.fleet.store, [id]))

    def outcomes(self, running: Sequence[Run]) -> Mapping[int, Outcome]:
        """One look for all of them. One that is idle has done its turn; one that waits for a person has time until its
        limit."""
        settle(self.fleet)
        ids = [run.session_id for run in running]
        found = {session.id: session for session in sessions.by_ids(self.fleet.store, ids)}
        idle = [session for session in found.values() if session.live and session.status == "idle"]
        if read_usage(self.fleet, idle):  # it has become idle since we looked: its last call is not counted yet
            found |= {session.id: session for session in sessions.by_ids(self.fleet.store, ids)}
        busy = set(sends.addressees(self.fleet.store))
        done: dict[int, Outcome] = {}
        for run in running:
            session = found.get(run.session_id)
            if session is None:
                done[run.number] = Outcome("failed", "its session is not known any more")
            elif not session.live or (session.status == "idle" and session.id not in busy):
                done[run.number] = self._outcome(session)
        return done

    def stop(self, run: Run) -> None:
        end.kill(self.fleet, sessions.by_ids(self.fleet.store, [run.session_id]))

    def sweep(self, ended: Sequence[str]) -> None:
        """End what still lives of the sessions of runs that have ended."""
        if live := [s for s in sessions.by_ids(self.fleet.store, ended) if s.live]:
            end.kill(self.fleet, live, "done")

    def keep(self, run: Run, result: str) -> str:
        """`<state>/runs/<job>/<due>/`: run.json, result.md and a link to the session, each whole or not at all."""
        folder = run_folder(self.fleet.state_dir, run)
        try:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            put(os.path.join(folder, "result.md"), result.encode("utf-8", "backslashreplace"))
            record = json.dumps(run.as_json(), indent=2, ensure_ascii=False) + "\n"
            put(os.path.join(folder, "run.json"), record.encode("utf-8", "backslashreplace"))
            link = os.path.join(folder, f"session-{run.session_id}")
            if run.session_id and not os.path.lexists(link):
                os.symlink(self.fleet.folder(run.session_id), link)
        except OSError as error:
            return f"{error.filename or folder}: {error.strerror}"
        return ""

    def _fleet(self, job: Job) -> Fleet:
        return Fleet(Settings(self.fleet.settings.environ, job.cwd, job.workspace), self.fleet.clock)

    def _outcome(self, session: Session) -> Outcome:
        if session.status == "lost":
            with db.transaction(self.fleet.store):
                sessions.give_up(self.fleet.store, [session.id], self.fleet.now())  # its work is begun anew
            session = sessions.by_ids(self.fleet.store, [session.id])[0]
        good = session.status == "done" or (session.status == "idle" and not session.last_error)
        again = session.status != "killed" or session.reason == LOST  # a person who ends it means it
        said = output.result(self.fleet, session).output
        if session.model:
            from openclaw.sessions import judging  # YAML, and only where a model was at work

            judging.of_run(self.fleet, session, good and bool(said.strip()))
        ended = "out of time" if session.status == "timeout" else f"its session was {session.status}"
        why = session.last_error or session.reason or ended
        return Outcome(
            state="done" if good else "failed",
            reason="" if good else why,
            result=said,
            exit_code=session.exit_code,
            injected=session.injected,
            injected_tokens=session.injected_tokens,
            tokens_used=session.tokens_used,
            cost_usd=session.cost_usd,
            again=again,
            ended_at=session.ended_at or session.reported_at,
        )


def wanted(fleet: Fleet, job: Job, spec: Spec, run: Run) -> Request:
    """The request that a run makes. Unavailable, BadInput: no program for it."""
    agents = registry.load(fleet.settings)
    agent, model = program(agents, spec.agent, run.model)
    own = registry.get(agents, agent or fleet.settings.get("agent")).type  # a command line reads no prompt
    if own and not agent:
        from openclaw.sessions import routed  # YAML, and only where a job names neither

        if not routed.programs(fleet):
            raise BadInput("it names neither a model nor a program", "--model M, or --agent shell for a command line")
        agent, own = routed.program_for(fleet, spec.message, spec.type or "cron"), ""
    return Request(
        task=spec.message,
        agent=agent,
        model=model or None,
        type=spec.type or own or "cron",
        write=spec.write,
        timeout=spec.timeout,
        budget_tokens=spec.budget_tokens,
        max_inject_tokens=spec.max_inject_tokens,
        cwd=job.cwd,
        name=f"{job.id[:50]}-{run.session_id}",
        only=spec.inject,
    )


def program(agents: Mapping[str, Agent], agent: str | None, model: str) -> tuple[str | None, str]:
    """Which program runs a model, and what it calls it. `claude/claude-haiku`: that of this name, with its own alias; a
    provider that is no program is served by the local agent."""
    provider, slash, rest = model.partition("/")
    if agent is None and slash:
        if provider not in agents and "local" not in agents:
            raise Unavailable(f"no program here runs {model[:80]}", "name one with --agent")
        agent = provider if provider in agents else "local"
        model = rest if provider in agents else model
    family = model.removeprefix("claude-")
    return agent, family if agent == "claude" and family in ALIASES else model


def together(alone: Sequence[Request], names: Sequence[str]) -> Request:
    """One request for several jobs: their files once, their texts in order, each result after its own line."""
    files = None
    if all(request.only is not None for request in alone):
        files = tuple(dict.fromkeys(file for request in alone for file in request.only or ()))
    parts = [f"{announce.PART.format(name=name)}\n{request.task}" for name, request in zip(names, alone, strict=True)]
    order = f"Do these {len(alone)} jobs one after the other. Before each result repeat its line with === exactly."
    return alone[0]._replace(task="\n\n".join([order, *parts]), only=files)


def run_folder(state_dir: str, run: Run) -> str:
    """Where everything about a run lies."""
    return os.path.join(state_dir, "runs", run.job_id, run.due.replace(":", "-"))
