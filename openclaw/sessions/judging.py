"""What came of a sub-agent's work: who says so, and which model that counts for.

That a sub-agent has ended says nothing of its work. What counts is a person's verdict, a validator's, the exit status
of a command that checks the work (`spawn --check`), the result of a job's run, and the exit status of a program that
has nothing else to say. Recording an outcome again changes nothing: who was killed in between does it once more.
"""

from __future__ import annotations

from typing import Any

from openclaw.errors import OpenclawError
from openclaw.models import catalogue, rules
from openclaw.sessions.fleet import Fleet
from openclaw.store import checks, db, events, outcomes, turns
from openclaw.store.outcomes import Outcome
from openclaw.store.sessions import Session
from openclaw.tasks import templates


def judge(fleet: Fleet, session: Session, good: bool, source: str = "person") -> Outcome:
    """Record how a session's work was."""
    outcome = judged(fleet, session, good, source)
    with db.transaction(fleet.store):
        outcomes.record(fleet.store, outcome, fleet.now())
    return outcome


def told(fleet: Fleet, session: Session) -> dict[str, Any]:
    """What there is to say of a session's model and work, as data: how it was chosen, what followed it, the check, and
    the verdict that stands."""
    chosen = outcomes.route_of(fleet.store, session.id)
    known, check = outcomes.of(fleet.store, session.id), next(iter(checks.of(fleet.store, [session.id])), None)
    return {
        "routed": chosen and {key: getattr(chosen, key) for key in ("kind", "risk", "model", "probability", "why")},
        "hops": events.hops(fleet.store, session.id),
        "check": check and check.as_json(),
        "verdict": known and {"good": known.good, "by": known.source, "type": known.kind, "model": known.model},
    }


def judged(fleet: Fleet, session: Session, good: bool, source: str) -> Outcome:
    """The outcome of a session's work. It counts for the model that did it: the last one that answered, where others
    had failed before; else the one that was chosen, or that was named."""
    chosen = outcomes.route_of(fleet.store, session.id)
    known = catalogue.load(fleet.settings)
    answered = turns.last_model(fleet.store, session.id) if session.reporter == "local" else ""
    model = known.find(answered) or (known.find(chosen.model) if chosen else None) or known.find(session.model or "")
    name = model.name if model else answered or (chosen.model if chosen else session.model or "")
    if chosen:
        return Outcome(chosen.kind, chosen.agent, name, good, source, session.id, session.id)
    type = "" if session.type == templates.DEFAULT else session.type
    kind = rules.judge(rules.load(fleet.settings), session.task, type).kind.name
    return Outcome(kind, session.agent, name, good, source, session.id, session.id)


def of_run(fleet: Fleet, session: Session, good: bool) -> None:
    """A job's run has given its result, or failed. One that was lost, or that somebody has ended, says nothing."""
    if session.model and session.status in ("done", "idle", "failed", "timeout"):
        try:
            judge(fleet, session, good, "run")
        except OpenclawError:
            return  # rules or prices that can't be read: the run itself has its end


def of_exit(fleet: Fleet, session: Session, status: str) -> Outcome | None:
    """What the exit status says: only of a program that doesn't report, and only where a model was at work."""
    if session.model and not session.reporter and status in ("done", "failed"):
        return judged(fleet, session, status == "done", "exit")
    return None
