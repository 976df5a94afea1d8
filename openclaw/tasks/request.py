"""What was asked for: one `Request` for each sub-agent, from flags or from a file that lists many.

`check` refuses what can't be meant, with the place where it is wrong, before anything is read or started.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from openclaw.errors import BadInput, Refused
from openclaw.settings import DECLARED, Settings
from openclaw.tasks import prefix
from openclaw.tasks.files import Unreadable, read_plain
from openclaw.units import parse_count, parse_duration
from openclaw.yamls import load_yaml


class Request(NamedTuple):
    """All of spawn's flags; None and () where nothing was said. `timeout` in seconds, `env` as `K=V` or `K`."""

    task: str
    agent: str | None = None
    model: str | None = None
    template: str | None = None
    type: str | None = None
    inject: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    allow_secret: tuple[str, ...] = ()
    timeout: float | None = None
    max_inject_tokens: int | None = None
    budget_tokens: int | None = None
    cwd: str = "."
    name: str | None = None
    env: tuple[str, ...] = ()
    worktree: str | None = None  # the branch of a worktree of its own; empty: named after it
    sandbox: bool = False
    prefix: str | None = None  # full, lean or none
    role: str | None = None
    on_context: str | None = None  # warn or compact
    check: str | None = None  # a command line that says by its exit status whether the work is good
    only: tuple[str, ...] | None = None  # instead of the files of its type; of the workspace, else the cwd


LONGEST_CHECK = 8192  # bytes of a command line
POLICIES = ("warn", "compact")  # what is done when its context is nearly full
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ENV_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # all but tab and line feed
_SURROGATE = re.compile(r"[\ud800-\udfff]")  # how undecodable bytes of a command line arrive
_CALLED = {"\0": "NUL", "\x1b": "ESC", "\r": "CR", "\x7f": "DEL", "\b": "BS", "\a": "BEL"}


# --- one request


def check(request: Request, settings: Settings | None = None) -> Request:
    """The request with its cwd resolved. BadInput says what is wrong and where, Refused what is too long."""
    request = request._replace(task=request.task.replace("\r\n", "\n"))  # a file from elsewhere
    check_text(request.task, settings.get("limits.task_bytes") if settings else DECLARED["limits.task_bytes"].default)
    if request.name is not None:
        check_name(request.name)
    for key in ("agent", "model", "template", "type", "role"):
        value = getattr(request, key)
        if value is not None and (not value.isprintable() or not value.strip() or len(value) > 200 or value[0] == "-"):
            raise BadInput(f"{key} {value[:40]!r} is not a name", "one short line of printable text")
    for key in ("timeout", "max_inject_tokens", "budget_tokens"):
        value = getattr(request, key)
        if value is not None and not value > 0:
            raise BadInput(f"{key} is {value}: it must be more than zero")
    if request.prefix is not None and request.prefix not in prefix.KINDS:
        raise BadInput(f"prefix is one of {', '.join(prefix.KINDS)}, not {request.prefix[:40]!r}")
    if request.on_context is not None and request.on_context not in POLICIES:
        raise BadInput(f"on_context is one of {', '.join(POLICIES)}, not {request.on_context[:40]!r}")
    if request.check is not None:
        check_text(request.check, LONGEST_CHECK, "the check", "put it into a script, and name that")
    for item in request.env:
        _check_env(item, settings)
    return request._replace(cwd=_folder(request.cwd))


def check_text(
    text: str,
    limit: int,
    what: str = "the task",
    instead: str = "put the bulk into a file and --inject it, or raise limits.task_bytes",
) -> None:
    """BadInput if a text is empty or has control characters, Refused if it has more bytes than `limit`.

    `what` it is called, and what to do `instead` of giving one that is too long.
    """
    if not text.strip():
        raise BadInput(f"{what} is empty", "say what is to be done")
    if found := _SURROGATE.search(text):
        raise BadInput(f"{what} is not UTF-8 at {_place(text, found.start())}", "give the text in UTF-8")
    if (size := len(text.encode())) > limit:
        raise Refused(
            f"{what} has {size} bytes, {limit} are allowed",
            instead,
            code="over_limit",
        )
    if found := _CONTROL.search(text):
        char = found[0]
        named = f"{_CALLED[char]} (U+{ord(char):04X})" if char in _CALLED else f"U+{ord(char):04X}"
        where = _place(text, found.start())
        raise BadInput(f"{what} has the control character {named} at {where}", "only tabs and line feeds are allowed")


def check_name(name: str) -> None:
    """BadInput unless it is 1 to 64 letters, digits, `_` or `-` that start with a letter or digit."""
    if not _NAME.fullmatch(name):
        shown = repr(name[:40]) + ("…" if len(name) > 40 else "")
        hint = "1 to 64 of the letters a-z A-Z, digits, _ and -, with a letter or digit first"
        raise BadInput(f"{shown} can't be a name", hint)


