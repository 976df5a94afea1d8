"""`notify` of Codex's config.toml: a line at its beginning, before any table, which is all that is touched."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from openclaw.agents.hookfile import is_ours
from openclaw.agents.jsontext import Insertion, Malformed

_LINE = re.compile(r"^notify *= *(\[[^\n]*\])[ \t]*\r?\n", re.MULTILINE)


def added(text: str, words: Sequence[str]) -> list[Insertion]:
    """What to insert; nothing when a person has one. Malformed when the file is no TOML."""
    tree = _tree(text)
    if "notify" in tree:
        return []
    newline = "\r\n" if "\r\n" in text else "\n"
    line = f"notify = {json.dumps(list(words), ensure_ascii=False)}{newline}"
    if _tree(line + text) != tree | {"notify": list(words)}:
        raise Malformed(text, 0, "notify can't be added")
    return [Insertion(0, line)]


def removed(text: str) -> str:
    """The text without our line."""
    for found in _LINE.finditer(text):
        try:
            words = json.loads(found[1])
        except ValueError:
            continue  # a person's, in another form of TOML
        if isinstance(words, list) and is_ours(" ".join(map(json.dumps, words))) and _tree(text).get("notify") == words:
            return text[: found.start()] + text[found.end() :]
    return text


def ours(text: str) -> list[str]:
    """The words of our notify; none when there is none, or that of a person."""
    words = _tree(text).get("notify")
    return words if isinstance(words, list) and removed(text) != text else []


def _tree(text: str) -> dict[str, Any]:
    import tomllib  # 10 ms, and only for this

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        at = re.search(r"at line (\d+), column (\d+)", str(error))
        problem = Malformed(text, len(text), re.sub(r" \(at .*\)$", "", str(error)))
        if at:
            problem.line, problem.column = int(at[1]), int(at[2])
        raise problem from None
