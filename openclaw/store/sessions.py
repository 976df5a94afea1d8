"""The sessions and claims tables. The only module that knows their columns."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from openclaw.errors import BadInput, NotFound

LIVE = ("starting", "working", "waiting", "idle")
ENDED = ("done", "failed", "killed", "timeout", "halted", "lost")


class Session(NamedTuple):
    """One sub-agent as the store knows it. Times are ISO 8601 UTC, `timeout_s` seconds, tokens real usage."""

    id: str
    name: str
    task: str
    type: str
    agent: str
    status: str
    cwd: str
    socket: str
    created_at: str
    updated_at: str
    model: str | None = None
    role: str | None = None
    reason: str = ""
    worktree: str | None = None
    server_pid: int | None = None
    server_started: int | None = None
    tmux_session: str | None = None
    window_id: str | None = None
    pane_id: str | None = None
    pid: int | None = None
    spawner: str = ""
    conversation_id: str | None = None
    scope: str = "{}"
    injected: str = "[]"
    injected_tokens: int = 0
    env: str = "[]"
    tokens_used: int = 0
    cost_usd: float = 0.0
    budget_tokens: int | None = None
    budget_usd: float | None = None
    timeout_s: float | None = None
    exit_code: int | None = None
    ended_at: str | None = None
    violations: str = "[]"
    reporter: str = ""
    reported_state: str = ""
    reported_at: str = ""
    asks: str = ""
    last_error: str = ""
    status_file: str = ""
    context_tokens: int | None = None
    conversation_tokens: int | None = None
    context_limit: int | None = None
    context_level: str = ""
    on_context: str = ""
    seen_report: str = ""  # the `reported_at` of the report that was last looked at
    limited_until: str = ""  # when it can go on that stands at a limit of its program's subscription

    @property
    def live(self) -> bool:
        return self.ended_at is None

    @property
    def life(self) -> tuple[object, ...]:
        """What differs between two lives of a session that was brought back."""
        return self.ended_at, self.spawner, self.server_pid, self.server_started, self.pane_id

    @property
    def writes(self) -> list[str]:
        """The write scope: absolute patterns."""
        return list(json.loads(self.scope).get("write", []))

    @property
    def env_names(self) -> list[str]:
        """The variables that were named for it; their values are never stored."""
        return list(json.loads(self.env))

    def as_json(self) -> dict[str, Any]:
        """The contract's form of a session."""
        return {
            "id": self.id,
            "name": self.name,
            "task": self.task,
            "type": self.type,
            "agent": self.agent,
            "model": self.model,
            "role": self.role,
            "status": self.status,
            "reason": self.reason,
            "cwd": self.cwd,
            "worktree": self.worktree,
            "tmux": {
                "socket": self.socket,
                "server_pid": self.server_pid,
                "session_id": self.tmux_session,
                "window_id": self.window_id,
                "pane_id": self.pane_id,
            },
            "pid": self.pid,
            "conversation_id": self.conversation_id,
            "scope": json.loads(self.scope),
            "violations": json.loads(self.violations),
            "injected": json.loads(self.injected),
            "injected_tokens": self.injected_tokens,
            "context": {
                "tokens": self.context_tokens,
                "conversation": self.conversation_tokens,
                "limit": self.context_limit,
                "percent": percent(self.context_tokens, self.context_limit),
                "level": self.context_level or "unknown",
            },
            "tokens_used": self.tokens_used,
            "cost_usd": self.cost_usd,
            "budget": {"tokens": self.budget_tokens, "usd": self.budget_usd},
            "timeout_s": self.timeout_s,
            "exit_code": self.exit_code,
            "limited_until": self.limited_until or None,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "ended_at": self.ended_at,
        }


def percent(tokens: int | None, limit: int | None) -> int | None:
    """How full a window is, in whole percent; None when either is not known."""
    return None if tokens is None or not limit else round(100 * tokens / limit)


COLUMNS = ", ".join(Session._fields)
_INSERT = f"INSERT INTO sessions ({COLUMNS}) VALUES ({', '.join(':' + f for f in Session._fields)})"


