"""The heartbeat: a job that looks at HEARTBEAT.md and nothing else, in a fresh session each time.

A file with nothing to check costs nothing: no model is called. What the context monitor finds stands in that file.
"""

from __future__ import annotations

import os
import re
from typing import Any

from openclaw import workspace
from openclaw.errors import BadInput, NotFound
from openclaw.schedule import jobs as services
from openclaw.schedule.document import Spec
from openclaw.sessions.fleet import Fleet
from openclaw.store import jobs
from openclaw.store.jobs import Job
from openclaw.tasks import inject
from openclaw.tasks.inject import Injected

FILE = "HEARTBEAT.md"
NAME = "heartbeat"
EVERY = 1800.0  # seconds
SECONDS = 60.0
SPARED = "no model was called"
LARGEST = 1_048_576  # bytes of the file that are looked at
MESSAGE = "Reply only HEARTBEAT_OK if nothing above needs attention, else what does."
_NOTHING = re.compile(r"\s*(?:#.*|[-*+]\s*(?:\[[ xX]?\])?|<!--.*-->|---+)?\s*")  # a heading, an empty item, a comment


def install(fleet: Fleet, every: float | None, model: str | None, agent: str | None, active: str | None) -> Job:
    """Add the heartbeat of this workspace, or change the one it has. What is None stays, or is the default."""
    from openclaw.schedule import flags

    folder = fleet.settings.workspace
    if not os.path.isdir(folder):
        raise NotFound(f"there is no workspace {folder}", "`openclaw init` makes one")
    said = {"every": every, "model": model, "agent": agent, "active": active}

    def write(tree: dict[str, Any]) -> None:
        flags.write(tree, said, fleet.clock(), folder)

    if known := find(fleet):
        return services.edit(fleet, known.id, write)
    if not model and not agent and fleet.settings.get("agent") == "shell":
        raise BadInput("which model is it to ask?", "--model ollama/qwen2.5:3b, or --agent for a program's own")
    names = {job.name for job in jobs.every(fleet.store)}
    name = NAME if NAME not in names else f"{NAME} {folder}"[:100]
    tree: dict[str, Any] = {
        "name": name,
        "enabled": True,
        "schedule": {"kind": "every", "everyMs": int(EVERY * 1000)},
        "sessionTarget": "isolated",
        "payload": {"kind": "agentTurn", "message": MESSAGE, "timeoutSeconds": SECONDS},
        "delivery": {"mode": "announce"},
        "run": {"type": NAME, "injectOnly": [FILE], "overlap": "skip", "catchUp": "one"},
    }
    write(tree)
    return services.add(fleet, tree, folder)


def find(fleet: Fleet) -> Job | None:
    """The heartbeat of this workspace."""
    for job in jobs.every(fleet.store):
        if job.workspace == fleet.settings.workspace and is_beat(services.spec(job)):
            return job
    return None


def get(fleet: Fleet) -> Job:
    """The heartbeat of this workspace. NotFound when it has none."""
    if job := find(fleet):
        return job
    raise NotFound("this workspace has no heartbeat", "`openclaw heartbeat install --model M`", code="no_heartbeat")


def is_beat(spec: Spec) -> bool:
    """Whether a job is a heartbeat as `install` makes it."""
    return spec.type == NAME and spec.inject == (FILE,)


def task(fleet: Fleet, folder: str, message: str) -> tuple[str, Injected]:
    """The file is the task itself: an envelope for it, as for what is data, would cost more than most of them have."""
    [found] = inject.read_all([FILE], folder, fleet.settings, fleet.counter())
    return f"{found.text.rstrip()}\n\n{message}", found


def needless(folder: str) -> str:
    """Why a beat has nothing to do; empty when it has. A file that can't be read is the run's to complain about."""
    try:
        with open(os.path.join(folder, FILE), encoding="utf-8", errors="replace") as file:
            text = file.read(LARGEST)
    except FileNotFoundError:
        return f"there is no {FILE} in {folder}; {SPARED}"
    except OSError:
        return ""
    shipped = set(workspace.FILES[FILE].splitlines())
    lines = re.sub(r"<!--.*?-->", "", text, flags=re.S).splitlines()
    if all(line in shipped or _NOTHING.fullmatch(line) for line in lines):
        return f"{FILE} has nothing to check; {SPARED}"
    return ""
