"""ps, attach, logs, wait, result, kill: looking at sub-agents and ending them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from openclaw import render
from openclaw.cli import context, polled
from openclaw.errors import BadInput, NotFound
from openclaw.sessions import end, output
from openclaw.sessions.status import settle
from openclaw.sessions.wait import verdict
from openclaw.sessions.wait import wait as wait_for
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.terminal.attach import attach_argv, is_inside
from openclaw.units import format_duration, from_utc, parse_duration

Ids = Annotated[
    list[str],
    typer.Argument(metavar="ID...", help="ids, unique prefixes of ids, or names", autocompletion=context.complete),
]
MaybeIds = Annotated[
    list[str] | None,
    typer.Argument(metavar="[ID...]", help="ids, unique prefixes of ids, or names", autocompletion=context.complete),
]
Id = Annotated[
    str, typer.Argument(metavar="ID", help="an id, a unique prefix of one, or a name", autocompletion=context.complete)
]
Json = Annotated[bool, typer.Option("--json", help="print one JSON document")]


def ps(
    everything: Annotated[bool, typer.Option("--all", "-a", help="those that ended too")] = False,
    json: Json = False,
) -> int:
    """States: starting working waiting idle, then done failed killed timeout halted lost."""
    return polled.ps(everything, json, context.fleet())


def attach(
    ids: MaybeIds = None,
    read_only: Annotated[bool, typer.Option("--read-only", "-r", help="watch without typing")] = False,
) -> None:
    """One ID fills the terminal, several share it in tiles, none means all live ones. Leave with prefix, d."""
    fleet = context.fleet()
    rows, seen = settle(fleet)
    chosen = context.named(fleet, ids) if ids else rows
    if not chosen:
        raise NotFound("no sub-agent is live", "start one with `openclaw spawn`")
    gone = [s.id for s in chosen if s.id not in seen.panes]
    if gone:
        raise NotFound(f"session {gone[0]} has no window any more", f"`openclaw logs {gone[0]}` shows what it printed")
    names = [seen.panes[s.id].session_name for s in chosen]
    argv = attach_argv(fleet.terminal, names, read_only, is_inside(fleet.terminal, os.environ))
    os.execvp(argv[0], argv)


def logs(
    id: Id,
    lines: Annotated[int | None, typer.Option("-n", "--lines", min=0, help="only the last N lines")] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="go on as it prints, until it ends")] = False,
    raw: Annotated[bool, typer.Option("--raw", help="the bytes that the terminal got, colours and all")] = False,
) -> None:
    """Clean text by default. What a program draws (claude, codex) is read from its window."""
    fleet = context.fleet()
    [session] = context.named(fleet, [id])
    if follow:
        for data in output.follow(fleet, session, lines):
            render.raw(data if raw else output.plain(data).encode())
    elif raw:
        render.raw(output.raw(fleet, session))
    else:
        text = output.logs(fleet, session, lines)
        if text:
            render.out(text)


def wait(
    ids: Ids,
    any_one: Annotated[bool, typer.Option("--any", help="return when one of them has")] = False,
    timeout: Annotated[str, typer.Option("--timeout", metavar="D", help="give up after 90s, 10m, 2h")] = "",
    json: Json = False,
) -> int:
    """Exit: 0 all done, 1 one failed, 6 one needs a person, 124 this wait or the sub-agent ran out of time."""
    fleet = context.fleet()
    chosen = context.named(fleet, ids)
    found, timed_out = wait_for(
        fleet, [s.id for s in chosen], any_one, parse_duration(timeout, "--timeout") if timeout else None
    )
    if json:
        render.document([s.as_json() for s in found])
    else:
        for session in found:
            render.out(line(session))
    return verdict(found, timed_out, any_one)


def result(
    id: Id,
    lines: Annotated[
        int, typer.Option("-n", "--lines", min=0, help="how much of its last output, if it wrote no result.md")
    ] = 20,
    json: Json = False,
) -> int:
    """State, exit status, tokens, changed files and last output; while it runs, what there is so far."""
    fleet = context.fleet()
    [session] = context.named(fleet, [id])
    settle(fleet)
    [session] = sessions.by_ids(fleet.store, [session.id])
    found = output.result(fleet, session, lines)
    if json:
        render.document(found.as_json())
        return 0
    render.out(line(session))
    if found.changed:
        render.out(
            "changed: "
            + ", ".join(render.clean(p) for p in found.changed[:20])
            + (f" and {len(found.changed) - 20} more" if len(found.changed) > 20 else "")
        )
    if found.output:
        render.out()
        render.out(found.output)
    return 0


def kill(
    ids: MaybeIds = None,
    finished: Annotated[bool, typer.Option("--finished", help="close the windows of those that ended")] = False,
    everything: Annotated[bool, typer.Option("--all", help="all of them, live and ended")] = False,
    json: Json = False,
) -> int:
    """TERM to every process of theirs, KILL after kill.grace, claims freed, window closed. Logs and results stay."""
    if bool(ids) + finished + everything != 1:
        raise BadInput("say which: ids, or --finished, or --all")
    fleet = context.fleet()
    if ids:
        settle(fleet)
        chosen = context.named(fleet, ids)
    else:
        chosen = end.finished(fleet)
        if everything:
            chosen = sessions.live(fleet.store) + chosen
    ended = end.kill(fleet, chosen)
    if json:
        render.document([s.as_json() for s in ended])
    else:
        for session in ended:
            render.out(line(session))
        if not ended:
            render.out("nothing to end")
    return 0


def line(session: Session) -> str:
    """One session in one line: what it is, how it stands, what it cost."""
    parts = [render.paint(session.id, "bold"), render.paint(session.status, session.status)]
    if session.name != session.id:
        parts.insert(1, session.name)
    if session.exit_code is not None:
        parts.append(f"exit {session.exit_code}")
    if session.reason and not session.reason.startswith("exit status"):
        parts.append(render.clean(session.reason))
    if session.ended_at:
        parts.append("in " + format_duration(from_utc(session.ended_at) - from_utc(session.created_at)))
    parts.append(
        f"{session.injected_tokens} tokens injected"
        + (f", {session.tokens_used} used, ${session.cost_usd:.2f}" if session.tokens_used else "")
    )
    return "  ".join(parts)
