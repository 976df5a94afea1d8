"""What an estimate is worth for a model: learned from the ledger's conversations, kept, used by whoever counts."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from openclaw.context.calibration import assumed
from openclaw.store import db, measured
from openclaw.usage import calibrations, imports, samples
from tests.conftest import Box
from tests.context.data import folder
from tests.usage.talks import transcript
from tests.usage.test_rollouts import answer, line, used


@pytest.fixture
def store(box: Box) -> sqlite3.Connection:
    return db.connect(str(box.state / "openclaw.db"))


@pytest.fixture
def text(box: Box) -> Path:
    path = box.work / "text.md"
    path.write_text(Path(__file__).read_text())
    return path


def learn(store: sqlite3.Connection, *paths: Path) -> int:
    imports.take(store, map(str, paths))
    return calibrations.refresh(store)


def rows(store: sqlite3.Connection) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in store.execute("SELECT * FROM measured ORDER BY path, model")]


def test_a_new_process_counts_by_what_an_import_has_taught(box: Box, text: Path) -> None:
    before = box.json("tokens", str(text), "--model", "opus")
    assert before["factor"] == 1.18 and "assumed" in before["source"]
    box.cli("usage", "import", str(transcript(box.work / "one.jsonl", 30, factor=1.4).parent))
    after = box.json("tokens", str(text), "--model", "opus")
    assert 1.35 < after["factor"] < 1.45 and after["source"] == "learned from 29 calls"
    assert abs(after["tokens"] / before["tokens"] - after["factor"] / 1.18) < 0.01
    assert box.json("tokens", str(text), "--model", "llama3.1:8b")["factor"] == 1.0
    assert "model" not in box.json("tokens", str(text))
    shown = box.cli("tokens", str(text), "--model", "claude-sonnet-9")
    assert "learned from 29 calls of its relatives" in shown.stdout
    box.write("bin/claude", "#!/bin/sh\n").chmod(0o700)
    words = ("spawn", "--agent", "claude", "--model", "opus", "--dry-run", "--inject", str(text), "look at it")
    planned = box.json(*words, env={"PATH": f"{box.work}/bin:{box.env['PATH']}"})
    assert planned["injected"][0]["tokens"] == after["tokens"]


def test_figures_teach_too(box: Box) -> None:
    path = transcript(box.work / "one.jsonl", 12)
    box.cli("usage", "import", str(path))
    transcript(path, 60)  # it has grown
    box.cli("metrics")
    store = db.connect(str(box.state / "openclaw.db"))
    assert calibrations.known(store, "opus").seen == 59


def test_one_that_has_doubled_is_measured_again(box: Box, store: sqlite3.Connection) -> None:
    path = transcript(box.work / "one.jsonl", 10)
    assert learn(store, path) == 1 and learn(store, path) == 0
    transcript(path, 12)
    assert learn(store, path) == 0
    transcript(path, 40)
    assert learn(store, path) == 1 and calibrations.known(store, "opus").seen == 39
    path.unlink()
    assert calibrations.refresh(store) == 0 and calibrations.known(store, "opus").seen == 39


def test_garbage_and_usage_wrong_by_a_hundred_do_no_harm(box: Box, store: sqlite3.Connection) -> None:
    good = [transcript(box.work / f"good{n}.jsonl", 20, seed=n) for n in range(2)]
    learn(store, *good)
    before = calibrations.known(store, "opus")
    wrong = transcript(box.work / "wrong.jsonl", 200, factor=130, call=11_000, offset=2_400_000, seed=7)
    torn = box.work / "torn.jsonl"
    no_rows = b'{"type":"assistant","message":{"usage":5,"content":7}}\n[]\n\xff\n{"a":\n'
    torn.write_bytes(no_rows + good[0].read_bytes())
    odd = box.work / "odd.jsonl"
    odd.write_text(good[1].read_text().replace('"input_tokens":3', '"input_tokens":"x"', 4).replace("good1", "odd"))
    learn(store, wrong, torn, odd)
    after = calibrations.known(store, "opus")
    assert abs(after.factor - before.factor) < 0.02 and abs(after.call - before.call) < 8
    assert calibrations.refresh(store) == 0, "what taught nothing is not read again"
    lies = good[0].read_text().split("\n")
    lies[9] = lies[9].replace('"input_tokens":3', '"input_tokens":900000')
    (box.work / "lies.jsonl").write_text("\n".join(lies).replace("good0", "lies"))
    learn(store, box.work / "lies.jsonl")
    assert abs(calibrations.known(store, "opus").factor - before.factor) < 0.03


def test_two_processes_at_once(box: Box, store: sqlite3.Connection) -> None:
    for number in range(6):
        transcript(box.work / f"c{number}.jsonl", 30, seed=number)
    imports.take(store, [str(box.work)])
    running = [box.popen("tokens", __file__, "--model", "opus", "--json") for _ in range(4)]
    found = {process.communicate(timeout=60)[0] for process in running}
    assert len(found) == 1 and not any(process.returncode for process in running)
    assert json.loads(found.pop())["source"] == "learned from 174 calls" and len(rows(store)) == 6


def test_what_is_kept_is_bounded(box: Box, store: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measured, "KEPT", 3)
    monkeypatch.setattr(measured, "MODELS", 2)
    for number in range(8):
        path = transcript(box.work / f"c{number}.jsonl", 3, model=f"m{number % 3}" if number > 5 else "opus")
        os.utime(path, (1000 + number, 1000 + number))
    learn(store, box.work)
    kept = [(Path(row[0]).stem, row[1]) for row in rows(store)]
    assert kept == [("c6", "m0"), ("c7", "m1")]


def test_the_log_of_our_own_agent_and_a_rollout_teach(tmp_path: Path) -> None:
    def call(number: int, sent: int) -> dict[str, Any]:
        usage = {"input": sent, "cache_write": 0, "cache_read": 0, "output": 5}
        parts = [{"text": "so be it"}]
        return {"v": 1, "type": "message", "role": "assistant", "parts": parts, "model": "ollama/q:1", "usage": usage}

    asked = {"v": 1, "type": "message", "role": "user", "parts": [{"text": "what is to be done " * 40}]}
    again = {"v": 1, "type": "rewrite", "messages": [asked], "why": "asked"}
    log = [asked, call(1, 300), asked, call(2, 600), again, call(3, 300), {"v": 1, "type": "message", "role": 5}]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(each) + "\n" for each in log))
    found = samples.runs(str(tmp_path / "log.jsonl"), "local")["ollama/q:1"]
    assert [[each.real for each in run] for run in found] == [[300, 600], [300]]
    assert found[0][1].estimate > 2 * found[0][0].estimate > 0 and found[1][0].estimate == found[0][0].estimate

    rollout = tmp_path / "rollout-x.jsonl"
    said = line("response_item", type="message", role="assistant", content=[{"type": "output_text", "text": "b " * 99}])
    asks = line("response_item", type="function_call", name="shell", call_id="1", arguments='{"cmd": "ls"}')
    rollout.write_text(
        line("turn_context", model="gpt-x")
        + line("response_item", type="message", role="user", content=[{"type": "input_text", "text": "a " * 300}])
        + asks + used("a", 1000, 0, 0, 9) + answer("1", "c " * 500) + said + used("b", 1600, 900, 0, 9)
    )  # fmt: skip
    [run] = samples.runs(str(rollout), "codex-hooks")["gpt-x"]
    assert [(each.calls, each.real) for each in run] == [(0, 1000), (1, 1600)]
    assert run[1].estimate - run[0].estimate < 1000, "what it said itself is sent with the next call"


def test_an_unreadable_store_is_no_obstacle(box: Box) -> None:
    from openclaw.settings import Settings

    settings = Settings(environ=box.env)
    assert calibrations.at(settings, "opus") == assumed("opus")
    box.state.mkdir(parents=True, exist_ok=True)
    (box.state / "openclaw.db").write_bytes(b"this is no database, whatever its name says" * 100)
    assert calibrations.at(settings, "opus") == assumed("opus")


def test_every_real_conversation_is_foreseen_by_the_others(box: Box) -> None:
    """Import all but one, learn, keep; a new look at the store foresees the calls of the one that was left out, by
    what its first call sent."""
    paths = sorted((folder() / "claude_code").glob("*.jsonl"))
    errors: list[float] = []
    for number, left_out in enumerate(paths):
        place = str(box.root / f"{number}.db")
        learn(db.connect(place), *(path for path in paths if path != left_out))
        for model, runs in samples.runs(str(left_out), "claude-hooks").items():
            known = calibrations.known(db.connect(place), model)
            assert known.seen
            for first, *later in runs:
                own = known._replace(offset=first.real - known.factor * first.estimate - known.call * first.calls)
                errors += [abs(own.tokens(*each[:2]) / each.real - 1) for each in later]
    assert len(errors) > 300 and median(errors) < 0.10
