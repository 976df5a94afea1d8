"""Admission by the limits of subscriptions: a program that is close to one gets no more sub-agents until it resets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from openclaw.agents.registry import Agent
from openclaw.sessions.fleet import Fleet
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.units import from_utc
from openclaw.usage import quotas
from openclaw.usage.quotas import AtLimit


def refresh(fleet: Fleet, agents: Sequence[Agent]) -> None:
    """Bring up to date what is known of those that report it in their conversations."""
    if any(agent.reports == "codex-hooks" for agent in agents):
        from openclaw.sessions.status import settle_usage  # only for programs that report so

        settle_usage(fleet)


def check(fleet: Fleet, agents: Mapping[str, Agent], live: Sequence[Session], rows: Sequence[Session]) -> None:
    """AtLimit when one of these would be started too close to a limit; the caller holds the transaction."""
    pause, hold = fleet.settings.get("quotas.pause"), fleet.settings.get("quotas.hold")
    now = fleet.clock()
    for (agent, model), count in Counter((row.agent, row.model or "") for row in rows).items():
        if agents[agent].usage != "none" and (found := quotas.every(fleet.store, agent)):
            unseen = [from_utc(session.created_at) for session in live if session.agent == agent]
            if at := quotas.wall(found, model, now, pause, hold, unseen, count):
                raise quotas.refusal(at, now, pause)


def paused(fleet: Fleet, agent: str, model: str = "") -> AtLimit | None:
    """Why this program gets nothing more now; None when it does."""
    pause, hold, now = fleet.settings.get("quotas.pause"), fleet.settings.get("quotas.hold"), fleet.clock()
    if not (known := quotas.every(fleet.store, agent)):
        return None
    unseen = [from_utc(session.created_at) for session in sessions.live(fleet.store) if session.agent == agent]
    found = quotas.wall(known, model, now, pause, hold, unseen)
    return quotas.refusal(found, now, pause) if found else None
