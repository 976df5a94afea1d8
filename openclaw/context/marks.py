"""What stands for a tool's result that was stored elsewhere or left out, and how it is known again. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from openclaw.context.ledger.actions import ANSI, TALLY, TROUBLE, clipped

STORED = "[stored as {ref}: {lines} lines, {tokens} tokens; {how}]"
MASKED = "[left out: {lines} lines, {tokens} tokens{rest}]"
KNOWN = re.compile(r"\[(?:stored as (\S+): |left out: )\d+ lines, \d+ tokens(?:; stored as (\S+))?")
HOW = "read that to see all of it"
HEAD_LINES, TAIL_LINES, WIDTH = 6, 4, 160

Count = Callable[[str], int]


def known(content: str) -> bool:
    """Whether a result is already what one of these left."""
    return KNOWN.match(content) is not None


def stored(content: str, ref: str, tokens: int, how: str = HOW) -> str:
    """The digest of a stored result: where it is, how it begins and ends, and its telling lines."""
    lines = [line for line in ANSI.sub("", content).split("\n") if line.strip()]
    telling = [match[0] for match in (*TROUBLE.finditer(content[:200_000]), *TALLY.finditer(content[-20_000:]))]
    shown = [*lines[:HEAD_LINES], "…"]
    shown += [line for line in dict.fromkeys(telling[:3] + telling[-2:]) if line not in shown]
    shown += [line for line in lines[-TAIL_LINES:] if line not in shown]
    head = STORED.format(ref=ref, lines=content.count("\n") + 1, tokens=tokens, how=how)
    return "\n".join([head, *(clipped(line, WIDTH) for line in shown)])


def masked(content: str, tokens: int) -> str:
    """The line that says what was left out; a result that was stored is still found by it."""
    if match := KNOWN.match(content):
        if content.startswith("[left out"):
            return content
        numbers = re.findall(r": (\d+) lines, (\d+) tokens", content[:400])
        return MASKED.format(lines=numbers[0][0], tokens=numbers[0][1], rest=f"; stored as {match[1]}")
    return MASKED.format(lines=content.count("\n") + 1, tokens=tokens, rest="")