def _place(text: str, at: int) -> str:
    line = text.count("\n", 0, at) + 1
    return f"character {at + 1}" + (f" (line {line})" if line > 1 else "")


def _check_env(item: str, settings: Settings | None) -> None:
    key, equals, value = item.partition("=")  # a value may be a secret: no message shows it
    if not _ENV_KEY.fullmatch(key):
        raise BadInput(f"env {key[:40]!r} is not the name of a variable", "write KEY=value, or KEY to pass it on")
    if key.startswith(("OPENCLAW_", "TMUX")):
        raise BadInput(f"env {key[:40]} is set by openclaw itself", "choose another name")
    if "\0" in value or _SURROGATE.search(value):
        raise BadInput(f"the value of env {key[:40]} has a NUL or bytes that are not UTF-8")
    if not equals and settings and key not in settings.environ:
        raise BadInput(f"env {key[:40]} is not set here, so it can't be passed on", f"give it a value: {key[:40]}=…")


def _folder(cwd: str) -> str:
    if not cwd or _CONTROL.search(cwd) or "\n" in cwd or "\t" in cwd or _SURROGATE.search(cwd):
        raise BadInput(f"cwd {cwd[:80]!r} is not a folder that can be named")
    found = os.path.realpath(os.path.expanduser(cwd))
    if not os.path.isdir(found):
        why = "is not a folder" if os.path.lexists(found) else "does not exist"
        raise BadInput(f"cwd {cwd[:200]!r} {why}", "tmux would silently start elsewhere: name an existing folder")
    if not found.isprintable():
        raise BadInput(f"cwd leads to {found[:80]!r}, which is not a printable name")
    return found


# --- many requests from one file

_LISTS = ("inject", "read", "write", "allow_secret", "env")
_TEXTS = (
    "task", "task_file", "agent", "model", "template", "type", "cwd", "name", "prefix", "role", "on_context", "check",
)  # fmt: skip
_COUNTS = ("max_inject_tokens", "budget_tokens")
KEYS = (*_TEXTS, *_LISTS, *_COUNTS, "timeout", "scope", "worktree", "sandbox")
_SCOPE = {"can_read": "read", "can_write": "write", "timeout": "timeout"}
_TASK_FILE_BYTES = 16 * 2**20  # read no more; the limit on the text itself comes later
_BULLET = re.compile(r"\s*[-*+]\s")
_BOX = re.compile(r"\s*[-*+] \[([ xX])\](?:\s+(.*))?$")


def from_list(source: Any, defaults: Request) -> list[Request]:
    """The requests of a YAML or JSON list or a markdown checklist, given as text or as a parsed tree.

    An item is a task text, or a mapping with spawn's flags as keys, `task_file`, and `scope: {can_read, can_write,
    timeout}`. Of a checklist every open box is a task. What an item doesn't say is taken from `defaults`. BadInput
    names the item and key.
    """
    if isinstance(source, str):
        lines = source.splitlines()
        if _BOX.match(next((line for line in lines if _BULLET.match(line)), "")):
            return [defaults._replace(task=task, name=None) for task in _boxes(lines)]
        source = _parse(source)
    if not isinstance(source, list) or not source:
        raise BadInput(
            "there is no list of tasks",
            "a YAML or JSON list (of texts, or of mappings with the key 'task'), or a checklist of '- [ ] …' lines",
        )
    found, names = [], dict[str, int]()
    for number, item in enumerate(source, 1):
        try:
            request = _item(item, defaults._replace(name=None))
        except BadInput as error:
            raise BadInput(f"item {number}: {error.message}", error.hint, error.code) from error
        if request.name is not None and (first := names.setdefault(request.name, number)) != number:
            raise BadInput(f"item {number} has the name of item {first}, {request.name[:64]!r}", "give each its own")
        found.append(request)
    return found


def _boxes(lines: list[str]) -> list[str]:
    tasks: list[list[str]] = []
    current: list[str] = []
    for number, line in enumerate(lines, 1):
        if box := _BOX.match(line):
            current = [box[2] or ""]
            if not current[0].strip():
                raise BadInput(f"line {number}: the box has no task", "write the task after '- [ ]'")
            if box[1] == " ":
                tasks.append(current)
        elif current and line.startswith((" ", "\t")) and line.strip():
            current.append(line.strip())  # the rest of a wrapped item
        else:
            current = []
    if not tasks:
        raise BadInput("every box of the checklist is checked", "a task is a line '- [ ] …'")
    return ["\n".join(task).strip() for task in tasks]


