"""Tables, JSON, errors: the only place that prints. Plain text without a terminal or with NO_COLOR."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Sequence
from typing import IO, Any

from openclaw.errors import OpenclawError

STYLES = {
    "starting": "36", "working": "34", "waiting": "1;33", "idle": "36", "done": "32", "failed": "31", "killed": "2",
    "timeout": "31",
    "halted": "31", "lost": "31", "ok": "32", "warn": "33", "full": "31", "critical": "1;31", "error": "31", "dim": "2",
    "bold": "1",
}  # fmt: skip
CONTROL = {i: f"\\x{i:02x}" for i in (*range(32), *range(127, 160))} | {10: "↵", 9: " "}
# what reorders the line or starts another one
CONTROL |= {i: f"\\u{i:04x}" for i in (0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def coloured(stream: IO[str]) -> bool:
    """Whether escape sequences belong on this stream."""
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def paint(text: str, style: str, stream: IO[str] | None = None) -> str:
    """The text in one of STYLES, where colour belongs."""
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if style in STYLES and coloured(stream or sys.stdout) else text


def clean(text: str) -> str:
    """One printable line: whatever a task or a path holds can't move the cursor."""
    return text.translate(CONTROL)


def document(data: Any, one_line: bool = False) -> None:
    """One JSON document on stdout, and nothing else; on one line where it is one of many."""
    out(json.dumps(data, indent=None if one_line or not sys.stdout.isatty() else 2, ensure_ascii=False))


def out(text: str = "") -> None:
    """Lines on stdout; what a terminal's encoding can't show is escaped rather than lost."""
    stream = sys.stdout
    try:
        stream.write(text + "\n")
    except UnicodeEncodeError:
        stream.write((text + "\n").encode("utf-8", "backslashreplace").decode(stream.encoding or "ascii", "replace"))
    stream.flush()


def raw(data: bytes) -> None:
    """Bytes as they are."""
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def reader_left() -> int:
    """Whoever read our stdout (`| head`) is gone: nothing is left to flush to. No failure: the exit status is 0."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def progress(text: str) -> None:
    """For a person who waits: stderr, and only to a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(text + "\n")


def warn(text: str) -> None:
    """One line on stderr that does not change the outcome."""
    sys.stderr.write(paint("warning: ", "warn", sys.stderr) + clean(text) + "\n")


def error(problem: OpenclawError, as_json: bool) -> int:
    """The error on stderr in its form; returns the exit status."""
    if as_json:
        sys.stderr.write(json.dumps(problem.as_dict(), ensure_ascii=False) + "\n")
    else:
        sys.stderr.write(paint("openclaw: ", "error", sys.stderr) + clean(problem.message) + "\n")
        if problem.hint:
            sys.stderr.write(paint("  → " + clean(problem.hint), "dim", sys.stderr) + "\n")
    return problem.exit_status


def table(
    headers: Sequence[str], rows: Iterable[Sequence[str]], widest: str = "", styled: str = "", right: Sequence[str] = ()
) -> None:
    """An aligned table. Column `widest` gives way to the width of the terminal, `styled` is painted by its value."""
    cells = [[clean(cell) for cell in row] for row in rows]
    widths = [max([display_width(h), *(display_width(row[i]) for row in cells)]) for i, h in enumerate(headers)]
    if widest and sys.stdout.isatty():
        column = headers.index(widest)
        spare = os.get_terminal_size().columns - sum(widths) - 2 * (len(widths) - 1)
        widths[column] = max(8, widths[column] + min(0, spare))
    out(paint(_line(headers, headers, widths, right), "bold"))
    for row in cells:
        painted = [paint(c, c) if h == styled else c for h, c in zip(headers, row, strict=True)]
        out(_line(headers, painted, widths, right, row))


def _line(
    headers: Sequence[str],
    cells: Sequence[str],
    widths: Sequence[int],
    right: Sequence[str],
    plain: Sequence[str] | None = None,
) -> str:
    parts = []
    for header, cell, width, bare in zip(headers, cells, widths, plain or cells, strict=True):
        if display_width(bare) > width:
            cell = bare = shorten(bare, width)
        pad = " " * (width - display_width(bare))
        parts.append(pad + cell if header in right else cell + pad)
    return "  ".join(parts).rstrip()


def shorten(text: str, width: int) -> str:
    """At most `width` columns, with an ellipsis when something is left out."""
    if display_width(text) <= width:
        return text
    kept, used = [], 0
    for char in text:
        used += display_width(char)
        if used > width - 1:
            break
        kept.append(char)
    return "".join(kept) + "…"


def display_width(text: str) -> int:
    """Terminal columns: wide characters take two, combining ones none."""
    if text.isascii():
        return len(text)
    import unicodedata  # only for text that needs it

    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
