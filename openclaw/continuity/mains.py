"""The main agent: who runs the sub-agents of this workspace, as its hooks have registered it."""

from __future__ import annotations

from openclaw.sessions.fleet import Fleet
from openclaw.store import mains
from openclaw.store.mains import Main


def current(fleet: Fleet) -> Main | None:
    """The registered main agent of this workspace; None when none ever was."""
    return mains.current(fleet.store, fleet.settings.workspace)
