"""Everybody's context: each live sub-agent and the main agent, as the monitor and `openclaw context` see them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from openclaw.context import levels
from openclaw.context.levels import Fill, Thresholds
from openclaw.continuity import mains
from openclaw.errors import BadInput
from openclaw.sessions import gauge
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import crossings, sessions, turns
from openclaw.store.mains import Main
from openclaw.store.sessions import Session, percent
from openclaw.tasks.request import POLICIES
from openclaw.usage import ledger
from openclaw.usage import main as main_usage


class Gauge(NamedTuple):
    """One context. `who` is a session's id or a main agent's conversation; `policy` warn or compact; `can`: its
    program's own command that compacts, empty if it has none; `compacted`: since the last turn; `note` for people."""

    who: str
    name: str
    agent: str
    status: str
    fill: Fill
    level: str
    policy: str
    can: str = ""
    compacted: bool = False
    budget: int | None = None
    conversation_id: str = ""
    note: str = ""
    session: Session | None = None
    main: Main | None = None

    def as_json(self) -> dict[str, Any]:
        tokens, conversation, limit = self.fill
        context = {
            "tokens": tokens, "conversation": conversation, "limit": limit,
            "percent": percent(tokens, limit), "level": self.level,
        }  # fmt: skip
        return {
            "id": self.who,
            "kind": "session" if self.session else "main",
            "name": self.name,
            "agent": self.agent,
            "status": self.status,
            "context": context,
            "budget": {"tokens": self.budget, "percent": percent(conversation, self.budget)},
            "policy": self.policy,
            "note": self.note,
        }


def gauges(fleet: Fleet) -> tuple[list[Gauge], Thresholds]:
    """All of them, brought up to date first; the main agent comes first."""
    at = levels.thresholds(fleet.settings)
    check_policies(fleet)
    rows, _ = settle(fleet)
    if gauge.judge(fleet, rows):
        rows = sessions.live(fleet.store)
    main = mains.current(fleet)
    found = [_main(fleet, main, at)] if main and not main.ended_at else []
    notes = crossings.notes(fleet.store)
    found += _sessions(fleet, rows)
    return [each._replace(note=each.note or notes.get(each.who, "")) for each in found], at


def check_policies(fleet: Fleet) -> None:
    """BadInput for a policy that is none."""
    for key in ("context.policy", "context.main_policy"):
        if (word := fleet.settings.get(key)) not in POLICIES:
            raise BadInput(f"{key} is {word[:40]!r}", "it is warn or compact", "bad_config")


def _sessions(fleet: Fleet, rows: Sequence[Session]) -> list[Gauge]:
    agents = gauge.programs(fleet.settings)
    reporting = [s for s in rows if s.reporter]
    known: dict[str, list[turns.Transcript]] = {}
    for each in turns.transcripts(fleet.store, [s.id for s in reporting]) if reporting else ():
        known.setdefault(each.session_id, []).append(each)
    found = []
    for session in rows:
        agent = agents.get(session.agent)
        path = ledger.reader(session.reporter).current(known.get(session.id, []), session.conversation_id) if (
            session.reporter) else ""  # fmt: skip
        made = Gauge(
            session.id,
            "" if session.name == session.id else session.name,
            session.agent,
            session.status,
            gauge.fill(session),
            session.context_level or "unknown",
            session.on_context or fleet.settings.get("context.policy"),
            agent.compacting() if agent else "",
            bool(path) and session.context_tokens is None and turns.compacted(fleet.store, session.id, path),
            session.budget_tokens,
            session.conversation_id or "",
            session=session,
        )
        if not session.reporter:
            made = made._replace(note="its program does not say what it uses")
        elif path and not os.access(path, os.R_OK):  # what was read before is not what is there now
            made = _unknown(made, path)
        found.append(made)
    return found


def _main(fleet: Fleet, main: Main, at: Thresholds) -> Gauge:
    agent = gauge.programs(fleet.settings).get(main.agent)
    made = Gauge(
        main.conversation_id,
        "main",
        main.agent,
        main.state,
        Fill(None, None, None),
        "unknown",
        fleet.settings.get("context.main_policy"),
        agent.compacting() if agent else "",
        conversation_id=main.conversation_id,
        main=main,
    )
    if agent is None or agent.reports == "none":
        return made._replace(note="its program does not say what it uses")
    used = main_usage.refresh(fleet.store, main, agent.reports)
    if used is None:
        return _unknown(made, main.transcript)
    tokens = None if used.compacted else used.last_tokens
    conversation = None if tokens is None else max(0, tokens - (used.first_tokens or 0))
    limit = used.window or gauge.of_model(fleet.settings, agent, used.model)
    fill = Fill(tokens, conversation, limit)
    return made._replace(fill=fill, level=levels.level(fill, at), compacted=bool(used.compacted))


def _unknown(made: Gauge, path: str) -> Gauge:
    """Unreadable is not empty: nobody knows."""
    return made._replace(
        fill=made.fill._replace(tokens=None, conversation=None), level="unknown", note=f"{path} can't be read"
    )
