"""Trust of folders: what a program would ask there, the words that name the way out, and accepting it for a person.

It is never accepted unless a person names the folder. A program may let a worktree inherit from its repository; that is
its own decision, and `first_dialog` knows it.
"""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterable, Iterator

from openclaw.agents import launch, registry
from openclaw.agents.registry import Agent
from openclaw.agents.reporters import TRUST, reporter
from openclaw.errors import BadInput, OpenclawError
from openclaw.git import checkout
from openclaw.sessions.check import Check
from openclaw.sessions.fleet import Fleet


def way_out(id: str, asks: str, places: Iterable[str]) -> str:
    """A reason for `ps` with what to do; each of the places, those that are not empty, is one to trust for that."""
    answer = f"answer in its window: openclaw attach {id}"
    if asks == TRUST:
        commands = " or ".join(f"--trust {shlex.quote(place)}" for place in places if place)
        answer += f"; for next time: openclaw doctor --fix {commands}"
    return f"{' '.join(asks.split())} ({answer})"


def main_checkout(folder: str) -> str:
    """The checkout that the repository around `folder` was made with; empty where there is none."""
    found = checkout(folder)
    named = found is not None and os.path.basename(found.common) == ".git"
    return os.path.dirname(found.common) if found and named else ""


def look(fleet: Fleet) -> list[Check]:
    """What programs that can be asked would ask of a person in the current folder."""
    cwd = os.path.realpath(fleet.settings.cwd)
    checks = []
    for agent in _programs(fleet):
        asks = reporter(agent.reports).first_dialog(_environ(fleet, agent), cwd, main_checkout(cwd))
        if asks:
            command = f"`openclaw doctor --fix --trust {shlex.quote(cwd)}`, if you do"
            hint = command if asks == TRUST else "start it once by hand"
            checks.append(Check(f"{agent.name} here", "warn", f"a start in {cwd}: it {asks}", hint))
    return checks


def accept(fleet: Fleet, folders: Iterable[str]) -> list[Check]:
    """Tell every installed program that can be told, in its own configuration, that a person trusts these folders.

    BadInput for what is no folder, or all of them.
    """
    checks = []
    for folder in [_folder(each) for each in folders]:
        found = False
        for agent in _programs(fleet):
            found = True
            try:
                new = reporter(agent.reports).trust(_environ(fleet, agent), folder)
                detail = f"{folder} is trusted now" if new else f"{folder} was trusted already"
                checks.append(Check(f"trust {agent.name}", "ok", detail))
            except OpenclawError as error:
                checks.append(Check(f"trust {agent.name}", "error", error.message, error.hint))
        if not found:
            checks.append(Check("trust", "warn", f"no program that asks for trust is installed: nothing of {folder}"))
    return checks


def _programs(fleet: Fleet) -> Iterator[Agent]:
    for agent in registry.load(fleet.settings).values():
        if agent.reports != "none" and shutil.which(agent.command[0], path=fleet.settings.environ.get("PATH", "")):
            yield agent


def _environ(fleet: Fleet, agent: Agent) -> dict[str, str]:
    return launch.environment(agent, fleet.settings.environ, ())


def _folder(named: str) -> str:
    folder = os.path.realpath(os.path.expanduser(named))
    if not os.path.isdir(folder):
        raise BadInput(f"--trust {named[:200]!r} is not a folder", "name an existing one")
    if folder == os.path.dirname(folder):
        raise BadInput(f"--trust {named[:200]!r} would mean every folder there is", "name the one you know")
    return folder
