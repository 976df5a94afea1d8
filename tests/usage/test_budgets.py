"""Budgets as people write them: every fault is one clear line; and what each of them counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from openclaw.errors import BadInput
from openclaw.models import catalogue
from openclaw.settings import Settings
from openclaw.store import db, runs, sessions, turns
from openclaw.store.sessions import Session
from openclaw.store.turns import Turn
from openclaw.usage import budgets
from openclaw.usage.spending import Meter, Spender, means
from tests.conftest import Box

NOW = "2026-03-14T12:00:00.000Z"


def told(tmp_path: Path, text: str | bytes, **env: str) -> Settings:
    config = tmp_path / "budgets.yaml"
    config.write_bytes(text.encode() if isinstance(text, str) else text)
    places = {"OPENCLAW_CONFIG": str(tmp_path / "openclaw.yaml"), "OPENCLAW_WORKSPACE": str(tmp_path / "workspace")}
    return Settings({"HOME": str(tmp_path), "OPENCLAW_STATE_DIR": str(tmp_path / "state")} | places | env)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budgets: [", "line 2"),
        (b"budgets: {day: {usd: \xff}}", "budgets.yaml"),
        ("- day", "expected a mapping"),
        ("limits: {}", "unknown key 'limits'"),
        ("budgets: 3", "budgets must be a mapping"),
        ("budgets: {day: 10}", "budget day must be a mapping"),
        ("budgets: {day: {usd: ten}}", "usd 'ten' is no amount of dollars"),
        ("budgets: {day: {usd: -1}}", "usd '-1' is no amount of dollars"),
        ("budgets: {day: {usd: .nan}}", "no amount of dollars"),
        ("budgets: {day: {usd: .inf}}", "no amount of dollars"),
        ("budgets: {day: {usd: true}}", "usd can't be True"),
        ("budgets: {day: {usd: 0}}", "usd can't be 0"),
        ("budgets: {day: {tokens: 1.5x}}", "tokens '1.5x' is not a number"),
        ("budgets: {day: {tokens: [1]}}", "tokens can't be [1]"),
        ("budgets: {day: {usd: 1, halt: maybe}}", "halt can't be 'maybe'"),
        ("budgets: {day: {usd: 1, warn: 180}}", "warn can't be 180"),
        ("budgets: {day: {usd: 1, warn: }}", "warn can't be None"),
        ("budgets: {day: {usd: 1, per: week}}", "per 'week'"),
        ("budgets: {opus: {usd: 1}}", "budget opus: per is missing"),
        ("budgets: {day: {halt: true}}", "budget day has no limit"),
        ("budgets: {a: {per: day, usd: 1, model: opus, job: b}}", "budget a has a model and a job"),
        ("budgets: {a: {per: day, usd: 1, model: ' '}}", "model ' ' is no name"),
        ("budgets: {day: {usd: 1, limit: 3}}", "budget day: unknown key 'limit'"),
        ("budgets: {day: {usd: 1}, day: {usd: 2}}", "'day' is given twice"),
    ],
)
def test_a_fault_is_one_line_with_its_place(tmp_path: Path, text: str | bytes, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        budgets.load(told(tmp_path, text))
    message = caught.value.message
    assert said in message and str(tmp_path / "budgets.yaml") in message and "\n" not in message
    assert caught.value.exit_status == 2


def test_the_files_and_the_short_form_make_one_list(tmp_path: Path) -> None:
    settings = told(tmp_path, "budgets: {day: {usd: 10, halt: true}, each: {per: session, tokens: 400k}}",
                    OPENCLAW_BUDGETS_DAY_TOKENS="2M", OPENCLAW_BUDGETS_MONTH_USD="$150")  # fmt: skip
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/budgets.yaml").write_text("budgets: {each: {per: session, tokens: 100k}}")
    found = {budget.name: budget for budget in budgets.load(settings)}
    assert found["day"].limits == {"usd": 10.0, "tokens": 2_000_000.0} and found["day"].halt
    assert found["each"].limits == {"tokens": 100_000.0}
    assert found["month"].limits == {"usd": 150.0} and found["month"].source == "budgets.month_usd"
    assert budgets.some(settings) and budgets.load(told(tmp_path, "")) != []
    (tmp_path / "workspace/budgets.yaml").unlink()
    assert budgets.load(told(tmp_path, "")) == [] and budgets.load(told(tmp_path, "budgets:")) == []


@pytest.mark.parametrize(
    ("name", "model", "yes"),
    [
        ("opus", "claude-opus-4-7", True),
        ("opus", "claude-opus-4-5-20251101", True),
        ("opus", "claude-opus-4-8[1m]", True),
        ("opus", "opus", True),
        ("opus", "anthropic/claude-opus-4-7", True),
        ("opus", "claude-sonnet-4-6", False),
        ("haiku", "claude-haiku-4-5-20251001", True),
        ("deepseek", "deepseek/deepseek-v4-pro", True),
        ("deepseek", "deepseek/deepseek-v4-flash", False),
        ("qwen2.5:7b", "ollama/qwen2.5:7b", True),
        ("qwen2.5:7b", "ollama/qwen2.5:3b", False),
        ("opus", "", False),
    ],
)
def test_a_model_is_known_by_all_its_names(tmp_path: Path, name: str, model: str, yes: bool) -> None:
    known = catalogue.load(told(tmp_path, ""))
    assert means(known.get(name), model) is yes


def test_each_budget_counts_what_is_its(tmp_path: Path) -> None:
    text = """budgets:
  day: {usd: 10, tokens: 1M}
  month: {tokens: 1M}
  opus: {per: month, model: opus, tokens: 1M}
  models: {per: day, model: "*", tokens: 1M}
  beats: {per: day, job: "beat*", tokens: 1M}
  jobs: {per: month, job: "*", tokens: 1M}
  each: {per: session, tokens: 1M}
