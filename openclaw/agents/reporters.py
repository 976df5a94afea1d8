"""Programs that say themselves what they do: a module for each way of saying it, named by `reports` in agents.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

MODULES = {
    "claude-hooks": "openclaw.agents.claude",
    "codex-hooks": "openclaw.agents.codex",
    "local": "openclaw.agents.local",
}
TRUST = "asks whether you trust the folder"  # how `first_dialog` and `dialog` name that question, of any program


class Signal(NamedTuple):
    """What a program does: starting, working, waiting or idle; since when (ISO 8601 UTC); and why, for people."""

    state: str
    at: str = ""
    why: str = ""


class Reporter(Protocol):
    """What has to be known about such a program."""

    def settings(self, hook: str) -> str:
        """What makes it call `hook`, an absolute path: the text of its settings file, or of a word of its own."""

    def first_dialog(self, environ: Mapping[str, str], cwd: str, repository: str = "") -> str:
        """What it is going to ask at its first start there, before it takes a prompt; empty if nothing is known.

        `repository` is the main checkout of the repository that the cwd is, or will be, a worktree of; or empty.
        """

    def trust(self, environ: Mapping[str, str], folder: str) -> bool:
        """Accept the trust of a folder and all below it in the program's own configuration, for a person who named it.

        False when it was trusted already. Unavailable when that configuration is not there or can't be changed.
        """

    def look(self, status_file: str, conversation: str = "") -> Signal | None:
        """What it says in its own file about this conversation; None when there is none or it can't be read: that means
        nothing."""

    def dialog(self, screen: str) -> str:
        """Which dialog of its first start the screen shows, and what to do; empty if none is recognised."""


def reporter(name: str) -> Reporter:
    """The module of this name, imported when first needed."""
    import importlib

    module: Any = importlib.import_module(MODULES[name])
    return module  # type: ignore[no-any-return]
