"""A task's prefix as one program has it: the words that cut it, what it costs, and what can't be done or is lost."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw.agents.registry import Agent
from openclaw.context.tokens import Counter
from openclaw.tasks.prefix import PARTS, Prefix
from openclaw.tasks.prepare import Task

CALLED = {
    "tools": "its other tools", "system_prompt": "its own system prompt", "rules": "the rules it reads itself",
    "extras": "its extras (skills and the like)", "settings": "its settings",
}  # fmt: skip
# What people rely on in a lean one too.
KEPT = {"settings": "its settings files (login, permissions, its own hooks)"}
_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*=")


class Cut(NamedTuple):
    """What starts a program with less: words with their placeholders, the values of those, and variables."""

    words: tuple[str, ...]
    values: dict[str, str]
    environ: dict[str, str]


class Cost(NamedTuple):
    """Tokens of a first request, estimated: the prefix alone, all of it, and all of it in a default start."""

    prefix: int
    request: int
    default: int


def cut(agent: Agent, prefix: Prefix) -> Cut:
    """How `agent` gets this prefix, as far as its entry says."""
    values = {"tools": ",".join(tools(agent, prefix) or ()), "system_prompt": prefix.system_prompt}
    if prefix.kind == "full":
        return Cut(agent.system_prompt if prefix.system_prompt else (), values, {})
    parts = [part for part in prefix.cut if part != "tools" or tools(agent, prefix) is not None]
    instead = {"system_prompt": agent.system_prompt}  # one that can't be replaced is added to
    words = [word for part in parts for word in agent.prefix.get(part, instead.get(part, ()))]
    named = [word for word in words if _VARIABLE.match(word)]
    return Cut(
        tuple(word for word in words if word not in named),
        values,
        {name: value for name, _, value in (word.partition("=") for word in named)},
    )


def tools(agent: Agent, prefix: Prefix) -> tuple[str, ...] | None:
    """The tools it will have: those of the task, else its entry's choice; None for all that it has."""
    if prefix.kind == "full" or "tools" not in agent.prefix:
        return None
    return prefix.tools if prefix.tools is not None else agent.lean_tools or None


def remains(agent: Agent, prefix: Prefix) -> list[str]:
    """What was to be cut and is not, because its entry has no words for it, for people."""
    if prefix.wanted == "full" or agent.type == "command":
        return []
    return [CALLED[part] for part in prefix.cut or PARTS[:2] if part not in agent.prefix]


def cost(agent: Agent, task: Task, counter: Counter, environ: Mapping[str, str]) -> Cost | None:
    """None when its entry does not say what its parts cost."""
    known = agent.prefix_tokens
    if not known:
        return None
    text = task.prefix.system_prompt if agent.system_prompt or "system_prompt" in agent.prefix else ""
    own = counter.count(text, model=task.model or agent.name).tokens if text else 0
    given = _rules_tokens(agent, task, counter, environ)
    whole = sum(known.get(part, 0) for part in ("base", "system_prompt", "tools", "extras")) + given
    gone = set(task.prefix.cut) & set(agent.prefix)
    named = tools(agent, task.prefix)
    prefix = known.get("base", 0) + own + (0 if "rules" in gone else given)
    prefix += sum(known.get(part, 0) for part in ("system_prompt", "extras") if part not in gone)
    prefix += known.get("tools", 0) if named is None else sum(known.get(tool, 0) for tool in named)
    injected = sum(item.tokens for item in task.injected if item.absolute in _read_itself(agent, task, environ))
    return Cost(prefix, prefix + task.tokens, whole + task.tokens - (injected if "rules" in gone else 0))


def tell(agent: Agent, task: Task, environ: Mapping[str, str], costs: bool) -> list[str]:
    """What the prefix will be, one line each, for people; nothing for a program that reads no prompt."""
    if agent.type == "command":
        return []
    prefix, lines = task.prefix, []
    if prefix.kind != "full":
        gone = [CALLED[part] for part in prefix.cut if part in agent.prefix]
        named = tools(agent, prefix)
        lines.append(f"prefix {prefix.kind}: without {', '.join(gone)}" if gone else f"prefix {prefix.kind}")
        if named is not None:
            lines.append(f"  its tools are {', '.join(named)}" if named else "  it has no tools")
        if kept := [each for part, each in KEPT.items() if part not in prefix.cut or part not in agent.prefix]:
            lines.append(f"  it keeps {', '.join(kept)}")
    if left := remains(agent, prefix):
        lines.append(f"prefix {prefix.wanted}: {agent.name} can't be told to leave out {', '.join(left)}")
    if not costs:
        lines.append(f"what {agent.name} sends beside the prompt is not known")
    hint = "(--prefix full loads it, --inject puts it in)"
    return lines + [f"not loaded, and not injected: {path} {hint}" for path in unread(agent, task, environ)]


def as_json(agent: Agent, task: Task, counter: Counter, environ: Mapping[str, str]) -> dict[str, Any]:
    """All that is known of it before it starts."""
    found = cost(agent, task, counter, environ)
    return {
        "kind": task.prefix.kind,
        "wanted": task.prefix.wanted,
        "tools": None if (named := tools(agent, task.prefix)) is None else list(named),
        "system_prompt": task.prefix.system_prompt or None,
        "settings": task.prefix.settings,
        "remains": remains(agent, task.prefix),
        "unread": unread(agent, task, environ),
        "tokens": {"estimated": True, **found._asdict()} if found else None,
    }


def unread(agent: Agent, task: Task, environ: Mapping[str, str]) -> list[str]:
    """Files with rules that it would read by itself and now does not, and that are not injected."""
    if "rules" not in set(task.prefix.cut) & set(agent.prefix):
        return []
    return sorted({*task.rules, *_own(agent, environ)} - {item.absolute for item in task.injected})


def _own(agent: Agent, environ: Mapping[str, str]) -> list[str]:
    """The person's own rules for all projects, as far as they are there."""
    from openclaw.agents.sandbox import expand  # subprocess: only to show what would be

    found = (expand(word, environ) for word in agent.rules if word[0] in "~$/")
    return [os.path.realpath(path) for path in found if path and os.path.isfile(path)]


def _read_itself(agent: Agent, task: Task, environ: Mapping[str, str]) -> list[str]:
    """What it loads by itself in a default start."""
    names = tuple(f"/{name}" for name in agent.rules if name[0] not in "~$/")
    return list(dict.fromkeys([*(p for p in task.rules if p.endswith(names)), *_own(agent, environ)]))


def _rules_tokens(agent: Agent, task: Task, counter: Counter, environ: Mapping[str, str]) -> int:
    total = 0
    for path in _read_itself(agent, task, environ):
        try:
            with open(path, encoding="utf-8", errors="replace") as file:
                total += counter.count(file.read(1_000_000), model=task.model or agent.name).tokens
        except OSError:
            continue  # the program can't read it either
    return total
