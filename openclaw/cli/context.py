"""What the verbs share: the fleet for the --workspace that was given, their common arguments, and finding sessions."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from collections.abc import Sequence

from openclaw import render
from openclaw.errors import BadInput
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.units import format_duration, from_utc

workspace: str | None = None  # set by the door before a verb runs


def fleet() -> Fleet:
    return Fleet(Settings(workspace=workspace))


def named(owner: Fleet, words: Sequence[str]) -> list[Session]:
    """The sessions that these ids, prefixes or names mean, each once."""
    found = [sessions.find(owner.store, word) for word in words]
    return list({s.id: s for s in found}.values())


def write_out(option: str, file: str, text: str) -> str:
    """Write a document where a person wants it, whole or not at all; its path. BadInput where that can't be."""
    from openclaw.continuity.files import write  # few write any

    path = os.path.abspath(os.path.expanduser(file))
    try:
        write(path, text, 0o644)
    except OSError as error:
        raise BadInput(f"{option} {file[:200]}: {error.strerror}", "name a file in a folder that is there") from error
    return path


def json_argument(parser: ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def id_arguments(parser: ArgumentParser, count: str = "+") -> None:
    """ID, ID... or [ID...], completed by the shell with the live ones."""
    if count == "1":
        action = parser.add_argument("id", metavar="ID", help="an id, a unique start of one, or a name")
    else:
        action = parser.add_argument("ids", metavar="ID", nargs=count, help="ids, unique starts of ids, or names")
    action.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks for it


def complete(prefix: str, **_: object) -> dict[str, str]:
    """Live sessions with what they do, for the shell."""
    rows = sessions.live(fleet().store)[::-1]
    return {s.id: f"{s.status} {' '.join(s.task.split())[:50]}" for s in rows if s.id.startswith(prefix)}


def line(session: Session) -> str:
    """One session in one line: what it is, how it stands, what it cost."""
    parts = [render.paint(session.id, "bold"), render.paint(session.status, session.status)]
    if session.name != session.id:
        parts.insert(1, session.name)
    if session.exit_code:
        parts.append(f"exit {session.exit_code}")
    if session.reason and not session.reason.startswith("exit status"):
        parts.append(render.clean(session.reason))
    if session.ended_at:
        parts.append("in " + format_duration(from_utc(session.ended_at) - from_utc(session.created_at)))
    if session.worktree:
        parts.append("worktree " + render.clean(session.worktree))
    if session.violations != "[]":
        parts.append(render.paint("changed files outside its write scope", "warn"))
    parts.append(
        f"{session.injected_tokens} tokens injected"
        + (f", {session.tokens_used} used, ${session.cost_usd:.2f}" if session.tokens_used else "")
    )
    return "  ".join(parts)
