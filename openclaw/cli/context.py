"""What the verbs share: the fleet for the --workspace that was given, and finding sessions by what a person typed."""

from __future__ import annotations

from collections.abc import Sequence

from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import sessions
from openclaw.store.sessions import Session

workspace: str | None = None  # set by the door before a verb runs


def settings() -> Settings:
    return Settings(workspace=workspace)


def fleet() -> Fleet:
    return Fleet(settings())


def named(owner: Fleet, words: Sequence[str]) -> list[Session]:
    """The sessions that these ids, prefixes or names mean, each once."""
    found = [sessions.find(owner.store, word) for word in words]
    return list({s.id: s for s in found}.values())


def complete(incomplete: str) -> list[tuple[str, str]]:
    """Shell completion: live sessions, newest first, with their tasks."""
    rows = sessions.live(fleet().store)[::-1]
    return [(s.id, f"{s.status} {' '.join(s.task.split())[:50]}") for s in rows if s.id.startswith(incomplete)]
