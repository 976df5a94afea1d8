"""What estimates are worth, learned from all conversations that the ledger knows, and kept in the store.

Only who asks for figures or for a count for a model measures, a bounded part at a time; hooks and `ps` never do. A
file is measured again when it has grown to twice its size: so that in all its life it is read twice over, at most.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress

from openclaw.context.calibration import Calibration, Known, assumed, kinship, learn, of_model
from openclaw.errors import Unavailable
from openclaw.settings import Settings
from openclaw.store import db, measured
from openclaw.store.measured import File, Measured

NEWEST = measured.KEPT  # conversations that are looked at: of a model no more are kept
OWN = 1  # kinship up to which a model is told as the one that was asked for
AT_ONCE = 32 * 2**20  # bytes that one look measures, about two seconds; the rest is for the next
A_LITTLE = AT_ONCE // 4


def refresh(store: sqlite3.Connection, room: int = AT_ONCE) -> int:
    """Measure what is new, the newest first; how many conversations were measured. Two at once do the same twice.

    `room` are the bytes that are read of them, and of one file half of that counts at most."""
    known, most, done = measured.sizes(store), room // 2, 0
    seen = sorted(((*stat, file) for file in measured.files(store) if (stat := _stat(file.path))), reverse=True)
    for at, size, file in seen[:NEWEST]:
        if not size or known.get(file.path, 0) <= size < 2 * known.get(file.path, 0):
            continue
        room -= min(size, most)
        if room < 0:
            break
        found = _measure(store, file)
        with db.transaction(store):
            measured.put(store, file.path, size, at, found)
        done += 1
    return done


def known(store: sqlite3.Connection, model: str | None) -> Calibration:
    """What is known of a model, from its own conversations or its relatives'; else what is assumed of its family."""
    return of_model(model, _known(store)) if model else assumed(model)


def factors(store: Callable[[], sqlite3.Connection]) -> Callable[[str | None], float]:
    """What a count is multiplied with for a model. The store is opened when a model is named first."""
    found: dict[str | None, float] = {}

    def factor(model: str | None) -> float:
        if model not in found:
            found[model] = known(store(), model).factor if model else assumed(model).factor
        return found[model]

    return factor


def at(settings: Settings, model: str | None) -> Calibration:
    """As `known`, for a process of its own, which measures a little first; without a store it is what is assumed."""
    path = os.path.join(settings.state_dir, "openclaw.db")
    if not model or not os.path.exists(path):
        return assumed(model)
    try:
        store = db.connect(path)
    except Unavailable:
        return assumed(model)
    try:
        with suppress(Unavailable):  # one that is only read, in a sandbox
            refresh(store, A_LITTLE)
        return known(store, model)
    except sqlite3.Error:
        return assumed(model)
    finally:
        store.close()


def told(model: str, found: Calibration, store: sqlite3.Connection) -> str:
    """Where a factor is from, for people."""
    if not found.seen:
        return "assumed, as nothing was seen of it or its relatives"
    own = any(kinship(model, each.model) <= OWN for each in _known(store))
    return f"learned from {found.seen} calls" + ("" if own else " of its relatives")


def _known(store: sqlite3.Connection) -> list[Known]:
    return [Known(row.model, Calibration(*row[1:])) for row in measured.every(store)]


def _measure(store: sqlite3.Connection, file: File) -> dict[str, Measured]:
    from openclaw.usage import imports, samples  # readers of all forms, only where a file is measured

    found: dict[str, Measured] = {}
    for model, runs in samples.runs(file.path, file.reporter or imports.REPORTERS[imports.agent_of(file.path)]).items():
        if fitted := learn(runs, assumed(model)):
            found[model] = Measured(model, *fitted)
    return found


def _stat(path: str) -> tuple[float, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime, found.st_size
