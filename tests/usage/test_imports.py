"""What people had themselves goes into the ledger: each turn once, however often and whenever it is looked at."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from openclaw.errors import NotFound
from openclaw.store import db, ledger
from openclaw.store.ledger import Sums
from openclaw.usage import imports
from tests.conftest import Box
from tests.context.data import folder

COUNTS = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


@pytest.fixture
def store(box: Box) -> sqlite3.Connection:
    return db.connect(str(box.state / "openclaw.db"))


def assistant(number: int, usage: dict[str, Any], **more: Any) -> str:
    """A line of a transcript."""
    message = {"id": f"msg_{number}", "model": "claude-opus-4-5-20251101", "usage": usage, "content": []}
    entry = {"type": "assistant", "requestId": f"req_{number}", "timestamp": "2026-11-20T10:00:00.000Z"}
    return json.dumps(entry | {"uuid": f"u{number}", "message": message} | more, separators=(",", ":")) + "\n"


def usage(*counts: Any) -> dict[str, Any]:
    return dict(zip(COUNTS, counts, strict=True))


def total(store: sqlite3.Connection) -> Sums:
    return ledger.sums(store)[0][1]


def recount(folder: Path) -> list[int]:
    """Independent of all our code: the last usage of every message id."""
    last: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*.jsonl")):
        for line in path.read_text().splitlines():
            entry = json.loads(line)
            message = entry.get("message")
            if entry.get("type") == "assistant" and message.get("usage") and message["model"] != "<synthetic>":
                last[message["id"]] = message["usage"]
    return [len(last), *(sum(each.get(name) or 0 for each in last.values()) for name in COUNTS)]


def test_sums_equal_an_independent_recount_and_a_second_import_changes_nothing(box: Box) -> None:
    data_folder = folder() / "claude_code"
    first = box.json("usage", "import", str(data_folder))
    assert first["files"] == first["read"] == 5 and first["odd"] == 0
    found = total(db.connect(str(box.state / "openclaw.db")))
    assert list(found[:5]) == recount(data_folder) and found.turns == first["turns"]
    assert box.json("usage", "import", str(data_folder)) == {"files": 5, "read": 0, "turns": 0, "odd": 0}
    assert total(db.connect(str(box.state / "openclaw.db"))) == found


def test_a_file_that_grows_byte_by_byte_is_counted_once(store: sqlite3.Connection, tmp_path: Path) -> None:
    lines = [assistant(n, usage(n, 10, 100, step)) for n in range(12) for step in (1, 5)]  # twice, as they are written
    data, path = "".join(lines).encode(), tmp_path / "c1.jsonl"
    with path.open("ab", buffering=0) as file:
        for at in range(0, len(data), 7):
            file.write(data[at : at + 7])
            imports.take(store, [str(tmp_path)])
    assert total(store)[:5] == (12, sum(range(12)), 120, 1200, 60)
    path.write_bytes(data[: len(lines[0])])  # another file by now
    imports.take(store, [str(tmp_path)])
    assert total(store)[:5] == (12, sum(range(12)), 120, 1200, 60 - 4)  # its first turn is as it stands there


def test_peers_19_what_stands_in_several_files_counts_once(store: sqlite3.Connection, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(assistant(1, usage(1, 2, 3, 4)) + assistant(2, usage(1, 1, 1, 1)))
    shutil.copy(tmp_path / "a.jsonl", tmp_path / "b.jsonl")  # a conversation that was forked
    inside = tmp_path / "a" / "subagents"
    inside.mkdir(parents=True)
    (inside / "agent-1.jsonl").write_text(assistant(3, usage(5, 5, 5, 5), isSidechain=True))
    done = imports.take(store, [str(tmp_path)])
    assert (done.files, done.turns) == (3, 3) and total(store).tokens == 10 + 4 + 20
    by = dict(ledger.sums(store, ("session",)))
    assert by[("a",)].turns == 3


def test_rows_that_cannot_be_are_odd_and_said(box: Box, tmp_path: Path) -> None:
    bad = [usage(-5, 0, 0, 1), usage(1, 0, 0, 10**30), usage("many", 0, 0, 7), usage(None, 0, 0, 2)]
    lines = [assistant(n, each) for n, each in enumerate(bad)]
    lines.append(assistant(9, usage(1, 1, 1, 1), timestamp="the day before yesterday"))
    (tmp_path / "c.jsonl").write_text("not json\n" + "".join(lines) + '{"type":"assistant","message":5}\n')
    done = box.cli("usage", "import", str(tmp_path), "--json")
    assert json.loads(done.stdout) == {"files": 1, "read": 1, "turns": 3, "odd": 3}
    assert done.stderr == "warning: 3 rows have figures or times that can't be: that part of them counts for nothing\n"
    assert box.json("metrics")["rows"][0]["output"] == 10


def test_both_programs_own_folders_are_found(box: Box) -> None:
    claude, codex = box.home / ".claude/projects/p", box.root / "codex/sessions/2026/11/20"
    claude.mkdir(parents=True)
    codex.mkdir(parents=True)
    (claude / "c.jsonl").write_text(assistant(1, usage(1, 2, 3, 4)))
    record = {
        "response_id": "r1",
        "thread_id": "t",
        "session_id": "t",
        "usage": {"input_tokens": 50, "output_tokens": 5},
    }
    rows = [
        {"type": "turn_context", "timestamp": "2026-11-20T10:00:00.000Z", "payload": {"model": "gpt-5.2-codex"}},
        {"type": "token_usage_record", "timestamp": "2026-11-20T10:00:01.000Z", "payload": record},
    ]
    id = "01999999-0000-7000-8000-000000000001"
    (codex / f"rollout-2026-11-20T10-00-00-{id}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = box.json("usage", "import", env={"CODEX_HOME": str(box.root / "codex")})
    assert found["turns"] == 2
    rows = box.json("metrics", "--by", "agent")["rows"]
    assert [(row["agent"], row["turns"]) for row in rows] == [("claude", 1), ("codex", 1)]
    cost = {row["agent"]: row["cost_usd"] for row in rows}
    assert cost["claude"] == pytest.approx((1 * 5 + 2 * 6.25 + 3 * 0.5 + 4 * 25) / 1e6)
    assert cost["codex"] == pytest.approx((50 * 1.75 + 5 * 14) / 1e6)


def test_a_path_that_is_not_there(store: sqlite3.Connection, box: Box) -> None:
    with pytest.raises(NotFound, match="there is no /nowhere"):
        imports.take(store, ["/nowhere"])
    assert box.json("usage", "import") == {"files": 0, "read": 0, "turns": 0, "odd": 0}
