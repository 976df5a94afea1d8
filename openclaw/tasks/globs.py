"""The pattern language of scopes: what a pattern matches, and whether two patterns can match one path.

Within a segment `*` is any text (a leading dot too), `?` one character, `[a-z]` and `[!a-z]` a class, and a class of
one character is that character, so `[*]` is a star. A segment `**` is any number of segments, none included. `{a,b}` is
expanded first. A trailing `/`, or a last segment without wildcards, holds the path itself and everything below it.

Both levels, characters in a segment and segments in a path, are sequences of items with gaps (`*`, `**`) between them;
`joins` says exactly, and quickly for hostile patterns too, what two of them share.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from openclaw.errors import BadInput
from openclaw.tasks.joins import GAP, Gap, fit, gapped, join

MAX_ALTERNATIVES = 256  # of one pattern's braces
MAX_CHARACTERS = 4096  # of one pattern: the longest path the system takes


class Chars(NamedTuple):
    """The characters that one place of a segment may hold: ascending, disjoint ranges of code points, ends included."""

    ranges: tuple[tuple[int, int], ...]


Char = str | Chars
Segment = str | tuple[Char | Gap, ...]  # a plain name is a str


class Compiled(NamedTuple):
    """One alternative of a pattern. `prefix` is its leading plain names, `/a/b/`: unequal ones can't meet."""

    prefix: str
    path: tuple[Segment | Gap, ...]


_CLASS = re.compile(r"\[([!^]?)(\][^]/]*|[^]/]+)\]")
_QUOTED = "*?[{"  # what `quote` puts into brackets
_GROUP = re.compile(r"\{([^{}]*)\}")
# Braces and commas that are not syntax hide behind control characters, which no pattern may hold.
_HIDE, _SHOW = str.maketrans("{},", "\x01\x02\x03"), str.maketrans("\x01\x02\x03", "{},")
_ANY = Chars(((0x01, 0x2E), (0x30, 0x10FFFF)))  # no name holds a NUL or a slash
_NOT_DOT = Chars(((0x01, 0x2D), (0x30, 0x10FFFF)))


# --- from what a person types to absolute patterns


def scope(patterns: Iterable[str], cwd: str) -> tuple[str, ...]:
    """All patterns as `absolute` has them, braces written out, each once. `cwd` is absolute. BadInput as there.

    A segment such as `[id]` is held both as the name it looks like and as the class, whether or not a file has that
    name now: two that ask for the same words, one before it is made and one after, must meet.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        _check(pattern)
        several = {each: None for part in expand(pattern) for each in _readings(part, cwd)}
        _limit(pattern, len(several))
        found.update(several)
    return tuple(found)


def absolute(pattern: str, cwd: str) -> str:
    """The pattern from the root: `~` expanded, the literal start without symlinks, and only then `..` taken out.

    A name with brackets that exists (`app/[id]/page.tsx`) is that name. BadInput for an empty pattern, control
    characters, and several alternatives in braces: each may lead through another symlink, so `scope` takes those.
    """
    _check(pattern)
    parts = expand(pattern)
    if len(parts) > 1:
        raise BadInput(f"the pattern {pattern[:40]!r} has several alternatives", "give each as a pattern of its own")
    return _readings(parts[0], cwd)[0]


def expand(pattern: str) -> list[str]:
    """The alternatives of `{a,b}`, nested too, each once; a group without a comma is literal. BadInput beyond 256."""
    todo, done = {_CLASS.sub(lambda found: found[0].translate(_HIDE), pattern): None}, dict[str, None]()
    while todo:
        expanded: dict[str, None] = {}
        for text in todo:
            if not (group := _GROUP.search(text)):
                done[text.translate(_SHOW)] = None
                continue
            choices = group[1].split(",") if "," in group[1] else [f"\x01{group[1]}\x02"]
            expanded.update((text[: group.start()] + choice + text[group.end() :], None) for choice in choices)
            _limit(pattern, len(expanded) + len(done))
        todo = expanded
    return list(done)


def _check(pattern: str) -> None:
    if not pattern:
        raise BadInput("a scope pattern is empty", "name a path or a glob, such as 'src/**'")
    if len(pattern) > MAX_CHARACTERS:
        raise BadInput(f"the scope pattern {pattern[:40]!r}… has more than {MAX_CHARACTERS} characters")
    for at, char in enumerate(pattern, 1):
        if ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or 0xD800 <= ord(char) < 0xE000:
            raise BadInput(f"the scope pattern {pattern[:40]!r} has {char!r} at character {at}", "use printable names")


def _limit(pattern: str, count: int) -> None:
    if count > MAX_ALTERNATIVES:
        why = f"the braces and brackets of {pattern[:40]!r} have more than {MAX_ALTERNATIVES} alternatives"
        raise BadInput(why, "name the folder that holds them")


def _readings(pattern: str, cwd: str) -> list[str]:
    """One alternative from the root, in every way its brackets can be read; names that exist come first."""
    _check(pattern)  # again: an alternative can be empty
    if pattern == "~" or pattern.startswith("~/"):
        pattern = os.path.expanduser("~") + pattern[1:]
    starts: list[tuple[str, list[str]]] = [("/" if pattern.startswith("/") else cwd, [])]  # plain names, then the rest
    for part in [part for part in pattern.split("/") if part]:
        read: list[tuple[str, list[str]]] = []
        for place, rest in starts:
            for text in _both_ways(part, place if not rest else None):
                name = _segment(text)
                plain = isinstance(name, str) and not rest
                read.append((os.path.join(place, str(name)), rest) if plain else (place, [*rest, text]))
        starts = read
        _limit(pattern, len(starts))
    return [_joined(place, rest, pattern.endswith("/")) for place, rest in starts]


def _both_ways(part: str, place: str | None) -> list[str]:
    """A segment as a pattern, and as the name it looks like if it has a class that `quote` wouldn't write."""
    classes = any(found[1] or found[2] not in _QUOTED for found in _CLASS.finditer(part))
    if not classes or set(part) & set("*?"):
        return [part]
    if place is None or not os.path.lexists(os.path.join(place, part)):
        return [part, quote(part)]
    try:
        _segment(part)
    except BadInput:  # `[user-id]` is no class, but a name that exists
        return [quote(part)]
    return [quote(part), part]