def _sessions(rows: Iterable[sqlite3.Row]) -> list[Session]:
    return [Session(*row) for row in rows]


def insert(connection: sqlite3.Connection, session: Session, claims: Sequence[str]) -> None:
    """The row and what it claims; the caller holds the transaction."""
    connection.execute(_INSERT, session._asdict())
    connection.executemany("INSERT OR IGNORE INTO claims VALUES (?, ?)", [(session.id, claim) for claim in claims])


def live(connection: sqlite3.Connection) -> list[Session]:
    """Every session that has not ended, oldest first."""
    return _sessions(
        connection.execute(f"SELECT {COLUMNS} FROM sessions WHERE ended_at IS NULL ORDER BY created_at, rowid")
    )


def lost_since(connection: sqlite3.Connection, since: str) -> list[Session]:
    """Those that were found lost at `since` or later, oldest first."""
    where = "status = 'lost' AND updated_at >= ? ORDER BY created_at, rowid"
    return _sessions(connection.execute(f"SELECT {COLUMNS} FROM sessions WHERE {where}", (since,)))


def recent(connection: sqlite3.Connection, limit: int = 1000) -> list[Session]:
    """The newest sessions, ended ones too, oldest of them first."""
    rows = connection.execute(f"SELECT {COLUMNS} FROM sessions ORDER BY created_at DESC, rowid DESC LIMIT ?", (limit,))
    return _sessions(rows)[::-1]


def ended_since(connection: sqlite3.Connection, since: str, limit: int) -> list[Session]:
    """The newest of those that ended at `since` or later, oldest of them first."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM sessions WHERE ended_at >= ? ORDER BY ended_at DESC, rowid DESC LIMIT ?", (since, limit)
    )
    return _sessions(rows)[::-1]


def by_ids(connection: sqlite3.Connection, ids: Sequence[str]) -> list[Session]:
    """These sessions, in the order of `ids`; unknown ones are left out."""
    marks = ", ".join("?" * len(ids))
    found = {
        s.id: s for s in _sessions(connection.execute(f"SELECT {COLUMNS} FROM sessions WHERE id IN ({marks})", ids))
    }
    return [found[i] for i in ids if i in found]


def find(connection: sqlite3.Connection, word: str) -> Session:
    """The one session that `word` names: its id, a live one's name, the newest name, or a unique start of an id."""
    if any("\ud800" <= char <= "\udfff" for char in word):  # bytes that are not UTF-8: SQLite can't be asked for them
        raise NotFound(f"no session {word[:60]!r}", "`openclaw ps --all` lists them")
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    rows = (
        _sessions(
            connection.execute(
                f"SELECT {COLUMNS} FROM sessions WHERE name = ? OR id LIKE ? ESCAPE '\\' ORDER BY created_at DESC",
                (word, escaped.removeprefix("subagent-") + "%"),
            )
        )
        if word
        else []
    )
    for exact in (
        [s for s in rows if s.id == word.removeprefix("subagent-")],
        [s for s in rows if s.name == word and s.live],
        [s for s in rows if s.name == word][:1],
    ):
        if exact:
            return exact[0]
    if not rows:
        raise NotFound(f"no session {word[:60]!r}", "`openclaw ps --all` lists them")
    if len(rows) > 1:
        raise BadInput(
            f"{word!r} is the start of {len(rows)} ids: {', '.join(s.id for s in rows[:5])}",
            "type more of it",
            code="ambiguous",
        )
    return rows[0]


def update(connection: sqlite3.Connection, id: str, now: str, **columns: Any) -> bool:
    """Set columns of one session that still lives; an ended one is never changed back, and the answer is False."""
    names = ", ".join(f"{name} = :{name}" for name in columns)
    done = connection.execute(
        f"UPDATE sessions SET {names}, updated_at = :now WHERE id = :id AND ended_at IS NULL",
        columns | {"now": now, "id": id},
    )
    return done.rowcount == 1


