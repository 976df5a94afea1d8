"""Everything that a snapshot holds, as it is in one moment: a tree of plain values, without secrets, bounded."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.continuity import files, items, notes
from openclaw.errors import OpenclawError
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import jobs, sessions, turns
from openclaw.store.jobs import Job
from openclaw.store.mains import Main
from openclaw.store.sessions import Session
from openclaw.tasks import secrets
from openclaw.terminal.windows import View
from openclaw.units import utc

FORMAT = 1
RECENT_SECONDS = 86_400.0  # those that ended within a day are listed
ENDED, NOTES, ITEMS, JOBS = 30, 60, 100, 100  # at most so many of each
TASK, LINE, TEXT = 2000, 200, 1000  # characters at most: of a task, of a printed line, of anything else
LOG_BYTES, TAIL_BYTES = 4096, 65_536  # of the end of a log, of a transcript


def gather(fleet: Fleet, main: Main | None) -> dict[str, Any]:
    """The state of the fleet now, brought up to date first. Keys: see the head of a snapshot."""
    rows, seen = settle(fleet)
    since = utc(fleet.clock() - RECENT_SECONDS)
    ended = sessions.ended_since(fleet.store, since, ENDED)
    shown = [*rows, *ended]
    paths = _transcripts(fleet, shown)
    printed = _printed(fleet, shown, seen, paths)
    branches: dict[str, str] = {}
    tree = {
        "openclaw_snapshot": FORMAT,
        "workspace": fleet.settings.workspace,
        "socket": fleet.terminal.socket,
        "server": seen.server._asdict() if seen.server else None,
        "tmux": seen.presence,
        "main": main._asdict() if main else None,
        "sessions": [_session(fleet, s, seen, printed, paths, branches) for s in shown],
        "jobs": [_job(job) for job in jobs.every(fleet.store) if job.workspace == fleet.settings.workspace][:JOBS],
    }
    known = secrets.values(fleet.settings.environ)
    return {key: _clean(value, known) for key, value in tree.items()} | kept(fleet)


def _job(job: Job) -> str:
    """When it is due next, or why never."""
    when = f"paused: {_cut(job.paused, LINE)}" if job.paused else f"next {utc(job.next_at)}" if job.next_at else "off"
    return f"{job.name}: {when}"


def kept(fleet: Fleet) -> dict[str, Any]:
    """What people and agents wrote down: `items`, `items_done`, `notes`, and what was `left_out` of them."""
    boxes = items.parse(files.read(items.path_of(fleet)))
    open_boxes, found = [b for b in boxes if not b.done], notes.collect(fleet)
    counts = (("notes", len(found), NOTES), ("open items", len(open_boxes), ITEMS))
    known = secrets.values(fleet.settings.environ)
    owners = {
        s.id: s.status for s in sessions.by_ids(fleet.store, [b.session for b in open_boxes[:ITEMS] if b.session])
    }
    given = [
        {"text": _cut(b.text, TEXT), "session": b.session, "status": owners.get(b.session, "")} for b in open_boxes
    ]
    return {
        "items": _clean(given[:ITEMS], known),
        "items_done": len(boxes) - len(open_boxes),
        "notes": _clean([n._asdict() for n in found[:NOTES]], known),
        "left_out": [f"{number - limit} more {what}" for what, number, limit in counts if number > limit],
    }


def _session(
    fleet: Fleet,
    session: Session,
    seen: View,
    printed: Mapping[str, Sequence[str]],
    paths: Mapping[str, str],
    branches: dict[str, str],
) -> dict[str, Any]:
    """The contract's form, without what is bulky, with what is needed to bring it back."""
    form = session.as_json()
    for bulky in ("injected", "updated_at", "violations", "context"):
        del form[bulky]
    pane = seen.panes.get(session.id)
    if session.cwd not in branches:
        branches[session.cwd] = branch(session.cwd)
    form["tmux"]["server_started"] = session.server_started
    form["tmux"]["window"] = "open" if pane and not pane.dead else "dead" if pane else "none"
    return form | {
        "task": _cut(session.task, TASK),
        "context_tokens": session.context_tokens,
        "branch": branches[session.cwd],
        "env": session.env_names,
        "reporter": session.reporter,
        "transcript": paths.get(session.id, ""),
        "last_lines": list(printed.get(session.id, ())),
    }


def _transcripts(fleet: Fleet, shown: Sequence[Session]) -> dict[str, str]:
    """The file of each one's own conversation; never another's, so without its id in the name there is none."""
    conversations = {s.id: s.conversation_id for s in shown if s.conversation_id}
    known = turns.transcripts(fleet.store, list(conversations)) if conversations else []
    return {t.session_id: t.path for t in known if str(conversations[t.session_id]) in os.path.basename(t.path)}


def _printed(fleet: Fleet, shown: Sequence[Session], seen: View, paths: Mapping[str, str]) -> dict[str, list[str]]:
    """The last lines of each: its last message if it keeps a transcript; else from the window of what draws, all in
    one tmux process; else from its log."""
    count = fleet.settings.get("snapshots.lines")
    if not count or not shown:
        return {}
    from openclaw.sessions import output  # imports the readers of results: only where something was started
    from openclaw.usage.ledger import reader

    forms = {s.id: reader(s.reporter) for s in shown if s.reporter and s.id in paths}
    texts = {id: form.last_message(paths[id], (TAIL_BYTES,)) for id, form in forms.items()}
    drawing = output.screen_agents(fleet)
    panes = {
        s.id: seen.panes[s.id].pane_id
        for s in shown
        if s.agent in drawing and s.id in seen.panes and not texts.get(s.id)
    }
    texts = _screens(fleet, panes) | {id: text for id, text in texts.items() if text}
    found = {}
    for session in shown:
        text = texts.get(session.id)
        if text is None:
            try:
                text = output.plain(output.raw(fleet, session, LOG_BYTES))
            except OpenclawError:  # it left no log
                continue
        lines = [_cut(line.rstrip(), LINE) for line in text.splitlines() if any(map(str.isalnum, line))]  # no rules
        found[session.id] = lines[-count:]
    return found


def _screens(fleet: Fleet, panes: Mapping[str, str]) -> dict[str, str]:
    from openclaw.terminal.panes import captures

    try:
        return captures(fleet.terminal, panes) if panes else {}
    except OpenclawError:  # tmux hangs: the logs say something too
        return {}


def branch(cwd: str) -> str:
    """What is checked out there, without a git process; empty outside of a repository, a commit when detached."""
    folder = cwd
    while not os.path.lexists(os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return ""
        folder = os.path.dirname(folder)
    git = os.path.join(folder, ".git")
    try:
        if os.path.isfile(git):
            with open(git, encoding="utf-8", errors="replace") as file:
                git = os.path.join(folder, file.read(4096).partition("gitdir:")[2].strip())
        with open(os.path.join(git, "HEAD"), encoding="utf-8", errors="replace") as file:
            head = file.read(4096).strip()
    except OSError:
        return ""
    return head.removeprefix("ref: refs/heads/") if head.startswith("ref: ") else head[:12]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}… ({len(text) - length} more characters)"


def _clean(value: Any, known: Sequence[str]) -> Any:
    """Without secrets, wherever they stand."""
    if isinstance(value, str):
        return secrets.redact(value, known) if len(value) >= secrets.SHORTEST else value
    if isinstance(value, dict):
        return {key: _clean(item, known) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item, known) for item in value]
    return value
