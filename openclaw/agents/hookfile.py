"""The files of hooks that Claude Code and Codex read, `{"hooks": {EVENT: [{"hooks": [{"command": …}]}]}}`, as text.

Ours are told by their command: a program called openclaw-hook, and a word after it that says what it serves.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from openclaw.agents import jsontext
from openclaw.agents.jsontext import Insertion, Malformed, Node

PROGRAM = "openclaw-hook"
EMPTY = "{\n}\n"


class Ours(NamedTuple):
    """One handler of ours: its event (statusLine for that), command, and the timeout it is given; of the status line,
    how often it is drawn though nothing happens."""

    event: str
    command: str
    seconds: Any


def is_ours(command: Any) -> bool:
    """Whether a command runs our hook for a main agent."""
    try:
        words = shlex.split(command) if isinstance(command, str) else []
    except ValueError:
        return False
    return len(words) > 1 and os.path.basename(words[0]) == PROGRAM and words[1] in ("main", "statusline")


def ours(text: str) -> list[Ours]:
    """All of ours in a file. Malformed when it is no JSON, or not of that shape."""
    root = _root(text)
    return [
        Ours(event, node.value["command"], node.value.get("refreshInterval" if event == "statusLine" else "timeout"))
        for event, node in _handlers(text, root)
    ]


def other_status_line(text: str) -> bool:
    """Whether the file has a status line that is not ours."""
    root = _root(text)
    line = root.get("statusLine") if root else None
    return line is not None and not any(event == "statusLine" for event, _ in _handlers(text, root))


def added(
    text: str, handlers: Mapping[str, Mapping[str, Any]], status_line: Mapping[str, Any] | None
) -> list[Insertion]:
    """What to insert for these handlers, one group for each event at the end of its list.

    Malformed when the file is no JSON, or not of that shape.
    """
    root = _root(text)
    groups = [(event, {"hooks": [handler]}) for event, handler in handlers.items()]
    if root is None:
        whole = {"hooks": {event: [group] for event, group in groups}}
        whole |= {"statusLine": dict(status_line)} if status_line else {}
        empty = jsontext.parse(EMPTY)
        assert empty
        body = jsontext.inserted(EMPTY, jsontext.appended(EMPTY, empty, list(whole.items())))[0]
        return [Insertion(len(text), ("\n" if text and not text.endswith("\n") else "") + body)]
    hooks = root.get("hooks")
    changes: list[Insertion] = []
    at_root: list[tuple[str, Any]] = []
    if hooks is None:
        at_root.append(("hooks", {event: [group] for event, group in groups}))
    else:
        lists = [(event, hooks.get(event), group) for event, group in groups]
        for _, node, group in lists:
            if node is not None:
                changes += jsontext.appended(text, node, [("", group)])
        if new := [(event, [group]) for event, node, group in lists if node is None]:
            changes += jsontext.appended(text, hooks, new)
    if status_line:
        at_root.append(("statusLine", dict(status_line)))
    return changes + (jsontext.appended(text, root, at_root) if at_root else [])


def removed(text: str) -> str:
    """The text without ours, and without what only held them."""
    while True:
        root = _root(text)
        found = next(_handlers(text, root), None)
        if root is None or found is None:
            return text
        path = _path_to(root, found[1])
        if len(path) == 5 and len(path[-1][0].items) == 1:
            path = path[:3]  # a group without hooks means nothing, whatever it matches
        while 1 < len(path) < 4 and len(path[-1][0].items) == 1 and not jsontext.commented(text, path[-1][0]):
            path.pop()  # what holds nothing else goes with it, but not the whole file
        text = jsontext.without(text, *path[-1])


def _root(text: str) -> Node | None:
    """The tree, of the shape that hooks have."""
    root = jsontext.parse(text)
    if root is None:
        return None
    _check(text, root, "object", "the file")
    hooks = root.get("hooks")
    if hooks is not None:
        _check(text, hooks, "object", "hooks")
        for item in hooks.items:
            _check(text, item.node, "array", f"hooks.{item.key}")
    return root


def _check(text: str, node: Node, kind: str, what: str) -> None:
    if node.kind != kind:
        raise Malformed(text, node.start, f"{what} must be an {kind}")


def _handlers(text: str, root: Node | None) -> Iterator[tuple[str, Node]]:
    """Event and node of each handler of ours."""
    if root is None:
        return
    hooks = root.get("hooks")
    for event in hooks.items if hooks else ():
        for group in event.node.items:
            inner = group.node.get("hooks") if group.node.kind == "object" else None
            for handler in inner.items if inner and inner.kind == "array" else ():
                if handler.node.kind == "object" and is_ours(handler.node.value.get("command")):
                    yield event.key, handler.node
    line = root.get("statusLine")
    if line and line.kind == "object" and is_ours(line.value.get("command")):
        yield "statusLine", line


def _path_to(root: Node, target: Node) -> list[tuple[Node, int]]:
    """The containers around a node, outermost first, each with the index of the item that leads to it."""
    path, node = [], root
    while (node.start, node.end) != (target.start, target.end):
        index = next(i for i, item in enumerate(node.items) if item.start <= target.start < item.node.end)
        path.append((node, index))
        node = node.items[index].node
    return path
