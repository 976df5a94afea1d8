"""The budget of a conversation in the loop, and in a window."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from openclaw.context.window import Pruning, Triggers
from openclaw.errors import Refused
from openclaw.local.budget import Budget, Halted
from tests.conftest import until
from tests.local.conftest import Local
from tests.local.solo import Raw, Solo, events, http
from tests.loopback.api import Reply, Tool, Usage


def answer(tokens: int, *tools: Tool) -> bytes:
    return http(events(Reply("Hm.", tools, Usage(tokens, 0, 0, 10)), tokens))


def test_levels() -> None:
    budget = Budget(1000)
    levels = {0: "ok", 799: "ok", 800: "warn", 899: "warn", 900: "compact", 999: "compact", 1000: "halt", 9999: "halt"}
    assert {tokens: budget.level(tokens) for tokens in levels} == levels
    assert Budget(None).level(10**9) == "ok"


def turns(folder: Path, *answers: bytes, budget: int | None = None, window: int = 32_768, count: int = 1) -> Solo:
    async def run() -> Solo:
        async with Raw(*answers) as raw:
            solo = Solo(folder, raw.url, budget=budget, window=window)
            (solo.work / "big.txt").write_text("a line of a big file\n" * 600)
            for number in range(count):
                await solo.agent.turn(f"turn {number}")
            solo.close()
            return solo

    return asyncio.run(run())


def warnings(solo: Solo) -> list[str]:
    return [text for kind, text in solo.screen.lines if kind == "warn"]


def test_it_warns_once_at_80_percent(tmp_path: Path) -> None:
    # the first request is the prefix: what comes after it is the conversation
    solo = turns(tmp_path, answer(1000), answer(1850), answer(1855), budget=1000, count=3)
    [said] = [text for text in warnings(solo) if "80 %" in text]
    assert said.startswith("80 % of its budget is used: 8") and said.endswith(" of 1,000 tokens")


def test_it_halts_at_100_percent_with_its_state_saved(tmp_path: Path) -> None:
    with pytest.raises(Halted) as halted:
        turns(tmp_path, answer(1000), answer(2001), budget=1000, count=3)
    assert "its budget is used up (1,001 of 1,000 tokens)" in str(halted.value)
    assert f"--inject {tmp_path / 'summary.md'}" in str(halted.value)
    assert "turn 1" in (tmp_path / "summary.md").read_text()


def test_a_halted_one_in_a_window(local: Local) -> None:
    local.api.say(
        Reply("One.", (Tool("list", {}),), Usage(1000, 0, 0, 5)),
        Reply("Two.", (Tool("list", {}),), Usage(2100, 0, 0, 5)),
    )
    id = local.spawn("work on it", "--budget-tokens", "1000")["id"]
    local.until(id, "halted")
    until(lambda: local.figures(id) == (3110, 2100, 1100))
    found = local.box.json("result", id)
    assert found["error"].startswith("halted: its budget is used up (1,100 of 1,000 tokens)")
    assert len(local.api.turns) == 2  # nothing more was sent
    summary = local.folder(id) / "summary.md"
    assert "work on it" in summary.read_text() and str(summary) in found["error"]
    local.api.say("Gone on.")
    again = local.spawn("Go on with this task.", "--inject", str(summary))["id"]
    local.until(again, "idle")
    assert "work on it" in local.api.turns[-1].text


async def made(solo: Solo, turns: int) -> list[str]:
    for number in range(turns):
        await solo.agent.turn(f"turn {number}")
    log = (solo.folder / "log.jsonl").read_text().splitlines()
    solo.close()
    return [entry["why"] for line in log if (entry := json.loads(line))["type"] == "rewrite"]


@pytest.mark.parametrize(
    ("triggers", "why"),
    [
        (Triggers(tokens=3000), "tokens since the last compaction, 3000 are allowed"),
        (Triggers(turns=12), "12 turns since the last compaction, 12 are allowed"),
        (Triggers(pruning=Pruning("default", max_messages=20)), "messages, 20 are allowed"),
        (Triggers(pruning=Pruning("aggressive", compact_after=11)), "11 exchanges since the last compaction"),
    ],
)
def test_it_is_compacted_for_whatever_was_asked(tmp_path: Path, triggers: Triggers, why: str) -> None:
    async def run() -> list[str]:
        async with Raw(http(events(Reply("A long answer about it. " * 60)).replace('"usage"', '"nothing"'))) as raw:
            solo = Solo(tmp_path, raw.url, triggers=triggers)
            return await made(solo, 13)

    found = asyncio.run(run())
    assert found and why in found[0], found


def test_a_window_that_could_only_loop_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="a threshold of 320 tokens would be crossed again at once"):
        Solo(tmp_path, "http://127.0.0.1:9", window=400)


def test_compacting_that_gains_nothing_is_switched_off(tmp_path: Path) -> None:
    async def run() -> Solo:
        async with Raw(http(events(Reply("Ok.")).replace('"usage"', '"nothing"'))) as raw:
            solo = Solo(tmp_path, raw.url, window=4000)
            for number in range(5):
                await solo.agent.turn(f"{number} " + "what a person said is never left out " * 200)
            solo.close()
            return solo

    said = [text for kind, text in asyncio.run(run()).screen.lines if kind == "error"]
    assert len([text for text in said if "compaction is off: 3 attempts gained nothing" in text]) == 1


def test_a_budget_that_others_spend_too_halts_it_before_its_next_call(local: Local) -> None:
    budgets = {"week-end": {"per": "month", "model": "qwen2.5:7b", "tokens": "20k", "halt": True}}
    (local.box.root / "config/budgets.yaml").write_text(json.dumps({"budgets": budgets}))
    look = Tool("list", {"path": "."})
    local.api.say(
        Reply("Looking.", (look,), Usage(9_000, 0, 0, 10)),
        Reply("Again.", (look,), Usage(12_000, 0, 0, 10)),
        Reply("never"),
    )
    id = local.spawn("port the parser", "--budget-tokens", "15k")["id"]
    local.until(id, "halted")
    assert len(local.api.turns) == 2
    said = "halted: the budget week-end (model qwen2.5:7b, a month) is used up: 21,020 tokens of 20,000 tokens spent"
    until(lambda: said in local.box.cli("logs", id).stdout)
    assert [each["title"] for each in local.box.json("inbox")] == ["budget week-end: used up"]
    [path] = local.folder(id).glob("**/summary.md")
    assert "port the parser" in path.read_text()
    local.box.cli("spawn", "more", "--agent", "local", "--model", local.model, exit=3)
