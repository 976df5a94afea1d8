"""The size of each sub-agent's window, and its level, kept in its row: one truth for `ps`, `context` and monitor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openclaw.agents import registry
from openclaw.agents.registry import Agent
from openclaw.context import levels
from openclaw.context.levels import Fill
from openclaw.errors import BadInput
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db, sessions, turns
from openclaw.store.sessions import Session


def fill(session: Session) -> Fill:
    """What is known of its context."""
    return Fill(session.context_tokens, session.conversation_tokens, session.context_limit)


def judge(fleet: Fleet, rows: Sequence[Session]) -> bool:
    """Bring limit and level of the live ones among these up to date; whether any has changed."""
    at, agents = levels.thresholds(fleet.settings), programs(fleet.settings)
    changed = []
    for session in rows:
        if session.live and session.reporter:
            limit = window(fleet, session, agents.get(session.agent))
            level = levels.level(fill(session)._replace(limit=limit), at)
            if (limit, level) != (session.context_limit, session.context_level):
                changed.append((session.id, limit, level))
    if changed:
        with db.transaction(fleet.store):
            for id, limit, level in changed:
                sessions.update(fleet.store, id, fleet.now(), context_limit=limit, context_level=level)
    return bool(changed)


def window(fleet: Fleet, session: Session, agent: Agent | None) -> int:
    """Tokens of its window: as its program's entry says for its model, else as the program says, else as it is set."""
    if agent and agent.windows:
        model = session.model or turns.last_model(fleet.store, session.id)
        return of_model(fleet.settings, agent, model)
    return session.context_limit or int(fleet.settings.get("context.limit"))


def of_model(settings: Settings, agent: Agent | None, model: str) -> int:
    """Tokens of the window that a model has in this program."""
    known = agent.windows if agent else {}
    return next((tokens for part, tokens in known.items() if part in model), int(settings.get("context.limit")))


def programs(settings: Settings) -> Mapping[str, Agent]:
    """All programs; those that are shipped while somebody is at work on agents.yaml."""
    try:
        return registry.load(settings)
    except BadInput:
        return registry.shipped()
