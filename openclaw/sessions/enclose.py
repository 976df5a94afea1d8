"""--sandbox: a task's scope as bubblewrap enforces it; and, for every task, what is enforced and what is only asked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping

from openclaw.agents import sandbox
from openclaw.agents.registry import Agent
from openclaw.agents.sandbox import Mount, Wrap
from openclaw.git import checkout
from openclaw.sessions.fleet import Fleet
from openclaw.tasks.globs import quote_path
from openclaw.tasks.mounts import Layout, layout
from openclaw.tasks.prepare import Task


def check(task: Task, environ: Mapping[str, str]) -> None:
    """Unavailable when there is no bubblewrap that works, Refused when it can't enforce such a scope."""
    sandbox.find(environ)
    _layout(task)


def wrap(fleet: Fleet, task: Task, agent: Agent, environ: Mapping[str, str], folder: str) -> Wrap:
    """How this task's program is started; the scope is looked at anew, as it is now."""
    found = _layout(task)
    return sandbox.wrap(
        shutil.which("bwrap", path=fleet.settings.environ.get("PATH")) or "bwrap",
        agent,
        scope=(*_repository(fleet, task, os.path.basename(folder)), *found.mounts),
        missing=found.missing,
        cwd=task.cwd,
        folder=folder,
        state_dir=fleet.state_dir,
        socket=fleet.terminal.socket,
        environ=environ,
    )


def promises(task: Task, agent: Agent) -> list[str]:
    """What keeps this program to its scope, one line each, for people: what is enforced, wider, and only asked."""
    if task.sandbox:
        found = _layout(task)
        lines = [f"enforced by the sandbox for {agent.name} and all it starts: nothing else is there or can be written"]
        lines += [f"wider in {folder}: other new names can be made there too" for folder in found.opened]
        lines += [f"narrower: {path} can be changed but not replaced or removed" for path in found.in_place]
        if agent.needs and (own := [p for word in agent.needs if (p := sandbox.expand(word, os.environ))]):
            lines.append(f"also writable, because {agent.name} needs it: {', '.join(dict.fromkeys(own))}")
        if task.worktree:
            lines.append("git commit goes to a copy of the repository's refs, and is brought home when anybody looks")
        elif _shared(task.cwd):
            lines.append("git can look there, and not commit: what the repository's checkouts share is read-only")
        return [*lines, "not enforced: the network"]
    if agent.guard == "edits":
        lines = [f"enforced by a hook for the edits of {agent.name}; what it reads, and shell commands, are only asked"]
    elif agent.guard == "hooks":
        lines = [f"enforced by a hook for the file tools of {agent.name}; shell commands are asked to keep to it"]
    else:
        lines = [f"only asked of {agent.name}, not enforced"]
    if task.open:
        lines = [*lines, "writing is not limited: neither --write nor the type says what may change"]
    else:
        lines.append("what changed outside is looked for at the end and reported")
    return [*lines, "--sandbox enforces all of it"]


def _layout(task: Task) -> Layout:
    return layout((*task.scope.read, *(quote_path(item.absolute) for item in task.injected)), task.scope.write)


def _repository(fleet: Fleet, task: Task, id: str) -> list[Mount]:
    """For a worktree, what git needs: a repository of its own where it is made for the task, else a look at the real.

    Nothing of the real one may be written. Who can add objects or refs to a repository can take those of others away,
    and who can say where its configuration is has commands run by the next git outside, ours among them.
    """
    if task.worktree:
        from openclaw.sessions import commits  # only with a worktree

        return commits.mounts(fleet, id, task.cwd)
    return [Mount("ro", path) for path in _shared(task.cwd)]


def _shared(cwd: str) -> list[str]:
    found = checkout(cwd)
    return [found.common, os.path.join(found.top, ".git")] if found and found.own != found.common else []