def _joined(place: str, rest: list[str], slash: bool) -> str:
    out = [quote(name) for name in os.path.realpath(place).split("/") if name]
    for part in rest:
        if part == "..":
            del out[-1:]
        elif part != ".":
            out.append(part)
    below = slash and out and not isinstance(_segment(out[-1]), str)  # a plain name needs no slash
    found = "/" + "/".join(out) + ("/" if below else "")
    compiled(found)
    return found


def quote(name: str) -> str:
    """A pattern that holds just this name."""
    return re.sub(f"[{re.escape(_QUOTED)}]", lambda found: f"[{found[0]}]", name)


def quote_path(path: str) -> str:
    """A pattern that holds just this path and what is below it."""
    return "/".join(map(quote, path.split("/")))


# --- what a pattern matches


def matches(pattern: str, path: str) -> bool:
    """Whether an absolute pattern holds an absolute path. `..` and doubled slashes of the path are taken out first."""
    names = [name for name in os.path.normpath(path).split("/") if name]
    whole = "/" + "/".join(names) + "/"
    return any(whole.startswith(each.prefix) and fit(each.path, names, _name) is not None for each in compiled(pattern))


def covers(pattern: str, folder: str) -> bool:
    """Whether an absolute pattern holds a folder and everything that is or may come to be below it."""
    names = [name for name in os.path.normpath(folder).split("/") if name]
    return any(fit(each.path, names, _name) is not None for each in compiled(pattern) if isinstance(each.path[-1], Gap))


def overlap(a: str, b: str) -> str | None:
    """A path, existing or not, that both absolute patterns hold; None if there is none."""
    for x in compiled(a):
        for y in compiled(b):
            if x.prefix.startswith(y.prefix) or y.prefix.startswith(x.prefix):
                names = join(x.path, y.path, _name, [])
                if names is not None:
                    return "/" + "/".join(names)
    return None


def overlaps(ours: Sequence[str], theirs: Sequence[str]) -> tuple[str, str, str] | None:
    """The first of our patterns that can meet one of theirs, as (ours, theirs, a path both hold), or None."""
    for a in ours:
        for b in theirs:
            example = overlap(a, b)
            if example is not None:
                return a, b, example
    return None


