"""The programs that can run in a window: `agents.yaml` and the user's own entries, as frozen records."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from openclaw.agents import reporters
from openclaw.errors import BadInput, NotFound
from openclaw.settings import Settings
from openclaw.yamls import read_yaml

SHIPPED = os.path.join(os.path.dirname(__file__), "agents.yaml")
PYTHON = "{python}"  # as a word of a command: the Python that we run on
Words = tuple[str, ...]


class Agent(NamedTuple):
    """One program. Every `Words` is a list of argv words with {placeholders}; see the head of agents.yaml."""

    name: str
    command: Words
    prompt: Words
    about: str = ""
    model: Words = ()
    models: Words = ()
    system_prompt: Words = ()
    type: str = ""
    new_conversation: str = "none"
    conversation: Words = ()
    resume: Words = ()
    reports: str = "none"
    settings: Words = ()
    interactive: bool = False
    output: str = "stream"
    state: Words = ("exit-file", "process")
    usage: str = "none"
    input: Mapping[str, str] = {}  # never written to
    env: Words = ()
    guard: str = "none"
    sandboxed: Words = ()
    needs: Words = ()
    reads: Words = ()
    prefix: Mapping[str, Words] = {}  # never written to
    lean_tools: Words = ()
    rules: Words = ()
    prefix_tokens: Mapping[str, int] = {}  # never written to
    packages: Words = ()
    windows: Mapping[str, int] = {}  # never written to
    compact: str = ""
    memory_mb: int = 100
    install: str = ""

    def compacting(self, keep: str = "") -> str:
        """Its command that compacts its conversation, if it has one. BadInput if it can't be told what to keep."""
        if keep and self.compact and "{keep}" not in self.compact:
            raise BadInput(f"{self.name} can't be told what to keep", "leave that out: it is told its task again")
        return self.compact.replace("{keep}", " ".join(keep.split())).strip()


_KINDS = Agent.__annotations__
_CHOICES = {
    "new_conversation": ("none", "uuid"),
    "output": ("stream", "screen"),
    "guard": ("none", "hooks", "edits"),
    "reports": ("none", *reporters.MODULES),
}
_PREFIX = ("tools", "system_prompt", "rules", "extras", "settings")
# what the entries of a mapping may be called (any name where nothing is said), and what they are
_ENTRIES: dict[str, tuple[tuple[str, ...], str]] = {
    "prefix": (_PREFIX, "Words"),
    "prefix_tokens": ((), "int"),
    "windows": ((), "int"),
}
_PLACEHOLDERS = (
    "prompt", "prompt_file", "task_file", "model", "system_prompt", "conversation", "settings", "settings_file",
    "tools", "python",
)  # fmt: skip


def load(settings: Settings) -> dict[str, Agent]:
    """All programs by name. A user's entry of the same name changes only the keys it gives."""
    trees = [(SHIPPED, read_yaml(SHIPPED, settings.yaml_cache))]
    for folder in (settings.config_dir, settings.workspace):
        if os.path.exists(path := os.path.join(folder, "agents.yaml")):
            trees.append((path, read_yaml(path, settings.yaml_cache)))
    trees += [
        (path, tree["agents"]) for path, tree in reversed(settings.files()) if isinstance(tree.get("agents"), dict)
    ]
    return _merged(trees)


def shipped() -> dict[str, Agent]:
    """The programs that come with openclaw, whatever the user's own files say."""
    return _merged([(SHIPPED, read_yaml(SHIPPED))])


def _merged(trees: Iterable[tuple[str, dict[Any, Any]]]) -> dict[str, Agent]:
    entries: dict[str, dict[str, Any]] = {}
    agents: dict[str, Agent] = {}
    for path, tree in trees:
        for name, entry in ((str(key), entry) for key, entry in tree.items()):  # YAML reads 1 as a number
            if not isinstance(entry, dict):
                raise BadInput(f"{path}: agent {name} must be a mapping", code="bad_config")
            entries[name] = entries.get(name, {}) | entry
            agents[name] = _agent(name, entries[name], path)
    return agents


def get(agents: Mapping[str, Agent], name: str) -> Agent:
    """One program. NotFound names the nearest ones."""
    if name not in agents:
        near = [_nearest(name, agents)] if _nearest(name, agents) else sorted(agents)
        raise NotFound(
            f"no agent {name[:40]!r}",
            f"did you mean {', '.join(near)}? Your own belong into agents.yaml beside openclaw.yaml",
        )
    return agents[name]


def _agent(name: str, entry: dict[str, Any], path: str) -> Agent:
    where = f"{path}: agent {name}"
    values: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in _KINDS or key == "name":
            near = _nearest(str(key), _KINDS)
            raise BadInput(f"{where}: unknown key {key!r}", f"did you mean {near}?" if near else "", code="bad_config")
        values[key] = _typed(f"{where}: {key}", _KINDS[key], value)
        if key == "command":
            values[key] = tuple(sys.executable if word == PYTHON else word for word in values[key])
        if key in _ENTRIES:
            values[key] = _entries(f"{where}: {key}", values[key], *_ENTRIES[key])
        if key in _CHOICES and value not in _CHOICES[key]:
            raise BadInput(f"{where}: {key} is one of {', '.join(_CHOICES[key])}, not {value!r}", code="bad_config")
    for required in ("command", "prompt"):
        if not values.get(required):
            raise BadInput(f"{where}: {required} is missing", "it is a list of words", code="bad_config")
    return Agent(name=name, **values)


def _typed(where: str, kind: Any, value: Any) -> Any:
    kind = getattr(kind, "__forward_arg__", kind)
    if kind == "Words":
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list) or not all(isinstance(w, (str, int, float)) for w in words):
            raise BadInput(f"{where} must be a list of words", code="bad_config")
        for word in words:
            _check_placeholders(where, str(word))
        return tuple(map(str, words))
    expected = {"bool": bool, "int": int, "str": str}.get(str(kind), dict)
    if not isinstance(value, expected):
        raise BadInput(f"{where} must be of type {expected.__name__}, not {value!r}", code="bad_config")
    return value


def _entries(where: str, given: Mapping[Any, Any], names: Iterable[str], kind: str) -> dict[str, Any]:
    for name in given:
        if names and name not in names:
            raise BadInput(f"{where} has no {name!r}", f"it has {', '.join(names)}", code="bad_config")
    return {str(name): _typed(f"{where}.{name}", kind, value) for name, value in given.items()}


def _check_placeholders(where: str, word: str) -> None:
    try:
        word.format(**dict.fromkeys(_PLACEHOLDERS, ""))
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:  # the last: {prompt.x}, {prompt[x]}
        raise BadInput(
            f"{where}: {word!r} has an unknown placeholder",
            f"known: {', '.join(_PLACEHOLDERS)}; write {{{{ for a brace",
            code="bad_config",
        ) from error


def _nearest(word: str, known: Iterable[str]) -> str:
    import difflib  # only for a typing error

    return (difflib.get_close_matches(word, known, 1) or [""])[0]
