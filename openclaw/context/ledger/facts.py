"""The facts of a conversation: gathered from its units, or from the state that an earlier compaction left. Pure.

Time is counted in units: later is larger; what an earlier state says is older than all of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.context.history import Call, Message, Result, Text
from openclaw.context.ledger import actions, paths, sayings, words
from openclaw.context.ledger.paths import EARLIER, File, Mention
from openclaw.context.units import Unit

SAID, PRINTED = "said", "printed"
TOLD = 400  # characters: a longer text tells how things stand, a shorter one what comes next


class Command:
    """How often a command ran, and what came of it last."""

    def __init__(self) -> None:
        self.runs = self.failures = 0
        self.failed = False
        self.outcome = ""
        self.last = EARLIER


class Name:
    """In how many units a name occurs, when last, and in what."""

    __slots__ = ("asked", "crowd", "kind", "last", "said", "seen", "sources")

    def __init__(self, kind: int) -> None:
        self.kind = kind
        self.seen = 0
        self.crowd = 1 << 30  # in how small a text, counted in names
        self.asked = False  # whether the model itself wrote it into a call
        self.said = False  # whether somebody spoke of it
        self.last = EARLIER
        self.sources: dict[str, int] = {}

    def score(self, end: int, files: Mapping[str, File]) -> float:
        """How likely it is needed again: late and often beats early and once, a file beats a command's output."""
        inside = not files.keys().isdisjoint(self.sources)
        printed = not (inside or self.asked or self.said)  # only ever in what a command put out
        worth = 3.0 * (self.last + 1) / (end + 1) + 0.5 * math.log(1 + (min(self.seen, 2) if printed else self.seen))
        worth += 0.5 * self.asked + 0.3 * self.said + 0.7 * inside
        worth -= 0.5 * math.log(max(self.crowd, 3)) * printed  # one of a hundred in a listing tells little
        return worth - (1.0 if self.kind in (words.HEX, words.CODE) else 0.0)


class Facts:
    """All that is worth keeping, in the order it came up."""

    def __init__(self) -> None:
        self.task = ""
        self.latest = ""
        self.status = ""
        self.summary = ""
        self.todos: list[str] = []
        self.reports: dict[str, int] = {}
        self.decisions: dict[str, int] = {}
        self.leanings: dict[str, int] = {}
        self.preferences: dict[str, int] = {}
        self.commits: dict[str, int] = {}
        self.small_talk: dict[str, int] = {}
        self.files: dict[str, File] = {}
        self.commands: dict[str, Command] = {}
        self.errors: dict[str, tuple[int, str]] = {}
        self.names: dict[str, Name] = {}
        self.tools: dict[str, list[str]] = {}
        self.root = ""
        self.units = 0
        self.end = 0

    def file(self, path: str, at: int) -> File:
        """The record of a file, which was touched now."""
        found = self.files.get(path)
        if found is None:
            found = self.files[path] = File(at)
        found.last = max(found.last, at)
        return found

    def note_names(self, text: str, source: str, at: int, asked: bool = False, codes: bool = False) -> None:
        """Remember the names of a text under where they stood."""
        known, inside, said = self.names, words.names(text), source == SAID
        crowd = len(inside)
        for word, count, kind in inside:
            name = known.get(word)
            if name is None:
                if kind == words.CODE and not codes:
                    continue  # mixed letters and digits are mostly noise, unless somebody asked for them
                name = known[word] = Name(kind)
            if name.last < at or not name.seen:
                name.seen += 1
            if at > name.last:
                name.last = at
            if crowd < name.crowd:
                name.crowd = crowd
            name.asked = name.asked or asked
            name.said = name.said or said
            name.sources[source] = name.sources.get(source, 0) + count


def gather(found: Facts, units: Sequence[Unit]) -> Facts:
    """Add what these units hold to what is known already."""
    mentioned: list[Mention] = []
    for at, unit in enumerate(units):
        head = unit.head
        if head.role == "assistant":
            _work(found, unit, at, mentioned)
        elif head.role == "user":
            _asked(found, head, at, mentioned)
    found.units += len(units)
    found.end = max(len(units) - 1, 0)
    _settle(found, mentioned)
    return found


