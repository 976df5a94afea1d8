"""A state read back into facts, so that a history that was compacted before is merged, and not nested. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from openclaw.context.ledger import text as layout
from openclaw.context.ledger import words
from openclaw.context.ledger.facts import SAID, Command, Facts, Name
from openclaw.context.ledger.paths import EARLIER, File

HEAD = re.compile(re.escape(layout.MARK) + r" What (\d+) earlier messages \((\d+) tokens\) came to; [^\n]*")
ROOT = re.compile(r" Paths are below ([^\n]+)/\.$")
FILE = re.compile(r"- (.+?)(?: ×(\d+))?(?:: (.*))?$")
RAN = re.compile(r"- (.*?)(?: ×(\d+))?(?: → (ok|failed)(, failed before)?(?:: (.*))?)?$")
TOOL = re.compile(r"([^;(]+)\(([^()]*)\)(?:; |$)")
TITLES = {f"## {title}": title for title in layout.SECTIONS}


def stands_for(text: str) -> tuple[int, int] | None:
    """(messages, tokens) that a state stands for; None if the text is no state."""
    found = HEAD.match(text)
    return (int(found[1]), int(found[2])) if found else None


def read(text: str) -> Facts:
    """The facts of a state; all of them older than whatever is gathered after."""
    found = Facts()
    head, *lines = text.split("\n")
    if root := ROOT.search(head):
        found.root = root[1]
    sections: dict[str, list[str]] = {}
    title = ""
    for line in lines:
        if line in TITLES:
            title = TITLES[line]
        else:
            sections.setdefault(title, []).append(line)
    found.summary = "\n".join(sections.get(layout.SUMMARY, ()))
    _task(found, sections.get(layout.TASK, ()))
    found.decisions = _plain(sections.get(layout.DECIDED, ()))
    found.preferences = _plain(sections.get(layout.PREFERRED, ()))
    found.small_talk = _plain(sections.get(layout.SMALL, ()))
    found.errors = {
        line[2:].removesuffix(" (gone later)"): (EARLIER, "") for line in sections.get(layout.ERRORS, ())
    }  # fmt: skip
    _files(found, sections.get(layout.CHANGED, ()))
    _files(found, sections.get(layout.SEEN, ()))
    for line in sections.get(layout.RAN, ()):
        _ran(found, line)
    for line in sections.get(layout.NAMES, ()):
        source, _, names = line[2:].rpartition(": ")
        _names(found, source or SAID, names)
    for line in sections.get(layout.TOOLS, ()):
        for name, keys in TOOL.findall(line[2:]):
            found.tools[name] = [key for key in keys.split(", ") if key]
    return found


def _plain(lines: Sequence[str]) -> dict[str, int]:
    return {line[2:]: EARLIER for line in lines}


def _task(found: Facts, lines: Sequence[str]) -> None:
    for line in lines:
        kind, _, said = line[2:].partition(": ")
        if kind == "asked first":
            found.task = said
            found.latest = found.latest or said
        elif kind == "asked last":
            found.latest = said
        elif kind == "then":
            found.reports[said] = EARLIER
        elif kind == "now":
            found.status = said
            found.reports[said] = EARLIER
        else:
            found.todos.append(line[2:])


def _files(found: Facts, lines: Sequence[str]) -> None:
    folder = ""
    for line in lines:
        if line.startswith("in "):
            head, _, plain = line[3:].partition("/: ")
            folder = head.removesuffix("/") + "/"
            for short in plain.split(", ") if plain else ():
                found.files[folder + short] = File()
        elif match := FILE.match(line):
            path, edits, names = match.groups()
            several = path.split(", ") if names is None and edits is None else [path]
            for each in several:
                file = found.files.setdefault(folder + each, File())
                file.edits, file.asked = int(edits or 0), True
            _names(found, folder + path, names or "")


def _names(found: Facts, source: str, names: str) -> None:
    for word in names.split():
        name = found.names.setdefault(word, Name(words.kind(word) or words.SNAKE))
        name.seen, name.crowd = 2, 1
        name.said = True
        name.sources[source] = 1


def _ran(found: Facts, line: str) -> None:
    if line.startswith("- commit "):
        found.commits[line.removeprefix("- commit ")] = EARLIER
    elif match := RAN.match(line):
        command, runs, came, before, outcome = match.groups()
        ran = found.commands.setdefault(command, Command())
        ran.runs, ran.failed, ran.outcome = int(runs or 1), came == "failed", outcome or ""
        ran.failures = int(ran.failed or bool(before))
