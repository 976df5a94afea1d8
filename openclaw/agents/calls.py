"""Tool calls as people read them. The hook imports this: nothing but json here."""

from __future__ import annotations

import json

SHOWN = 200  # characters
DENIED = "Not allowed by openclaw: "  # how the reason of a denial begins, by which it is found again in the transcript


def asked(tool: object, given: object) -> str:
    """A tool call in one line: its name, and what tells most about it."""
    values = given if isinstance(given, dict) else {}
    for key in ("command", "file_path", "notebook_path", "url", "pattern"):
        if isinstance(values.get(key), str):
            return f"{tool}: {values[key]}"[:SHOWN]
    return f"{tool}: {json.dumps(given, ensure_ascii=False)}"[:SHOWN]
