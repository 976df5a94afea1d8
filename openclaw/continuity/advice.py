"""What to do next, one line each, from the state of a fleet. Pure; used by snapshots and by the brief."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LIVE = ("starting", "working", "waiting", "idle")


def needs_person(sessions: Sequence[Mapping[str, Any]]) -> list[str]:
    """Those that wait for an answer."""
    return [f"{s['id']} waits: {s['reason'] or 'for an answer'}" for s in sessions if s["status"] == "waiting"]


def next_steps(sessions: Sequence[Mapping[str, Any]], open_items: Sequence[Mapping[str, Any]]) -> list[str]:
    """In the order in which they should be done. The status `gone` is a lost one that can't resume."""
    steps = []
    if lost := _ids(sessions, "lost"):
        steps.append(f"bring back what was lost ({lost}): `openclaw restore`")
    if gone := _ids(sessions, "gone"):
        steps.append(
            f"start {gone} again from the beginning, or give it up: `openclaw restore --rerun`, `openclaw kill ID`"
        )
    if waiting := _ids(sessions, "waiting"):
        steps.append(f"have a person answer {waiting}: `openclaw attach ID`")
    if idle := _ids(sessions, "idle"):
        steps.append(f"read what came of {idle} and give more or end it: `openclaw result ID`, `openclaw kill ID`")
    if ended := _ids(sessions, "done", "failed", "timeout", "halted"):
        steps.append(f"use the results of {ended}: `openclaw result ID`")
    if working := _ids(sessions, "starting", "working"):
        steps.append(f"wait for {working}, do not start that work again: `openclaw wait ID`")
    if free := sum(not item["session"] for item in open_items):
        steps.append(f"{free} open items of active-tasks.md belong to nobody: do them, or `openclaw handoff`")
    return steps or ["nothing is under way"]


def _ids(sessions: Sequence[Mapping[str, Any]], *states: str) -> str:
    found = [str(s["id"]) for s in sessions if s["status"] in states]
    return ", ".join(found[:8]) + (f" and {len(found) - 8} more" if len(found) > 8 else "")
