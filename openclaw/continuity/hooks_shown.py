"""What of our hooks is installed where, and whether it would run."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple

from openclaw.agents import hookfile, notifier
from openclaw.agents.jsontext import Malformed
from openclaw.agents.launch import hook_program
from openclaw.continuity.hooks import EVENTS, File, files, present, text_of
from openclaw.errors import OpenclawError
from openclaw.sessions.check import Check
from openclaw.settings import Settings

VERSION_SECONDS = 5.0


class Shown(NamedTuple):
    """One file. `events` are those with our hook, `missing` those without, if there are any at all; `program` is what
    they call, with its version if it may be asked; `problem` is what is wrong. Empty for none."""

    file: File
    exists: bool
    events: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    program: str = ""
    version: str = ""
    status_line: str = ""  # ours, own or none
    problem: str = ""

    def as_json(self) -> dict[str, Any]:
        return self.file._asdict() | self._asdict() | {"file": self.file.path}


def look(settings: Settings, scopes: Sequence[str], agents: Sequence[str]) -> list[Shown]:
    """Every file that may have them, whether it is there or not."""
    versions: dict[str, str] = {}
    return [_look(file, versions) for file in files(settings, scopes, agents)]


def check(settings: Settings) -> Check:
    """For doctor: whether the programs that are here have our hooks in the person's own settings, and can call them."""
    found = [shown for shown in look(settings, ("user",), present(settings)) if shown.file.kind == "hooks"]
    if problem := next((f"{shown.file.path}: {shown.problem}" for shown in found if shown.problem), ""):
        return Check("main agents", "warn", problem, "`openclaw hooks show` says more")
    there = [shown.file.agent for shown in found if shown.events]
    without = [shown.file.agent for shown in found if not shown.events]
    return Check(
        "main agents",
        "ok",
        (f"our hooks are in the settings of {', '.join(there)}" if there else "no settings have our hooks")
        + (f"; `openclaw hooks install` adds them for {', '.join(without)}" if without else ""),
    )


def _look(file: File, versions: dict[str, str]) -> Shown:
    exists = os.path.exists(file.path)
    missing: tuple[str, ...] = ()
    status = ""
    try:
        _, text = text_of(file.path)
        if file.kind == "notify":
            words = notifier.ours(text)
            events, commands = (["notify"] if words else []), [words] if words else []
        else:
            found = hookfile.ours(text)
            events = [each.event for each in found if each.event != "statusLine"]
            commands = [shlex.split(each.command) for each in found]
            missing = tuple(event for event in EVENTS[file.agent] if event not in events) if events else ()
            own = hookfile.other_status_line(text)
            status = "own" if own else "ours" if len(events) < len(found) else "none"
    except Malformed as error:
        return Shown(file, exists, problem=f"line {error.line}, column {error.column}: {error}")
    except OpenclawError as error:
        return Shown(file, exists, problem=error.message)
    programs = sorted({words[0] for words in commands})
    mine = os.path.realpath(hook_program())
    # what the settings of a project name is run by nobody who only looks: it may be anybody's
    asked = [p for p in programs if file.scope == "user" or os.path.realpath(p) == mine]
    for program in asked:
        if program not in versions:
            versions[program] = _version(program)
    gone = [program for program in programs if not shutil.which(program)]
    silent = [program for program in asked if program not in gone and not versions[program]]
    problem = (
        f"{gone[0]} is not there: `openclaw hooks install` names the right one" if gone
        else f"{silent[0]} does not say its version" if silent
        else f"{len(programs)} different programs are called" if len(programs) > 1
        else f"{', '.join(missing)} without it: `openclaw hooks install` adds them" if missing
        else ""
    )  # fmt: skip
    program = programs[0] if programs else ""
    return Shown(file, exists, tuple(events), missing, program, versions.get(program, ""), status, problem)


def _version(program: str) -> str:
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=VERSION_SECONDS, stdin=subprocess.DEVNULL
        )
        return done.stdout.strip()[:80] if done.returncode == 0 else ""
    except (OSError, subprocess.TimeoutExpired, UnicodeError):
        return ""
