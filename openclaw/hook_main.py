"""What `openclaw-hook main PROGRAM` does: the agent that a person talks to is registered, and kept from forgetting.

At every turn its row in the store is brought up to date, with the standard library only. What is rare may cost more:
before a compaction a snapshot is written, after it the brief goes into the model's next request; both in a process of
their own with a deadline, so that whatever becomes of it, the agent gets at least a line that says where to look.
"""

from __future__ import annotations

import json
import os
import sys

from openclaw import hook_io, places

RECALL_SECONDS = 20.0  # of the 30 that the settings allow this hook for rare events
LOST = "openclaw could not say what its sub-agents do ({why}). Ask it before you start anything: `openclaw restore`."


def serve(state_dir: str, words: list[str]) -> None:
    """One report of a main agent; `words` begin with the name of its program."""
    program = words[0] if words else "claude"
    if program == "codex-notify":
        from openclaw.agents import notified  # only when a turn of Codex has ended

        program, data = "codex", notified.as_report(json.loads(words[-1]), os.environ)
        if not data:
            return
        raw = b""
    else:
        raw = hook_io.read()
        data = json.loads(raw)
    name = str(data["hook_event_name"])
    socket = os.environ.get("TMUX", "").partition(",")[0]
    workspace = places.workspace(os.environ, str(data.get("cwd") or "/"))[0]
    report = {
        "main": program,
        "workspace": workspace,
        "socket": socket,
        "pane_id": os.environ.get("TMUX_PANE", "") if socket else "",
        "data": data,
    }
    hook_io.store(state_dir, report)
    if data.get("agent_id"):
        return  # an agent inside of it has a conversation of its own
    if name == "PreCompact":
        text = recall(state_dir, workspace, raw)
        if program == "claude":  # Codex takes nothing from it
            hook_io.say(text)
    elif name == "SessionStart" and worth_telling(state_dir, workspace, str(data.get("source"))):
        text = recall(state_dir, workspace, raw)
        if text:
            hook_io.say(hook_io.addition(text))
    elif name == "UserPromptSubmit":
        from openclaw.hook_news import fresh  # only when somebody has typed something

        text = fresh(state_dir, workspace)
        if text:
            hook_io.say(hook_io.addition(text, name))


def worth_telling(state_dir: str, workspace: str, source: str) -> bool:
    """Whether there may be something that a conversation must know at its beginning: most have no sub-agents."""
    if source in ("compact", "resume"):
        return True
    try:
        with open(os.path.join(workspace, "active-tasks.md"), "rb") as file:
            if b"[ ]" in file.read(2**20):
                return True
    except OSError:
        pass
    from openclaw.hook_statusline import live

    return bool(live(state_dir))


def recall(state_dir: str, workspace: str, raw: bytes) -> str:
    """What `openclaw.hook_recall` says about this event; when it can't, where to look instead."""
    import signal  # what follows only for rare events
    import subprocess

    words = [sys.executable, "-P", "-m", "openclaw.hook_recall"]  # -P: nothing of the folder it works in is imported
    pipe = subprocess.PIPE
    try:
        child = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True)
        try:
            said, problem = child.communicate(raw, RECALL_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            said, problem = b"", f"no answer in {RECALL_SECONDS:g} s".encode()
        if child.returncode == 0:
            return said.decode()
        lines = problem.decode("utf-8", "replace").strip().splitlines() or ["it ended without a word"]
        why = lines[0 if lines[0].startswith("openclaw: ") else -1].removeprefix("openclaw: ")
    except (OSError, ValueError) as error:
        why = str(error)
    hook_io.complain(state_dir, f"main: {why}")
    latest = os.path.join(workspace, "memory", "snapshots", "latest.md")
    seen = f" The latest snapshot is {latest}." if os.path.exists(latest) else ""
    return LOST.format(why=why[:200]) + seen + "\n"
