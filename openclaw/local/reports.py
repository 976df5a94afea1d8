"""Telling openclaw what happens, as the hooks of other programs do, but without a process for each report."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping

from openclaw import hook_io

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
        state = hook_io.store(self._state_dir, {"session": self._id, "reporter": NAME, "data": said})
        if state and (pid := hook_io.show(state)):
            threading.Thread(target=os.waitpid, args=(pid, 0), daemon=True).start()  # nobody else asks for its end
