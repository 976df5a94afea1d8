"""A terminal on the box's own socket, and windows to open in it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from openclaw.terminal.server import Terminal
from openclaw.terminal.windows import NewWindow
from tests.conftest import Box

Make = Callable[..., NewWindow]


@pytest.fixture
def terminal(box: Box) -> Terminal:
    return Terminal(str(box.socket))


@pytest.fixture
def make(box: Box) -> Make:
    """`make(id, *argv, title=…, log=…, **tags)`: a window whose log is `<root>/logs/<id>`."""
    (box.root / "logs").mkdir()

    def new(id: str, *argv: str, title: str = "a title", cwd: str = "", log: str = "", log_bytes: int = 1_000_000,
            **tags: str) -> NewWindow:  # fmt: skip
        log = log or str(box.root / "logs" / id)
        return NewWindow(id, argv or ("sleep", "1000"), cwd or str(box.work), log, log_bytes, title, tags)

    return new
