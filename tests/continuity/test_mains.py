"""The agent that runs the others, as its hooks register it, and as a snapshot shows it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from openclaw.continuity import mains as continuity
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db, mains
from openclaw.store.mains import Main
from tests.conftest import Box

TIME = "2026-01-01T00:00:0{}.000Z"


def main(conversation: str, workspace: Path, second: int, **more: object) -> Main:
    made = Main(
        conversation, "claude", "/w", str(workspace), "/t.jsonl", "working", TIME.format(second), TIME.format(second)
    )
    return made._replace(**more)  # type: ignore[arg-type]


def test_the_current_one_is_the_one_seen_last_that_has_not_ended(box: Box) -> None:
    fleet = Fleet(Settings(box.env, str(box.work)))
    assert continuity.current(fleet) is None
    with db.transaction(fleet.store):
        mains.register(fleet.store, main("a", box.workspace, 1))
        mains.register(fleet.store, main("b", box.workspace, 2))
        mains.register(fleet.store, main("c", box.work, 3))
        mains.register(fleet.store, main("b", box.workspace, 4, context_tokens=7))
    found = continuity.current(fleet)
    assert (
        found and found.conversation_id == "b" and found.context_tokens == 7 and found.registered_at == TIME.format(2)
    )
    with db.transaction(fleet.store):
        assert mains.update(fleet.store, "b", TIME.format(5), ended_at=TIME.format(5))
        assert not mains.update(fleet.store, "nobody", TIME.format(5), state="idle")
    found = continuity.current(fleet)
    assert found and found.conversation_id == "a"


def test_a_snapshot_shows_it(box: Box) -> None:
    box.cli("ps")
    store = db.connect(str(box.state / "openclaw.db"))
    with db.transaction(store):
        mains.register(store, main("conv-1", box.workspace, 1, context_tokens=140_000, socket="/s", pane_id="%7"))
    taken = Path(box.json("snapshot")["path"]).read_text()
    assert "claude, conversation conv-1, working in /w, pane %7 of /s; context: 140000 tokens" in taken
    with db.transaction(store):
        mains.update(store, "conv-1", TIME.format(9))
    assert not box.json("snapshot")["written"]  # being seen again is no news
    store.close()


def test_the_migration_runs_on_a_database_of_before(box: Box) -> None:
    box.cli("ps")
    with sqlite3.connect(box.state / "openclaw.db") as store:
        store.execute("DROP TABLE mains")
        store.execute("DELETE FROM migrations WHERE name = '0006_mains'")
        store.execute("PRAGMA user_version = 1")
    box.cli("snapshot")
