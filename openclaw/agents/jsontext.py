"""JSON that people write, changed without touching anything else in it: comments, order, indentation, line ends stay.

`parse` gives a tree of spans, and takes comments and trailing commas too. `appended` says what to insert where, so that
a container has more items at its end; `without` takes one item away with its comma. Offsets are characters.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

DEEPEST = 200
_BLANK = re.compile(r"(?:[ \t\r\n\ufeff]+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_OTHER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null")


class Malformed(ValueError):
    """What is wrong, and where: `line` and `column` count from 1."""

    def __init__(self, text: str, at: int, what: str) -> None:
        super().__init__(what)
        self.line = text.count("\n", 0, at) + 1
        self.column = at - text.rfind("\n", 0, at)


class Node(NamedTuple):
    """A value and where it stands. `items` of an object have a key, those of an array have none."""

    kind: str  # object, array or plain
    start: int
    end: int
    items: tuple[Item, ...]
    value: Any

    def get(self, key: str) -> Node | None:
        """The value of a key: of several the last, as every reader has it."""
        return next((item.node for item in reversed(self.items) if item.key == key), None)


class Item(NamedTuple):
    """One item of a container; it begins with its key, if it has one. `comma` is where the comma after it is, or -1."""

    start: int
    key: str
    node: Node
    comma: int


class Insertion(NamedTuple):
    """`text` goes in at this offset of the text as it was."""

    at: int
    text: str


def parse(text: str) -> Node | None:
    """The tree; None when there is nothing but blanks and comments. Malformed when it is no JSON."""
    start = _skip(text, 0)
    if start == len(text):
        return None
    node = _node(text, start, 0)
    end = _skip(text, node.end)
    if end < len(text):
        raise Malformed(text, end, "there is more after the end")
    return node


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _node(text: str, at: int, depth: int) -> Node:
    if depth > DEEPEST:
        raise Malformed(text, at, f"more than {DEEPEST} levels deep")
    if text[at : at + 1] in ("{", "["):
        return _container(text, at, depth)
    found = _STRING.match(text, at) or _OTHER.match(text, at)
    if not found:
        raise Malformed(text, at, "a value is missing" if at < len(text) else "the end is missing")
    return Node("plain", at, found.end(), (), json.loads(found[0]))


def _container(text: str, start: int, depth: int) -> Node:
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    items: list[Item] = []
    at = _skip(text, start + 1)
    while text[at : at + 1] != closing:
        if items and items[-1].comma < 0:
            raise Malformed(text, at, f"a comma or {closing} is missing" if at < len(text) else f"{closing} is missing")
        begin, key = at, ""
        if is_object:
            found = _STRING.match(text, at)
            if not found:
                raise Malformed(text, at, "a key in quotes is missing" if at < len(text) else f"{closing} is missing")
            key = json.loads(found[0])
            at = _skip(text, found.end())
            if text[at : at + 1] != ":":
                raise Malformed(text, at, "a colon is missing")
            at = _skip(text, at + 1)
        node = _node(text, at, depth + 1)
        at = _skip(text, node.end)
        comma = at if text[at : at + 1] == "," else -1
        items.append(Item(begin, key, node, comma))
        if comma >= 0:
            at = _skip(text, at + 1)
    value: Any = {i.key: i.node.value for i in items} if is_object else [i.node.value for i in items]
    return Node("object" if is_object else "array", start, at + 1, tuple(items), value)


# --- changes


def appended(text: str, container: Node, entries: Sequence[tuple[str, Any]]) -> list[Insertion]:
    """What to insert so that the container has these (key, value) at its end; the key is empty for an array."""
    last = container.items[-1] if container.items else None
    after = container.start + 1 if last is None else last.node.end if last.comma < 0 else last.comma + 1
    at = after + len(text[after : container.end - 1].rstrip(" \t\r\n"))  # behind the last comment
    remarks = bool(_COMMENT.search(text, after, container.end - 1))
    comma = [Insertion(last.node.end, ",")] if last and last.comma < 0 else []
    newline = "\r\n" if "\r\n" in text else "\n"
    wide = newline in text if last is None else "\n" in text[container.start : last.start] or remarks
    if not wide:
        spaces = ("," + " " * bool(re.search(",[ ]", text)), ":" + " " * bool(re.search('":[ ]|^[^:]*$', text)))
        body = spaces[0].join(_entry(key, value, None, spaces) for key, value in entries)
        return [*comma, Insertion(at, (spaces[0][1:] if last else "") + body)]
    outer = _indent(text, container.start)
    inner = _indent(text, last.start) if last and "\n" in text[container.start : last.start] else outer + _unit(text)
    bodies = [_entry(key, value, _unit(text), (",", ": ")) for key, value in entries]
    lines = [newline + inner + body.replace("\n", newline + inner) for body in bodies]
    closed = "\n" in text[at : container.end - 1]
    return [*comma, Insertion(at, ",".join(lines) + ("" if closed else newline + outer))]


def _entry(key: str, value: Any, indent: str | None, separators: tuple[str, str]) -> str:
    body = json.dumps(value, indent=indent, separators=separators, ensure_ascii=False)
    return f"{json.dumps(key, ensure_ascii=False)}{separators[1]}{body}" if key else body


def _indent(text: str, at: int) -> str:
    """The blanks at the beginning of the line."""
    line = text[text.rfind("\n", 0, at) + 1 : at].lstrip("\ufeff")
    return line[: len(line) - len(line.lstrip(" \t"))]


def _unit(text: str) -> str:
    """What one level is indented by: as the first line that is."""
    found = re.search(r"^([ \t]+)[^ \t\r\n]", text, re.MULTILINE)
    return found[1] if found else "  "


def inserted(text: str, changes: Iterable[Insertion]) -> tuple[str, list[tuple[int, int]]]:
    """The new text, and the spans of it that are new; cut out they leave the old one."""
    parts, spans, size, done = [], [], 0, 0
    for change in sorted(changes, key=lambda change: change.at):  # those of one place in their order
        parts += [text[done : change.at], change.text]
        size += change.at - done + len(change.text)
        spans.append((size - len(change.text), size))
        done = change.at
    return "".join([*parts, text[done:]]), spans


def cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """The text without these spans."""
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + text[end:]
    return text


def commented(text: str, container: Node) -> bool:
    """Whether there are comments in it, outside of its items."""
    bare = cut(text, [(item.start, item.node.end) for item in container.items])
    size = sum(item.node.end - item.start for item in container.items)
    return bool(_COMMENT.search(bare, container.start, container.end - size))


def without(text: str, container: Node, index: int) -> str:
    """The text without one item of a container: with the comma after it, or before it if it is the last."""
    item = container.items[index]
    end = item.comma + 1 if item.comma >= 0 else item.node.end
    around = text[container.start + 1 : item.start] + text[end : container.end - 1]
    if len(container.items) == 1 and not around.strip():
        return cut(text, [(container.start + 1, container.end - 1)])
    begin = container.items[index - 1].comma + 1 if index else container.start + 1
    start = begin + len(text[begin : item.start].rstrip(" \t\r\n"))
    if "//" in text[text.rfind("\n", 0, start) + 1 : start] and not text[end:].lstrip(" \t").startswith(("\n", "\r")):
        start = item.start  # that comment ends with its line
    spans = [(start, item.node.end)]
    if item.comma >= 0:
        spans.append((item.comma, item.comma + 1))
    elif index:
        spans.append((begin - 1, begin))
    return cut(text, spans)
