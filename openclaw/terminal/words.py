"""Texts on their way into tmux: as a word of its command language, as part of a format, as one line on a screen."""

from __future__ import annotations

import re

from openclaw.errors import BadInput

# Inside double quotes tmux reads `\ " $`, a `~` at the front and control characters in its own way, and refuses bytes
# that are no UTF-8 (Python's \udc80 to \udcff) unless they are escaped.
_SPECIAL = re.compile(r'[\\"$~\x01-\x1f\x7f\udc80-\udcff]')


def quote(text: str) -> str:
    """`text` as one word for `source-file`; tmux reads exactly `text` from it. BadInput for NUL and lone surrogates."""
    if "\0" in text:
        raise BadInput("a text for tmux contains a NUL character", "remove it", "bad_text")
    try:
        text.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise BadInput("a text for tmux is not valid Unicode", "save it as UTF-8", "bad_text") from error
    return '"' + _SPECIAL.sub(lambda found: f"\\{ord(found[0]) & 0xFF:03o}", text) + '"'


def literal(text: str) -> str:
    """`text` for an argument that tmux expands as a format (`-c`, `-n`): nothing in it is expanded or run.

    Doubling `#` is the documented way, but in `##[` tmux leaves both, so an empty `#{l:}` keeps them apart.
    """
    return text.replace("#", "##").replace("#[", "##{l:}[")


def one_line(text: str, longest: int = 200) -> str:
    """The beginning of `text` as one line that any terminal can be shown: no control characters, blanks collapsed."""
    shown = " ".join("".join(c if c.isprintable() else " " for c in text[: longest * 4]).split())
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def command(*words: str) -> str:
    """One tmux command for `source-file`. Of several joined with ` ; ` none runs after one that failed."""
    return " ".join(map(quote, words))
