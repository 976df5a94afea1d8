"""Where our files are: the state folder and the workspace. The hook asks at every turn: nothing but os and sys here."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASE = "openclaw.db"  # in the state folder
LOOK_WANTED = "budget-look-wanted"  # there while a look at the budgets was asked for and has not begun
BUDGETS = "budgets-are-set"  # there while there are budgets beside those of single sub-agents


def home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")


def state_dir(environ: Mapping[str, str]) -> str:
    """`OPENCLAW_STATE_DIR`, else the platform's user state folder."""
    if named := environ.get("OPENCLAW_STATE_DIR"):
        return os.path.abspath(os.path.expanduser(named))
    if base := environ.get("XDG_STATE_HOME"):
        return os.path.join(base, "openclaw")
    return platform_dir(environ, "state")


def platform_dir(environ: Mapping[str, str], kind: str) -> str:
    """The platform's own user folder for our `state` or `config`."""
    if sys.platform == "linux":  # the same answer as platformdirs, whose import doubles the start of every call
        return os.path.join(home(environ), {"state": ".local/state", "config": ".config"}[kind], "openclaw")
    import platformdirs

    return platformdirs.user_state_dir("openclaw") if kind == "state" else platformdirs.user_config_dir("openclaw")


def workspace(environ: Mapping[str, str], cwd: str) -> tuple[str, str]:
    """The environment's, the nearest `.openclaw/` above the cwd (never HOME's own), else the shared one; and which."""
    if named := environ.get("OPENCLAW_WORKSPACE"):
        return os.path.abspath(os.path.expanduser(named)), "environment OPENCLAW_WORKSPACE"
    top, folder = os.path.realpath(home(environ)), os.path.realpath(cwd)
    while True:
        found = os.path.join(folder, ".openclaw")
        if folder != top and os.path.isdir(found):
            return found, "nearest .openclaw above the current folder"
        if folder == os.path.dirname(folder):
            return os.path.join(home(environ), ".openclaw", "workspace"), "default"
        folder = os.path.dirname(folder)