"""
    settings = told(tmp_path, text)
    store = db.connect(str(tmp_path / "state" / "openclaw.db"))
    rows = [  # session, day, model, tokens; a day ahead a clock may be, years not
        ("aa", "2026-03-14", "claude-opus-4-7", 1), ("aa", "2026-03-13", "claude-opus-4-7", 2),
        ("bb", "2026-03-14", "claude-haiku-4-5-20251001", 4), ("cc", "2026-03-15", "claude-opus-4-5-20251101", 8),
        ("cc", "2026-02-28", "claude-opus-4-7", 16), ("bb", "2099-01-01", "claude-opus-4-7", 32),
    ]  # fmt: skip
    with db.transaction(store):
        for id in ("aa", "bb", "cc"):
            sessions.insert(store, Session(id, id, "t", "cron", "claude", "working", "/", "/s", NOW, NOW), ())
        for number, (id, day, model, tokens) in enumerate(rows):
            turn = Turn(f"m{number}", "", f"{day}T10:00:00.000Z", model, False, tokens, 0, 1000, 0)
            turns.add(store, id, "/t", [turn], 1, None)
        first = runs.add(store, "j1", "beat-1", NOW, "running", "", NOW)
        runs.update(store, first, session_id="bb", attempts=json.dumps([{"session": "aa"}]))
        runs.add(store, "j2", "other", NOW, "done", "", NOW)
    meter = Meter(settings, budgets.load(settings))
    live = meter.spenders(store, sessions.live(store), lambda _: (0.5, 100.0))
    assert live[1] == Spender("bb", "claude-opus-4-7", ("j1", "beat-1"), 0.5, 64.0)
    found = {(s.budget.name, s.unit, s.subject): s for s in meter.look(store, live, NOW)}
    spent = {key: standing.spent for key, standing in found.items()}
    assert spent == {
        ("day", "usd", ""): 0.0, ("day", "tokens", ""): 13.0, ("month", "tokens", ""): 15.0,
        ("opus", "tokens", ""): 11.0, ("models", "tokens", "opus"): 9.0, ("models", "tokens", "haiku"): 4.0,
        ("beats", "tokens", ""): 5.0, ("jobs", "tokens", "beat-1"): 7.0, ("each", "tokens", "aa"): 3.0,
        ("each", "tokens", "bb"): 36.0, ("each", "tokens", "cc"): 24.0,
    }  # fmt: skip
    assert found["day", "tokens", ""].held == (100 - 3) + (100 - 36) + (100 - 24)
    assert found["beats", "tokens", ""].held == 64.0
    assert found["day", "usd", ""].frees_at == "2026-03-15T00:00:00.000Z"
    assert found["month", "tokens", ""].frees_at == "2026-04-01T00:00:00.000Z"
    assert found["each", "tokens", "aa"].frees_at == ""


def test_a_corrupt_file_stops_spawns_and_nothing_else(box: Box) -> None:
    (box.root / "config").mkdir()
    (box.root / "config/budgets.yaml").write_text("budgets: {day: {usd: lots}}")
    done = box.cli("spawn", "true", exit=2)
    assert done.stderr.count("\n") <= 2 and "budget day: usd 'lots' is no amount of dollars" in done.stderr
    assert box.json("ps", "--all") == []
    box.cli("metrics")
    box.cli("context")
