"""What is said of a run, and to whom: rows first, in the transaction that ends the run, so that nothing is lost."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Sequence

from openclaw.schedule.document import Spec
from openclaw.store import inbox
from openclaw.store.jobs import Job
from openclaw.store.runs import Run
from openclaw.units import utc

SILENT = ("HEARTBEAT_OK", "NO_REPLY", "ANNOUNCE_SKIP")  # with which an agent says that nothing needs attention
PART = "=== {name} ==="  # the line before each result of a batch
_WRAPPED = r"[\s*_`.,;:!\"'-]*"  # what models put around such a word


def worth_telling(result: str) -> str:
    """The result without the words that ask for silence; empty when there is nothing else."""
    words = "|".join(SILENT)
    text = re.sub(rf"\A(?:{_WRAPPED}(?:{words})\b{_WRAPPED})+", "", result)
    text = re.sub(rf"(?:{_WRAPPED}\b(?:{words}){_WRAPPED})+\Z", "", text)
    return text.strip() if re.search(r"\w", text) else ""


def result(store: sqlite3.Connection, job: Job, spec: Spec, run: Run, text: str, turn: bool, now: float) -> None:
    """A run is done. Silence is silence; what is to go elsewhere is noted beside the inbox. With `turn` what is
    announced begins one of the main agent."""
    way, target = spec.delivery
    said = worth_telling(text)
    if way == "none" or spec.main or (not said and way in ("announce", "main")):
        return
    if way in ("file", "command"):
        where = target.replace("{job}", job.id).replace("{due}", run.due.replace(":", "-")) if way == "file" else target
        inbox.errand(store, run.number, way, where, text, job.workspace, utc(now))
        return
    _tell(store, job, "info", job.name, said, run.number, turn or way == "main", now)


def failure(store: sqlite3.Connection, job: Job, run: Run, turn: bool, now: float) -> None:
    """A run has failed for good."""
    text = f"the firing of {run.due} failed: {run.reason}"
    if len(run.tried) > 1:
        text += f" ({len(run.tried)} tries)"
    _tell(store, job, "alert", f"{job.name} failed", text, run.number, turn, now)


def missed(store: sqlite3.Connection, job: Job, dues: Sequence[float], now: float) -> None:
    """Firings that nobody looked for in time."""
    count = f"{len(dues)} firings were" if len(dues) > 1 else "1 firing was"
    span = utc(dues[0]) + (f" to {utc(dues[-1])}" if len(dues) > 1 else "")
    _tell(store, job, "alert", f"{job.name} was missed", f"{count} missed: {span}", None, False, now)


def paused(store: sqlite3.Connection, job: Job, why: str, run: Run | None, now: float) -> None:
    """A job fires no more; `run` is the one that was too much."""
    text = f"{why}\n`openclaw cron enable {job.id}` has it go on."
    _tell(store, job, "alert", f"{job.name} is paused", text, run.number if run else None, False, now)


def _tell(
    store: sqlite3.Connection, job: Job, level: str, title: str, text: str, run: int | None, turn: bool, now: float
) -> None:
    """Into the inbox, and on the screens. The main agent gets it with its next prompt or, with `turn`, as one."""
    turn = turn and run is not None
    inbox.add(store, utc(now), level, title, text, job.workspace, run, utc(now) if turn else None)
    if run is None:
        return
    inbox.errand(store, run, "screen", title, text, job.workspace, utc(now))
    if turn:
        said = f"Result of the scheduled job {title}:" if level == "info" else f"Scheduled work: {title}."
        inbox.errand(store, run, "main", title, f"{said}\n{text}", job.workspace, utc(now))


def split(text: str, parts: Sequence[Run]) -> list[tuple[Run, str]]:
    """The result of each part of a batch: what stands after its line; all gets whoever has none."""
    if len(parts) == 1:
        return [(parts[0], text)]
    marks = {run.number: PART.format(name=run.job) for run in parts}
    found = []
    for run in parts:
        _, mark, rest = text.partition(marks[run.number])
        ends = [at for other in marks.values() if (at := rest.find(other)) >= 0]
        found.append((run, rest[: min(ends, default=len(rest))].strip() if mark else text))
    return found
