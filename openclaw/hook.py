"""`openclaw-hook`: what an agent program calls at each of its turns, with a JSON report on stdin.

It says what the agent does now, in one transaction, and is gone: an agent waits for it at every turn, so only the
standard library is imported. `openclaw-hook` alone serves our sub-agents, `openclaw-hook main PROGRAM` the agent that a
person talks to, `openclaw-hook statusline` its status line. Printed is only what the program asked for: a denial, what
it must know after a compaction, a status line.

A fault of ours must never become one of the agent's: whatever happens, the exit status is 0 and the reason stands in
<state>/hook.log. A report that can't be stored waits in <state>/spool until it can be (see store/spool.py).
"""

from __future__ import annotations

import json
import os
import sys
import time

from openclaw import places
from openclaw.agents.calls import DENIED
from openclaw.hook_io import addition, complain, read, say, show, store

TYPE_CHECKING = False  # type checkers take it as true; `typing` itself would be felt at every turn
if TYPE_CHECKING:
    from typing import Any

SPENDING = ("PostToolUse", "PostToolUseFailure", "Stop", "StopFailure", "PostCompact")  # a call has just been paid for
DEAD_SECONDS = 30.0  # a look that was asked for has begun by then
TASK = 8_000  # characters of a task that are put back after a compaction: Claude Code takes 10,000 from a hook


def main() -> None:
    """Entry point of `openclaw-hook`."""
    words, id = sys.argv[1:], os.environ.get("OPENCLAW_SESSION_ID")
    state_dir = os.environ.get("OPENCLAW_STATE_DIR") or ""
    try:
        if words[:1] == ["statusline"]:
            from openclaw import hook_statusline

            said = hook_statusline.parsed(read)
            say(hook_statusline.line(os.environ, said))
            hook_statusline.keep(os.environ, said)
        elif words[:1] == ["--version"]:
            from openclaw.version import VERSION

            say(f"openclaw-hook {VERSION}\n")
        elif words[:1] == ["main"]:
            state_dir = places.state_dir(os.environ)
            if not id:  # a sub-agent reads the same settings: its own hooks report
                from openclaw.hook_main import serve

                serve(state_dir, words[1:])
        elif id and state_dir:
            serve_session(state_dir, id, *words[:1])
    except Exception as error:  # noqa: BLE001 - see above
        complain(state_dir, f"{f'session {id}' if id else ' '.join(words[:2])}: {type(error).__name__}: {error}")
    os._exit(0)  # taking Python apart would be a tenth of all the agent waits for


def serve_session(state_dir: str, id: str, reporter: str = "claude-hooks") -> None:
    """One report of a sub-agent."""
    data = json.loads(read())
    folder = os.path.join(state_dir, "sessions", id)
    if data["hook_event_name"] == "PreToolUse":
        return deny(folder, data)
    state = store(state_dir, {"session": id, "reporter": reporter, "data": data})
    if state:
        show(state)
    if data["hook_event_name"] in SPENDING and due(state_dir, folder):
        look_at_budgets(state_dir)
    if data["hook_event_name"] == "SessionStart" and data.get("source") == "compact" and not data.get("agent_id"):
        say(addition(task_again(folder)))
    return None


def task_again(folder: str) -> str:
    """What a sub-agent must know after a compaction: its task, what it may write, how to go on."""
    with open(os.path.join(folder, "session.json"), encoding="utf-8") as file:
        session = json.load(file)
    path = os.path.join(folder, "task.md")
    with open(path, encoding="utf-8", errors="replace") as file:
        task = file.read(TASK + 1)
    if len(task) > TASK:  # with the injected files it is too long, without them it may not be
        task = session["task"] if len(session["task"]) <= TASK else session["task"][:TASK] + "…"
        task += f"\n(The files that came with it are in {path}: read it again for them.)"
    writes = session["scope"].get("write") or []
    may = f"You may write {', '.join(writes)} and nothing else." if writes else ""
    return (
        f"Your conversation was compacted. You are the sub-agent {session['id']} of openclaw, and this is still your"
        f" task, word for word:\n\n{task}\n\n{may} What you have done already stays done: look at the files before you"
        " repeat anything. Go on with the task where you were, without asking, until it is done."
    )


def due(state_dir: str, folder: str) -> bool:
    """Whether the budgets must be looked at: there are some, or this session has one of its own; and no look that is
    still to come was asked for."""
    if not os.path.exists(os.path.join(state_dir, places.BUDGETS)):
        try:
            with open(os.path.join(folder, "session.json"), encoding="utf-8") as file:
                if not (json.load(file).get("budget") or {}).get("tokens"):
                    return False
        except FileNotFoundError:
            return False  # nobody knows what it may use
    wanted = os.path.join(state_dir, places.LOOK_WANTED)
    try:
        os.close(os.open(wanted, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if time.time() - os.stat(wanted).st_mtime < DEAD_SECONDS:
            return False
        os.utime(wanted)  # whoever was asked has died
    return True


def look_at_budgets(state_dir: str) -> None:
    """In a process of its own, which outlives the agent if it halts it: it must not carry its mark."""
    environ = {name: value for name, value in os.environ.items() if name != "OPENCLAW_SESSION_ID"}
    log = os.path.join(state_dir, "hook.log")
    nowhere = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1)]
    complaints = (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    words = [sys.executable, "-P", "-m", "openclaw.continuity.at_turn"]
    os.posix_spawn(sys.executable, words, environ, file_actions=[*nowhere, complaints], setsid=True)


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
        say(json.dumps(guard.reply(DENIED + reason)))


if __name__ == "__main__":
    main()
