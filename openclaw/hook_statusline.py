"""What `openclaw-hook statusline` prints below a main agent's input: its context, its sub-agents, what is unread.

The program runs it all the time: standard library only, and whatever is missing is left out. Nothing is written but
what the program tells here, and nowhere else: how much of its subscription is used.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time

from openclaw import places
from openclaw.agents import limits
from openclaw.store import quotas

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

BUSY_SECONDS = 0.2  # a line that comes late is of no use
ORDER = ("waiting", "working", "starting", "idle")  # what needs somebody first
ASKS = 60  # characters of what is asked
MAIN = "claude"  # only this one has a status line


def parsed(read: Callable[[], bytes]) -> Any:
    """What the program says; nothing when that is closed, cut off, or no JSON."""
    try:
        return json.loads(read())
    except (ValueError, OSError, RecursionError, AttributeError):
        return {}


def line(environ: Mapping[str, str], data: Any) -> str:
    """`openclaw 42% context · 2 sub-agents: 1 waiting, 1 idle · k3v9tq asks Bash: make · inbox 1: heartbeat`, with a
    line end."""
    parts = [context(data)]
    if id := environ.get("OPENCLAW_SESSION_ID"):
        parts.append(f"sub-agent {id}")
    else:
        state_dir = places.state_dir(environ)
        parts += [*fleet(live(state_dir)), inbox(state_dir)]
    return f"openclaw {' · '.join(filter(None, parts))}".rstrip() + "\n"


def context(data: Any) -> str:
    """How full its context is; empty when it does not say."""
    try:
        used = data["context_window"]["used_percentage"]
        return f"{used:.0f}% context" if used is not None else ""
    except (KeyError, TypeError, ValueError):
        return ""


def fleet(rows: list[tuple[str, str, str]]) -> list[str]:
    """(id, state, what it asks) of each, in words. Pure."""
    if not rows:
        return []
    states = [state for _, state, _ in rows]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ORDER if state in states)
    parts = [f"{len(rows)} sub-agent{'s' * (len(rows) > 1)}: {counts}"]
    waiting = [(id, asks) for id, state, asks in rows if state == "waiting"]
    if waiting:
        id, asks = waiting[0]
        asks = plain(asks)
        parts.append(f"{id} asks {asks[:ASKS]}".strip() if asks else f"{id} waits for you")
    return parts


def plain(text: str) -> str:
    """As part of one line."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def inbox(state_dir: str) -> str:
    """How much of what scheduled jobs had to say nobody has read, and who said the newest; empty for nothing."""
    from openclaw.store import news

    try:
        os.stat(path := os.path.join(state_dir, places.DATABASE))
        count, title = news.unread(sqlite3.connect(path, timeout=BUSY_SECONDS))
    except (sqlite3.Error, OSError):
        return ""
    return f"inbox {count}: {plain(title)[:ASKS]}" if count else ""


def live(state_dir: str) -> list[tuple[str, str, str]]:
    """(id, state, what it asks) of the live sub-agents, as the store has them; none when it can't be read."""
    path = os.path.join(state_dir, places.DATABASE)
    try:
        os.stat(path)
        store = sqlite3.connect(path, timeout=BUSY_SECONDS)
        return store.execute("SELECT id, status, asks FROM sessions WHERE ended_at IS NULL ORDER BY id").fetchall()
    except (sqlite3.Error, OSError):
        return []


def keep(environ: Mapping[str, str], data: Any) -> None:
    """Store what the program says of the limits of its subscription, where that is new."""
    found = limits.status_line(data)
    path, id = os.path.join(places.state_dir(environ), places.DATABASE), environ.get("OPENCLAW_SESSION_ID", "")
    if not found or not os.path.exists(path):
        return
    try:
        store, now = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None), time.time()
        row = store.execute("SELECT agent FROM sessions WHERE id = ?", (id,)).fetchone()
        agent = str(row[0]) if row else MAIN
        if quotas.stale(store, agent, found, now):  # mostly not: then nobody is kept waiting for the lock
            store.execute("BEGIN IMMEDIATE")
            quotas.note(store, agent, found, now)
            store.execute("COMMIT")
    except sqlite3.Error:
        pass  # busy, of an older version, or out of reach in a sandbox: it says so again in a moment
