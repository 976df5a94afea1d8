"""What a main agent is told around a compaction: what its summary must keep, and afterwards where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.continuity import brief, items, snapshot
from openclaw.continuity.advice import LIVE
from openclaw.continuity.document import indented, one_line
from openclaw.continuity.restore import restore
from openclaw.continuity.state import kept
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store.mains import Main

TASK = 100  # characters of a sub-agent's task
PRESERVE_TOKENS = 1500


def before_compaction(fleet: Fleet, trigger: str, main: Main | None) -> str:
    """Take a snapshot; what the summary must preserve, as instructions for whoever makes it. Empty for nothing."""
    taken = snapshot.take(fleet, f"compact-{trigger}", main)
    return preserve(taken.tree, taken.path, brief.factor(fleet))


def preserve(tree: Mapping[str, Any], path: str, factor: float = brief.ASSUMED) -> str:
    """Sub-agents with their windows, decisions and preferences, open items, in at most PRESERVE_TOKENS. Pure.

    When it is too long, the kind with the most lines gives way first, and it says how many.
    """
    live = [session for session in tree["sessions"] if session["status"] in LIVE]
    decided = [note for note in tree["notes"] if note["kind"] in ("decision", "preference")]
    kinds = {
        "sub-agents": [_agent(session) for session in live],
        "decisions": [f"- {note['kind']}: {indented(note['text'])}" for note in decided],
        "open tasks": [f"- open task: {_item(item)}" for item in tree["items"]],
    }
    if not any(kinds.values()):
        return ""
    head = [
        "openclaw keeps what its sub-agents do, and what was decided, outside of this conversation.",
        f"A snapshot of it was just written to {path}: name that file in the summary.",
        "Preserve these word for word, above all the ids:",
    ]
    counts = {kind: len(lines) for kind, lines in kinds.items()}
    text = _text(head, kinds, counts)
    while any(counts.values()) and brief.count(text, factor) > PRESERVE_TOKENS:
        most = max(counts, key=lambda kind: counts[kind])
        counts[most] -= max(1, counts[most] // 10)
        text = _text(head, kinds, counts)
    return text


def _text(head: Sequence[str], kinds: Mapping[str, Sequence[str]], counts: Mapping[str, int]) -> str:
    lines = [line for kind, found in kinds.items() for line in found[: counts[kind]]]
    left = [f"{len(found) - counts[kind]} more {kind}" for kind, found in kinds.items() if len(found) > counts[kind]]
    return "\n".join([*head, *lines, *([f"- and {', '.join(left)}, which the snapshot has"] if left else [])]) + "\n"


def _agent(session: Mapping[str, Any]) -> str:
    named = session["id"] if session["name"] == session["id"] else f"{session['id']} {session['name']}"
    tmux, task = session["tmux"], one_line(session["task"])
    window = f"window {tmux['window_id']} pane {tmux['pane_id']}" if tmux["window_id"] else "no window yet"
    task = task if len(task) <= TASK else task[: TASK - 1] + "…"
    return f"- sub-agent {named} ({session['agent']}, {session['status']}), {window}: {task}"


def _item(item: Mapping[str, Any]) -> str:
    return one_line(item["text"]) + (f" (given to {item['session']})" if item["session"] else "")


def where_you_were(fleet: Fleet) -> str:
    """The brief, for an agent that has just been compacted or resumed; empty when there is nothing to tell."""
    done, tree = restore(fleet, dry_run=True), kept(fleet)
    if not (done.found or tree["items"] or tree["notes"]):
        return ""
    return brief.render(done, tree, factor=brief.factor(fleet))


def in_short(fleet: Fleet) -> str:
    """For a new conversation: one line if sub-agents are live or items open, else empty."""
    live, _ = settle(fleet)
    free = kept(fleet)["items"]
    parts = []
    if live:
        states = ", ".join(f"{count} {state}" for state, count in Counter(s.status for s in live).items())
        parts.append(f"{len(live)} live sub-agent{'s' * (len(live) > 1)} ({states})")
    if free:
        parts.append(f"{len(free)} open item{'s' * (len(free) > 1)} in {items.path_of(fleet)}")
    if not parts:
        return ""
    return f"openclaw: {', '.join(parts)}. If that is your work: `openclaw restore` tells all of it; don't redo any.\n"
