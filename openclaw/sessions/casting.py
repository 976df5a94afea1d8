"""spawn --role: which role is meant, and how the program that is started plays it."""

from __future__ import annotations

from openclaw.agents.registry import Agent
from openclaw.errors import BadInput
from openclaw.roles import library
from openclaw.roles.part import Part, part
from openclaw.settings import Settings


def cast(name: str, agent: Agent, settings: Settings) -> Part:
    """The part. NotFound: no such role; BadInput: its file is broken, or the program reads no prompt."""
    role = library.find(name, settings)
    if agent.type == "command":
        raise BadInput(f"{agent.name} reads no prompt, so it can't play the role {name}", "name a program with --agent")
    return part(role, agent.name, agent.models, bool(agent.system_prompt))
