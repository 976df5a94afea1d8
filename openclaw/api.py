"""The same services for Python programs, under the names that people have in their scripts.

Every function works on the fleet that the environment names, like the command line does, and raises the classes of
`openclaw.errors`. `settings` may be given to work on another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from openclaw.cache import Cached, cache_with_ttl
from openclaw.errors import BadInput
from openclaw.sessions import end, output
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.output import Result
from openclaw.sessions.send import Sent, follow, send
from openclaw.sessions.spawn import spawn
from openclaw.sessions.status import settle
from openclaw.sessions.wait import wait
from openclaw.settings import Settings
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.tasks.request import Request
from openclaw.units import parse_duration

__all__ = [
    "Cached",
    "Result",
    "Scope",
    "Session",
    "cache_with_ttl",
    "sessions_judge",
    "sessions_kill",
    "sessions_list",
    "sessions_result",
    "sessions_send",
    "sessions_spawn",
    "sessions_wait",
]


class Scope(TypedDict, total=False):
    """What a sub-agent may do: globs it may read, globs it may write (claimed for it alone), and for how long."""

    can_read: Sequence[str]
    can_write: Sequence[str]
    timeout: float | str  # seconds, or 90s 10m 2h


def sessions_spawn(
    task: str,
    scope: Scope | None = None,
    inject: Sequence[str] = (),
    session: str = "isolated",
    *,
    agent: str | None = None,
    model: str | None = None,
    type: str | None = None,
    template: str | None = None,
    name: str | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    worktree: str | None = None,
    max_inject_tokens: int | None = None,
    budget_tokens: int | None = None,
    sandbox: bool = False,
    prefix: str | None = None,
    role: str | None = None,
    on_context: str | None = None,
    check: str | None = None,
    settings: Settings | None = None,
) -> Session:
    """Start one isolated sub-agent; it runs when this returns.

    `inject` takes `PATH`, `PATH:A-B` and globs, relative to `cwd`. `worktree` gives it a git worktree and a new branch
    of that name, or with "" one named after it; `sandbox` encloses it with bubblewrap; `prefix` is full, lean or none,
    else what its type says; `role` names one of `openclaw roles`; `on_context` is warn or compact, else as set;
    `check` is a command line that says by its exit status whether the work is good. Without `model` the routing may
    choose one.
    Raises Refused (and starts nothing) when a guard says no, BadInput when an argument can't be understood, Unavailable
    when tmux, the program or bubblewrap is missing.
    """
    if session != "isolated":
        raise BadInput(f"session={session!r}: a spawn is always isolated", 'leave it out, or say session="isolated"')
    wanted = scope or {}
    if unknown := set(wanted) - {"can_read", "can_write", "timeout"}:
        raise BadInput(f"scope has no key {sorted(unknown)[0]!r}", "it has can_read, can_write and timeout")
    timeout = wanted.get("timeout")
    texts = {"task": task, "agent": agent, "model": model, "type": type, "template": template, "name": name}
    texts |= {"prefix": prefix, "role": role, "on_context": on_context, "check": check}
    for what, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise BadInput(f"{what}={text!r:.60} is not a text", f'give a str: {what}="…"')
    for what, number in {"max_inject_tokens": max_inject_tokens, "budget_tokens": budget_tokens}.items():
        if number is not None and (isinstance(number, bool) or not isinstance(number, int)):
            raise BadInput(f"{what}={number!r:.60} is not a whole number", f"give an int: {what}=20000")
    request = Request(
        task=task,
        agent=agent,
        model=model,
        template=template,
        type=type,
        inject=_list(inject, "inject"),
        read=_list(wanted.get("can_read", ()), "can_read"),
        write=_list(wanted.get("can_write", ()), "can_write"),
        allow_secret=(),
        timeout=parse_duration(str(timeout), "scope timeout") if timeout is not None else None,
        max_inject_tokens=max_inject_tokens,
        budget_tokens=budget_tokens,
        cwd=os.path.abspath(cwd or "."),
        name=name,
        env=tuple(f"{key}={value}" for key, value in (env or {}).items()),
        worktree=worktree,
        sandbox=sandbox,
        prefix=prefix,
        role=role,
        on_context=on_context,
        check=check,
    )
    return spawn(Fleet(settings), [request])[0]


def _list(given: Sequence[str], what: str) -> tuple[str, ...]:
    """The texts of a list. A bare text would be taken letter by letter."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise BadInput(f"{what} is {given!r:.60}, not a list", f"give a list: {what}=[…]")
    texts = tuple(given)
    if wrong := [each for each in texts if not isinstance(each, str)]:
        raise BadInput(f"{what} has {wrong[0]!r:.60}, which is not a text", f'give a list of str: {what}=["…"]')
    return texts


def sessions_list(all: bool = False, *, settings: Settings | None = None) -> list[Session]:
    """The live sub-agents, oldest first; with `all`, the last thousand that ended too."""
    fleet = Fleet(settings)
    live, _ = settle(fleet)
    return sessions.recent(fleet.store) if all else live


def sessions_wait(
    ids: Sequence[str], timeout: float | None = None, any: bool = False, *, settings: Settings | None = None
) -> list[Session]:
    """Block until all (or any) have ended or stopped working, `timeout` seconds at most; see `.status` then."""
    wanted = _list(ids, "ids")
    fleet = Fleet(settings)
    return wait(fleet, [sessions.find(fleet.store, i).id for i in wanted], any, timeout)[0]


def sessions_result(id: str, *, settings: Settings | None = None) -> Result:
    """What came of it, while it runs too: `.session`, `.output`, `.changed` (paths relative to its cwd)."""
    fleet = Fleet(settings)
    settle(fleet)
    return output.result(fleet, sessions.find(fleet.store, id))


def sessions_judge(id: str, good: bool, by: str = "person", *, settings: Settings | None = None) -> None:
    """Say how its work was, as a person, a check or a validator: the routing learns from it."""
    if by not in ("person", "check", "validator") or not isinstance(good, bool):
        raise BadInput(f"good={good!r:.20}, by={str(by)[:20]!r}", "a bool, and person, check or validator")
    from openclaw.sessions import judging  # YAML, and only here

    fleet = Fleet(settings)
    judging.judge(fleet, sessions.find(fleet.store, id), good, by)


def sessions_kill(ids: Sequence[str], *, settings: Settings | None = None) -> list[Session]:
    """End them with all their processes; logs and results stay."""
    wanted = _list(ids, "ids")
    fleet = Fleet(settings)
    return end.kill(fleet, [sessions.find(fleet.store, i) for i in wanted])


def sessions_send(
    id: str, text: str, *, wait: bool = False, timeout: float | None = None, settings: Settings | None = None
) -> Sent:
    """Send text to a running sub-agent as its next prompt; `wait` for a queued one, `timeout` seconds at most.

    `verdict` is delivered, queued, unconfirmed, failed or waiting: see `openclaw.sessions.send.Sent`.
    """
    fleet = Fleet(settings)
    sent = send(fleet, sessions.find(fleet.store, id).id, text)
    return follow(fleet, sent, timeout) if wait else sent
