"""Taking a window back into the store: from the record in its session's folder, or from its tags alone."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import located
from openclaw.store import db, sessions
from openclaw.store.sessions import Session
from openclaw.terminal.windows import Pane


def adopt(fleet: Fleet, pane: Pane, marks: Mapping[str, str]) -> None:
    """A row for this window, with its claims; nothing when another command was quicker."""
    try:
        with open(os.path.join(fleet.folder(pane.id), "session.json"), encoding="utf-8") as file:
            record = json.load(file)
    except (OSError, ValueError):
        record = {}
    if not isinstance(record, dict):
        record = {}
    scope = record.get("scope")
    budget = record.get("budget")
    now = fleet.now()
    row = Session(
        id=pane.id,
        name=str(record.get("name") or marks.get("name") or pane.id),
        task=str(record.get("task") or marks.get("task", "")),
        type=str(record.get("type") or marks.get("type", "")),
        agent=str(record.get("agent") or marks.get("agent", "")),
        model=record.get("model"),
        role=record.get("role"),
        status="working",
        cwd=str(record.get("cwd") or "/"),
        worktree=record.get("worktree"),
        socket=fleet.terminal.socket,
        conversation_id=record.get("conversation_id"),
        scope=json.dumps(scope if isinstance(scope, dict) else {"read": [], "write": []}),
        injected=json.dumps(record.get("injected") or []),
        injected_tokens=int(record.get("injected_tokens") or 0),
        budget_tokens=budget.get("tokens") if isinstance(budget, dict) else None,
        budget_usd=budget.get("usd") if isinstance(budget, dict) else None,
        timeout_s=record.get("timeout_s"),
        created_at=str(record.get("created_at") or now),
        updated_at=now,
    )._replace(**located(pane))
    with db.transaction(fleet.store):
        if sessions.by_ids(fleet.store, [row.id]):
            return
        if any(s.name == row.name for s in sessions.live(fleet.store)):
            row = row._replace(name=row.id)
        sessions.insert(fleet.store, row, row.writes)
