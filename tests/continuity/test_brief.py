"""The brief: what matters stands in it word for word, and it is never longer than it may be."""

from __future__ import annotations

from typing import Any

import pytest

from openclaw.continuity import brief
from openclaw.continuity.restore import Found, Restored
from openclaw.store.sessions import Session
from tests.conftest import Box

TIME = "2026-01-01T00:00:00.000Z"
SCRIPTS = (
    "Refactor the parser so that it reads faster",
    "設定ファイルを読み込んで検証する",
    "выполнить проверку данных",
    "🙂🚀👩‍👩‍👧 fix",
    "تحقق من البيانات",
    "x/y_z-0123456789abcdef",
    '\u200b\u202e|`"\\',
)


def found(number: int, task: str, status: str = "working", action: str = "confirmed", **more: Any) -> Found:
    row = Session(
        id=f"id{number:04}", name=f"id{number:04}", task=task, type="t", agent="claude", status=status, cwd="/w",
        socket="/s",
        created_at=TIME, updated_at=TIME, window_id=f"@{number}", pane_id=f"%{number}",
        ended_at=None if status in ("working", "waiting", "idle") else TIME,
    )  # fmt: skip
    return Found(row, action, more.pop("detail", ""), None, **more)


def note(kind: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "text": text, "at": TIME, "path": "MEMORY.md"}


def kept(notes: Any = (), items: Any = ()) -> dict[str, Any]:
    return {
        "notes": list(notes),
        "left_out": [],
        "items_done": 0,
        "items": [{"text": t, "session": "", "status": ""} for t in items],
    }


@pytest.mark.parametrize("limit", [100, 300, 1500, 4000])
@pytest.mark.parametrize("script", SCRIPTS)
def test_never_over_its_limit_with_a_hundred_sessions_in_any_script(limit: int, script: str) -> None:
    states = ("working", "idle", "waiting", "done", "failed", "lost")
    every = tuple(found(n, f"{n} " + script * 50, states[n % 6], output=script * 9) for n in range(100))
    tree = kept([note("decision", script * 3) for _ in range(20)], [script * 20 for _ in range(50)])
    text = brief.render(Restored(None, every, (), False), tree, limit)
    assert brief.count(text) <= limit
    assert "There was no snapshot" in text and "lines were left out" in text


def test_a_hundred_live_ones_leave_room_for_what_matters() -> None:
    every = [found(n, "port the parser " * 20) for n in range(100)]
    every[77] = found(77, "ask", "waiting")
    keep = [note("decision", "tabs are four wide"), note("preference", "no emoji, ever\nand short sentences")]
    text = brief.render(Restored(None, tuple(every), (), False), kept(keep, ["write the docs"]))
    assert brief.count(text) <= 1500
    assert "- decision: tabs are four wide\n" in text and "- preference: no emoji, ever\n  and short sentences" in text
    assert "`openclaw attach id0077`" in text and "Next:" in text
    assert text.count("→ `openclaw logs") > 15 and "window @0 pane %0" in text


def test_every_one_is_named_with_its_window_and_command() -> None:
    every = (
        found(1, "port it", action="resumed"), found(2, "read", "idle"),
        found(3, "sum", "done", "finished", output="it is 7"),
        found(4, "make", "lost", "lost", detail="shell can't resume; --rerun starts it again from its beginning"),
        found(5, "no", "killed", "finished"),
    )  # fmt: skip
    text = brief.render(Restored(None, every, (), False), kept(items=["write the docs"]))
    assert "- id0001 (claude, working, brought back), window @1 pane %1: port it → `openclaw logs id0001`" in text
    assert "it says: it is 7 → `openclaw result id0003`" in text and "--rerun" in text
    assert "- [ ] write the docs" in text and "left out" not in text
    order = [text.index(word) for word in ("live (do not", "Lost,", "Finished:", "Open items", "Next:")]
    assert order == sorted(order)


def test_it_is_printed_and_bounded_by_the_command(box: Box) -> None:
    box.cli("init")
    box.cli("note", "--decision", "exactly `this` — 決定")
    box.cli("spawn", "exec sleep 600")
    box.cli("snapshot")
    document = box.json("restore", "--brief-tokens", "200")
    assert "exactly `this` — 決定" in document["brief"] and document["brief_tokens"] <= 200
    assert "exactly `this` — 決定" in box.cli("restore").stdout
    box.cli("restore", "--brief-tokens", "10", exit=2)
