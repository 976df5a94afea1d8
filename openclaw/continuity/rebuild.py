"""When the store has forgotten what there was: rows again from the tags of tmux, and from a snapshot."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from openclaw.sessions.adopt import adopt
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, sessions, turns
from openclaw.store.sessions import Session
from openclaw.terminal.windows import View, tags

COMES_BACK = ("starting", "working", "waiting", "idle", "lost")  # in the snapshot; what had ended there has ended


def adopt_windows(fleet: Fleet, seen: View, dry_run: bool) -> bool:
    """Take windows into the store that carry our tags and that it does not know: the database was lost."""
    known = {s.id for s in sessions.by_ids(fleet.store, list(seen.panes))}
    unknown = [pane for id, pane in seen.panes.items() if id not in known and not pane.dead]
    if not unknown or dry_run:
        return False
    marks = tags(fleet.terminal)
    ours = [pane for pane in unknown if marks.get(pane.id, {}).get("state_dir") == fleet.state_dir]
    for pane in ours:
        adopt(fleet, pane, marks.get(pane.id, {}))
    return bool(ours)


def rows(fleet: Fleet, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Rows for what the snapshot knows and the store has forgotten: lost, until they are brought back."""
    known = {s.id for s in sessions.by_ids(fleet.store, list(entries))}
    now = fleet.now()
    forgotten = [row(fleet, e, now) for id, e in entries.items() if id not in known and e["status"] in COMES_BACK]
    if not forgotten:
        return
    from openclaw import processes  # psutil: only after a database was lost

    processes.end([each.id for each in forgotten], fleet.settings.get("kill.grace"))
    with db.transaction(fleet.store):
        known = {s.id for s in sessions.by_ids(fleet.store, list(entries))}
        for each in forgotten:
            if each.id not in known:
                sessions.insert(fleet.store, each, ())
                if transcript := entries[each.id]["transcript"]:
                    turns.add(fleet.store, each.id, transcript, (), 0, None)


def row(fleet: Fleet, entry: Mapping[str, Any], now: str) -> Session:
    """A session as a snapshot has it: lost, for all that is known."""
    tmux = entry["tmux"]
    return Session(
        id=entry["id"],
        name=entry["name"],
        task=entry["task"],
        type=entry["type"],
        agent=entry["agent"],
        model=entry["model"],
        role=entry["role"],
        status="lost",
        reason="the store had forgotten it; a snapshot had not",
        cwd=entry["cwd"],
        worktree=entry["worktree"],
        socket=fleet.terminal.socket,
        server_pid=tmux["server_pid"] if isinstance(tmux["server_pid"], int) else None,
        server_started=tmux["server_started"] if isinstance(tmux["server_started"], int) else None,
        conversation_id=entry["conversation_id"],
        reporter=entry["reporter"],
        scope=json.dumps(entry["scope"]),
        env=json.dumps([name for name in entry["env"] if isinstance(name, str)]),
        injected_tokens=int(entry["injected_tokens"] or 0),
        tokens_used=int(entry["tokens_used"]),
        timeout_s=entry["timeout_s"],
        created_at=entry["created_at"] or now,
        updated_at=now,
        ended_at=now,
    )
