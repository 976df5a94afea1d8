"""What every story about sub-agents needs: the settings, the store and the terminal, opened once per command."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from openclaw.settings import Settings
from openclaw.store import db
from openclaw.terminal.server import Terminal
from openclaw.units import utc

if TYPE_CHECKING:
    from openclaw.context.tokens import Counter

ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"  # ids are read aloud and typed: nothing that looks alike


def new_id() -> str:
    """Six random characters: a billion of them, and the primary key refuses a second use."""
    number = int.from_bytes(os.urandom(8), "big")
    return "".join(ALPHABET[number // len(ALPHABET) ** place % len(ALPHABET)] for place in range(6))


class Fleet:
    """The composition root below the doors. `clock` gives epoch seconds and is passed in by tests."""

    def __init__(self, settings: Settings | None = None, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings or Settings()
        self.clock = clock
        self.terminal = Terminal.from_settings(self.settings)
        self.state_dir = self.settings.state_dir
        self.sessions_dir = os.path.join(self.state_dir, "sessions")
        self.cache_dir = os.path.join(self.state_dir, "cache")
        self._store: sqlite3.Connection | None = None

    @property
    def store(self) -> sqlite3.Connection:
        """The database, opened when first asked for."""
        if self._store is None:
            self._store = db.connect(os.path.join(self.state_dir, "openclaw.db"))
        return self._store

    def counter(self) -> Counter:
        """Counts tokens as the model that is named counts them, by what was learned of it."""
        from openclaw.context.tokens import Counter  # both not for `ps`
        from openclaw.usage.calibrations import factors

        return Counter(self.cache_dir, self.settings.environ, factor=factors(lambda: self.store))

    def forget_store(self) -> None:
        """Close the database, so that the next use opens it anew."""
        if self._store is not None:
            self._store.close()
            self._store = None

    def folder(self, id: str) -> str:
        """Where everything about one sub-agent lies."""
        return os.path.join(self.sessions_dir, id)

    def now(self) -> str:
        return utc(self.clock())

    def shared_environment(self) -> dict[str, str]:
        """What makes an `openclaw` that a sub-agent runs find this same fleet."""
        return {
            "OPENCLAW_STATE_DIR": self.state_dir,
            "OPENCLAW_SHARED_SOCKET": self.terminal.socket,
            "OPENCLAW_WORKSPACE": self.settings.workspace,
        }
