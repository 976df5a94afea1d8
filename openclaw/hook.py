"""`openclaw-hook`: what an agent program calls at each of its turns, with a JSON report on stdin.

It says what the sub-agent does now, in one transaction, and is gone: an agent waits for it at every turn, so only the
standard library is imported. Nothing is printed, but for a tool call that would leave the scope: that is denied. A
fault of ours must never become one of the agent's: whatever happens, the exit status is 0 and the reason stands in
<state>/hook.log. Outside of a sub-agent it does nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import time

from openclaw.agents.calls import DENIED, asked
from openclaw.store import events

TYPE_CHECKING = False  # type checkers take it as true; `typing` itself would be felt at every turn
if TYPE_CHECKING:
    from typing import Any

BUSY_SECONDS = 5.0
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
)


def main() -> None:
    """Entry point of `openclaw-hook`."""
    id, state_dir = os.environ.get("OPENCLAW_SESSION_ID"), os.environ.get("OPENCLAW_STATE_DIR")
    if not id or not state_dir:
        return
    try:
        data = json.loads(sys.stdin.buffer.read())
        if data["hook_event_name"] == "PreToolUse":
            deny(os.path.join(state_dir, "sessions", id), data)
            os._exit(0)
        path = os.path.join(state_dir, "openclaw.db")
        os.stat(path)  # one that is not there is no reason to make an empty one
        store = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
        store.execute("PRAGMA synchronous=NORMAL")  # as everywhere in this database: no wait for the disk
        store.execute("BEGIN IMMEDIATE")
        state = take(store, id, data, *sys.argv[1:2])
        store.execute("COMMIT")
        if state:
            show(state)
    except Exception as error:  # noqa: BLE001 - see above
        complain(state_dir, f"session {id}: {type(error).__name__}: {error}")
    os._exit(0)  # taking Python apart would be a tenth of all the agent waits for


def deny(folder: str, data: dict[str, Any]) -> None:
    """Print why a tool call must not run, if it would leave the scope that the session was started with."""
    with open(os.path.join(folder, "session.json"), encoding="utf-8") as file:
        session = json.load(file)
    from openclaw.tasks import guard  # only before a tool runs

    injected = [os.path.join(session["cwd"], each["path"]) for each in session["injected"]]
    also = [*(os.path.realpath(path) for path in injected), *guard.own(data)]
    cwd = str(data.get("cwd") or session["cwd"])
    reason = guard.judge(str(data["tool_name"]), data.get("tool_input") or {}, cwd, session["scope"], folder, also)
    if reason:
        sys.stdout.write(json.dumps(guard.reply(DENIED + reason)))
        sys.stdout.flush()


def take(store: sqlite3.Connection, id: str, data: dict[str, object], reporter: str = "claude-hooks") -> str:
    """Record one report of the session; the state when it is another than before.

    Reports of a session that is not there or has ended are dropped.
    """
    known = events.reported(store, id)
    if known is None:
        return ""
    state, asks, status_file = known
    name, path = str(data["hook_event_name"]), str(data.get("transcript_path") or "")
    columns = change(name, data, state, asks)
    if "reported_state" in columns:
        columns["status"] = columns["reported_state"]  # what the window shows and the store says stay the same
    if path:
        events.transcript(store, id, path)
    if path and not data.get("agent_id"):
        columns["conversation_id"] = str(data["session_id"])
        if reporter == "codex-hooks":
            columns["status_file"] = path  # its state stands in the conversation itself
        elif reporter == "claude-hooks" and not status_file:
            columns["status_file"] = find_status_file(path, str(data["session_id"]))
    if "reported_state" in columns or name == "SessionEnd":
        events.report(store, id, reporter, columns)
        kept = {key: data[key] for key in KEPT if data.get(key) is not None}
        events.event(store, id, name, json.dumps(kept, ensure_ascii=False))
    now = columns.get("reported_state", state)
    return now if now != state else ""


def show(state: str) -> int:
    """Put the state into the window's status line, for whoever is looking. tmux does that while we are gone already.

    The pid of its client, for who stays; 0 when there is none.
    """
    socket, pane = os.environ.get("TMUX", "").partition(",")[0], os.environ.get("TMUX_PANE")
    if not socket or not pane:
        return 0
    nowhere = [
        (os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)
    ]  # the agent waits for our stdout
    words = ["tmux", "-S", socket, "set-option", "-t", pane, "@openclaw_state", state]
    try:
        return os.posix_spawnp("tmux", words, os.environ, file_actions=nowhere)
    except OSError:
        return 0  # a sandbox without tmux: the next `ps` sets it


def change(name: str, data: dict[str, object], state: str, asks: str) -> dict[str, str]:
    """What an event means, as columns to set; nothing when it means nothing for the state. Pure."""
    if data.get("agent_id") and name not in ("PermissionRequest", "PostToolUse", "PostToolUseFailure"):
        return {}  # an agent inside the agent has turns of its own
    if name == "UserPromptSubmit":
        return {"reported_state": "working", "asks": "", "last_error": ""}
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


def complain(state_dir: str, text: str) -> None:
    """A line in the log that `doctor` shows; silence when even that can't be written."""
    try:
        with open(os.path.join(state_dir, "hook.log"), "a", encoding="utf-8", errors="replace") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {' '.join(text.split())[:500]}\n")
    except OSError:
        pass


if __name__ == "__main__":
    main()
