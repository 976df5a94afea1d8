"""A terminal of a person: a tmux server of its own, not that of the sub-agents, in which a main agent runs."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable

from tests.conftest import Box, until


class Terminal:
    """One window. The box reaps it by the environment of its server."""

    def __init__(self, box: Box, *command: str, env: dict[str, str] | None = None) -> None:
        self.box = box
        self.socket = str(box.root / "own.sock")
        self.env = {k: v for k, v in box.env.items() if not k.startswith("TMUX")} | (env or {})
        words = ("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50", "-s", "person", "-c", str(box.work))
        self.tmux(*words, *command)
        self.tmux("set-option", "-g", "remain-on-exit", "on")

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", self.socket, *words], env=self.env, text=True, capture_output=True, timeout=20, check=True
        )
        return done.stdout

    @property
    def pane(self) -> str:
        return self.tmux("display-message", "-p", "-t", "person", "#{pane_id}").strip()

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p", "-t", "person")

    def shows(self, text: str, seconds: float = 60.0) -> None:
        """Wait until the screen shows a text."""
        try:
            until(lambda: text in self.screen(), seconds)
        except AssertionError:
            said = self.tmux("capture-pane", "-p", "-S", "-200", "-t", "person").strip()
            raise AssertionError(f"never {text!r} on:\n{said}") from None

    def line(self) -> str:
        """What stands in the input line: the last one with its mark."""
        marked = [line for line in self.screen().splitlines() if line.startswith(("❯", "›"))]
        return marked[-1][1:].strip() if marked else ""

    def type(self, text: str) -> None:
        """The text, and Enter when the input line shows it, until it is gone from there."""
        self.tmux("send-keys", "-t", "person", "-l", text)
        until(lambda: self.line() == text, 40, f"{text!r} in the input line")
        self.press_until("Enter", lambda: self.line() != text or "Pane is dead" in self.screen())

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", "-t", "person", *keys)

    def choose(self, key: str, mark: str, dialog: str) -> None:
        """In a dialog: press a key until `mark` is shown, then Enter until it is gone. It drops keys at first."""
        self.shows(dialog)
        self.press_until(key, lambda: mark in self.screen())
        self.press_until("Enter", lambda: dialog not in self.screen())

    def press_until(self, key: str, done: Callable[[], bool]) -> None:
        """Press a key, again every second, until it has done what it should."""
        deadline = time.monotonic() + 40
        while not done():
            assert time.monotonic() < deadline, self.screen()
            self.press(key)
            with contextlib.suppress(AssertionError):
                until(done, 1)