def end(
    connection: sqlite3.Connection,
    id: str,
    status: str,
    now: str,
    *,
    exit_code: int | None = None,
    reason: str = "",
    ended_at: str = "",
) -> bool:
    """Mark a session ended and free its claims, once; False when it already was. The caller holds the transaction."""
    changed = connection.execute(
        "UPDATE sessions SET status = ?, exit_code = ?, reason = ?, ended_at = ?, updated_at = ?"
        " WHERE id = ? AND ended_at IS NULL",
        (status, exit_code, reason, ended_at or now, now, id),
    ).rowcount
    connection.execute("DELETE FROM claims WHERE session_id = ?", (id,))
    return changed == 1


def explain(connection: sqlite3.Connection, id: str, reason: str) -> None:
    """Why an ended session did, where nobody has said so; the caller holds the transaction."""
    connection.execute(
        "UPDATE sessions SET reason = ? WHERE id = ? AND reason = '' AND ended_at IS NOT NULL", (reason, id)
    )


def give_up(connection: sqlite3.Connection, ids: Sequence[str], now: str) -> None:
    """Lost ones that nobody wants back."""
    connection.executemany(
        "UPDATE sessions SET status = 'killed', reason = 'it was lost before', updated_at = ?"
        " WHERE id = ? AND status = 'lost'",
        [(now, id) for id in ids],
    )


def revive(
    connection: sqlite3.Connection, session: Session, now: str, *, spawner: str, name: str, worktree: str | None
) -> bool:
    """Make a lost session `starting` again, with its claims; False when it is lost no more: somebody was quicker.

    It keeps the pane it had: by that, `settle` knows it from one that never lived, and does not undo it.
    The caller holds the transaction.
    """
    changed = connection.execute(
        "UPDATE sessions SET status = 'starting', reason = '', exit_code = NULL, ended_at = NULL, updated_at = ?,"
        " spawner = ?, name = ?, worktree = ?, socket = ?, pane_id = coalesce(pane_id, '%'), reported_state = '',"
        " reported_at = '', seen_report = '', asks = '', last_error = '', status_file = '', limited_until = ''"
        " WHERE id = ? AND status = 'lost'",
        (now, spawner, name, worktree, session.socket, session.id),
    ).rowcount
    if changed:
        connection.executemany(
            "INSERT OR IGNORE INTO claims VALUES (?, ?)", [(session.id, claim) for claim in session.writes]
        )
    return changed == 1


def forget_worktree(connection: sqlite3.Connection, id: str, now: str) -> None:
    """A session's worktree is no more; the one thing that may change of an ended session."""
    connection.execute("UPDATE sessions SET worktree = NULL, updated_at = ? WHERE id = ?", (now, id))


def with_worktree(connection: sqlite3.Connection) -> list[str]:
    """The ids of all sessions, ended ones too, that have a worktree."""
    return [row[0] for row in connection.execute("SELECT id FROM sessions WHERE worktree IS NOT NULL")]


def set_violations(connection: sqlite3.Connection, id: str, paths: Sequence[str]) -> None:
    """What changed outside its scope, of an ended session too; the caller holds the transaction."""
    connection.execute("UPDATE sessions SET violations = ? WHERE id = ?", (json.dumps(paths), id))


def beside(connection: sqlite3.Connection, session: Session, now: str) -> list[Session]:
    """The other sessions that lived at some time while this one did."""
    return _sessions(
        connection.execute(
            f"SELECT {COLUMNS} FROM sessions WHERE id != ? AND created_at <= ? AND (ended_at IS NULL OR ended_at >= ?)",
            (session.id, session.ended_at or now, session.created_at),
        )
    )


def delete(connection: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Undo: forget sessions that never started, with their claims."""
    connection.executemany("DELETE FROM sessions WHERE id = ?", [(i,) for i in ids])


def claims(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Every write claim in force, as (session id, pattern)."""
    return [
        (row[0], row[1]) for row in connection.execute("SELECT session_id, pattern FROM claims ORDER BY session_id")
    ]
