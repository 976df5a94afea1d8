"""One role: a markdown file with front matter, as Claude Code's `.claude/agents/*.md` are. Pure.

Their keys mean the same here. What only we know stands under keys of our own, which Claude Code passes over: `budget`
(tokens of one run), `timeout`, `pure` (the same input may be answered from the cache) and `cache` (for how long).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from openclaw.errors import BadInput
from openclaw.units import parse_count, parse_duration

FENCE = "---"
INHERIT = "inherit"  # Claude Code's word for the model of whoever asks
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_BARE = re.compile(r"^([A-Za-z][\w-]*):[ \t]+(?![\"'\[{|>&*!])(.*\S)[ \t]*$")


class Role(NamedTuple):
    """`tools` None: all that its program has, when it is spawned. `partly`: tools that it gets only for some uses, such
    as Bash(git diff:*), which only Claude Code can keep to, so they are not given. `budget` in tokens, `timeout` in
    seconds; `cache` too, None as is set. `place` says whose it is, `hides` are files of the same name that it goes
    before.
    """

    name: str
    prompt: str
    description: str = ""
    tools: tuple[str, ...] | None = None
    partly: tuple[str, ...] = ()
    model: str | None = None
    budget: int | None = None
    timeout: float | None = None
    pure: bool = False
    cache: float | None = None
    path: str = ""
    place: str = ""
    hides: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it but its text."""
        found = self._asdict() | {"budget": {"tokens": self.budget}, "timeout_s": self.timeout}
        return {key: found[key] for key in found if key not in ("prompt", "timeout")}


def parse(text: str, path: str, stem: str, place: str = "") -> Role:
    """The role that a file is. BadInput names the file and the line."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != FENCE:
        raise _bad(path, 1, "it does not begin with --- and front matter", "a role begins with ---, name: and ---")
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == FENCE), None)
    if end is None:
        raise _bad(path, 1, "its front matter has no end", "close it with a line of ---")
    front = lines[1:end]
    tree = _tree(front, path)
    values: dict[str, Any] = {}
    for key, read in _KEYS.items():
        if tree.get(key) is not None:
            try:
                values[key] = read(tree[key], key)
            except BadInput as error:
                raise _bad(path, _line(front, key), error.message, error.hint) from error
    name = values.pop("name", stem)
    if not _NAME.fullmatch(name):
        raise _bad(path, _line(front, "name"), f"{name[:40]!r} can't be the name of a role", "letters, digits, _ and -")
    prompt = "\n".join(lines[end + 1 :]).strip()
    if not prompt:
        raise _bad(path, end + 1, "there is no text below its front matter", "say there what the role is to do")
    if "cache" in values and not values.get("pure"):
        raise _bad(path, _line(front, "cache"), "cache is for roles that say pure: true", "add that, or leave it out")
    tools, without = values.pop("tools", None), values.pop("disallowedTools", ())
    whole = tools and tuple(tool for tool in tools if _TOOL.fullmatch(tool) and tool not in without)
    return Role(
        name=name,
        prompt=prompt,
        description=" ".join(values.pop("description", "").split()),
        tools=whole if tools else tools,
        partly=tuple(tool for tool in tools or () if not _TOOL.fullmatch(tool)),
        path=path,
        place=place,
        unused=tuple(str(key) for key in tree if key not in _KEYS)
        + (("disallowedTools",) if without and tools is None else ()),
        **values,
    )


def _tree(front: list[str], path: str) -> dict[Any, Any]:
    """The front matter. Claude Code takes `key: any text: with colons`, which is no YAML: such values are quoted."""
    import yaml  # 20 ms: only where a role is read

    from openclaw.yamls import load_yaml

    try:
        try:
            tree = load_yaml("\n".join(front))
        except yaml.YAMLError:
            plain = "\n".join(_BARE.sub(lambda m: f"{m[1]}: '{m[2].replace(chr(39), chr(39) * 2)}'", x) for x in front)
            if plain == "\n".join(front):
                raise
            try:
                tree = load_yaml(plain)
            except yaml.YAMLError:
                tree = load_yaml("\n".join(front))  # what is said is about the file as it stands
    except yaml.MarkedYAMLError as error:
        line = min(error.problem_mark.line, len(front) - 1) + 2 if error.problem_mark else 1
        raise _bad(path, line, str(error.problem), "mend the YAML there") from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date such as 2026-13-45
        raise _bad(path, 1, str(error).splitlines()[0][:200], "mend its front matter") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise _bad(path, 2, "its front matter is no mapping", "write lines like name: reviewer")
    return tree


def _text(value: Any, key: str) -> str:
    if isinstance(value, (dict, list)):
        raise BadInput(f"{key} must be a text", "put it into quotes")
    return str(value).strip()


def _model(value: Any, key: str) -> str | None:
    text = _text(value, key)
    if not text.isprintable() or text.startswith("-") or len(text) > 200:
        raise BadInput(f"{key} {text[:40]!r} is not a name", "one short line of printable text")
    return text if text and text != INHERIT else None


def _tools(value: Any, key: str) -> tuple[str, ...] | None:
    """Names with commas between, or a list; a comma inside of brackets belongs to its tool. None for all (`*`)."""
    if isinstance(value, str):
        value = re.split(r",(?![^()]*\))", value)
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadInput(f"{key} must be names of tools", f"write it like {key}: Read, Grep")
    names = tuple(dict.fromkeys(name for each in value if (name := each.strip())))
    if wrong := [name for name in names if name.startswith("-") or not name.isprintable()]:
        raise BadInput(f"{key} has {wrong[0][:40]!r}, which is not the name of a tool", f"write it like {key}: Read")
    return None if names == ("*",) else names


def _flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"{key} must be true or false, not {value!r:.40}")
    return value


def _count(value: Any, key: str) -> int:
    if isinstance(value, (bool, dict, list)) or (count := parse_count(str(value), key)) < 1:
        raise BadInput(f"{key} must be a number of tokens", "write it like 800 or 20k")
    return count


_KEYS: dict[str, Callable[[Any, str], Any]] = {
    "name": _text, "description": _text, "tools": _tools, "disallowedTools": lambda v, k: _tools(v, k) or (),
    "model": _model, "budget": _count, "timeout": lambda v, k: parse_duration(str(v), k), "pure": _flag,
    "cache": lambda v, k: parse_duration(str(v), k),
}  # fmt: skip


def _line(front: list[str], key: str) -> int:
    """The line of the file in which a key stands."""
    return next((at for at, line in enumerate(front, 2) if line.startswith(f"{key}:")), 1)


def _bad(path: str, line: int, message: str, hint: str) -> BadInput:
    return BadInput(f"{path}, line {line}: {message}", hint, code="bad_role")
