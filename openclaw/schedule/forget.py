"""Forgetting what is old: rows of runs and of the inbox, and the folders of those runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence

from openclaw.schedule.runner import run_folder
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, inbox, runs
from openclaw.store.runs import Run


def forget(fleet: Fleet, old: Sequence[Run], before: str) -> None:
    """Folders first: a row that is left finds them again."""
    for run in old:
        folder = run_folder(fleet.state_dir, run)
        if not os.path.islink(folder):
            shutil.rmtree(folder, ignore_errors=True)
    with db.transaction(fleet.store):
        runs.delete(fleet.store, [run.number for run in old])
        inbox.forget(fleet.store, before)
