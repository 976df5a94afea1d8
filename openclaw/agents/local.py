"""Our own agent, as far as it differs: it reports by itself, so nothing is set up, and it asks nothing at its start."""

from __future__ import annotations

from collections.abc import Mapping

from openclaw.agents.reporters import Signal


def settings(hook: str) -> str:
    """None are needed."""
    return ""


def first_dialog(environ: Mapping[str, str], cwd: str, repository: str = "") -> str:
    """It asks nothing."""
    return ""


def trust(environ: Mapping[str, str], folder: str) -> bool:
    """It trusts no folder more than another: its scope binds it everywhere."""
    return False


def look(status_file: str, conversation: str = "") -> Signal | None:
    """Its reports are all there is: they can't be lost on the way, as those of a hook can."""
    return None


def dialog(screen: str) -> str:
    """It has none."""
    return ""
