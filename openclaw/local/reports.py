"""Telling openclaw what happens, as the hooks of other programs do, but without a process for each report."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Mapping

from openclaw import hook
from openclaw.agents import reported

NAME = "local"  # as agents.yaml names this way of reporting


class Reports:
    """One session's. Outside of a sub-agent nothing is told."""

    def __init__(self, environ: Mapping[str, str], conversation: str, path: str) -> None:
        self._id, self._state_dir = environ.get("OPENCLAW_SESSION_ID", ""), environ.get("OPENCLAW_STATE_DIR", "")
        self._known = {"session_id": conversation, "transcript_path": path}

    def __call__(self, event: str, **data: object) -> None:
        """Report one event, by the name that hooks have for it. What can't be told is complained of in hook.log."""
        if not self._id or not self._state_dir:
            return
        said: dict[str, object] = {"hook_event_name": event, **self._known, **data}
        try:
            path = os.path.join(self._state_dir, "openclaw.db")
            os.stat(path)  # one that is not there is no reason to make an empty one
            store = sqlite3.connect(path, timeout=4 * hook.BUSY_SECONDS, isolation_level=None)
            try:
                store.execute("PRAGMA synchronous=NORMAL")
                store.execute("BEGIN IMMEDIATE")
                state = reported.take_session(store, self._id, said, NAME)
                store.execute("COMMIT")
            finally:
                store.close()
        except (OSError, sqlite3.Error) as error:
            hook.complain(self._state_dir, f"session {self._id}: {type(error).__name__}: {error}")
            return
        if state and (pid := hook.show(state)):
            threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()  # nobody else asks for its end
