"""Names and paths in a text: what is worth being remembered exactly. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

WORD = re.compile(r"\w{4,}", re.ASCII)
# A path has a folder and an extension; one inside of an address (https://…) is none.
# Before it may stand an escape that was printed as it is (\n), and letters of all alphabets may be in it, but not of
# scripts that are written without spaces.
_PART = r"[\w.\u00c0-\u058f\u0900-\u0d7f-]+"
PATH = re.compile(
    rf"(?:(?<![\w./~\\\u00c0-\u058f-])|(?<=\\[nrt]))~?(?:[A-Za-z]:)?/?(?:{_PART}/)+{_PART}\.\w{{1,5}}(?!\w)", re.ASCII
)
WINDOWS = re.compile(r"(?<![\w\\/:.-])[A-Za-z]:(?:\\{1,2}[\w. -]*[\w-])+\.\w{1,5}(?!\w)")
# what tools made for themselves: worth a word only if somebody named it
MADE = re.compile(
    r"^/tmp/|(?:^|/)(?:_build|build|dist|target|node_modules|__pycache__|\.git|\.venv|venv|site-packages|\.cache"
    r"|[0-9a-f]{2}/[0-9a-f]{8,})/|[0-9a-f]{8}-[0-9a-f]{4}-|\.(?:pyc|beam|plt|o|so|class|lock|log|map)$"
)
LONGEST_PATH = 240
LONGEST_NAME = 64

SNAKE, CAMEL, HEX, CODE = 1, 2, 3, 4
_SNAKE = re.compile(r"_*[A-Za-z][A-Za-z0-9]*(?:_+[A-Za-z0-9]+)+_*")
_CAMEL = re.compile(r"[A-Z]?[a-z0-9]+(?:[A-Z]+[a-z0-9]*)+|[A-Z]{2,}[a-z0-9]+(?:[A-Z][a-z0-9]*)*|[A-Z][a-z0-9]+[A-Z]\w*")
_HEX = re.compile(r"[0-9a-f]{7,40}")
# where letters and digits meet, or a capital stands inside of small ones: often in keys, tokens and encoded data
_RANDOM = re.compile(r"[A-Za-z][0-9]|[0-9][A-Za-z]|[a-z][A-Z]|[A-Z]{2}[a-z]")
_kinds: dict[str, int] = {}


def kind(word: str) -> int:
    """What sort of name a word is; 0 for one that is none."""
    found = _kinds.get(word)
    if found is None:
        if len(_kinds) > 200_000:  # a process that lives long
            _kinds.clear()
        found = _kinds[word] = _kind(word)
    return found


def _kind(word: str) -> int:
    if len(word) > LONGEST_NAME:
        return 0
    if _HEX.fullmatch(word):
        return 0 if word.isalpha() else HEX
    if len(word) > 12 and len(_RANDOM.findall(word)) > len(word) / 4:
        return 0
    if "_" in word:
        return SNAKE if _SNAKE.fullmatch(word) else 0
    if not word.islower() and not word.isupper() and _CAMEL.fullmatch(word):
        return CAMEL
    mixed = any(c.isdigit() for c in word) and any(c.isalpha() for c in word)
    return CODE if mixed and len(word) >= 5 else 0


def names(text: str) -> list[tuple[str, int, int]]:
    """(name, how often, its kind) of each name in a text, in the order of first use."""
    found = []
    for word, count in Counter(WORD.findall(text)).items():
        sort = _kinds.get(word)  # most words were seen before
        if sort is None:
            sort = kind(word)
        if sort:
            found.append((word, count, sort))
    return found


def slashed(path: str) -> str:
    """A path of Windows as all others are written, which its programs understand as well."""
    return path.replace("\\\\", "\\").replace("\\", "/") if path[1:3] == ":\\" else path


def paths(text: str) -> Iterator[str]:
    """Every path in a text, as it is written there."""
    if "\\" in text and ":\\" in text:
        text = WINDOWS.sub(lambda found: slashed(found[0]), text)
    if "/" not in text:
        return
    lines = "\n".join([line for line in text.split("\n") if "/" in line])  # few lines have one
    for path in PATH.findall(lines):
        if len(path) <= LONGEST_PATH and not path.rsplit(".", 1)[1].isdigit() and not path.startswith("..."):
            yield path.removeprefix("./")
