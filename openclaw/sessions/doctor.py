"""doctor: what openclaw stands on, each looked at once, and what of it can be mended.

It also judges what no other command may: windows that carry our tags but are not in the store are adopted from those
tags (only when their state folder is ours), or closed when nothing of them is left.
"""

from __future__ import annotations

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence

from openclaw.agents import registry
from openclaw.context.tokens import why_estimate
from openclaw.errors import OpenclawError
from openclaw.sessions import trust
from openclaw.sessions.adopt import adopt
from openclaw.sessions.check import Check
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import sessions
from openclaw.terminal.socket import check_folder
from openclaw.terminal.windows import close, tags, view

OPEN_FILES = 1024  # below this soft limit a server holds too few windows; one takes about three


def examine(fleet: Fleet, fix: bool = False, trusted: Sequence[str] = ()) -> list[Check]:
    """Look at everything; with `fix`, mend what can be mended without touching anybody's work, and tell the programs
    that a person trusts these folders."""
    checks: list[Check] = trust.accept(fleet, trusted) if fix and trusted else []
    looks: tuple[Callable[[Fleet, bool], list[Check]], ...] = (
        _programs,
        lambda fleet, _: trust.look(fleet),
        _tmux,
        _socket,
        _database,
        _windows,
        _tokens,
        _linger,
        _hook_log,
    )
    for look in looks:
        try:
            checks += look(fleet, fix)
        except OpenclawError as error:
            level = "ok" if error.code == "no_folder" else "error"
            checks.append(Check(look.__name__.strip("_"), level, error.message, "" if level == "ok" else error.hint))
        except sqlite3.Error as error:
            hint = "`openclaw doctor --fix` sets a damaged database aside and rebuilds it from tmux"
            checks.append(Check(look.__name__.strip("_"), "error", f"state database: {error}", hint))
    return checks


def _programs(fleet: Fleet, fix: bool) -> list[Check]:
    path = fleet.settings.environ.get("PATH", "")
    first = shutil.which("openclaw", path=path)
    here = os.path.join(os.path.dirname(sys.executable), "openclaw")
    if first and os.path.realpath(first) == os.path.realpath(here):
        checks = [Check("openclaw", "ok", f"{first} is the one the PATH finds first")]
    elif first:
        checks = [
            Check(
                "openclaw",
                "warn",
                f"the PATH finds {first} first, this one is {here}",
                "another program has the same name: put this one's folder first, or call it by its path",
            )
        ]
    else:
        checks = [
            Check("openclaw", "warn", f"not on the PATH; this one is {here}", f"add {os.path.dirname(here)} to PATH")
        ]
    for agent in registry.load(fleet.settings).values():
        program = shutil.which(agent.command[0], path=path)
        if program:
            checks.append(Check(f"agent {agent.name}", "ok", f"{program} {_version(program)}".strip()))
        else:
            checks.append(
                Check(f"agent {agent.name}", "ok" if agent.name != "shell" else "error", "not installed", agent.install)
            )
    return checks


