"""What a report of an agent program means, as columns of the store.

A report is a plain dictionary, so that it can wait on disk: `data` is what the program said to its hook. A sub-agent's
has `session` (its id) and `reporter`; one of a main agent has `main` (the program), `workspace`, `socket`, `pane_id`.
The hook imports this at every turn of every agent: only what it has anyway.
"""

from __future__ import annotations

import json
import os

from openclaw.agents.calls import asked
from openclaw.store import events

TYPE_CHECKING = False  # type checkers take it as true; `typing` itself would be felt at every turn
if TYPE_CHECKING:
    import sqlite3
    from typing import Any

KEPT = (
    "prompt",
    "source",
    "trigger",
    "reason",
    "error",
    "last_assistant_message",
    "tool_name",
    "tool_input",
    "prompt_id",
    "model",
)
NEEDED = (*KEPT, "hook_event_name", "session_id", "transcript_path", "cwd", "agent_id")  # of a report that waits


def take(store: sqlite3.Connection, report: dict[str, Any], at: str = "") -> str:
    """Record one report; the state of a sub-agent when it is another than before. The caller holds the transaction.

    `at` is the time of a report that had to wait: what is known by now may be newer, and stays. KeyError, TypeError and
    the like for what is no report.
    """
    if "main" in report:
        take_main(store, report, at)
        return ""
    return take_session(store, report["session"], report["data"], report["reporter"], at)


def take_session(store: sqlite3.Connection, id: str, data: dict[str, Any], reporter: str, at: str = "") -> str:
    """A report of a sub-agent; dropped when that is not there or has ended."""
    known = events.reported(store, id)
    if known is None:
        return ""
    state, asks, status_file, newest = known
    name, path = str(data["hook_event_name"]), str(data.get("transcript_path") or "")
    columns = change(name, data, state, asks)
    if "reported_state" in columns:
        columns["status"] = columns["reported_state"]  # what the window shows and the store says stay the same
    if name == "StopFailure" and data.get("error") == "rate_limit":
        columns["limited_until"] = _limit(store, id, str(data.get("last_assistant_message") or ""))
    if path:
        events.transcript(store, id, path)
    if path and not data.get("agent_id"):
        columns["conversation_id"] = str(data["session_id"])
        if reporter == "codex-hooks":
            columns["status_file"] = path  # its state stands in the conversation itself
        elif reporter == "claude-hooks" and not status_file:
            columns["status_file"] = find_status_file(path, str(data["session_id"]))
    if name == events.HOP:
        events.event(store, id, name, _kept(data), at)
    if "reported_state" in columns or name == "SessionEnd":
        if not at or at > newest:
            events.report(store, id, reporter, columns, at)
        events.event(store, id, name, _kept(data), at)
    now = columns.get("reported_state", state)
    return now if now != state else ""


def _kept(data: dict[str, Any]) -> str:
    return json.dumps({key: data[key] for key in KEPT if data.get(key) is not None}, ensure_ascii=False)


def change(name: str, data: dict[str, Any], state: str, asks: str) -> dict[str, str]:
    """What an event of a sub-agent means, as columns to set; nothing when it means nothing for the state. Pure."""
    if data.get("agent_id") and name not in ("PermissionRequest", "PostToolUse", "PostToolUseFailure"):
        return {}  # an agent inside the agent has turns of its own
    if name == "UserPromptSubmit":
        return {"reported_state": "working", "asks": "", "last_error": "", "limited_until": ""}
    if name in ("Stop", "Interrupt"):
        return {"reported_state": "idle", "asks": ""}
    if name == "StopFailure":
        error = data.get("last_assistant_message") or data.get("error") or "the turn failed"
        return {"reported_state": "idle", "asks": "", "last_error": str(error)}
    if name == "PermissionRequest":
        return {"reported_state": "waiting", "asks": asked(data.get("tool_name"), data.get("tool_input"))}
    if name in ("PostToolUse", "PostToolUseFailure"):
        # only the end of the very tool it asked for: others run beside it
        same = state == "waiting" and asks == asked(data.get("tool_name"), data.get("tool_input"))
        return {"reported_state": "working", "asks": ""} if same else {}
    if name == "SessionStart":
        source = data.get("source")
        if source == "compact":
            return {}
        # the first one has a prompt to work on: it is not idle, and not working before the prompt was taken
        return {"reported_state": "idle" if state or source == "clear" else "starting", "asks": ""}
    if name == "PreCompact" and data.get("trigger") == "manual":
        return {"reported_state": "working", "asks": ""}
    if name == "PostCompact" and data.get("trigger") == "manual":
        return {"reported_state": "idle", "asks": ""}
    return {}


def _limit(store: sqlite3.Connection, id: str, said: str) -> str:
    """Record the limit of a subscription at which its turn ended; when it resets (ISO 8601 UTC), empty where that was
    another limit, of requests a minute say, or where nobody knows."""
    import time

    from openclaw.agents import limits  # rare
    from openclaw.store import quotas

    now = time.time()
    if not (found := limits.hit(said, now)):
        return ""
    agent = str(store.execute("SELECT agent FROM sessions WHERE id = ?", (id,)).fetchone()[0])
    quotas.note(store, agent, [found], now)
    at = next((row[3] for row in quotas.of(store, agent) if row[1] == found[0] and row[3] > now), 0.0)
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at)) if at else ""


def take_main(store: sqlite3.Connection, report: dict[str, Any], at: str = "") -> None:
    """A report of a main agent: its conversation is registered, or brought up to date."""
    data = report["data"]
    name, conversation = str(data["hook_event_name"]), str(data["session_id"])
    if data.get("agent_id") or not conversation:
        return
    at = at or events.now(store)
    columns = {"agent": report["main"], "seen_at": at, "ended_at": at if name == "SessionEnd" else None}
    columns |= {"workspace": report["workspace"], "cwd": str(data.get("cwd") or "")}
    columns |= {"transcript": str(data.get("transcript_path") or ""), "registered_at": at}
    columns |= {"state": main_state(name, data), "socket": report["socket"], "pane_id": report["pane_id"]}
    # where it works is what it was started for: an agent changes folders in the middle of its work
    begins = name == "SessionStart" and data.get("source") != "compact"
    fixed = ("registered_at",) if begins else ("registered_at", "agent", "workspace", "cwd", "socket", "pane_id")
    events.attend(store, conversation, columns, [c for c in columns if c not in fixed and columns[c] != ""])
    if begins and report["pane_id"]:
        events.left(store, conversation, report["socket"], report["pane_id"], at)


def main_state(name: str, data: dict[str, Any]) -> str:
    """What an event says of a main agent; empty when it says nothing. Pure.

    PreCompact says nothing: it comes also when there is not enough to compact, and then nothing else does.
    """
    if name == "UserPromptSubmit" or (name == "PostCompact" and data.get("trigger") == "auto"):
        return "working"
    if name == "SessionEnd":
        return "ended"
    if name in ("Stop", "StopFailure", "Interrupt", "PostCompact"):
        return "idle"
    return "idle" if name == "SessionStart" and data.get("source") != "compact" else ""


def find_status_file(transcript: str, conversation: str) -> str:
    """Where the program keeps its state: `<config>/sessions/<pid>.json` with this conversation in it; else empty."""
    folder = os.path.join(transcript.rpartition("/projects/")[0], "sessions")
    try:
        for name in os.listdir(folder):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                if f'"sessionId":"{conversation}"' in file.read().replace(" ", ""):
                    return os.path.join(folder, name)
    except OSError:
        pass  # an older or newer program without it: its hooks are all there is
    return ""
