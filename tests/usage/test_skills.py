"""Whose a turn is: the skill that was at work, the job it was run for, the nested role. And rows that can't be."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest

from openclaw.store import db, sessions, turns
from openclaw.store.sessions import Session
from openclaw.units import utc
from openclaw.usage import ledger as ledger_of_turns
from openclaw.usage import transcripts
from tests.conftest import Box
from tests.schedule.conftest import Cron
from tests.usage.test_metrics import DASHBOARD, DAY, add, session, store, turn  # noqa: F401  # a fixture
from tests.usage.test_transcripts import Ledger, assistant

SKILL = {"type": "tool_use", "id": "toolu_1", "name": "Skill", "input": {"skill": "pdf", "args": "x"}}
COMMAND = "<command-message>team:review</command-message>\n<command-name>/team:review</command-name>"
BUILTIN = "<command-name>/mcp</command-name>\n            <command-message>mcp</command-message>"


def at(minute: int) -> str:
    return f"2026-01-01T10:{minute:02}:00.000Z"


def said(minute: int, text: str, **more: Any) -> str:
    message = {"role": "user", "content": text}
    entry = {"type": "user", "uuid": f"u{minute}", "timestamp": at(minute), "message": message}
    return json.dumps(entry | more) + "\n"


LINES = (
    said(0, "make it a PDF"),
    assistant("m1", (1, 0, 0, 1), timestamp=at(1), message={"content": [SKILL]}),
    said(2, "the text of the skill", isMeta=True),
    assistant("m2", (10, 20, 30, 40), timestamp=at(3)),
    assistant("m3", (0, 0, 100, 5), timestamp=at(4)),
    said(5, BUILTIN),
    said(6, "<local-command-stdout>ok</local-command-stdout>"),
    assistant("m4", (1, 1, 1, 1), timestamp=at(7)),
    said(8, "and now something else"),
    assistant("m5", (1000, 0, 0, 0), timestamp=at(9)),
    said(10, COMMAND),
    assistant("m6", (7, 0, 0, 0), timestamp=at(11)),
)
USED = [("pdf", 209, at(8)), ("team:review", 7, None)]


def refresh(ledger: Ledger) -> None:
    rows = sessions.by_ids(ledger.store, ["abc234"])
    ledger_of_turns.refresh(ledger.store, rows, utc(time.time()))


def invocations(store: sqlite3.Connection) -> list[tuple[Any, ...]]:  # noqa: F811
    query = "SELECT skill_name, tokens_used, ended_at FROM skill_invocations ORDER BY created_at"
    return [tuple(row) for row in store.execute(query)]


def test_a_skill_works_until_the_next_prompt_and_what_it_used_is_its(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    for line in LINES:  # as it grows: a look after each line
        ledger.write(line)
        refresh(ledger)
    assert invocations(ledger.store) == USED
    again = Ledger(tmp_path / "again")
    again.write(*LINES)
    refresh(again)
    assert invocations(again.store) == USED
    rows = ledger.store.execute("SELECT skill, sum(input + cache_write + cache_read + output) FROM ledger GROUP BY 1")
    assert [tuple(row) for row in rows] == [(None, 1002), ("pdf", 209), ("team:review", 7)]
    found = sorted(tuple(row) for row in ledger.store.execute(DASHBOARD[1]))
    assert found == [("pdf", 1, 209.0), ("team:review", 1, 7.0)]


def test_metrics_by_skill_have_all_that_was_used(box: Box) -> None:
    folder = box.home / ".claude/projects/-w"
    folder.mkdir(parents=True)
    (folder / "11111111-2222-4333-8444-555555555555.jsonl").write_text("".join(LINES))
    box.cli("usage", "import")
    box.cli("usage", "import")
    rows = {row["skill"]: row for row in box.json("metrics", "--by", "skill")["rows"]}
    assert {name: (row["turns"], row["input"]) for name, row in rows.items()} == {
        "": (2, 1001), "pdf": (3, 11), "team:review": (1, 7)
    }  # fmt: skip
    assert "team:review" in box.cli("metrics", "--filter", "skills").stdout
    with sqlite3.connect(box.state / "openclaw.db") as connection:
        assert sorted(connection.execute(DASHBOARD[1])) == [("pdf", 1, 209.0), ("team:review", 1, 7.0)]


def test_metrics_by_job_count_every_try(box: Box, store: sqlite3.Connection) -> None:  # noqa: F811
    cron = Cron(box)
    cron.add("look", "true")
    first = box.json("cron", "run", "look", "--wait")["session_id"]
    session(store, "other", type="sub-agent")
    for id in (first, "other"):
        add(store, id, turn(1, 10, 0, 0, 5)._replace(message_id=id))
    rows = {row["job"]: row["turns"] for row in box.json("metrics", "--by", "job")["rows"]}
    assert rows == {"": 1, "look": 1}


def test_a_nested_role_is_told_apart_from_the_role_of_the_session(box: Box, store: sqlite3.Connection) -> None:  # noqa: F811
    session(store, "a", role="reviewer")
    add(store, "a", turn(1, 10, 0, 0, 5))
    with db.transaction(store):
        turns.aside(store, "a", "role summarizer", [turn(2, 3, 0, 0, 1)])
    rows = {row["role"]: row["input"] for row in box.json("metrics", "--by", "role")["rows"]}
    assert rows == {"reviewer": 10, "summarizer": 3}
    found = store.execute("SELECT role, type, input FROM ledger ORDER BY input").fetchall()
    assert [tuple(row) for row in found] == [("summarizer", "sub-agent", 3), ("reviewer", "sub-agent", 10)]


def test_odd_rows_of_a_live_transcript_are_told_in_a_line_and_harm_no_sum(tmp_path: Path, box: Box) -> None:
    ledger = Ledger(tmp_path)
    usage = (1, 2, 3, 4)
    ledger.write(assistant("a", usage), assistant("b", (-5, 0, 0, 10)), assistant("c", (10**15, 1, 1, 1)))
    ledger.write(assistant("d", usage, timestamp="2099-01-01T00:00:00.000Z"), assistant("e", usage, timestamp="soon"))
    ledger.write(assistant("f", usage, message={"model": "nobody-knows-1"}))
    refresh(ledger)
    total = ledger.store.execute("SELECT sum(turns), sum(input), sum(output) FROM daily").fetchone()
    assert tuple(total) == (5, 4, 26)  # all but c; of b what can be
    days = [row[0] for row in ledger.store.execute("SELECT DISTINCT day FROM daily")]
    assert len(days) == 2 and "2099-01-01" not in days and "soon" not in days
    ledger.store.close()
    env = {"OPENCLAW_STATE_DIR": str(tmp_path / "state")}
    for words in (("metrics",), ("alerts",)):
        told = box.cli(*words, env=env, exit=None).stderr.splitlines()
        assert [line for line in told if "4 rows that can't be (figures less than none or beyond reason)" in line]
        assert [line for line in told if "nobody-knows-1" in line and "no known price" in line]
        assert len(told) == 2


def test_a_session_row(store: sqlite3.Connection) -> None:  # noqa: F811
    """The seeds' first query has rows too."""
    row = Session("x", "x", "t", "cron", "local", "done", "/", "/s", f"{DAY}T00:00:00Z", f"{DAY}T00:00:00Z", model="m")
    with db.transaction(store):
        sessions.insert(store, row._replace(tokens_used=7), ())
    assert [tuple(found) for found in store.execute(DASHBOARD[0])] == [(DAY, "m", 7)]


@pytest.mark.parametrize("line", ["{}", '{"type": "user"}', '{"type": "user", "message": {"content": [1]}}', '"Skill"'])
def test_lines_that_are_no_marks(tmp_path: Path, line: str) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text(line.replace("user", "user") + "\n")
    assert all(not mark.name for mark in transcripts.read(str(path), 0).marks)
