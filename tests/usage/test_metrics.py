"""Figures of the ledger: sums that are always those of the turns, bounds, prices that are missing, the seeds' SQL."""

from __future__ import annotations

import csv
import io
import json
import random
import sqlite3
from typing import Any

import pytest

from openclaw.settings import Settings
from openclaw.store import db, ledger, sessions, turns
from openclaw.store.sessions import Session
from openclaw.store.turns import Turn
from openclaw.usage import costs
from tests.conftest import Box

DAY = "2026-11-20"
# Seed queries as people have them.
DASHBOARD = (
    """SELECT
    DATE(created_at),
    model,
    SUM(tokens_used) as total_tokens
FROM sessions
GROUP BY DATE(created_at), model;""",
    """SELECT
    skill_name,
    COUNT(*) as invocations,
    AVG(tokens_used) as avg_tokens
FROM skill_invocations
GROUP BY skill_name
ORDER BY invocations DESC;""",
)


@pytest.fixture
def store(box: Box) -> sqlite3.Connection:
    return db.connect(str(box.state / "openclaw.db"))


def session(store: sqlite3.Connection, id: str, type: str = "sub-agent", agent: str = "claude", **more: Any) -> None:
    row = Session(
        id, id, "a task", type, agent, "done", "/", "/s", f"{DAY}T00:00:00.000Z", f"{DAY}T00:00:00.000Z", **more
    )
    with db.transaction(store):
        sessions.insert(store, row, ())
        store.execute("UPDATE sessions SET ended_at = created_at WHERE id = ?", (id,))


def turn(number: int, *counts: int, model: str = "claude-opus-4-5-20251101", at: str = f"{DAY}T10:00:00.000Z") -> Turn:
    return Turn(f"m{number}", "r", at, model, False, *counts)


def add(store: sqlite3.Connection, id: str, *found: Turn) -> None:
    with db.transaction(store):
        turns.add(store, id, "/t", found, 1, None)


def test_the_sums_of_days_are_those_of_the_turns_whatever_happens_to_them(store: sqlite3.Connection, box: Box) -> None:
    chance = random.Random(3)
    for id in "abc":
        session(store, id)
    for _ in range(300):
        made = [
            Turn(
                f"{chance.choice('mi')}{chance.randrange(60)}", "", f"2026-11-{chance.randrange(10, 20)}T10:00:00.000Z",
                chance.choice(["claude-opus-4-5", "unknown"]), bool(chance.randrange(2)),
                *(chance.randrange(1000) for _ in range(4)),
            )
            for _ in range(3)
        ]  # fmt: skip
        what = chance.randrange(10)
        with db.transaction(store):
            if what < 6:
                turns.add(store, chance.choice("abc"), "/t", made, 1, None)
            else:
                ledger.take(store, "/i", "conversation", "claude", [t._replace(request_id="i") for t in made], 1)
        if what == 9:
            costs.fill(store, Settings(environ=box.env))
    store.execute("PRAGMA foreign_keys=ON")
    with db.transaction(store):
        sessions.delete(store, ["b"])
    fields = (
        "count(*), sum(input), sum(cache_write), sum(cache_read), sum(output), total(cost_usd), sum(cost_usd IS NULL)"
    )
    for table, where in (("imported_turns", "main"), ("turns", "isolated")):
        plain = store.execute(
            f"SELECT substr(at, 1, 10), model, {fields} FROM {table} GROUP BY 1, 2 ORDER BY 1, 2"
        ).fetchall()
        found = ledger.sums(store, ("day", "model"), where=where)
        assert len(plain) == len(found) > 5
        for row, (key, sums) in zip(plain, found, strict=True):
            assert (*key, *sums[:5], sums.unpriced) == (*row[:7], row[8])
            assert sums.cost_usd == pytest.approx(row[7])


def test_a_turn_of_a_session_that_was_imported_before_counts_once(store: sqlite3.Connection) -> None:
    session(store, "a")
    with db.transaction(store):
        assert ledger.take(store, "/i", "c", "claude", [turn(1, 1, 2, 3, 4)], 1) == 1
    add(store, "a", turn(1, 1, 2, 3, 4))
    with db.transaction(store):
        assert ledger.take(store, "/j", "c", "claude", [turn(1, 1, 2, 3, 4)], 1) == 0
    [(_, sums)] = ledger.sums(store)
    assert sums.turns == 1 and ledger.sums(store, where="main")[0][1].turns == 0


