"""The monitor and the real Codex: the size of its window is its own word, and it is compacted by its own command."""

from __future__ import annotations

from tests.codex.conftest import Codex
from tests.conftest import until
from tests.loopback.api import Reply, Request, Usage


def test_a_full_one_is_compacted_and_told_to_go_on(codex: Codex) -> None:
    codex.box.cli("init")
    codex.api.say(Reply("One.", usage=Usage(20_000, 0, 0, 1)))
    id = codex.spawn("port the parser", "--on-context", "compact")["id"]
    codex.until(id, "idle")
    until(lambda: codex.figures(id)[1] == 20_000, 40)
    limit = codex.box.json("context", id)["context"]["limit"]
    assert limit not in (None, 200_000), "as its rollout says"
    full = limit * 87 // 100
    codex.api.say(Reply("Two.", usage=Usage(full, 0, 0, 1)))
    codex.box.cli("send", id, "two", "--wait")
    until(lambda: codex.figures(id)[1] == full, 40)
    codex.until(id, "idle")

    def answer(turn: Request) -> Reply:
        going_on = "Your conversation was compacted" in turn.text
        return Reply("Going on.", usage=Usage(30_000, 0, 0, 1)) if going_on else Reply("All of it.")

    codex.api.otherwise = answer
    said: list[str] = []

    def looked() -> bool:
        report = codex.box.json("monitor", "--once", exit=None)
        said.extend(each["what"] for each in report["happened"])
        return any("told to go on" in each for each in said)

    until(looked, 90)
    assert said[-3:] == ["/compact: delivered", "compacted", "told to go on: delivered"]
    until(lambda: codex.figures(id)[1] == 30_000, 40)
    assert codex.box.json("context", id)["context"]["level"] == "ok"