def in_play(found: Facts, units: Sequence[Unit], end: int) -> None:
    """Add the names and paths of units that stay as they are: what is done in them is told when they go."""
    mentioned: list[Mention] = []
    for at, unit in enumerate(units, end + 1):
        for message in unit.messages:
            for part in message.parts:
                match part:
                    case Text(text):
                        found.note_names(text, SAID, at)
                        mentioned += paths.mentions(text, at, asked=True)
                    case Call():
                        did = actions.action(part)
                        given = actions.words_of(did.given)
                        source = did.target if did.kind in ("change", "read") else SAID
                        found.note_names(given, source, at, asked=True)
                        mentioned += paths.mentions(given, at, asked=True)
                    case Result(_, content):
                        found.note_names(content, PRINTED, at)
                        mentioned += paths.mentions(content, at, asked=False)
    found.end = max(found.end, end + len(units))
    _settle(found, mentioned)


def _asked(found: Facts, message: Message, at: int, mentioned: list[Mention]) -> None:
    text = message.text
    typed = not sayings.made(text) and len(text) < 4000
    found.note_names(text, SAID, at, asked=typed, codes=typed)
    mentioned += paths.mentions(text, at, asked=True)
    if not text or sayings.made(text) or sayings.small(text) or len(text) > 20_000:
        return
    first = actions.clipped(text, 160)
    found.task, found.latest = found.task or first, first
    for sentence in sayings.preferences(text)[:5]:
        found.preferences.setdefault(sentence, at)


def _work(found: Facts, unit: Unit, at: int, mentioned: list[Mention]) -> None:
    text = unit.head.text
    if text:
        found.note_names(text, SAID, at)
        mentioned += paths.mentions(text, at, asked=True)
        for sentence in sayings.decisions(text):
            found.decisions.setdefault(sentence, at)
        for sentence in sayings.leanings(text)[:3]:
            found.leanings[sentence] = at
        if report := sayings.reported(text):
            found.reports[actions.clipped(report, 140)] = at
            found.status = sayings.told(text) if len(text) > TOLD else actions.clipped(report, 240)
    results = {result.call_id: result for message in unit.messages[1:] for result in message.results}
    for call in unit.head.calls:
        did = actions.action(call)
        _tool(found, call.name, did.given)
        result = results.get(call.id)
        source = did.target
        if did.kind in ("change", "read"):
            file = found.file(did.target, at)
            file.edits += did.kind == "change"
            file.reads += did.kind == "read"
            for path in did.more:
                found.file(path, at).edits += 1
        elif did.kind == "run":
            source = "$ " + " ".join(did.target.split()[:2])
        else:
            source = call.name
        given = actions.words_of(did.given)
        found.note_names(given, source, at, asked=True, codes=did.kind != "change")
        mentioned += paths.mentions(given, at, asked=True)
        if call.name in ("TodoWrite", "todo_write", "update_plan"):
            found.todos = _todos(did.given) or found.todos
        if result is None:
            continue
        found.note_names(result.content, source, at)
        if did.kind != "read":
            mentioned += paths.mentions(result.content, at, asked=False)
        failed, line = actions.outcome(result) if did.kind in ("run", "other") or result.error else (False, "")
        if did.kind in ("run", "other"):
            _ran(found, did.target, failed, line, at)
            for _, hash, subject in actions.COMMIT.findall(result.content):
                found.commits[f"{hash} {actions.clipped(subject, 100)}"] = at
        if failed and line and did.kind != "change":  # an edit that did not match is made again at once
            found.errors[line] = (at, did.target)
        if call.name in ("AskUserQuestion", "ask_user", "request_user_input"):
            found.decisions.setdefault(" ".join(result.content.split())[:2000], at)


def _tool(found: Facts, name: str, given: dict[str, Any]) -> None:
    known = found.tools.setdefault(name, [])
    known += [key for key in given if key and key not in known and len(key) < 40]


def _ran(found: Facts, command: str, failed: bool, line: str, at: int) -> None:
    known = found.commands.setdefault(command, Command())
    known.runs += 1
    known.failures += failed
    known.failed, known.outcome, known.last = failed, line, at


def _todos(given: dict[str, Any]) -> list[str]:
    """The last list of things to do, each with its mark."""
    marks = {"completed": "x", "in_progress": ">", "done": "x"}
    rows = given.get("todos", given.get("plan"))
    found = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and (said := row.get("content") or row.get("step")):
            found.append(f"[{marks.get(str(row.get('status')), ' ')}] {actions.clipped(str(said), 160)}")
    return found


def _settle(found: Facts, mentioned: Sequence[Mention]) -> None:
    found.files, root = paths.settled(found.files, mentioned, found.root)
    found.root = root
    for name in found.names.values() if root else ():
        if any(source.startswith(root) for source in name.sources):
            name.sources = {paths.relative(source, root): count for source, count in name.sources.items()}