def test_what_the_seeds_bound_is_out_of_bounds_and_says_what_to_do(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a", injected_tokens=4200)
    session(store, "b", type="cron", injected_tokens=250)
    add(store, "a", turn(1, 10, 100, 20_000, 50), turn(2, 10, 100, 2_000, 50))
    found = box.json("metrics")
    by_name = {figure["name"]: figure for figure in found["figures"]}
    assert by_name["injected per turn"]["action"] == "audit: find missing isolations"
    assert by_name["injected for a cron job"]["action"] == "increase batching"
    assert by_name["injected for a sub-agent"]["action"] == "reduce the injection scope"
    assert by_name["tokens of main sessions"]["value"] == 0 and by_name["tokens of main sessions"]["ok"]
    saved = box.json("metrics", "--filter", "compaction")["figures"][1]
    assert saved["value"] == pytest.approx(100 * (20_110 - 2_110) / 20_110, abs=0.1) and saved["ok"]
    shown = box.cli("metrics", "--filter", "injection").stdout
    assert "→ increase batching" in shown and "≤ 200" in shown
    raised = box.json("alerts", "--period", "month", exit=None)
    assert {"injected per turn", "injected for a cron job"} <= {each["name"] for each in raised}
    quiet = {"OPENCLAW_ALERTS_INJECTED_PER_TURN": "9000", "OPENCLAW_ALERTS_CRON_TOKENS": "9000"}
    quiet |= {"OPENCLAW_ALERTS_SUBAGENT_TOKENS": "9000"}
    assert "nothing is out of bounds" in box.cli("alerts", "--period", "month", env=quiet).stdout


def test_savings_compare_the_same_turns(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a", agent="local")
    add(store, "a", turn(1, 1_000_000, 0, 0, 100_000, model="ollama/qwen2.5:7b"))
    add(store, "a", turn(2, 1_000_000, 0, 0, 100_000, model="groq/llama-3.3-70b-versatile"))
    add(store, "a", turn(3, 5, 0, 0, 5, model="a model nobody knows"))
    found = box.json("savings", "--baseline", "sonnet")
    assert found["paid_usd"] == pytest.approx(0.59 + 0.079) and found["baseline_usd"] == pytest.approx(2 * (3 + 1.5))
    assert found["saved_usd"] == pytest.approx(9 - 0.669) and found["unpriced"] == 1
    assert "1 turns are in neither" in box.cli("savings").stdout
    assert "no model 'sonet'" in box.cli("savings", "--baseline", "sonet", exit=4).stderr
    priced = box.root / "config"
    priced.mkdir(exist_ok=True)
    (priced / "endpoints.yaml").write_text("mine: {url: http://127.0.0.1:1/v1, wire: openai}\n")
    (priced / "models.yaml").write_text(
        "models: {own: {model: mine/x, also: [a model nobody knows], price: {input: 100000, output: 100000}}}\n"
    )
    assert box.json("savings")["paid_usd"] == pytest.approx(0.669 + 1)  # a price that is known later is found then


def test_what_is_wrong_with_prices_and_clocks_is_one_line_and_harms_no_sum(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a")
    add(store, "a", turn(1, 1, 1, 1, 1), turn(2, 1, 1, 1, 1, at="9999-01-01T00:00:00.000Z"))
    add(store, "a", turn(3, 1, 1, 1, 1, model="unheard of"), turn(4, 1, 1, 1, 1, at="yesterday"))
    done = box.cli("metrics", "--json")
    assert sum(row["turns"] for row in json.loads(done.stdout)["rows"]) == 4
    warned = box.cli("metrics").stderr.splitlines()
    assert len(warned) == 2 and "2 turns are dated" in warned[0] and "1 turns have no known price" in warned[1]
    config = box.root / "config"
    config.mkdir(exist_ok=True)
    (config / "models.yaml").write_text("models: {fast: {price: {input: -1, output: 0}}}\n")
    add(store, "a", turn(5, 1, 1, 1, 1))
    broken = box.cli("metrics", "--json")
    assert broken.stderr.count("\n") == 1 and "models.yaml" in broken.stderr
    assert sum(row["turns"] for row in json.loads(broken.stdout)["rows"]) == 5


def test_lines_as_csv_and_as_bars(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a")
    add(store, "a", turn(1, 10, 0, 0, 5), turn(2, 1000, 0, 0, 5, at="2026-11-19T10:00:00.000Z"))
    rows = list(csv.DictReader(io.StringIO(box.cli("metrics", "--csv").stdout)))
    assert [(row["day"], row["input"]) for row in rows] == [("2026-11-19", "1000"), (DAY, "10")]
    bars = [line for line in box.cli("metrics", "--plot").stdout.splitlines() if line.startswith("2026-")]
    assert bars[0].count("█") == 50 and bars[1].count("█") == 0 and bars[0].split()[2] == "1,005"
    add(store, "a", turn(3, 0, 0, 500, 5, at="2026-11-15T10:00:00.000Z"))
    shown = box.cli("metrics", "--plot").stdout
    bars = [line.split()[1] for line in shown.splitlines() if line.startswith("2026-")]
    assert bars == ["░" * 25, "0", "0", "0", "█" * 50, "▊"] and "█ new tokens  ░ from caches" in shown
    assert box.json("metrics", "--by", "model")["rows"][0]["model"] == "claude-opus-4-5-20251101"


def test_queries_that_people_have_run_as_they_are(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a", model="opus", tokens_used=7)
    store.execute("INSERT INTO skill_invocations (created_at, skill_name, tokens_used) VALUES ('x', 'aria', 5)")
    reader = sqlite3.connect(f"file:{box.state}/openclaw.db?mode=ro", uri=True)
    assert reader.execute(DASHBOARD[0]).fetchall() == [(DAY, "opus", 7)]
    assert reader.execute(DASHBOARD[1]).fetchall() == [("aria", 1, 5.0)]
    add(store, "a", turn(1, 1, 2, 3, 4))
    assert tuple(reader.execute("SELECT type, agent, context, output FROM ledger").fetchone()) == (
        "sub-agent",
        "claude",
        6,
        4,
    )


def test_a_sessions_cost_stands_in_its_row(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a")
    add(store, "a", turn(1, 1_000_000, 0, 0, 0))
    box.cli("metrics")
    assert box.json("ps", "--all")[0]["cost_usd"] == 5
    add(store, "a", turn(1, 2_000_000, 0, 0, 0))  # reported again: counts as it was reported last
    box.cli("metrics")
    assert box.json("ps", "--all")[0]["cost_usd"] == 10


def test_the_audit_of_a_month_passes_or_fails_line_by_line(store: sqlite3.Connection, box: Box) -> None:
    session(store, "a", injected_tokens=4200)
    session(store, "b", type="heartbeat", injected_tokens=40)
    add(store, "a", turn(1, 10, 100, 0, 50), turn(2, 1_000_000, 0, 0, 0, at="2026-10-31T23:59:59.000Z"))
    for number in range(3, 6):
        add(store, "a", turn(number, 10, 0, 0, 0, at=f"2026-11-0{number}T00:00:00.000Z"))
    found = box.json("audit", "--month", "2026-11", exit=1)
    verdicts = {line["name"]: line["ok"] for line in found["lines"]}
    assert verdicts["injected for a heartbeat"] is True and verdicts["injected for a sub-agent"] is False
    assert (
        verdicts["injected for a cron job"] is None
        and verdicts["tokens of the month, without what caches gave"] is True
    )
    assert any("2026-11-20 cost" in remark for remark in found["remarks"])
    done = box.cli("audit", "--month", "2026-11", "--out", "audit.md", exit=1)
    text = (box.work / "audit.md").read_text()
    assert "1 of 7 lines fail" in done.stdout and "- [ ] injected for a sub-agent: reduce the injection scope" in text
    assert text.startswith("# Audit of 2026-11\n") and text.count("| pass |") == 5 and text.count("| FAIL |") == 1
    assert box.json("audit", "--month", "2026-09")["failed"] == 0  # nothing is known of it
    for wrong in ("2026-13", "november", "26-11"):
        assert "is no month" in box.cli("audit", "--month", wrong, exit=2).stderr
    assert "--out nowhere/x.md" in box.cli("audit", "--out", "nowhere/x.md", exit=2).stderr
