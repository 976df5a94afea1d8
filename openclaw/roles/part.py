"""How one program plays a role: what of it the program can be told, and what people should know of the rest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from openclaw.roles.role import Role


class Part(NamedTuple):
    """`text` is added to the system prompt; with `aloud` it stands before the task, for a program that takes none.

    `tools` None: as without the role. `told` is for people, a line each.
    """

    name: str
    text: str
    aloud: bool
    tools: tuple[str, ...] | None
    model: str | None
    told: tuple[str, ...]


def part(role: Role, program: str, models: Sequence[str], takes_system_prompt: bool) -> Part:
    """`models` are patterns of the names that the program understands; none means all."""
    knows = not models or any(fnmatchcase(role.model or "", pattern) for pattern in models)
    told = [f"role {role.name}, of {role.path} ({role.place})"]
    if not takes_system_prompt:
        told.append(f"  {program} takes no system prompt: its text stands before the task")
    if role.model and not knows:
        told.append(f"  {program} does not know its model {role.model}: not passed on")
    if role.partly:
        told.append(f"  not given, for only whole tools are: {', '.join(role.partly)}")
    model = role.model if knows else None
    return Part(role.name, role.prompt, not takes_system_prompt, role.tools, model, tuple(told))