def _version(program: str, flag: str = "--version") -> str:
    try:
        done = subprocess.run(
            [program, flag],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=10,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return done.stdout.strip().split("\n")[0][:60]
    except (OSError, subprocess.TimeoutExpired):
        return f"(its {flag} does not answer)"


def _tmux(fleet: Fleet, fix: bool) -> list[Check]:
    program = shutil.which(fleet.terminal.tmux, path=fleet.settings.environ.get("PATH"))
    if not program:
        return [
            Check(
                "tmux",
                "error",
                f"{fleet.terminal.tmux} is not on the PATH",
                "apt-get install tmux, or brew install tmux",
            )
        ]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    checks = [Check("tmux", "ok", f"{program} {_version(program, '-V')}")]
    level = "ok" if soft >= OPEN_FILES or hard > soft else "warn"
    checks.append(
        Check(
            "open files",
            level,
            f"limit {soft}, can be raised to {hard}",
            "" if level == "ok" else "raise `ulimit -n`: at the limit a tmux server hangs",
        )
    )
    return checks


def _socket(fleet: Fleet, fix: bool) -> list[Check]:
    check_folder(fleet.terminal.socket, create=fix)
    seen = view(fleet.terminal)
    if seen.presence == "unknown":
        return [
            Check(
                "socket",
                "error",
                f"{fleet.terminal.socket}: {seen.problem}",
                "look at it with `tmux -S`; nothing is lost while it does not answer",
            )
        ]
    if not seen.server:
        return [Check("socket", "ok", f"{fleet.terminal.socket}: no server yet, the first spawn starts one")]
    room = fleet.terminal.room(seen.server)
    return [
        Check(
            "socket",
            "ok",
            f"{fleet.terminal.socket}: server {seen.server.pid}"
            + ("" if room is None else f", room for {room} more windows"),
        )
    ]


def _database(fleet: Fleet, fix: bool) -> list[Check]:
    path = os.path.join(fleet.state_dir, "openclaw.db")
    try:
        verdict = fleet.store.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        sessions.live(fleet.store)  # the tables are there
        sessions.claims(fleet.store)
    except (OpenclawError, sqlite3.DatabaseError) as error:
        detail = error.message if isinstance(error, OpenclawError) else f"{path}: {error}"
        if not fix or not os.path.exists(path) or not _damaged(path):
            return [
                Check(
                    "database",
                    "error",
                    detail,
                    "`openclaw doctor --fix` sets a damaged file aside and rebuilds it from tmux",
                )
            ]
        aside = f"{path}.damaged-{fleet.now().replace(':', '')}"
        fleet.forget_store()
        for suffix in ("", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.replace(path + suffix, aside + suffix)
        _ = fleet.store
        return [
            Check(
                "database",
                "warn",
                f"was damaged; set aside as {aside}, a new one is in its place",
                "what tmux still knows is adopted below",
            )
        ]
    return [Check("database", "ok", path)]


def _damaged(path: str) -> bool:
    """Whether the file is no database or a broken one, not merely locked or out of reach."""
    try:
        connection = sqlite3.connect(f"file:{path}?mode=rw", uri=True, timeout=1)
        if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
            return True
        sessions.live(connection)
        sessions.claims(connection)
        return False
    except sqlite3.OperationalError as error:
        return "no such" in str(error)  # a table or a column; locked, read-only and the like are no damage
    except sqlite3.DatabaseError:
        return True


def _windows(fleet: Fleet, fix: bool) -> list[Check]:
    live, seen = settle(fleet)
    known = {s.id for s in sessions.by_ids(fleet.store, list(seen.panes))}
    strangers = [id for id in seen.panes if id not in known]
    if not strangers:
        return [Check("sub-agents", "ok", f"{len(live)} live, all with their windows")]
    marks = tags(fleet.terminal)
    ours = [id for id in strangers if marks.get(id, {}).get("state_dir") == fleet.state_dir]
    others = len(strangers) - len(ours)
    checks = [
        Check(
            "sub-agents",
            "ok",
            f"{len(live)} live"
            + (f"; {others} windows on this socket belong to another state folder, left alone" if others else ""),
        )
    ]
    for id in ours:
        folder = fleet.folder(id)
        if not fix:
            checks.append(
                Check(
                    f"window subagent-{id}",
                    "error",
                    "is in tmux but not in the store",
                    "`openclaw doctor --fix` adopts it",
                )
            )
        elif os.path.isfile(os.path.join(folder, "launch.sh")) or not seen.panes[id].dead:
            adopt(fleet, seen.panes[id], marks[id])
            checks.append(Check(f"window subagent-{id}", "ok", "adopted from its tags"))
        elif seen.server:
            close(fleet.terminal, [(seen.server, seen.panes[id].session_id)])
            checks.append(
                Check(
                    f"window subagent-{id}", "ok", "closed: its spawn was interrupted and nothing else of it was left"
                )
            )
    settle(fleet)
    return checks


def _tokens(fleet: Fleet, fix: bool) -> list[Check]:
    why = why_estimate(fleet.settings.environ)
    return [Check("tokens", "ok", f"estimated: {why}" if why else "exact counts at hand")]


def _linger(fleet: Fleet, fix: bool) -> list[Check]:
    if not os.path.isdir("/run/systemd/system"):
        return [Check("logging out", "ok", "no systemd here: logging out ends nothing")]
    user = fleet.settings.environ.get("USER", "")
    if os.geteuid() == 0 or os.path.exists(f"/var/lib/systemd/linger/{user}"):
        return [Check("logging out", "ok", "sub-agents outlive it")]
    return [Check("logging out", "warn", "may end the tmux server and all sub-agents", "loginctl enable-linger")]


def _hook_log(fleet: Fleet, fix: bool) -> list[Check]:
    path = os.path.join(fleet.state_dir, "hook.log")
    try:
        with open(path, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()
    except OSError:
        lines = []
    if not lines:
        return [Check("hooks", "ok", "none has failed")]
    hint = f"the rest is in {path}; remove it when it is settled"
    return [Check("hooks", "warn", f"{len(lines)} times one failed, the last at {lines[-1]}", hint)]
