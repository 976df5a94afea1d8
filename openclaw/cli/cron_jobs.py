"""cron add, list, show, edit, rm, enable, disable, next, import, export: the jobs themselves."""

from __future__ import annotations

import json as jsons
import os
import sys
from typing import Any

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.errors import BadInput
from openclaw.schedule import document, flags, jobs, planner
from openclaw.schedule.document import Spec
from openclaw.sessions.fleet import Fleet
from openclaw.store import jobs as rows
from openclaw.store import runs
from openclaw.store.jobs import Job
from openclaw.units import format_duration, utc

LARGEST_FILE = 16 * 2**20


def cron_add(name: str, disabled: bool, json: bool, cwd: str | None, **said: Any) -> int:
    """Exit: 3 when there is a job of this name."""
    fleet = open_fleet()
    folder = _folder(fleet, cwd)
    tree: dict[str, Any] = {"name": name, "enabled": not disabled, "schedule": {}, "sessionTarget": "isolated"}
    tree |= {"payload": {"kind": "agentTurn"}, "delivery": {"mode": "announce"}}
    if not any(said[kind] is not None for kind in ("every", "cron", "at")):
        raise BadInput("a schedule is needed", "--every 10m, --cron '0 7 * * 1-5' or --at T")
    if said["session"] == "main" and not said["message"]:
        raise BadInput("a message to the main session is needed", "--message TEXT")
    flags.write(tree, said, fleet.clock(), fleet.settings.cwd)
    get = fleet.settings.get  # where nobody names a model the routing chooses one, and the program with it
    named = said["agent"] or said["model"] or said["session"] == "main" or get("route.agents")
    if not named and get("agent") == "shell":
        raise BadInput("which program is to do it?", "--model ollama/qwen2.5:3b, or --agent shell for a command line")
    return told(fleet, jobs.add(fleet, tree, folder), json)


def cron_edit(name: str, new_name: str | None, json: bool, cwd: str | None, **said: Any) -> int:
    """What is not named stays as it is."""
    fleet = open_fleet()
    folder = _folder(fleet, cwd) if cwd else None
    job = jobs.edit(fleet, name, lambda tree: flags.write(tree, said | {"name": new_name}, fleet.clock(),
                                                          fleet.settings.cwd), folder)  # fmt: skip
    return told(fleet, job, json)


def cron_list(json: bool) -> int:
    """A job that can't be run says why."""
    fleet = open_fleet()
    found = [(job, jobs.spec(job)) for job in rows.every(fleet.store)]
    if json:
        render.document([as_json(job) for job, spec in found])
        return 0
    if not found:
        render.out("no jobs; `openclaw cron add` adds one")
        return 0
    now = fleet.clock()
    table = [(job.name, _when(spec), _state(job, spec), _until(job, now), _what(spec), _files(spec), spec.delivery.way)
             for job, spec in found]  # fmt: skip
    render.table(("NAME", "SCHEDULE", "STATE", "NEXT", "MODEL", "FILES", "DELIVERY"), table, widest="FILES",
                 styled="STATE")  # fmt: skip
    if saved := runs.saved(fleet.store):
        render.out(f"batching has saved {saved} tokens")
    return 0


def cron_show(name: str, json: bool) -> int:
    """Its document, and when it is due."""
    fleet = open_fleet()
    job = rows.find(fleet.store, name)
    spec = jobs.spec(job)
    if json:
        render.document(as_json(job))
        return 0
    render.out(f"{render.paint(render.clean(job.name), 'bold')}  {_when(spec)}  {_state(job, spec)}")
    render.out(f"next      {utc(job.next_at) if job.next_at else 'never'}")
    render.out(f"works in  {render.clean(job.cwd)}, workspace {render.clean(job.workspace)}")
    render.out(f"told      {render.clean(spec.message)}")
    for note in (*((spec.never,) if spec.never else ()), *spec.notes):
        render.warn(note)
    render.out(jsons.dumps(jsons.loads(job.said), indent=2, ensure_ascii=False))
    return 0


def cron_rm(names: list[str], json: bool) -> int:
    """What runs goes on to its end."""
    return _switched(jobs.remove(open_fleet(), names), "removed", json)


def cron_enable(names: list[str], json: bool) -> int:
    """Firings of the time before are not caught up on."""
    fleet = open_fleet()
    return _switched([jobs.enable(fleet, name, True) for name in names], "enabled", json)


def cron_disable(names: list[str], json: bool) -> int:
    """What runs goes on to its end."""
    fleet = open_fleet()
    return _switched([jobs.enable(fleet, name, False) for name in names], "disabled", json)


