"""The context of a main agent, from the file of its conversation, read as it grows by the readers of the ledger."""

from __future__ import annotations

import os
import sqlite3

from openclaw.store import db, main_usage, mains
from openclaw.store.main_usage import MainUsage
from openclaw.store.mains import Main
from openclaw.usage.ledger import reader


def refresh(store: sqlite3.Connection, main: Main, reporter: str) -> MainUsage | None:
    """What is known now, and so in its row. None: its file can't be read, and nobody knows."""
    known = main_usage.get(store, main.conversation_id)
    if known is None or known.path != main.transcript:
        known = MainUsage(main.conversation_id, main.transcript)
    try:
        with open(main.transcript, "rb") as file:
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return None
    tokens = None if known.compacted else known.last_tokens
    if size == known.read_bytes and main.context_tokens == tokens:
        return known
    found = reader(reporter).read(known.path, known.read_bytes)
    own = [turn for turn in found.turns if not turn.side]
    if size < known.read_bytes:  # another file by now: what was known was of the old one
        known = MainUsage(known.conversation_id, known.path)
    if own:
        known = known._replace(last_tokens=own[-1].context, model=own[-1].model)
        known = known if known.first_tokens is not None else known._replace(first_tokens=own[0].context)
    compacted = known.compacted if found.compacted is None else int(found.compacted)
    known = known._replace(read_bytes=found.read_bytes, window=found.window or known.window, compacted=compacted)
    with db.transaction(store):
        main_usage.put(store, known)
        mains.measured(store, known.conversation_id, None if known.compacted else known.last_tokens)
    return known
