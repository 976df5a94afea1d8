"""`metrics --plot`: a bar for each line, as long as its tokens; light is the part that caches had."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from openclaw import render
from openclaw.store.ledger import NOTHING, Sums
from openclaw.usage.timeline import Timeline, timeline

EIGHTHS = "▏▎▍▌▋▊▉█"
NEW, CACHED = "█", "░"
LINES = 60  # that a person looks at
WIDTH, LEAST, NAME = 50, 20, 40  # of a bar where there is no terminal, where it is narrow; of a name


def bars(by: str, lines: Sequence[tuple[tuple[str, ...], Sums]], today: str) -> None:
    """Days in their order, without gaps, as weeks or months where they are many; all else with the longest first."""
    named = [(render.clean(key[0]) or "–", sums) for key, sums in lines]
    found, left = _days(named, today) if by == "day" else _longest(named)
    names = [render.shorten(name, NAME) for name, _ in found]
    numbers = [(f"{sums.tokens:,}", f"${sums.cost_usd:,.2f}") for _, sums in found]
    name_width = max(map(render.display_width, names), default=0)
    tokens_width, cost_width = (max((len(pair[at]) for pair in numbers), default=0) for at in (0, 1))
    room = shutil.get_terminal_size((name_width + WIDTH + tokens_width + cost_width + 4, 24)).columns
    width = max(LEAST, room - name_width - tokens_width - cost_width - 4)
    most = max((sums.tokens for _, sums in found), default=0)
    for name, (tokens, cost), (_, sums) in zip(names, numbers, found, strict=True):
        bar = _bar(sums, most, width)
        gap = " " * (width - len(bar))
        pad = " " * (name_width - render.display_width(name))
        render.out(f"{name}{pad} {render.paint(bar, 'idle')}{gap} {tokens:>{tokens_width}}  {cost:>{cost_width}}")
    render.out(f"\n{NEW} new tokens  {CACHED} from caches" + (f"  {left}" if left else ""))


def _bar(sums: Sums, most: int, width: int) -> str:
    eighths = round(sums.tokens / most * width * 8) if most else 0
    new = round((sums.tokens - sums.cache_read) / most * width) if most else 0
    if cached := eighths // 8 - new if sums.cache_read else 0:
        return NEW * new + CACHED * cached
    return NEW * (eighths // 8) + (EIGHTHS[eighths % 8 - 1] if eighths % 8 else "")


def _days(lines: list[tuple[str, Sums]], today: str) -> tuple[list[tuple[str, Sums]], str]:
    time: Timeline = timeline([day for day, _ in lines], today, iso=True)
    found = dict.fromkeys(time.bins, NOTHING)
    for day, sums in lines:
        at = time.at.get(day, day)  # a day that has not come, or is none, stands for itself
        found[at] = found.get(at, NOTHING).plus(sums)
    return list(found.items()), "" if time.unit == "day" else f"a line is a {time.unit}"


def _longest(lines: list[tuple[str, Sums]]) -> tuple[list[tuple[str, Sums]], str]:
    found = sorted(lines, key=lambda line: -line[1].tokens)
    rest = sum(sums.tokens for _, sums in found[LINES:])
    return found[:LINES], f"{len(found) - LINES:,} more lines, with {rest:,} tokens in all" if found[LINES:] else ""
