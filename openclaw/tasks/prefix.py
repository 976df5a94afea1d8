"""What a program sends with every request beside its prompt: its tools, its system prompt, its settings, its rules.

That prefix is most of what a turn costs, so a template says how much of it its type of task needs. What a program can
leave out is declared in agents.yaml; what a project asks of whoever works in it is injected instead, or named as lost.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import NamedTuple

from openclaw.tasks.inject import Named

KINDS = ("full", "lean", "none")
SETTINGS = ("all", "files", "none")
# The parts that words of agents.yaml can cut.
PARTS = ("tools", "system_prompt", "rules", "extras", "settings")
# Where projects write what they ask of agents; one that is a link to another is the same file.
RULES = ("AGENTS.md", "CLAUDE.md", ".claude/CLAUDE.md", "CLAUDE.local.md")
LEAN = """You are a sub-agent with one task; the next message holds it and all that was chosen for it.
Do that and nothing beside it, with your tools. Check what you did before you say that it is done.
End with a short report: what you did, what you found, what is left."""
NONE = "You are asked once, by the next message. Answer it in text alone: you have no tools."


class Prefix(NamedTuple):
    """`kind` is what will be used, `wanted` what was asked for: a program that can't cut anything starts full.

    `tools` None: those that the program's entry names, or with `full` all it has. `system_prompt` is added to the
    program's own with `full`, else it takes its place. `settings`: all, only the program's settings files, or none.
    """

    kind: str = "full"
    wanted: str = "full"
    tools: tuple[str, ...] | None = None
    system_prompt: str = ""
    settings: str = "all"

    @property
    def cut(self) -> tuple[str, ...]:
        """The parts that it is to be without, of PARTS."""
        if self.kind == "full":
            return ()
        more = {"all": (), "files": PARTS[2:4], "none": PARTS[2:]}
        return (*PARTS[:2], *more[self.settings])


def decide(
    wanted: str,
    tools: tuple[str, ...] | None,
    system_prompt: str,
    settings: str | None,
    cwd: str,
    can_cut: Collection[str],
    role: str = "",
) -> Prefix:
    """The prefix for a program that can cut these parts. What a lean one no longer says of the folder, we say.

    The text of a `role` comes after the system prompt.
    """
    kind = wanted if can_cut else "full"
    if kind == "full":
        return Prefix(wanted=wanted, system_prompt="\n\n".join(filter(None, (system_prompt, role))))
    text = "\n\n".join(filter(None, (system_prompt or (LEAN if kind == "lean" else NONE), role)))
    if kind == "none":
        return Prefix(kind, wanted, (), text, settings or "files")
    return Prefix(kind, wanted, tools, f"{text}\nYour working directory is {cwd}", settings or "files")


def rules(cwd: str) -> list[Named]:
    """The files with a project's rules: in the cwd and above it up to the top of its repository, outermost first."""
    folders = [cwd]
    while not os.path.lexists(os.path.join(folders[-1], ".git")):
        if folders[-1] == os.path.dirname(folders[-1]):
            folders = [cwd]  # no repository: what lies above is somebody else's
            break
        folders.append(os.path.dirname(folders[-1]))
    paths = (os.path.join(folder, name) for folder in reversed(folders) for name in RULES)
    return [Named(path, folders[-1]) for path in paths if os.path.isfile(path)]