def _parse(text: str) -> Any:
    import yaml  # 20 ms, and only a file of tasks needs it; JSON is YAML

    hint = "it must be a YAML or JSON list, or a checklist whose first bullet is a '- [ ]'"
    try:
        return load_yaml(text)
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}" if error.problem_mark else "the file"
        if error.problem_mark and any(map(_BOX.match, text.splitlines()[error.problem_mark.line :][:1])):
            raise BadInput(f"{line}: a box after a plain bullet", "a checklist begins with a '- [ ]'") from error
        raise BadInput(f"{line}: {error.problem}", hint) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: a date such as 2026-13-45
        raise BadInput(f"not YAML: {str(error).splitlines()[0][:200]}", hint) from error


def _item(item: Any, defaults: Request) -> Request:
    if isinstance(item, str):
        return defaults._replace(task=item)
    if not isinstance(item, dict):
        raise BadInput(f"expected a text or a mapping, found {_kind(item)}", "put a text into quotes")
    values: dict[str, Any] = {}
    for raw, value in item.items():
        key = str(raw).replace("-", "_")
        if key not in KEYS:
            raise unknown_key(str(raw), KEYS)
        if key == "scope":
            for name, inner in _scope(value).items():
                _put(values, name, inner, "scope")
        elif value is not None:
            _put(values, key, _value(key, value), "")
    request_file = values.pop("task_file", None)
    if (request_file is None) == ("task" not in values):
        raise BadInput("needs one of the keys 'task' and 'task_file'")
    if "cwd" in values:
        values["cwd"] = os.path.join(defaults.cwd, os.path.expanduser(values["cwd"]))
    if request_file is not None:
        values["task"] = _read(os.path.join(defaults.cwd, os.path.expanduser(request_file)))
    return defaults._replace(**values)


def _put(values: dict[str, Any], key: str, value: Any, within: str) -> None:
    if key in values:
        raise BadInput(f"{key!r} is given twice" + (f", once in {within}" if within else ""))
    values[key] = value


def _scope(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadInput(f"'scope' must be a mapping, found {_kind(value)}", "scope: {can_read: […], can_write: […]}")
    for key in value:
        if key not in _SCOPE:
            raise unknown_key(f"scope.{key}", [f"scope.{name}" for name in _SCOPE])
    return {_SCOPE[key]: _value(_SCOPE[key], inner) for key, inner in value.items() if inner is not None}


def _value(key: str, value: Any) -> Any:
    if key in _LISTS:
        if key == "env" and isinstance(value, dict):
            if empty := [name for name, inner in value.items() if inner is None or isinstance(inner, (dict, list))]:
                raise BadInput(f"env {str(empty[0])[:40]} must be a text", "write '' for an empty one")
            value = [f"{name}={inner}" for name, inner in value.items()]
        value = [value] if isinstance(value, str) else value
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            raise BadInput(f"{key!r} must be a text or a list of texts, found {_kind(value)}")
        return tuple(value)
    if key == "worktree" and isinstance(value, (bool, str)):
        return value if isinstance(value, str) else "" if value else None  # true: a branch named after the task
    if key == "sandbox":
        if not isinstance(value, bool):
            raise BadInput(f"'sandbox' must be true or false, found {_kind(value)}")
        return value
    if isinstance(value, (bool, dict, list)) or (key in (*_TEXTS, "worktree") and not isinstance(value, str)):
        raise BadInput(f"{key!r} must be {'a text' if key in _TEXTS else 'a number'}, found {_kind(value)}", "quote it")
    if key == "timeout":
        return parse_duration(str(value), repr(key))
    return parse_count(str(value), repr(key)) if key in _COUNTS else value


def _read(path: str) -> str:
    try:
        text = read_plain(path, _TASK_FILE_BYTES).decode("utf-8")
    except (Unreadable, UnicodeError) as error:
        why = "not UTF-8" if isinstance(error, UnicodeError) else str(error)
        raise BadInput(f"task_file {path[:200]!r}: {why}", "it must be a readable text file") from error
    return text.replace("\r\n", "\n").rstrip("\n")


def unknown_key(key: str, known: Iterable[str]) -> BadInput:
    """The error for a key that is not declared, with the nearest that is."""
    near = difflib.get_close_matches(key.lower(), list(known), n=1)
    hint = f"did you mean {near[0]!r}?" if near else "known are " + ", ".join(known)
    return BadInput(f"unknown key {key[:40]!r}", hint)


def _kind(value: Any) -> str:
    words = {dict: "a mapping", list: "a list", bool: "yes or no", type(None): "nothing"}
    return words.get(type(value), f"{value!r:.40}")
