"""What changed between two snapshots: sub-agents, notes, open items. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMPARED = ("name", "status", "reason", "agent", "model", "cwd", "branch", "tmux", "conversation_id", "scope")


def between(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """`sessions{added, removed, changed{id: {key: [old, new]}}}`, and added and removed notes and items."""
    before, after = ({s["id"]: s for s in tree["sessions"]} for tree in (old, new))
    changed = {
        id: {key: [before[id].get(key), s.get(key)] for key in COMPARED if before[id].get(key) != s.get(key)}
        for id, s in after.items()
        if id in before
    }
    found: dict[str, Any] = {
        "sessions": {
            "added": [id for id in after if id not in before],
            "removed": [id for id in before if id not in after],
            "changed": {id: keys for id, keys in changed.items() if keys},
        }
    }
    for what in ("notes", "items"):
        was, now = ([item["text"] for item in tree[what]] for tree in (old, new))
        found[what] = {"added": [t for t in now if t not in was], "removed": [t for t in was if t not in now]}
    return found


def sentences(changes: Mapping[str, Any]) -> list[str]:
    """One line for each change."""
    sessions = changes["sessions"]
    lines = [f"+ sub-agent {id}" for id in sessions["added"]] + [f"- sub-agent {id}" for id in sessions["removed"]]
    for id, keys in sessions["changed"].items():
        lines += [f"  {id} {key}: {_short(key, old)} → {_short(key, new)}" for key, (old, new) in keys.items()]
    for what in ("notes", "items"):
        named = {"notes": "note", "items": "open item"}[what]
        lines += [
            f"{sign} {named}: {text}" for sign, key in (("+", "added"), ("-", "removed")) for text in changes[what][key]
        ]
    return lines


def _short(key: str, value: Any) -> str:
    if key == "tmux" and isinstance(value, dict):
        ids = (value.get(name) for name in ("session_id", "window_id", "pane_id"))
        return " ".join(str(id) for id in ids if id) + f" of server {value.get('server_pid')}"
    return str(value) or "nothing"