def cron_next(names: list[str], count: int, json: bool) -> int:
    """In UTC; jitter comes on top."""
    fleet = open_fleet()
    found = [rows.find(fleet.store, name) for name in names] if names else rows.every(fleet.store)
    times = []
    for job in found:
        spec = jobs.spec(job)
        if spec.timing and spec.enabled and not spec.never and not job.paused:
            times += [(utc(due), job.name) for due in planner.upcoming(spec.timing, fleet.clock(), min(count, 1000))]
    times.sort()
    if json:
        render.document([{"due": due, "job": name} for due, name in times])
    elif times:
        render.table(("DUE", "JOB"), times)
    else:
        render.out("nothing is due")
    return 0


def cron_import(file: str, name: str | None, replace: bool, json: bool) -> int:
    """All or none. What of them can't be honoured is said."""
    done = jobs.take_in(open_fleet(), document.parse(_text(file), file), replace, name)
    if json:
        render.document([{"job": each.job.name, "id": each.job.id, "outcome": each.outcome,
                          "never": jobs.spec(each.job).never, "notes": each.notes} for each in done])  # fmt: skip
        return 0
    for each in done:
        render.out(f"{each.outcome:<9}  {render.clean(each.job.name)}")
        never = jobs.spec(each.job).never
        for note in (*((f"kept, but never run: {never}",) if never else ()), *each.notes):
            render.out(f"           {render.clean(note)}")
    return 0


def cron_export(names: list[str], json: bool) -> int:
    """The form is that of `import`."""
    render.out(jsons.dumps(jobs.give_out(open_fleet(), names), indent=2, ensure_ascii=False))
    return 0


def _text(path: str) -> str:
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LARGEST_FILE + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise BadInput(f"{path}: more than {LARGEST_FILE} bytes", "it is no job file")
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}", "it must be JSON") from error
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "name a file that can be read, or -") from error


def _folder(fleet: Fleet, cwd: str | None) -> str:
    folder = os.path.abspath(os.path.expanduser(cwd or fleet.settings.cwd))
    if not os.path.isdir(folder):
        raise BadInput(f"cwd {folder[:200]!r} is no folder", "name one that exists")
    return folder


def told(fleet: Fleet, job: Job, json: bool) -> int:
    """The job in one line: what it is, and when it is due."""
    spec = jobs.spec(job)
    if json:
        render.document(as_json(job))
        return 0
    render.out(f"{render.paint(render.clean(job.name), 'bold')}  {_when(spec)}  next {_until(job, fleet.clock())}"
               + (f", {utc(job.next_at)}" if job.next_at else ""))  # fmt: skip
    return 0


def _switched(found: list[Job], what: str, json: bool) -> int:
    if json:
        render.document([as_json(job) for job in found])
    else:
        for job in found:
            render.out(f"{render.clean(job.name)}  {what}")
    return 0


def as_json(job: Job) -> dict[str, Any]:
    """For scripts: what it says, and what follows from that."""
    spec = jobs.spec(job)
    return {
        "id": job.id,
        "name": job.name,
        "state": _state(job, spec),
        "schedule": _when(spec),
        "next": utc(job.next_at) if job.next_at else None,
        "failures": job.failures,
        "paused": job.paused,
        "never": spec.never,
        "notes": spec.notes,
        "workspace": job.workspace,
        "cwd": job.cwd,
        "job": jsons.loads(job.said),
        "created_at": job.created_at,
        "updated_at": job.updated_at,
    }


def _when(spec: Spec) -> str:
    timing = spec.timing
    if timing is None:
        return "?"
    if timing.kind == "every":
        return f"every {_step(timing.step_ms)}"
    if timing.kind == "cron":
        return timing.expr + (f" {timing.tz}" if timing.tz else "")
    return f"at {utc(timing.at_ms / 1000)}"


def _step(ms: int) -> str:
    """As it is typed: 10m, not 10m00s."""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000)):
        if ms % size == 0:
            return f"{ms // size}{unit}"
    return f"{ms / 1000:g}s"


def _state(job: Job, spec: Spec) -> str:
    if not spec.enabled:
        return "off"
    if job.paused:
        return "paused"
    return "never" if spec.never else "on" if job.next_at else "over"


def _until(job: Job, now: float) -> str:
    return f"in {format_duration(job.next_at - now)}" if job.next_at else ""


def _what(spec: Spec) -> str:
    return "→ main" if spec.main else " ".join((*((spec.agent,) if spec.agent else ()), *spec.models[:1]))


def _files(spec: Spec) -> str:
    if spec.main:
        return ""
    return ",".join(spec.inject) or "none" if spec.inject is not None else f"those of {spec.type or 'cron'}"
