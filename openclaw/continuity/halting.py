"""Ending a sub-agent for which a budget is used up, with its state saved and the way to go on in a new session."""

from __future__ import annotations

import os
import shlex

from openclaw.continuity import files, notes
from openclaw.errors import OpenclawError
from openclaw.locks import locked
from openclaw.sessions import end
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, sessions
from openclaw.store.sessions import Session
from openclaw.tasks import secrets

FILE = "go-on.md"
SAID = 8000  # characters of what it said last


def conversation(session: Session, tokens: int) -> str:
    """Why one is halted whose own conversation has used up its budget."""
    return f"its conversation of {tokens} tokens used up its budget of {session.budget_tokens}"


def save(fleet: Fleet, session: Session, why: str) -> None:
    """Write down, in its folder and in the file of the day, what a new session needs; again if it is done again."""
    from openclaw.sessions.output import result  # imports the readers of results: only where one is halted

    found = result(fleet, session)
    changed = [f"- {path}" for path in found.changed[:100]]
    parts = [
        session.task,
        "",
        "Another session has begun this and was stopped, for its budget was used up. What it said last:",
        "",
        secrets.redact(found.output[-SAID:], secrets.values(fleet.settings.environ)),
        *(["", "Files that it has changed:", "", *changed] if changed else []),
        "",
        "Look at what is done already, do nothing twice, and finish it.",
    ]
    files.write(os.path.join(fleet.folder(session.id), FILE), "\n".join(parts) + "\n")
    head = f"budget: {session.id} was halted"
    path = os.path.join(fleet.settings.workspace, "memory", f"{fleet.now()[:10]}.md")
    with locked(fleet.state_dir, notes.LOCK):
        if head not in files.read(path):
            notes.log(fleet, f"{head}: {why}; go on with: {command(fleet, session)}")


def halt(fleet: Fleet, session: Session, why: str) -> None:
    """End it as `halted`; what it says about why names the way to go on. Once more if that was interrupted."""
    why += f"; go on in a new one: {command(fleet, session)}"
    [now] = sessions.by_ids(fleet.store, [session.id])
    if now.live:
        end.kill(fleet, [now], "halted", why)
    with db.transaction(fleet.store):
        sessions.explain(fleet.store, session.id, why)


def command(fleet: Fleet, session: Session) -> str:
    """What starts a new session with the same program, scope and budget, and the task with what was said last."""
    scope = _scope(session)
    words = ["openclaw", "spawn", "--task-file", os.path.join(fleet.folder(session.id), FILE), "--agent", session.agent]
    words += ["--model", session.model] if session.model else []
    words += ["--type", session.type, "--cwd", session.cwd]
    for flag, patterns in (("--read", scope["read"]), ("--write", scope["write"])):
        words += [word for pattern in patterns for word in (flag, pattern)]
    budget = ["--budget-tokens", str(session.budget_tokens)] if session.budget_tokens else []
    return shlex.join([*words, *scope["sandbox"], *budget])


def _scope(session: Session) -> dict[str, list[str]]:
    import json  # as the store keeps it

    try:
        scope = json.loads(session.scope)
        whole = [session.cwd + "/**"]  # what it may without being told
        found = {key: list(scope.get(key, [])) for key in ("read", "write")}
        found["read"] = [] if found["read"] == whole else found["read"]
        return found | {"sandbox": ["--sandbox"] if scope.get("sandbox") else []}
    except (ValueError, AttributeError) as error:
        raise OpenclawError(f"the scope of session {session.id} is damaged: {error}") from error