@lru_cache(maxsize=4096)
def compiled(pattern: str) -> tuple[Compiled, ...]:
    """The alternatives of an absolute pattern. BadInput if it is not absolute."""
    found = []
    for text in expand(pattern):
        if not text.startswith("/"):
            raise BadInput(f"the scope pattern {text[:40]!r} is not absolute")
        path = list(segments(text))
        plain = next((at for at, segment in enumerate(path) if not isinstance(segment, str)), len(path))
        prefix = "/" + "".join(f"{name}/" for name in path[:plain])
        if plain == len(path) or isinstance(path[-1], str):
            path.append(GAP)
        found.append(Compiled(prefix, tuple(path)))
    return tuple(found)


def segments(text: str) -> tuple[Segment | Gap, ...]:
    """One alternative, segment by segment; the gap of a trailing `/` included, that of a plain last name not."""
    found: list[Segment | Gap] = []
    for part in [*text.split("/"), "**" if text.endswith("/") else ""]:
        if part == "**" and found[-1:] != [GAP]:
            found.append(GAP)
        elif part not in ("", ".", "**"):
            found.append(_segment(part))
    return tuple(found)


def is_wild(text: str) -> bool:
    """Whether a segment has wildcards."""
    return text == "**" or not isinstance(_segment(text), str)


def name_matches(segment: Segment, name: str) -> bool:
    """Whether a segment holds a name."""
    return _name(segment, name) is not None


def _segment(text: str) -> Segment:
    items: list[Char | Gap] = []
    at = 0
    while at < len(text):
        if text[at] == "[" and (found := _CLASS.match(text, at)):
            items.append(_chars(found[2], negated=bool(found[1])))
            at = found.end()
            continue
        items.append(GAP if text[at] == "*" else _ANY if text[at] == "?" else text[at])
        at += 1
    names = [item for item in items if isinstance(item, str)]
    return "".join(names) if len(names) == len(items) else tuple(items)


def _chars(body: str, negated: bool) -> Char:
    if len(body) == 1 and not negated:
        return body
    ranges, at = [], 0
    while at < len(body):
        last = at + 2 if body[at + 1 : at + 2] == "-" and at + 2 < len(body) else at
        if body[last] < body[at]:
            raise BadInput(f"the class [{body[:40]}] has a range that runs backwards", f"write {body[last]}-{body[at]}")
        ranges.append((ord(body[at]), ord(body[last])))
        at = last + 1
    if negated:
        edges, start = [], 0
        for first, last in sorted(ranges):
            edges.append((start, first - 1))
            start = max(start, last + 1)
        ranges = [*edges, (start, 0x10FFFF)]
    return _both(Chars(tuple(sorted(ranges))), _ANY)


# --- what two segments share


@lru_cache(maxsize=65536)
def _name(a: Segment, b: Segment) -> str | None:
    """A name that both segments hold, which is never '', '.' or '..'."""
    if isinstance(a, str) and isinstance(b, str):
        return a if a == b and a not in (".", "..") else None
    ours, theirs = list[Char | Gap](a), list[Char | Gap](b)
    if gapped(ours) and gapped(theirs):  # the filler keeps it from being all dots
        found = join(ours, theirs, _char, ["x"])
        return None if found is None else "".join(found)
    wide, fixed = (ours, theirs) if gapped(ours) else (theirs, ours)
    for variant in [fixed] if len(fixed) > 2 else _undotted(fixed):
        found = join(wide, variant, _char, [])
        if found is not None:
            return "".join(found)
    return None


def _undotted(segment: list[Char | Gap]) -> list[list[Char | Gap]]:
    """What a short segment can be without being all dots: one variant per place that is something else."""
    narrowed = [_both(item, _NOT_DOT) if isinstance(item, Chars) else item for item in segment]
    return [[*segment[:at], item, *segment[at + 1 :]] for at, item in enumerate(narrowed) if item != "."]


def _char(a: Char, b: Char) -> str | None:
    if isinstance(a, str):
        return a if (a == b if isinstance(b, str) else _holds(b, a)) else None
    if isinstance(b, str):
        return b if _holds(a, b) else None
    both = _both(a, b)
    readable = (char for char in "xa0A_-" if _holds(both, char))
    return next(readable, None) or (chr(max(both.ranges)[0]) if both.ranges else None)


def _holds(chars: Chars, char: str) -> bool:
    return any(first <= ord(char) <= last for first, last in chars.ranges)


def _both(a: Chars, b: Chars) -> Chars:
    shared = ((max(x[0], y[0]), min(x[1], y[1])) for x in a.ranges for y in b.ranges)
    return Chars(tuple(sorted({(first, last) for first, last in shared if first <= last})))
