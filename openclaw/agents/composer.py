"""The input line of a program that draws: what it holds now, and which text passes through it unchanged.

What is known of it stands in the program's entry in agents.yaml, under `input`. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

HEAD, TAIL = "Message to a sub-agent:", "End of message."
HAZARDS = "/!@#&\\"  # of a program that says nothing about its input line
TALL = 15  # lines: what has fewer is drawn as a whole
PART = 200  # characters: so much of a long text, found in the line, is this text
_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_ESCAPE = re.compile(r"\x1b(?:\[[0-9;:?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Z0-9]|.)")


def plain(screen: str) -> str:
    """The text of a screen captured with its escapes, without what is dim: hints and suggestions that nobody typed."""
    shown, dim, at = [], False, 0
    for mark in _SGR.finditer(screen):
        shown.append(_kept(screen[at : mark.start()], dim))
        # 38;5;2 names a colour: its numbers are no attributes
        for code in re.sub(r"[34]8[;:](?:5[;:]\d+|2(?:[;:]\d*){3,4})", "", mark[1]).split(";"):
            dim = True if code == "2" else False if code in ("", "0", "22") else dim
        at = mark.end()
    shown.append(_kept(screen[at:], dim))
    return _ESCAPE.sub("", "".join(shown))


def held(line: str, screen: str) -> str | None:
    """The text in the input line, as drawn; empty when there is none, None when the line isn't on the screen.

    `line` is the `input.line` of the program: an expression for the drawn line, with a group `text`.
    """
    found = None
    for found in re.finditer(line, plain(screen), re.M | re.S):  # noqa: B007 - the last one counts
        pass
    return found["text"].replace("\xa0", " ").strip() if found else None


def holds(drawn: str, text: str, pasted: str = "") -> bool:
    """Whether the input line has this text and no other, or what the program draws in place of a long one (`pasted`).

    Compared by letters and digits: lines are wrapped, and not every terminal draws every sign.
    """
    if pasted and re.fullmatch(pasted, drawn):
        return True
    shown, meant = _letters(drawn), _letters(text)
    return (shown == meant and bool(drawn)) or (len(shown) >= PART and shown in meant)


def fills(screen: str, text: str) -> bool:
    """Whether a text is so long that it has pushed the begin of its input line off the screen, where it ends."""
    end = _letters(text.strip().rpartition("\n")[2])
    return len(text.splitlines()) >= TALL and end in _letters(plain(screen))


def safe(text: str, input: Mapping[str, str], head: str = HEAD) -> str:
    """The text such that no part of it is taken for a command, a shell line, a menu or an open line.

    A plain first and last line are put around it where its own begin or end would be: a first character that the
    program acts on, a menu that would swallow Enter after the last word, a backslash that keeps the line open, blanks
    that would be cut.
    """
    hazards = "".join(v for k, v in input.items() if k in ("command", "shell", "file", "memory")) or HAZARDS
    stripped = text.strip()
    last = stripped.rpartition("\n")[2].split(" ")[-1]
    if text == stripped and text[0] not in hazards and last[0] not in hazards and not text.endswith("\\"):
        return text
    return f"{head}\n{text}\n{TAIL}"


def same(taken: str, text: str) -> bool:
    """Whether the prompt that a program says it took is this text. Tabs may have become four spaces."""
    return taken.replace("\t", "    ").strip() == text.replace("\t", "    ").strip()


def _kept(text: str, dim: bool) -> str:
    return "\n" * text.count("\n") if dim else text


def _letters(text: str) -> str:
    return "".join(filter(str.isalnum, text))
