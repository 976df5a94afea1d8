"""What the model can call: seven tools, bound by the scope of the task, with checked arguments and limited output."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.context.history import Call
from openclaw.local import commands, files
from openclaw.local.place import Place, ToolError, keep
from openclaw.results import Results, key_of

Given = Mapping[str, Any]


class Tool(NamedTuple):
    """`like` is what Claude Code calls such a tool: task types name their tools so. `again`: it may run twice.

    `reads`: the tool is pure, its result depends on its arguments and on what this returns, as plain data; None where
    that can't be said this time. ToolError where it may not be read.
    """

    name: str
    like: tuple[str, ...]
    about: str
    arguments: Mapping[str, tuple[str, str]]  # name → its type, ending in `?` where it may be left out, and what it is
    run: Callable[[Place, Given], Any]
    again: bool
    reads: Callable[[Place, Given], Any] | None = None

    @property
    def schema(self) -> dict[str, Any]:
        """Its arguments as JSON schema."""
        return {
            "type": "object",
            "properties": {
                name: {"type": kind.rstrip("?"), "description": about} for name, (kind, about) in self.arguments.items()
            },
            "required": [name for name, (kind, _) in self.arguments.items() if not kind.endswith("?")],
            "additionalProperties": False,
        }


LOOK_S = 0.05
_PATH = "relative to the working folder, or absolute"
TOOLS = (
    Tool("read", ("Read",), "Read a text file; its lines come with their numbers.", {
        "path": ("string", _PATH),
        "line": ("integer?", "the first line, 1 if left out"),
        "lines": ("integer?", "how many"),
    }, files.read, True),
    Tool("write", ("Write",), "Write a whole file, new or in place of the one that is there.", {
        "path": ("string", _PATH),
        "content": ("string", "all of it"),
    }, files.write, False),
    Tool("edit", ("Edit", "MultiEdit"), "Replace a text in a file. `old` must be in it exactly once, line breaks and "
         "indentation included, without line numbers.", {
        "path": ("string", _PATH),
        "old": ("string", "the text to be replaced"),
        "new": ("string", "what comes in its place"),
        "all": ("boolean?", "replace every one of them"),
    }, files.edit, False),
    Tool("list", ("Glob", "LS"), "List the names in a folder, or the files below it that match a pattern.", {
        "path": ("string?", "the folder, the working folder if left out"),
        "pattern": ("string?", "such as **/*.py"),
    }, files.list_files, True),
    Tool("search", ("Grep",), "Search files for lines that match an extended regular expression (grep -E).", {
        "pattern": ("string", "the expression"),
        "path": ("string?", "the folder or file, the working folder if left out"),
        "files": ("string?", "only files with such names, such as *.py"),
    }, commands.search, True, commands.searched),
    Tool("run", ("Bash",), "Run a command line with bash in the working folder; it can't be asked anything.", {
        "command": ("string", "the command line"),
        "seconds": ("number?", "how long it may take, 120 if left out"),
    }, commands.run, False),
    Tool("read_result", ("Read",), "Read lines of an earlier result that was too long to be shown as a whole.", {
        "id": ("string", "as its place said, such as r1"),
        "line": ("integer?", "the first line, 1 if left out"),
        "lines": ("integer?", "how many"),
    }, files.read_result, True),
)  # fmt: skip
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "integer": (int,), "number": (int, float), "boolean": (bool,)
}  # fmt: skip


def chosen(names: Sequence[str] | None) -> tuple[Tool, ...]:
    """The tools of a task that names some, by our names or Claude Code's; all for None."""
    if names is None:
        return TOOLS
    wanted = {name.strip() for name in names}
    return tuple(tool for tool in TOOLS if wanted & {tool.name, *tool.like})


async def call(tools: Sequence[Tool], asked: Call, place: Place) -> str:
    """What comes of a call, as the model gets it. ToolError with what is wrong, in words that it can act on."""
    tool = next((tool for tool in tools if tool.name == asked.name), None)
    if tool is None:
        names = ", ".join(tool.name for tool in tools) or "none"
        raise ToolError(f"there is no tool {asked.name[:60]!r}; the tools are: {names}")
    given = _given(tool, asked.arguments)
    text = await (_once(tool, given, place, place.known) if tool.reads and place.known else _run(tool, given, place))
    if tool.name != "read_result":
        return keep(place, text, tool.name)
    return text if len(text) <= place.chars else text[: place.chars] + "\n[cut here: ask for fewer lines]"


async def _run(tool: Tool, given: Given, place: Place) -> str:
    done: str = await (
        tool.run(place, given) if asyncio.iscoroutinefunction(tool.run) else asyncio.to_thread(tool.run, place, given)
    )
    return done


async def _once(tool: Tool, given: Given, place: Place, known: Results) -> str:
    """What a pure tool has said to the very same, else what it says now."""
    reads = await asyncio.to_thread(tool.reads, place, given) if tool.reads else None
    if reads is None:
        return await _run(tool, given, place)
    name, key = f"tool {tool.name}", key_of("tool", tool.name, given, reads)
    if found := known.look(name, key):
        return str(found.value)
    while (hold := known.hold(key, wait=False)) is None:  # somebody else is at it
        await asyncio.sleep(LOOK_S)
    try:
        if found := known.look(name, key):
            return str(found.value)
        began = time.monotonic()
        text = await _run(tool, given, place)
        known.keep(name, key, text, known.keep_for, time.monotonic() - began)
        return text
    finally:
        hold.free()


def in_one_line(asked: Call) -> str:
    """A call for people: its name, and what tells most about it."""
    try:
        given = json.loads(asked.arguments or "{}")
    except ValueError:
        given = asked.arguments
    if isinstance(given, dict):
        first = next((given[key] for key in ("command", "path", "pattern", "id") if given.get(key)), None)
        given = first if first is not None else given
    text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    return f"{asked.name} {' '.join(text.split())}"[:160]


def outcome(text: str) -> str:
    """A result for people, in a few words: its last line, and how many there are."""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()] or ["nothing"]
    return (f"{len(lines)} lines, {lines[-1]}" if len(lines) > 1 else lines[0])[:100]


def _given(tool: Tool, arguments: str) -> Given:
    try:
        given = json.loads(arguments or "{}")
    except ValueError as error:
        raise ToolError(f"the arguments are not valid JSON ({error}); send one JSON object") from None
    if not isinstance(given, dict):
        raise ToolError("the arguments must be one JSON object")
    known: dict[str, Any] = {}
    for name, value in given.items():
        if name not in tool.arguments:
            raise ToolError(f"{tool.name} has no argument {name[:40]!r}; it has {', '.join(tool.arguments)}")
        kind = tool.arguments[name][0]
        if value is not None or not kind.endswith("?"):
            known[name] = _typed(name, kind.rstrip("?"), value)
    for name, (kind, _) in tool.arguments.items():
        if not kind.endswith("?") and name not in known:
            raise ToolError(f"{tool.name} needs {name}: {tool.arguments[name][1]}")
    return known


def _typed(name: str, kind: str, value: Any) -> Any:
    """The value, also where a small model has put a number or a boolean between quotes."""
    if kind != "string" and isinstance(value, str):
        try:
            value = json.loads(value.lower())
        except ValueError:
            pass
    if kind == "integer" and isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != "boolean"):
        raise ToolError(f"{name} must be of type {kind}, not {json.dumps(value)[:60]}")
    return value
