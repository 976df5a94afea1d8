"""`python -m openclaw.hook_recall`: what the hook of a main agent starts for the rare events that need all of openclaw.

The event is on stdin as the program told it; what the agent is to know goes to stdout. On an error the last line of
stderr says what it was, and the exit status is the contract's.
"""

from __future__ import annotations

import json
import os
import sys

from openclaw import render
from openclaw.cli.guarded import guarded
from openclaw.continuity import recall
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import take_waiting
from openclaw.settings import Settings
from openclaw.store import mains


def main() -> None:
    """Answer one event: PreCompact or SessionStart."""
    sys.exit(guarded(answer, as_json=False))


def answer() -> int:
    data = json.loads(sys.stdin.buffer.read())
    cwd = str(data.get("cwd") or "/")
    fleet = Fleet(Settings(cwd=cwd))
    take_waiting(fleet)
    known = mains.find(fleet.store, str(data["session_id"]))
    if known:  # it may have changed folders in the middle of its work, but it works for the same workspace
        fleet = Fleet(Settings(cwd=cwd, workspace=known.workspace))
    if data["hook_event_name"] == "PreCompact":
        text = recall.before_compaction(fleet, str(data.get("trigger") or "manual"), known)
    elif data.get("source") in ("compact", "resume"):
        text = recall.where_you_were(fleet)
    else:
        text = recall.in_short(fleet)
    render.raw(text.encode("utf-8", "replace"))
    os._exit(0)  # nothing is left to be put away


if __name__ == "__main__":
    main()
