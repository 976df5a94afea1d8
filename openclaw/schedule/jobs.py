"""Jobs: added, changed, switched, removed, imported and exported. Each is one transaction."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.errors import BadInput, Refused
from openclaw.schedule import document
from openclaw.schedule.document import Spec
from openclaw.schedule.planner import plan
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, jobs, runs
from openclaw.store.jobs import Job
from openclaw.units import from_utc, utc

LONGEST_NAME = 100


class Imported(NamedTuple):
    """What became of one job of a file: added, replaced or unchanged; and what of it is not honoured."""

    job: Job
    outcome: str
    notes: tuple[str, ...]


def spec(job: Job) -> Spec:
    """What a job asks for."""
    return document.read(json.loads(job.said), job.name, from_utc(job.created_at))


def add(fleet: Fleet, said: Mapping[str, Any], cwd: str) -> Job:
    """A new job that works in `cwd`. Refused (`name_taken`) when there is one of this name."""
    with db.transaction(fleet.store):
        return _insert(fleet, said, _name(said.get("name")), cwd)


def edit(fleet: Fleet, word: str, change: Callable[[dict[str, Any]], None], cwd: str | None = None) -> Job:
    """Change the document of a job. When its schedule changes, what was due before is not looked at again."""
    with db.transaction(fleet.store):
        job = jobs.find(fleet.store, word)
        tree = json.loads(job.said)
        before = json.dumps(tree.get("schedule")), tree.get("enabled", True)
        change(tree)
        name = _name(tree.get("name") or job.name)
        if name != job.name:
            _free(fleet, name)
        changed = job._replace(name=name, said=_dump(tree), cwd=cwd or job.cwd)
        fresh = (json.dumps(tree.get("schedule")), tree.get("enabled", True)) != before
        changed = _planned(fleet, changed, fleet.clock() if fresh else job.cursor)
        columns = ("name", "said", "cwd", "cursor", "next_at")
        jobs.update(fleet.store, job.id, fleet.now(), **{key: getattr(changed, key) for key in columns})
    return changed


def enable(fleet: Fleet, word: str, on: bool) -> Job:
    """Switch a job on or off. Switched on, it is no longer paused, and owes nothing of the time before."""
    with db.transaction(fleet.store):
        job = jobs.find(fleet.store, word)
        tree = json.loads(job.said)
        if tree.get("enabled", True) != on:
            tree["enabled"] = on
        changed = _planned(fleet, job._replace(said=_dump(tree), paused="", failures=0), fleet.clock())
        jobs.update(fleet.store, job.id, fleet.now(), said=changed.said, paused="", failures=0,
                    cursor=changed.cursor, next_at=changed.next_at)  # fmt: skip
    return changed


def remove(fleet: Fleet, words: Sequence[str]) -> list[Job]:
    """Forget jobs. What runs goes on to its end and is recorded; what only waits to be begun is skipped."""
    with db.transaction(fleet.store):
        found = [jobs.find(fleet.store, word) for word in words]
        for job in found:
            jobs.delete(fleet.store, job.id)
            for run in runs.unfinished(fleet.store, job.id):
                if run.state in ("due", "retry"):
                    runs.finish(fleet.store, run.number, "skipped", "the job was removed", fleet.now())
    return found


def take_in(fleet: Fleet, documents: Sequence[Mapping[str, Any]], replace: bool, name: str | None) -> list[Imported]:
    """Import jobs, all or none. One that is there already is left, or with `replace` replaced if it differs."""
    if name and len(documents) > 1:
        raise BadInput("--name names one job, and the file has several", "import it without --name")
    done: list[Imported] = []
    with db.transaction(fleet.store):
        for number, said in enumerate(documents, 1):
            try:
                done.append(_take_in(fleet, said, replace, name, [each.job.id for each in done]))
            except (BadInput, Refused) as error:
                error.message = f"job {number}: {error.message}" if len(documents) > 1 else error.message
                raise
    return done


def give_out(fleet: Fleet, words: Sequence[str]) -> dict[str, Any]:
    """The documents of these jobs, or of all, as they were written."""
    found = [jobs.find(fleet.store, word) for word in words] if words else jobs.every(fleet.store)
    return {"version": 1, "jobs": [json.loads(job.said) for job in found]}


def _take_in(
    fleet: Fleet, said: Mapping[str, Any], replace: bool, name: str | None, before: Sequence[str]
) -> Imported:
    """`before`: the ids of the jobs that others of the same file are about."""
    every = jobs.every(fleet.store)
    if name:
        named = _name(name)
        known = next((job for job in every if job.name == named), None)
    else:
        known = _known([job for job in every if job.id not in before], said)
        named = _name_here(said, [job.name for job in every if job is not known])
    if known is None:
        job = _insert(fleet, said, named, fleet.settings.cwd)
        return Imported(job, "added", spec(job).notes)
    if json.loads(known.said) == said:
        return Imported(known, "unchanged", spec(known).notes)
    if not replace:
        raise Refused(f"there is another job {known.name!r}", "say --replace, or import it with --name", "name_taken")
    job = _planned(fleet, known._replace(name=named, said=_dump(said)), fleet.clock())
    columns = ("name", "said", "cursor", "next_at")
    jobs.update(fleet.store, job.id, fleet.now(), **{key: getattr(job, key) for key in columns})
    return Imported(job, "replaced", spec(job).notes)


def _known(every: Sequence[Job], said: Mapping[str, Any]) -> Job | None:
    """The job that a document of a file is about: it has its id or, where one of both brings none, its name."""
    id, name = said.get("id") or "", said.get("name")
    if id and (same := [job for job in every if _brought(job) == id]):
        return same[0]
    alike = [job for job in every if name and name in (job.name, json.loads(job.said).get("name"))]
    alike = [job for job in alike if not (id and _brought(job))]
    return next((job for job in alike if json.loads(job.said) == said), alike[0] if alike else None)


def _brought(job: Job) -> Any:
    """The id that its document has."""
    return json.loads(job.said).get("id") or ""


def _name_here(said: Mapping[str, Any], taken: Sequence[str]) -> str:
    """What a job of a file is called here: as there, in one printable line, and unlike all others."""
    written = said.get("name")
    line = " ".join(written.split()) if isinstance(written, str) else ""
    wanted = "".join(filter(str.isprintable, line)).lstrip("- ")[:LONGEST_NAME].strip() or _named_by(said)
    count, name = 1, wanted
    while name in taken:
        count += 1
        name = f"{wanted[: LONGEST_NAME - 8]} {count}"
    return name


def _insert(fleet: Fleet, said: Mapping[str, Any], name: str, cwd: str) -> Job:
    _free(fleet, name)
    now = fleet.clock()
    job = Job(_id(fleet, said, name), name, _dump(said), fleet.settings.workspace, cwd, now, None, utc(now), utc(now))
    job = _planned(fleet, job, now)
    jobs.insert(fleet.store, job)
    return job


def _planned(fleet: Fleet, job: Job, cursor: float) -> Job:
    """With its next time; BadInput when its document can't be meant."""
    wanted = spec(job)
    if not wanted.timing or wanted.never or not wanted.enabled or job.paused:
        return job._replace(cursor=cursor, next_at=None)
    ahead = plan(wanted.timing, job.id, cursor, cursor, wanted.catch_up, 0)
    return job._replace(cursor=cursor, next_at=ahead.next_at)


