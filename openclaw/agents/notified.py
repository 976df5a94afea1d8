"""What Codex's `notify` says at the end of a turn, as the report that its hook for that would be.

It comes also where no hook runs, because a person has not reviewed them. Threads of its own that it starts on the side,
for a title say, notify too: only what has a rollout is a conversation.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

DAY = 86_400.0


def as_report(said: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """A `Stop` of the conversation; empty for anything else."""
    thread = str(said.get("thread-id") or "")
    path = rollout(thread, environ) if said.get("type") == "agent-turn-complete" else ""
    if not path:
        return {}
    cwd = str(said.get("cwd") or "")
    return {"hook_event_name": "Stop", "session_id": thread, "transcript_path": path, "cwd": cwd}


def rollout(thread: str, environ: Mapping[str, str]) -> str:
    """The file of a conversation, below the day it began on: its id, a UUID of version 7, has it. Empty for none."""
    top = environ.get("CODEX_HOME") or os.path.join(environ.get("HOME", "/"), ".codex")
    try:
        began = int(thread.replace("-", "")[:12], 16) / 1000
        days = {time.strftime("%Y/%m/%d", time.gmtime(began + offset)) for offset in (-DAY, 0, DAY)}
    except (ValueError, OverflowError, OSError):
        return ""
    for day in days:  # of the local time, whatever that was
        folder = os.path.join(top, "sessions", day)
        try:
            for name in os.listdir(folder):
                if name.endswith(f"-{thread}.jsonl"):
                    return os.path.join(folder, name)
        except OSError:
            continue
    return ""
