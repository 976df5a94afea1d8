"""A summary by a model is only taken when what matters is still in it."""

from __future__ import annotations

import pytest

from openclaw.context.audit import audit, must_hold
from openclaw.context.history import Call, Message, Result, Text
from openclaw.context.tokens import estimate

HISTORY = [
    Message("user", (Text("Make the ledger survive a crash."),)),
    Message("assistant", (Text("Decision: write-ahead logging with synchronous commits."), Call(
        "1", "Edit", '{"file_path": "store/ledger.py", "old_string": "open_ledger()", "new_string": "open_wal()"}'))),
    Message("tool", (Result("1", "done " * 300),)),
    Message("user", (Text("And what about the migration of old databases?"),)),
]  # fmt: skip
GOOD = (
    "Made store/ledger.py crash-safe: open_ledger became open_wal (file_path, old_string, new_string were given). "
    "Decision: write-ahead logging with synchronous commits. Open: the migration of old databases."
)


def test_a_good_one_passes() -> None:
    assert audit(GOOD, must_hold(HISTORY, estimate), estimate).problems == ()


@pytest.mark.parametrize(
    ("summary", "problem"),
    [
        ("  ", "it is empty"),
        (GOOD + " filler" * 900, "are not fewer than the"),
        (GOOD.replace("store/ledger.py", "a file"), "1 of 1 paths are missing, as 'store/ledger.py'"),
        (GOOD.replace("write-ahead logging with synchronous commits", "none"), "1 of 1 decisions are missing"),
        (GOOD.replace("Open: the migration of old databases", "All done"), "1 of 1 asks are missing"),
        (GOOD.replace("_", "-"), "identifiers are missing"),
    ],
)
def test_a_bad_one_is_told_why(summary: str, problem: str) -> None:
    [found] = audit(summary, must_hold(HISTORY, estimate), estimate).problems
    assert problem in found


def test_open_items_of_a_plan_are_asks() -> None:
    done, open_ = '{"content": "write it", "status": "completed"}', '{"content": "port windows", "status": "pending"}'
    plan = Message("assistant", (Call("1", "TodoWrite", f'{{"todos": [{done}, {open_}]}}'),))
    assert must_hold([plan, Message("tool", (Result("1", "ok"),))], estimate).asks == ("[ ] port windows",)
