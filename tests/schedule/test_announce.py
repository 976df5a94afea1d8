"""What is announced reaches a person and the main agent: on the desktop, in the status line, with the next prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from openclaw import hook_news
from openclaw.store import db, inbox
from tests.conftest import Box, until
from tests.continuity.test_hooks_main import call
from tests.schedule.conftest import Cron
from tests.schedule.desktop import Desktop
from tests.schedule.test_main import Person, person

__all__ = ["person"]


@pytest.fixture
def desktop(box: Box) -> Iterator[Desktop]:
    made = Desktop(box.root / "run")
    yield made
    made.close()


def prompted(box: Box, text: str = "hello") -> str:
    """What the hook of a main agent adds to a prompt."""
    report = {"hook_event_name": "UserPromptSubmit", "session_id": "c1", "prompt": text, "cwd": str(box.work)}
    said = call(box, report, "main", "claude")
    return str(json.loads(said)["hookSpecificOutput"]["additionalContext"]) if said else ""


def test_the_desktop_shows_it(cron: Cron, desktop: Desktop) -> None:
    box = cron.box
    cron.add("disk", "echo '/srv is at 97 % <b>'")
    box.cli("cron", "run", "disk", "--wait")
    assert desktop.calls == [], "nobody said where a desktop is"
    runtime = {"XDG_RUNTIME_DIR": str(box.root / "run")}
    box.cli("cron", "run", "disk", "--wait", env=runtime)
    until(lambda: [body for method, body in desktop.calls if method == "Notify"], 40)
    [body] = [body for method, body in desktop.calls if method == "Notify"]
    assert b"openclaw\0" in body and b"disk\0" in body and b"/srv is at 97 % &lt;b&gt;\0" in body
    box.cli("cron", "run", "disk", "--wait", env=runtime | {"OPENCLAW_CRON_DESKTOP": "false"})
    desktop.close()
    box.cli("cron", "run", "disk", "--wait", env=runtime)  # its bus is gone
    assert len([method for method, _ in desktop.calls if method == "Notify"]) == 1 and len(cron.inbox()) == 4


def test_the_next_prompt_of_the_main_agent_brings_it_once(cron: Cron) -> None:
    box = cron.box
    assert prompted(box) == ""
    cron.add("disk", "echo '/srv is at 97 %'")
    box.cli("cron", "run", "disk", "--wait")
    other = box.root / "other"
    box.cli("init", str(other))
    assert prompted_elsewhere(box, other) == ""
    said = prompted(box)
    assert said.startswith(hook_news.HEAD) and "disk: /srv is at 97 %" in said
    assert prompted(box) == ""
    [note] = box.json("inbox", "list")
    assert note["told_at"] and note["read_at"] is None


def prompted_elsewhere(box: Box, workspace: Path) -> str:
    mine = box.env["OPENCLAW_WORKSPACE"]
    box.env["OPENCLAW_WORKSPACE"] = str(workspace)
    said = prompted(box)
    box.env["OPENCLAW_WORKSPACE"] = mine
    return said


def test_a_sub_agent_is_told_nothing(cron: Cron) -> None:
    cron.add("disk", "echo full")
    cron.box.cli("cron", "run", "disk", "--wait")
    report = {"hook_event_name": "UserPromptSubmit", "session_id": "c1", "prompt": "x", "cwd": str(cron.box.work)}
    assert call(cron.box, report, "main", "claude", OPENCLAW_SESSION_ID="abcdef") == ""
    assert "full" in prompted(cron.box)


def test_many_and_long_ones_stay_short_and_one_that_waits_for_the_store_is_not_lost(cron: Cron) -> None:
    box = cron.box
    store = db.connect(str(box.state / "openclaw.db"))
    with db.transaction(store):
        for number in range(20):
            inbox.add(store, "2026-01-01T00:00:00.000Z", "info", f"job {number}", "x" * 5000, str(box.workspace))
        assert prompted(box) == ""  # locked by us
    said = prompted(box)
    assert "15 older ones" in said and "job 19" in said and "job 14:" not in said and len(said) < 9000
    assert prompted(box) == ""
    store.close()


def test_the_status_line_shows_what_is_unread(cron: Cron) -> None:
    box = cron.box
    cron.add("disk", "echo full")
    box.cli("cron", "run", "disk", "--wait")
    cron.add("bad one", "exit 3")
    box.cli("cron", "run", "bad one", "--wait", exit=1)
    assert call(box, {}, "statusline") == "openclaw inbox 2: bad one failed\n"
    box.cli("inbox", "read")
    assert call(box, {}, "statusline") == "openclaw\n"


def test_it_can_begin_a_turn_and_then_comes_with_no_other(person: Person) -> None:
    box = person.box
    box.env["OPENCLAW_CRON_ANNOUNCE_TURN"] = "true"
    person.cron.add("disk", "echo full")
    box.cli("cron", "run", "disk", "--wait")
    until(lambda: person.cron.tick() is not None and person.heard() != [], 40)
    assert person.heard() == ["Result of the scheduled job disk:\nfull"]
    assert prompted(box) == ""


def test_what_could_not_be_typed_comes_with_the_next_prompt(cron: Cron) -> None:
    box = cron.box  # no main session is registered
    cron.add("disk", "echo full", "--delivery", "main")
    box.cli("cron", "run", "disk", "--wait")
    assert "disk: full" in prompted(box)
