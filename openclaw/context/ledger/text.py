"""The state of a conversation as a text for whoever carries on: ordered, one fact a line, within some tokens. Pure.

Sections stand in a fixed order. What was decided, and the words of small talk, are never cut; each other section has
its share of the tokens, and what is left goes to the files and to the names in play, each under the file in which it
occurs most.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from openclaw.context.ledger.actions import clipped, looks_only
from openclaw.context.ledger.facts import SAID, Facts
from openclaw.context.ledger.paths import File, worth
from openclaw.context.ledger.words import WORD

MARK = "[openclaw state]"
TASK, DECIDED, PREFERRED, CHANGED = "Task and status", "Decisions", "Preferences and reasons", "Files changed (× edits)"
SEEN, RAN, ERRORS, NAMES, TOOLS = "Files seen", "Commands and tests", "Errors met", "Other names", "Tools used"
SUMMARY, SMALL = "Summary", "Small talk, left out but for the user's words"
SECTIONS = (SUMMARY, TASK, DECIDED, PREFERRED, CHANGED, SEEN, RAN, ERRORS, NAMES, TOOLS, SMALL)
HEAD = "{mark} What {messages} earlier messages ({tokens} tokens) came to; the user's own stand before it.{where}"
WHERE = " All of them: {where}."
# shares of the tokens that a section may take; files and names get what is left
SHARES = {"todos": 0.10, "status": 0.06, "reports": 0.04, "preferences": 0.03, "leanings": 0.03, "commits": 0.06,
          "runs": 0.07, "errors": 0.03, "tools": 0.03}  # fmt: skip
TOLD, ROOMY = ("status", "reports", "preferences", "leanings", "runs", "errors"), 2_000
FILES = 0.6  # of what is left, at most this much for the paths; the names take the rest
LENGTH = 0.03  # of a name's worth for each letter: two short names for one long one
Count = Callable[[str], int]


class Room:
    """The tokens that are left."""

    def __init__(self, tokens: int, count: Count) -> None:
        self.left, self.count = tokens, count

    def take(self, lines: Iterable[str], most: float) -> list[str]:
        """As many of these lines, the best first, as fit into `most` tokens and what is left."""
        kept, most = [], min(most, self.left)
        for line in lines:
            cost = self.count(line) + 1
            if cost > most:
                continue
            most -= cost
            self.left -= cost
            kept.append(line)
        return kept


def written(facts: Facts, tokens: int, count: Count, messages: int, replaced: int, where: str = "") -> str:
    """The state in at most `tokens` tokens, more only for decisions. `replaced` is what it stands for, in tokens."""
    best, room = "", tokens
    ranked = _ranked(facts)
    for _ in range(3):  # tokens of parts don't quite add up to those of the whole
        text = _written(facts, ranked, room, count, messages, replaced, where)
        over = count(text) - tokens
        if -0.01 * tokens <= over <= 0 or text == best:
            return text
        best = max(best, text, key=len) if over <= 0 else best
        room -= over + (2 if over > 0 else 0)
    return best or text


class Ranked(NamedTuple):
    """What is in play, the likeliest to be needed first."""

    files: list[str]
    names: list[str]


def _ranked(facts: Facts) -> Ranked:
    files = sorted(facts.files, key=lambda path: worth(facts.files[path], facts.end), reverse=True)
    scores = {word: name.score(facts.end, facts.files) - LENGTH * len(word) for word, name in facts.names.items()}
    return Ranked(files, sorted(scores, key=lambda word: scores[word], reverse=True))


def _written(facts: Facts, ranked: Ranked, tokens: int, count: Count, messages: int, replaced: int, where: str) -> str:
    place = WHERE.format(where=where) if where else ""
    head = HEAD.format(mark=MARK, messages=messages, tokens=replaced, where=place)
    room = Room(tokens - count(head), count)
    sections: dict[str, list[str]] = {}
    if facts.summary:
        sections[SUMMARY] = [facts.summary]
        room.left -= count(facts.summary)
    sections[SMALL] = [f"- {said}" for said in facts.small_talk]
    sections[DECIDED] = [f"- {line}" for line in facts.decisions]
    room.left -= sum(count(line) + 1 for line in sections[SMALL] + sections[DECIDED])
    sections[TASK] = _task(facts, room, tokens)
    sections[PREFERRED] = _recent(facts.preferences, room, _share("preferences", tokens))
    told_already = "\n".join(sections[TASK])
    why = {line: at for line, at in facts.leanings.items() if clipped(line, 60).rstrip("…") not in told_already}
    sections[PREFERRED] += _recent(why, room, _share("leanings", tokens))
    sections[RAN] = _recent(facts.commits, room, _share("commits", tokens), "- commit ")
    sections[RAN] += _commands(facts, room, _share("runs", tokens))
    sections[ERRORS] = _errors(facts, room, _share("errors", tokens))
    calls = room.take((f"{name}({', '.join(keys)})" for name, keys in facts.tools.items()), _share("tools", tokens))
    sections[TOOLS] = [f"- {'; '.join(calls)}"] if calls else []
    told = set(WORD.findall("\n".join(line for lines in sections.values() for line in lines)))
    room.left -= sum(count(f"## {title}") + 1 for title, lines in sections.items() if lines)
    sections |= _files_and_names(facts, ranked, room, told)
    root = f" Paths are below {facts.root}/." if facts.root else ""
    rows = [head + root]
    for title in SECTIONS:
        if lines := sections.get(title):
            rows += [f"## {title}", *lines]
    return "\n".join(rows)


def _task(facts: Facts, room: Room, tokens: int) -> list[str]:
    asked = [f"- asked first: {facts.task}"] if facts.task else []
    if facts.latest and facts.latest != facts.task:
        asked.append(f"- asked last: {facts.latest}")
    lines = room.take(asked, room.left)
    lines += room.take([f"- {todo}" for todo in facts.todos], _share("todos", tokens))
    reports = {line: at for line, at in facts.reports.items() if line[:60].rstrip("…") not in facts.status}
    lines += _recent(reports, room, _share("reports", tokens), "- then: ")
    now = [f"- now: {clipped(facts.status, letters)}" for letters in (700, 400, 240, 120, 60)] if facts.status else []
    most = _share("status", tokens)
    fits = next((line for line in now if room.count(line) < most), None)
    return lines + (room.take([fits], most) if fits else [])


def _share(name: str, tokens: int) -> float:
    """The tokens of a section: of what is said and done more in a long text, where names have room enough anyway."""
    return SHARES[name] * tokens * (min(max(tokens / ROOMY, 1.0), 2.0) if name in TOLD else 1.0)


def _recent(found: dict[str, int], room: Room, most: float, mark: str = "- ") -> list[str]:
    """The latest that fit, in the order in which they came up."""
    kept = room.take((mark + line for line in sorted(found, key=lambda line: -found[line])), most)
    return sorted(kept, key=lambda line: found[line[len(mark) :]])


def _commands(facts: Facts, room: Room, most: float) -> list[str]:
    lines: dict[str, int] = {}
    for command, ran in facts.commands.items():
        if looks_only(command) and not ran.failed:
            continue
        times = f" ×{ran.runs}" if ran.runs > 1 else ""
        came = "failed" if ran.failed else "ok" if ran.outcome or ran.failures else ""
        before = ", failed before" if ran.failures and not ran.failed else ""
        said = f"{came}{before}{': ' if came and ran.outcome else ''}{ran.outcome}"
        lines[f"{command}{times}{' → ' if said else ''}{said}"] = ran.last + (5 if ran.outcome else 0)
    return _recent(lines, room, most)


def _errors(facts: Facts, room: Room, most: float) -> list[str]:
    lines: dict[str, int] = {}
    for line, (at, command) in facts.errors.items():
        ran = facts.commands.get(command)
        gone = ran is not None and not ran.failed and ran.last > at
        if ran is None or ran.outcome != line:  # else the command says it already
            lines[f"{line}{' (gone later)' if gone else ''}"] = at
    return _recent(lines, room, most)


def _files_and_names(facts: Facts, ranked: Ranked, room: Room, told: set[str]) -> dict[str, list[str]]:
    """The files in play, the changed ones apart, and the names that nothing else has told yet."""
    room.left -= room.count("\n".join(f"## {title}" for title in (CHANGED, SEEN, NAMES)))
    tails = {path: _file_line(path, facts.files[path]) for path in ranked.files}
    chosen = set(room.take((tails[path] for path in ranked.files), FILES * room.left))
    files = [path for path in ranked.files if tails[path] in chosen]
    folders = {_folder(path) for path in files}
    room.left -= sum(room.count(folder) + 3 for folder in folders)
    told |= set(WORD.findall("\n".join(files)))
    under: dict[str, list[str]] = {}
    chosen_files = set(files)
    for word in ranked.names:
        if word in told:
            continue
        sources = facts.names[word].sources
        inside = [source for source in sources if source in chosen_files]
        source = max(inside or sources, key=lambda source: sources[source], default=SAID)
        cost = room.count(" " + word) + (0 if source in under or source in chosen_files else room.count(source) + 3)
        if cost > room.left:
            break
        room.left -= cost
        under.setdefault(source, []).append(word)
    order = {word: number for number, word in enumerate(facts.names)}
    for words in under.values():
        words.sort(key=lambda word: order[word])
    changed = [path for path in files if facts.files[path].edits]
    others = [source for source in under if source not in chosen_files]
    return {
        CHANGED: _grouped(changed, facts, under),
        SEEN: _grouped([path for path in files if not facts.files[path].edits], facts, under),
        NAMES: [f"- {source}: {' '.join(under[source])}" for source in others],
    }


def _grouped(files: Sequence[str], facts: Facts, under: dict[str, list[str]]) -> list[str]:
    """Files below the folder they share, each as its last two parts, in the order in which they came up."""
    order = {path: number for number, path in enumerate(facts.files)}
    folders: dict[str, list[str]] = {}
    for path in sorted(files, key=lambda path: order[path]):
        folders.setdefault(_folder(path), []).append(path)
    lines = []
    for folder in sorted(folders, key=bool):  # those in no folder first, or they would read as part of one
        plain = [path for path in folders[folder] if path not in under and not facts.files[path].edits]
        told = [path for path in folders[folder] if path not in plain]
        seen = ", ".join(map(_short, plain))
        if folder:
            lines.append(f"in {folder}/{': ' if seen else ''}{seen}")
        elif seen:
            lines.append(f"- {seen}")
        for path in told:
            names = under.get(path)
            lines.append(_file_line(path, facts.files[path]) + (f": {' '.join(names)}" if names else ""))
    return lines


def _file_line(path: str, file: File) -> str:
    return f"- {_short(path)}{f' ×{file.edits}' if file.edits else ''}"


def _folder(path: str) -> str:
    return path.rsplit("/", 2)[0] if path.count("/") > 1 else ""


def _short(path: str) -> str:
    return "/".join(path.rsplit("/", 2)[-2:]) if path.count("/") > 1 else path
