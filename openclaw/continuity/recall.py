"""What a main agent is told around a compaction: what its summary must keep, and afterwards where it was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from openclaw.continuity import brief, items, snapshot
from openclaw.continuity.advice import LIVE
from openclaw.continuity.document import indented, one_line
from openclaw.continuity.restore import restore
from openclaw.continuity.state import kept
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store.mains import Main

AGENTS, DECISIONS, ITEMS = 40, 30, 30  # at most so many are named to the compaction
TASK = 100  # characters
PRESERVE_TOKENS = 1500


def before_compaction(fleet: Fleet, trigger: str, main: Main | None) -> str:
    """Take a snapshot; what the summary must preserve, as instructions for whoever makes it. Empty for nothing."""
    taken = snapshot.take(fleet, f"compact-{trigger}", main)
    lines = list(_preserve(taken.tree))
    if not lines:
        return ""
    head = [
        "openclaw keeps what its sub-agents do, and what was decided, outside of this conversation.",
        f"A snapshot of it was just written to {taken.path}: name that file in the summary.",
        "Preserve these word for word, above all the ids:",
    ]
    kept, more = len(lines), list[str]()
    while kept and brief.count("\n".join([*head, *lines[:kept], *more])) > PRESERVE_TOKENS:
        kept, more = kept * 3 // 4, ["- and more, which the snapshot has"]
    return "\n".join([*head, *lines[:kept], *more]) + "\n"


def _preserve(tree: Mapping[str, Any]) -> Iterator[str]:
    """Sub-agents with their windows, decisions and preferences, open items; one line each."""
    live = [s for s in tree["sessions"] if s["status"] in LIVE]
    for session in live[:AGENTS]:
        named = session["id"] if session["name"] == session["id"] else f"{session['id']} {session['name']}"
        tmux = session["tmux"]
        window = f"window {tmux['window_id']} pane {tmux['pane_id']}" if tmux["window_id"] else "no window yet"
        task = one_line(session["task"])
        yield (
            f"- sub-agent {named} ({session['agent']}, {session['status']}), {window}:"
            f" {task if len(task) <= TASK else task[: TASK - 1] + '…'}"
        )
    if len(live) > AGENTS:
        yield f"- and {len(live) - AGENTS} more sub-agents, which the snapshot has"
    decided = [note for note in tree["notes"] if note["kind"] in ("decision", "preference")]
    yield from (f"- {note['kind']}: {indented(note['text'])}" for note in decided[:DECISIONS])
    for item in tree["items"][:ITEMS]:
        given = f" (given to {item['session']})" if item["session"] else ""
        yield f"- open task: {one_line(item['text'])}{given}"


def where_you_were(fleet: Fleet) -> str:
    """The brief, for an agent that has just been compacted or resumed; empty when there is nothing to tell."""
    done, tree = restore(fleet, dry_run=True), kept(fleet)
    if not (done.found or tree["items"] or tree["notes"]):
        return ""
    return brief.render(done, tree)


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