def _dump(said: Mapping[str, Any]) -> str:
    return json.dumps(said)  # ASCII: a text in JSON can hold half a character, and no database takes that


def _name(name: object) -> str:
    if not isinstance(name, str) or not name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
        raise BadInput(f"the name {str(name)[:40]!r} can't be used", f"one printable line of at most {LONGEST_NAME}")
    if name[0] == "-":
        raise BadInput(f"the name {name[:40]!r} begins like an option", "choose another")
    return name.strip()


def _named_by(said: Mapping[str, Any]) -> str:
    """A name for a job that has none: what it says first."""
    payload = said.get("payload")
    text = str(payload.get("message") or payload.get("text") or "") if isinstance(payload, dict) else ""
    return _slug(" ".join(text.split()[:3])) or "job"


def _free(fleet: Fleet, name: str) -> None:
    if any(job.name == name for job in jobs.every(fleet.store)):
        raise Refused(f"there is a job {name!r} already", "`openclaw cron edit` changes it, `cron rm` removes it",
                      code="name_taken")  # fmt: skip


def _id(fleet: Fleet, said: Mapping[str, Any], name: str) -> str:
    """The id that it brings, else one made from its name: runs have folders of that name."""
    brought = said.get("id")
    wanted = brought if isinstance(brought, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", brought) else ""
    wanted, count = wanted or _slug(name) or "job", 1
    taken = {job.id for job in jobs.every(fleet.store)}
    while (found := wanted if count == 1 else f"{wanted}-{count}") in taken:
        count += 1
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-")[:40]
