"""A notification on the desktop of whoever is logged in, where there is one.

A tick that cron calls has no address of the desktop's bus: it is looked for in the runtime folder of the person, which
`cron install` writes down.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping

SECONDS = 10.0
LONGEST = 1000  # characters: no desktop shows more


def show(environ: Mapping[str, str], title: str, text: str) -> bool:
    """Whether a desktop has taken it; that none is there is no failure."""
    path = environ.get("PATH")
    if sys.platform == "darwin":
        script = "on run argv\ndisplay notification (item 2 of argv) with title (item 1 of argv)\nend run"
        program = shutil.which("osascript", path=path)
        words, address = [program or "", "-e", script], "of the one who is logged in"
    else:
        program, address = shutil.which("notify-send", path=path), bus(environ)
        words = [program or "", "--app-name=openclaw", "--"]
    if not program or not address:
        return False
    shown = text[:LONGEST]
    if sys.platform != "darwin":  # a body is read as markup, a title is not
        shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    environ = dict(environ) | {"DBUS_SESSION_BUS_ADDRESS": address}
    try:
        done = subprocess.run(
            [*words, title, shown], env=environ, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def bus(environ: Mapping[str, str]) -> str:
    """The address of the session's bus; empty when there is none."""
    if address := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return address
    socket = os.path.join(environ.get("XDG_RUNTIME_DIR", ""), "bus")
    try:
        return f"unix:path={socket}" if os.path.isabs(socket) and stat.S_ISSOCK(os.stat(socket).st_mode) else ""
    except OSError:
        return ""
