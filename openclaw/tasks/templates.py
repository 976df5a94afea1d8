"""What each type of task gets unless flags say otherwise: files, scope, limits. Shipped as YAML, the user's on top.

`<config>/templates/*.yaml` and then `<workspace>/templates/*.yaml` are read after the shipped ones; the last definition
of a name wins, and `extends: NAME` starts from another, or from the earlier one of the same name.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from openclaw.errors import BadInput, NotFound
from openclaw.settings import Settings
from openclaw.tasks import prefix
from openclaw.tasks.request import POLICIES, check_name, unknown_key
from openclaw.units import parse_count, parse_duration
from openclaw.yamls import read_yaml

SHIPPED = os.path.join(os.path.dirname(__file__), "templates.yaml")
DEFAULT = "sub-agent"
PLACES = ("workspace", "cwd")

Definitions = dict[str, tuple[str, dict[str, Any]]]  # name → (where it stands, its keys)


class Template(NamedTuple):
    """One template. `timeout` in seconds, limits in tokens.

    `read` is None for the whole cwd; `write` is () for a type that changes nothing, None for what the person names.
    """

    name: str
    type: str
    description: str
    agent: str | None
    files: tuple[str, ...]  # the default files, in their order
    look_in: tuple[str, ...]  # where they are looked up: workspace, cwd
    files_limit: int | None  # what they may have together
    read: tuple[str, ...] | None
    write: tuple[str, ...] | None
    timeout: float
    max_inject_tokens: int
    budget_tokens: int | None
    preamble: str
    prefix: str = "full"  # and what it is made of: see tasks/prefix.py
    tools: tuple[str, ...] | None = None
    system_prompt: str = ""
    settings: str | None = None
    rules: bool = False
    on_context: str | None = None  # warn or compact


def load(settings: Settings) -> dict[str, Template]:
    """All templates by name. BadInput names the file, the template and the key that is wrong."""
    known: dict[str, dict[str, Any]] = {}
    places: dict[str, str] = {}
    cache = settings.yaml_cache
    for layer in (_split(SHIPPED, cache), _folder(settings.config_dir, cache), _folder(settings.workspace, cache)):
        earlier = dict(known)
        for name in layer:
            known[name] = _extended(name, layer, earlier, ())
            places[name] = layer[name][0]
    return {name: _template(name, tree, places[name], settings) for name, tree in known.items()}


def get(templates: Mapping[str, Template], name: str) -> Template:
    """The template of this name, else the first of this type. NotFound with the nearest names."""
    if name in templates:
        return templates[name]
    for template in templates.values():
        if template.type == name:
            return template
    near = difflib.get_close_matches(name.lower(), templates, n=3, cutoff=0.5)
    hint = "did you mean " + " or ".join(near) + "?" if near else "there are " + ", ".join(sorted(templates))
    raise NotFound(f"no template or type {name[:40]!r}", hint, code="no_such_template")


# --- from files to definitions


def _folder(folder: str, cache: str) -> Definitions:
    found: Definitions = {}
    folder = os.path.join(folder, "templates")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return found
    for name in names:
        if name.endswith((".yaml", ".yml")) and not name.startswith("."):
            found |= _split(os.path.join(folder, name), cache)
    return found


def _split(path: str, cache: str) -> Definitions:
    """A file is one template, named by its stem, or a mapping of several."""
    tree = read_yaml(path, cache)
    if not tree:
        raise _bad(f"{path}: there is no template in it", "write its keys, or remove the file")
    if all(isinstance(value, dict) for value in tree.values()):
        named = {str(name): value for name, value in tree.items()}
    else:
        named = {os.path.splitext(os.path.basename(path))[0]: tree}
    for name in named:
        try:
            check_name(name)
        except BadInput as error:
            raise _bad(f"{path}: {error.message}", error.hint) from error
    return {name: (f"{path}, {name}", value) for name, value in named.items()}


def _extended(name: str, layer: Definitions, earlier: Mapping[str, Any], above: tuple[str, ...]) -> dict[str, Any]:
    where, tree = layer[name]
    for key in tree:
        if key not in _KEYS and key != "extends":
            error = unknown_key(str(key), [*_KEYS, "extends"])
            raise _bad(f"{where}: {error.message}", error.hint)
    base = tree.get("extends")
    if base is None:
        return {key: value for key, value in tree.items() if value is not None}
    if not isinstance(base, str):
        raise _bad(f"{where}: extends must be the name of one template, not {base!r:.40}", "like extends: coder")
    if base in above:
        raise _bad(f"{where}: extends goes round: {' → '.join((*above, name, str(base)))}", "one must stand by itself")
    if base != name and base in layer:
        inherited = _extended(base, layer, earlier, (*above, name))
    elif base in earlier:
        inherited = earlier[base]
    else:
        near = difflib.get_close_matches(str(base), {*earlier, *layer} - {name}, n=1)
        hint = f"did you mean {near[0]}?" if near else "there are " + ", ".join(sorted({*earlier, *layer} - {name}))
        raise _bad(f"{where}: extends {str(base)[:40]!r}, which is not there", hint)
    return {**inherited, **{key: value for key, value in tree.items() if key != "extends"}}


# --- from definitions to templates


def _template(name: str, tree: dict[str, Any], where: str, settings: Settings) -> Template:
    values = {key: None if tree.get(key) is None else _value(key, tree[key], where) for key in _KEYS}
    if unknown := set(values["look_in"] or ()) - set(PLACES):
        raise _bad(f"{where}: look_in has {sorted(unknown)[0]!r}", "it takes workspace and cwd")
    return Template(
        name=name,
        type=values["type"] or name,
        description=values["description"] or "",
        agent=values["agent"],
        files=values["files"] or (),
        look_in=values["look_in"] or PLACES,
        files_limit=values["files_limit"],
        read=values["read"],
        write=values["write"],
        timeout=values["timeout"] or settings.get("timeout"),
        max_inject_tokens=values["max_inject_tokens"] or settings.get("limits.inject_tokens"),
        budget_tokens=values["budget_tokens"],
        preamble=values["preamble"] or "",
        prefix=values["prefix"] or "full",
        tools=values["tools"],
        system_prompt=values["system_prompt"] or "",
        settings=values["settings"],
        rules=bool(values["rules"]),
        on_context=values["on_context"],
    )


def _text(value: Any, key: str) -> str:
    if not isinstance(value, str) or any(ord(char) < 32 and char != "\n" for char in value):
        raise BadInput(f"{key} must be a text without control characters", "put it into quotes")
    return value.strip()


def _texts(value: Any, key: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadInput(f"{key} must be a list of texts", f"write it like {key}: [one, two]")
    return tuple(value)


def _tools(value: Any, key: str) -> tuple[str, ...]:
    names = _texts(value, key)
    for name in names:
        if not name.strip() or name.startswith("-") or "," in name or not name.isprintable():
            raise BadInput(f"{key} has {name[:40]!r}, which is not the name of a tool", f"write it like {key}: [Read]")
    return names


def _one_of(*known: str) -> Callable[[Any, str], str]:
    def chosen(value: Any, key: str) -> str:
        if value not in known:
            raise BadInput(f"{key} is one of {', '.join(known)}, not {value!r:.40}")
        return str(value)

    return chosen


def _flag(value: Any, key: str) -> bool:
    if not isinstance(value, bool):
        raise BadInput(f"{key} must be true or false, not {value!r:.40}")
    return value


def _number(value: Any, key: str) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise BadInput(f"{key} must be a whole number", "write it like 800 or 20k")
    return parse_count(str(value), key)


_KEYS: dict[str, Callable[[Any, str], Any]] = {
    "type": _text, "description": _text, "agent": _text, "files": _texts, "look_in": _texts, "files_limit": _number,
    "read": _texts, "write": _texts, "timeout": lambda value, key: parse_duration(str(value), key),
    "max_inject_tokens": _number, "budget_tokens": _number, "preamble": _text,
    "prefix": _one_of(*prefix.KINDS), "tools": _tools, "system_prompt": _text,
    "settings": _one_of(*prefix.SETTINGS), "rules": _flag,
    "on_context": _one_of(*POLICIES),
}  # fmt: skip


def _value(key: str, value: Any, where: str) -> Any:
    try:
        return _KEYS[key](value, key)
    except BadInput as error:
        raise _bad(f"{where}: {error.message}", error.hint) from error


def _bad(message: str, hint: str) -> BadInput:
    return BadInput(message, hint, code="bad_template")
