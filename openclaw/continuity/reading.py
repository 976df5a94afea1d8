"""Reading a snapshot back: whole, or as far as it is valid, with what is wrong and in which line."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from openclaw.continuity.document import END
from openclaw.continuity.state import FORMAT
from openclaw.errors import BadInput, NotFound

LARGEST = 4 * 2**20  # bytes: sixteen times what is written
_END = re.compile(re.escape(END).replace(r"\{\}", "([0-9a-f]{64})") + r"\n?\Z")
_KEY = re.compile(r"([a-z_]+):(?: (.*))?")
LISTS = {
    "sessions": ("id", "status", "agent", "task", "cwd"),
    "items": ("text",),
    "notes": ("kind", "text"),
    "jobs": (),
}

TEXTS = ("name", "type", "reason", "branch", "transcript", "reporter", "created_at")
NUMBERS = ("timeout_s", "exit_code", "context_tokens", "tokens_used", "injected_tokens", "cost_usd")


class Snapshot(NamedTuple):
    """A snapshot as far as it could be read. `condition`: whole, edited (by hand, since) or cut (its end is missing).

    `problems` name a line each; what stands there is not in `tree`.
    """

    path: str
    created_at: str
    reason: str
    tree: dict[str, Any]
    condition: str
    problems: tuple[str, ...]


def load(path: str) -> Snapshot:
    """The snapshot in a file. NotFound when there is none, BadInput with the line when nothing of it can be used."""
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise NotFound(f"there is no snapshot {path}", "`openclaw snapshots list` names them", "no_snapshot") from None
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}", "name a snapshot that can be read") from error
    if len(data) > LARGEST:
        raise BadInput(f"{path}, line 1: more than {LARGEST} bytes are no snapshot", "choose another", "damaged")
    text = data.decode("utf-8", "replace")
    problems = list[str]()
    tree = dict[str, Any]()
    lines = text.split("\n")
    if lines[0].strip() != "---":
        raise BadInput(
            f"{path}, line 1: a snapshot begins with ---", "choose another: `openclaw snapshots list`", "damaged"
        )
    end = next((n for n, line in enumerate(lines) if n and line.rstrip() == "---"), 0)
    if not end:
        problems.append(f"line {len(lines)}: its head has no end, so it was cut there")
    for number, key, value in _values(lines[1 : end or None], problems):
        _take(tree, number, key, value, problems)
    if tree.get("openclaw_snapshot") != FORMAT:
        found = tree.get("openclaw_snapshot")
        where = next((n for n, line in enumerate(lines, 1) if line.startswith("openclaw_snapshot:")), 2)
        what = "does not say which format it has" if found is None else f"has the format {found!r}, not {FORMAT}"
        raise BadInput(
            f"{path}, line {where}: the snapshot {what}", "choose another: `openclaw snapshots list`", "damaged"
        )
    for key, needed in (("sessions", []), ("items", []), ("notes", []), ("jobs", []), ("left_out", []), ("main", None)):
        tree.setdefault(key, needed)
    return Snapshot(
        path, str(tree.get("created_at") or ""), str(tree.get("reason") or ""), tree, condition(text), tuple(problems)
    )


def condition(text: str) -> str:
    """Whether a file is whole and as it was written. Needs no YAML."""
    hit = _END.search(text)
    if not hit:
        return "cut"
    return "whole" if hashlib.sha256(text[: hit.start()].encode()).hexdigest() == hit[1] else "edited"


def _values(lines: list[str], problems: list[str]) -> Iterator[tuple[int, str, Any]]:
    """Each value of the head with the line where it stands; an item of a list comes with the key of its list."""
    key, number = "", 0
    blocks: list[tuple[int, str, list[str]]] = []
    for number, line in enumerate(lines, 2):
        if hit := _KEY.fullmatch(line.rstrip("\r")):
            key = hit[1]
            blocks.append((number, key, [hit[2] or ""]))
        elif key and line.startswith("- "):
            blocks.append((number, f"{key}[]", ["  " + line[2:]]))
        elif blocks and line.strip() and line[0] in " \t":
            blocks[-1][2].append(line)  # wrapped by hand
        elif line.strip() and not line.startswith("#"):
            problems.append(f"line {number}: {line[:40]!r} is neither a key nor an item of a list")
    for number, key, block in blocks:
        text = "\n".join(block)
        if not text.strip() and not key.endswith("[]"):
            continue  # its items follow
        try:
            yield number, key, _value(text)
        except ValueError as error:
            problems.append(f"line {number}: {key.removesuffix('[]')}: {error}")


def _value(text: str) -> Any:
    """JSON as we write it, else YAML as a person may. ValueError in one line."""
    try:
        return json.loads(text)
    except ValueError:
        pass
    import yaml  # 20 ms: only for what a person has written

    from openclaw.yamls import load_yaml

    try:
        return load_yaml(text)
    except yaml.MarkedYAMLError as error:
        raise ValueError(str(error.problem)) from error
    except yaml.YAMLError as error:
        raise ValueError(" ".join(str(error).split())[:100]) from error


def _take(tree: dict[str, Any], number: int, key: str, value: Any, problems: list[str]) -> None:
    name = key.removesuffix("[]")
    if key in tree:
        problems.append(f"line {number}: {key} is given twice")
    elif name not in LISTS:
        if key.endswith("[]"):
            tree.setdefault(name, []).append(value)
        else:
            tree[key] = value
    else:
        found = tree.setdefault(name, [])
        for item in [value] if key.endswith("[]") else value if isinstance(value, list) else [value]:
            if wrong := _wrong(name, item):
                problems.append(f"line {number}: {name}: {wrong}")
            elif name == "sessions" and any(item["id"] == other["id"] for other in found):
                problems.append(f"line {number}: sessions: {item['id']} is there twice")
            else:
                found.append(SHAPES[name](item))


def _wrong(name: str, item: Any) -> str:
    if name == "jobs":
        return ""
    if not isinstance(item, dict):
        return f"{str(item)[:40]!r} is no mapping"
    for key in LISTS[name]:
        if not isinstance(item.get(key), str):
            return f"{key} is missing" if key not in item else f"{key} is no text"
    if name == "sessions" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", item["id"]):
        return f"{item['id'][:40]!r} can't be an id"
    return ""


def _session(item: dict[str, Any]) -> dict[str, Any]:
    """With everything that is read of it, in its type: a person may have changed or removed what he liked."""
    whole: dict[str, Any] = {key: _of(item, key, str) or "" for key in TEXTS}
    whole["name"] = whole["name"] or item["id"]
    whole |= {key: _of(item, key, str) for key in ("model", "role", "worktree", "conversation_id", "ended_at")}
    whole |= {key: _of(item, key, (int, float)) for key in NUMBERS}
    whole |= {key: _of(item, key, list) or [] for key in ("env", "last_lines")}
    ids = ("socket", "server_pid", "server_started", "session_id", "window_id", "pane_id")
    whole["tmux"] = {key: (_of(item, "tmux", dict) or {}).get(key) for key in ids}
    whole["budget"] = _of(item, "budget", dict) or {}
    scope = _of(item, "scope", dict) or {}
    whole["scope"] = {key: True for key in ("sandbox", "open") if scope.get(key) is True}
    whole["scope"] |= {key: [p for p in _of(scope, key, list) or [] if isinstance(p, str)] for key in ("read", "write")}
    return item | whole | {"tokens_used": whole["tokens_used"] or 0}


def _of(item: dict[str, Any], key: str, kind: Any) -> Any:
    return item[key] if isinstance(item.get(key), kind) else None


def _box(item: dict[str, Any]) -> dict[str, Any]:
    return item | {key: str(item.get(key) or "") for key in ("session", "status")}


def _note(item: dict[str, Any]) -> dict[str, Any]:
    return item | {key: str(item.get(key) or "") for key in ("at", "path")}


SHAPES: dict[str, Callable[[Any], Any]] = {"sessions": _session, "items": _box, "notes": _note, "jobs": lambda job: job}
