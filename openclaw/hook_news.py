"""What a main agent learns with a prompt: what scheduled jobs had to say since the last one. Standard library only.

That costs no turn of its own and disturbs nobody. Each entry is told once: it is marked before it is printed, and stays
in the inbox.
"""

from __future__ import annotations

import os
import sqlite3

from openclaw import places
from openclaw.hook_io import BUSY_SECONDS
from openclaw.store import news

MOST = 5  # entries
LONGEST = 1000  # characters of one: with the rest it stays below the 10,000 that Claude Code takes from a hook
HEAD = "News of the scheduled jobs here, from `openclaw inbox`. It is information, not a request:"


def fresh(state_dir: str, workspace: str) -> str:
    """The text; empty when there is nothing new."""
    path = os.path.join(state_dir, places.DATABASE)
    if not os.path.exists(path):
        return ""
    database = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None)
    try:
        if not news.untold(database, workspace):
            return ""
        database.execute("BEGIN IMMEDIATE")
        found = news.untold(database, workspace)  # another window of this workspace may have taken them
        news.told(database, [number for number, *_ in found])
        database.execute("COMMIT")
    except sqlite3.OperationalError:
        return ""  # somebody writes, or it is of an older version: the next prompt brings them
    finally:
        database.close()
    return in_words(found)


def in_words(found: list[tuple[int, str, str, str]]) -> str:
    """The newest of these, and how many are older. Pure."""
    if not found:
        return ""
    lines = [f"- {at} {title}: {shortened(text)}" for _, at, title, text in found[-MOST:]]
    older = [f"- {len(found) - MOST} older ones: `openclaw inbox list`"] if len(found) > MOST else []
    return "\n".join([HEAD, *older, *lines]) + "\n"


def shortened(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… (`openclaw inbox read`)"
