"""What a person has had without us: the conversations of Claude Code and Codex in their own folders, into the ledger.

Each file is read from where the last look ended, in one transaction; a look at one that did not grow costs a `stat`.
"""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from openclaw.errors import NotFound
from openclaw.store import db, ledger, mains, quotas
from openclaw.usage.ledger import reader, sane

REPORTERS = {"claude": "claude-hooks", "codex": "codex-hooks"}  # how each writes its conversations
PLACES = (  # variable, folder in HOME, where in it
    ("claude", "CLAUDE_CONFIG_DIR", ".claude", "projects"),
    ("codex", "CODEX_HOME", ".codex", "sessions"),
)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


class Taken(NamedTuple):
    """What one import did. `odd` rows had figures or times that can't be."""

    files: int
    read: int
    turns: int
    odd: int


def folders(environ: Mapping[str, str], home: str) -> list[str]:
    """Where the programs keep their conversations, as far as they are there."""
    found = (os.path.join(environ.get(name) or os.path.join(home, dot), below) for _, name, dot, below in PLACES)
    return [path for path in found if os.path.isdir(path)]


def take(store: sqlite3.Connection, paths: Iterable[str]) -> Taken:
    """Read these files, and those in these folders. NotFound for a path that is not there."""
    files: list[str] = []
    for path in paths:
        if not os.path.exists(path):
            raise NotFound(f"there is no {path[:200]}", "name a folder of Claude Code or Codex, or a file in it")
        files += [path] if os.path.isfile(path) else _below(path)
    known, done = ledger.known_files(store), Taken(len(files), 0, 0, 0)
    for path in dict.fromkeys(os.path.realpath(path) for path in files):
        read = known.get(path, 0)
        try:
            if read is None or os.stat(path).st_size == read:
                continue
        except OSError:
            continue  # removed meanwhile
        turns, odd = _file(store, path, read)
        done = done._replace(read=done.read + 1, turns=done.turns + turns, odd=done.odd + odd)
    return done


def take_mains(store: sqlite3.Connection) -> Taken:
    """The conversations of the agents that run the sub-agents, as far as they have grown."""
    paths = (main.transcript for main in mains.every(store) if main.agent in REPORTERS and main.transcript)
    return take(store, [path for path in paths if os.path.isfile(path)])


def _below(folder: str) -> list[str]:
    return sorted(
        os.path.join(place, name) for place, _, names in os.walk(folder) for name in names if name.endswith(".jsonl")
    )


def _file(store: sqlite3.Connection, path: str, start: int) -> tuple[int, int]:
    name = os.path.basename(path).removesuffix(".jsonl")
    agent = agent_of(path)
    form = reader(REPORTERS[agent])
    with db.transaction(store):  # another process may just be reading it: what it has read is looked up again
        start = ledger.known_files(store).get(path, start) or 0
        found = form.read(path, start)
        counted, odd = sane(found.turns)
        good = [turn for turn in counted if _TIME.fullmatch(turn.at)]
        if found.limits:
            quotas.note(store, agent, found.limits, found.limits_at)
        new = ledger.take(store, path, _conversation(path, name, agent), agent, good, found.read_bytes)
    return new, odd + len(counted) - len(good)


def agent_of(path: str) -> str:
    """The program that writes files of this name."""
    return "codex" if os.path.basename(path).startswith("rollout-") else "claude"


def _conversation(path: str, name: str, agent: str) -> str:
    """The id of the conversation; of an agent inside it, that of the whole."""
    folder = os.path.dirname(path)
    if agent == "claude" and os.path.basename(folder) == "subagents":
        return os.path.basename(os.path.dirname(folder))
    return name[-36:] if agent == "codex" else name


def places(environ: Mapping[str, str], home: str, named: str | None) -> Iterator[str]:
    """What an import looks at: what was named, else the folders of both programs."""
    yield from [os.path.abspath(os.path.expanduser(named))] if named else folders(environ, home)
