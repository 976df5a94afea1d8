"""The monitor and the real Claude Code, against a server that reports the usage that it is told to."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from openclaw.sessions import compaction
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import events, sessions
from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Usage

SUMMARY = Reply("<summary>All of it.</summary>", usage=Usage(90, 0, 0, 9))


def test_the_command_that_compacts_is_typed_as_it_is_and_proven(claude: Claude) -> None:
    claude.api.say(Reply("One.", usage=Usage(20_000, 0, 0, 1)))
    id = claude.spawn("one")["id"]
    claude.until(id, "idle")
    fleet = Fleet(Settings(claude.box.env, str(claude.box.work)))
    claude.box.cli("send", id, "two")
    claude.until(id, "idle")
    [session] = sessions.by_ids(fleet.store, [id])
    before = events.newest(fleet.store, id)
    claude.api.say(SUMMARY)
    assert compaction.begin(fleet, session, "/compact", before).verdict == "delivered"
    try:
        until(lambda: compaction.done(fleet, id, before), 20)
    except AssertionError:
        print([tuple(r) for r in fleet.store.execute("select * from events")], claude.screen(id))
        raise
    assert compaction.begin(fleet, session, "/compact", before).verdict == "delivered"  # again: it is known
    assert not compaction.prompted(fleet, id, before)
    claude.until(id, "idle")
    assert len(claude.api.turns) == 3
