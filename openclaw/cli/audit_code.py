"""`audit code PATH`: spawns in people's own files that lack scope, inject or isolation."""

from __future__ import annotations

import os
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.lint.check import check
from openclaw.lint.shell import INSTALL


def audit_code(paths: Sequence[str], json: bool) -> int:
    """The findings with their places; 1 when there are any. What can't be read is said, and fails nothing."""
    found = check([os.path.expanduser(path) for path in paths or ["."]], open_fleet().settings.environ)
    for path, line, why in found.broken:
        render.warn(f"{path}{f':{line}' if line else ''}: {why}: it was not looked into")
    if found.unchecked:
        render.warn(f"{len(found.unchecked)} files with shell in them were not looked into: {INSTALL}")
    if json:
        render.document(
            {
                "files": found.files,
                "spawns": found.spawns,
                "findings": [each.as_json() for each in found.findings],
                "broken": [{"path": path, "line": line, "why": why} for path, line, why in found.broken],
                "unchecked": found.unchecked,
            }
        )
        return 1 if found.findings else 0
    for each in found.findings:
        place = render.paint(render.clean(f"{each.path}:{each.line}"), "bold")
        render.out(f"{place}: {render.clean(each.what)} lacks {', '.join(each.lacks)}\n  → {render.clean(each.mend)}")
    verdict = f"{len(found.findings)} lack something" if found.findings else "nothing is lacking"
    render.out(f"looked at {found.files} files with {found.spawns} spawns: {verdict}")
    return 1 if found.findings else 0
