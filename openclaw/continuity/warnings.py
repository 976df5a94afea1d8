"""Where people and agents see that a context runs full: the status line of its window, and a line in HEARTBEAT.md.

Both show what is in the store, and are made from it again at every look: nothing is left behind by one that was killed.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from openclaw.continuity import files, notes
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.terminal.windows import set_tags

MARK = "<!-- openclaw:context -->"
NAMED = 3  # heartbeats read the line: it must stay short


def in_windows(fleet: Fleet, wanted: Mapping[str, str], shown: dict[str, str]) -> None:
    """Set what the status lines say (session → text, empty for nothing), where it differs from what was `shown`."""
    changed = {id: {"context": text} for id, text in wanted.items() if shown.get(id) != text}
    if changed:
        set_tags(fleet.terminal, changed)
    shown.clear()
    shown.update(wanted)


def in_heartbeat(fleet: Fleet, who: Collection[str]) -> None:
    """One line that names them, replaced and not appended; none when there is nobody."""
    path = os.path.join(fleet.settings.workspace, "HEARTBEAT.md")
    old = files.read(path)
    if _changed(old, _line(who)) != old:
        with locked(fleet.state_dir, notes.LOCK):
            files.edit(path, lambda text: _changed(text, _line(who)))


def _line(who: Collection[str]) -> str:
    names = [*who][:NAMED] + ([f"{len(who) - NAMED} more"] if len(who) > NAMED else [])
    return f"- Context or budget nearly used up: {', '.join(names)}. See `openclaw context` {MARK}" if who else ""


def _changed(text: str, line: str) -> str:
    """The text with this line as the only one of ours, where it stood, else at the end."""
    lines = text.split("\n")
    ours = [n for n, each in enumerate(lines) if MARK in each]
    if not ours:
        if not line:
            return text
        head = text or "# Heartbeat\n"
        return head + ("" if head.endswith("\n") else "\n") + line + "\n"
    if line:
        lines[ours[0]] = line
    return "\n".join(each for n, each in enumerate(lines) if n not in ours or (line and n == ours[0]))
