"""The items of active-tasks.md: open, checked off, or given to a sub-agent by a mark with its id.

- [ ] port the parser <!-- openclaw:k3f9x2 -->
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from openclaw.sessions.fleet import Fleet

_BOX = re.compile(r"(\s*)[-*+] \[([ xX])\](?: +(.*))?")
_MARK = re.compile(r"\s*<!-- openclaw:([A-Za-z0-9_-]+) -->")


class Item(NamedTuple):
    """One box. `line` counts from 1, `text` has its wrapped lines, `session` is the id in its mark or empty."""

    line: int
    text: str
    done: bool
    session: str


def path_of(fleet: Fleet) -> str:
    """Where the tasks of this workspace stand."""
    return os.path.join(fleet.settings.workspace, "active-tasks.md")


def parse(text: str) -> list[Item]:
    """All boxes in their order. Boxes in fenced code are no items."""
    found: list[Item] = []
    fenced = wrapped = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.lstrip().startswith(("```", "~~~")):
            fenced, wrapped = not fenced, False
        elif fenced:
            continue
        elif hit := _BOX.fullmatch(line.rstrip("\r")):
            mark = _MARK.search(hit[3] or "")
            body = _MARK.sub("", hit[3] or "").strip()
            wrapped = bool(body)
            if body:
                found.append(Item(number, body, hit[2] != " ", mark[1] if mark else ""))
        elif wrapped and line.startswith((" ", "\t")) and line.strip():
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line.strip()}")
        else:
            wrapped = False
    return found


def marked(text: str, item: Item, id: str) -> str:
    """The file with this item's mark set to `id`, or taken away; unchanged if the item stands there no more."""
    for each in parse(text):
        if each == item:
            lines = text.split("\n")
            bare, end = lines[item.line - 1].rstrip("\r"), "\r" * lines[item.line - 1].endswith("\r")
            lines[item.line - 1] = _MARK.sub("", bare) + (f" <!-- openclaw:{id} -->" if id else "") + end
            return "\n".join(lines)
    return text
