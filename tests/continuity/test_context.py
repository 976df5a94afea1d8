"""`openclaw context`: real files of conversations, as programs write them, and what is made of them."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from openclaw.context import levels
from openclaw.context.levels import Fill, Thresholds
from openclaw.errors import BadInput
from openclaw.settings import Settings
from openclaw.store import db, mains
from openclaw.store.mains import Main
from tests.conftest import Box
from tests.usage.test_transcripts import BOUNDARY, assistant

NOW = "2026-01-01T00:00:00.000Z"


class Talk:
    """A registered main agent, and the transcript that it writes."""

    def __init__(self, box: Box) -> None:
        box.cli("init")
        box.cli("ps")
        self.box, self.path, self.count = box, box.root / "main.jsonl", 0
        self.path.touch()
        self.store: sqlite3.Connection = db.connect(str(box.state / "openclaw.db"))
        main = Main("conv-1", "claude", str(box.work), str(box.workspace), str(self.path), "idle", NOW, NOW)
        with db.transaction(self.store):
            mains.register(self.store, main)

    def turn(self, tokens: int, **more: Any) -> None:
        self.count += 1
        with self.path.open("a") as file:
            file.write(assistant(f"m{self.count}", (tokens - 5, 2, 3, 1), **more))

    def compact(self) -> None:
        with self.path.open("a") as file:
            file.write(BOUNDARY)

    def context(self) -> dict[str, Any]:
        found: dict[str, Any] = self.box.json("context", "main")["context"]
        return found


@pytest.fixture
def talk(box: Box) -> Talk:
    return Talk(box)


def test_the_main_agent_is_read_as_it_grows(talk: Talk) -> None:
    assert talk.context() == {
        "tokens": None,
        "conversation": None,
        "limit": 200_000,
        "percent": None,
        "level": "unknown",
    }
    talk.turn(20_000)
    assert talk.context() == {"tokens": 20_000, "conversation": 0, "limit": 200_000, "percent": 10, "level": "ok"}
    talk.turn(150_000)
    talk.turn(90_000, isSidechain=True)  # of an agent inside it
    assert talk.context() == {
        "tokens": 150_000,
        "conversation": 130_000,
        "limit": 200_000,
        "percent": 75,
        "level": "warn",
    }
    with talk.path.open("a") as file:
        file.write(assistant("m9", (170_000, 0, 0, 1))[:-30])  # not a whole line yet
    assert talk.context()["tokens"] == 150_000
    with talk.path.open("a") as file:
        file.write(assistant("m9", (170_000, 0, 0, 1))[-30:])
    assert talk.context()["level"] == "critical"
    assert mains.current(talk.store, str(talk.box.workspace)).context_tokens == 170_000  # type: ignore[union-attr]
    talk.compact()
    assert talk.context()["tokens"] is None and talk.context()["level"] == "unknown"
    talk.turn(30_000)
    assert talk.context()["conversation"] == 10_000


def test_what_registers_again_loses_nothing(talk: Talk) -> None:
    talk.turn(20_000)
    talk.turn(150_000)
    assert talk.context()["percent"] == 75
    main = mains.current(talk.store, str(talk.box.workspace))
    with db.transaction(talk.store):
        mains.register(talk.store, main._replace(context_tokens=None))  # type: ignore[union-attr]
    assert talk.context()["conversation"] == 130_000


@pytest.mark.parametrize("how", ["gone", "folder"])
def test_what_can_not_be_read_is_unknown_and_not_empty(talk: Talk, how: str) -> None:
    talk.turn(20_000)
    talk.turn(190_000)
    assert talk.context()["level"] == "critical"
    talk.path.unlink()
    if how == "folder":
        talk.path.mkdir()
    assert (talk.context()["level"], talk.context()["tokens"]) == ("unknown", None)
    assert "can't be read" in talk.box.cli("context").stdout


def test_a_shorter_file_is_another(talk: Talk) -> None:
    talk.turn(20_000)
    talk.turn(190_000)
    assert talk.context()["level"] == "critical"
    talk.path.write_text(assistant("n1", (9000, 0, 0, 1)))
    assert talk.context() == {"tokens": 9000, "conversation": 0, "limit": 200_000, "percent": 4, "level": "ok"}


def test_the_limit_is_settable_and_the_table_names_all(talk: Talk) -> None:
    talk.turn(20_000)
    talk.turn(40_000)
    shell = talk.box.json("spawn", "exec sleep 600", "--name", "worker")["id"]
    found = talk.box.json("context", env={"OPENCLAW_CONTEXT_LIMIT": "50k"})
    assert [(each["kind"], each["context"]["level"]) for each in found] == [("main", "warn"), ("session", "unknown")]
    shown = talk.box.cli("context").stdout.splitlines()
    assert shown[0].split()[:3] == ["ID", "NAME", "AGENT"]
    assert shown[1].split()[:7] == ["main", "claude", "idle", "40000", "200000", "20", "%"]
    assert shown[2].split()[:4] == [shell, "worker", "shell", "working"]
    assert talk.box.json("context", "worker")["id"] == shell
    talk.box.cli("context", "nobody", exit=4)


def test_levels_count_the_conversation_where_the_prefix_alone_would_pass() -> None:
    at = Thresholds()
    assert [levels.level(Fill(n, n - 1000, 200_000), at) for n in (139_999, 140_000, 169_999, 170_000)] == [
        "ok", "warn", "warn", "critical"]  # fmt: skip
    crowded = [Fill(18_000 + n, n, 20_000) for n in (0, 1300, 1400, 1699, 1700)]  # 90 % of it is prefix
    assert [levels.level(each, at) for each in crowded] == ["ok", "ok", "warn", "warn", "critical"]
    assert levels.level(Fill(None, None, 200_000), at) == levels.level(Fill(5, 5, None), at) == "unknown"


def test_a_threshold_that_could_only_loop_is_told_by_its_arithmetic() -> None:
    assert levels.loops(Fill(180_000, 165_000, 200_000), 85, 5000) == ""
    why = levels.loops(Fill(190_000, 24_000, 200_000), 85, 5000)
    assert "85 % of 200000 tokens = 170000" in why and "166000" in why and "171000" in why
    why = levels.loops(Fill(19_900, 1900, 20_000), 85, 1900)
    assert "takes 18000" in why and "95 % of the remaining 2000" in why
    assert levels.loops(Fill(19_900, 1900, 20_000), 85, 500) == ""
    assert levels.budget_loops(30_000, 90, 5000) == "" and "= 4500" in levels.budget_loops(5000, 90, 5000)


@pytest.mark.parametrize("bad", [("WARN", "85"), ("WARN", "0"), ("COMPACT", "101")])
def test_thresholds_out_of_order_are_refused(box: Box, bad: tuple[str, str]) -> None:
    with pytest.raises(BadInput):
        levels.thresholds(Settings({**box.env, f"OPENCLAW_CONTEXT_{bad[0]}": bad[1]}, str(box.work)))
    found = box.cli("context", "--json", exit=2, env={f"OPENCLAW_CONTEXT_{bad[0]}": bad[1]})
    assert json.loads(found.stderr)["error"]["code"] == "bad_config"
