"""Tokens, context and results of the real Codex, against what the API reported."""

from __future__ import annotations

from typing import Any

from openclaw import api
from openclaw.settings import Settings
from tests.codex.conftest import Codex
from tests.codex.test_state import asking
from tests.conftest import until
from tests.loopback.api import Reply, Tool, Usage

GOAL = Tool("get_goal", {})


def test_tokens_equal_what_the_api_reported(codex: Codex) -> None:
    codex.api.say(Reply("Looking.", (GOAL,), Usage(10, 20_000, 0, 31)), Reply("Read.", usage=Usage(7, 90, 20_000, 5)))
    id = codex.spawn("look")["id"]
    codex.until(id, "idle")
    until(lambda: codex.figures(id)[0] == codex.api.tokens == 20_041 + 20_102)
    assert codex.figures(id) == (codex.api.tokens, 20_097, 87)
    codex.api.say(Reply("Again.", usage=Usage(1, 2, 20_100, 3)))
    codex.type(id, "again")
    until(lambda: codex.figures(id) == (codex.api.tokens, 20_103, 93))
    assert codex.box.json("ps")[0]["tokens_used"] == codex.api.tokens
    codex.type(id, "/quit")
    codex.until(id, "done")
    assert codex.figures(id) == (codex.api.tokens, 20_103, 93)


def test_agents_inside_it_are_counted_and_are_not_its_context(codex: Codex) -> None:
    codex.model = "gpt-5-codex"  # of one that it does not know, no tool has to be searched for
    begin = Tool("spawn_agent", {"message": "do a part"})

    def answer(turn: Any) -> Reply:
        if turn.text == "do a part":
            return Reply("A part.", usage=Usage(1000, 2000, 3000, 4000))
        spawned = turn.has("agent_id")
        return Reply("All.", usage=Usage(11, 22, 33, 44)) if spawned else Reply("", (begin,), Usage(10, 20, 30, 40))

    codex.api.otherwise = answer
    id = codex.spawn("get help", "--prefix", "full")["id"]
    # once more when the part is done before it has answered
    until(lambda: codex.api.tokens in (100 + 10_000 + 110, 100 + 10_000 + 220))
    until(lambda: codex.figures(id) == (codex.api.tokens, 66, 6) and codex.status(id)[0] == "idle")
    found = codex.box.json("result", id)
    assert found["result"]["output"] == "All." and found["status"] == "idle"


def test_a_new_conversation_and_a_compaction_change_the_context_and_not_the_sum(codex: Codex) -> None:
    codex.api.say(Reply("One.", usage=Usage(100, 0, 0, 1)))
    first = codex.spawn("one")
    id = first["id"]
    codex.until(id, "idle")
    until(lambda: codex.figures(id) == (101, 100, 0))
    before = codex.box.json("result", id)["conversation_id"]
    codex.type(id, "/new")
    until(lambda: "/new" not in codex.screen(id))
    codex.api.say(Reply("Two.", usage=Usage(50, 0, 0, 1)), Reply("Three.", usage=Usage(80, 0, 0, 1)))
    codex.type(id, "two")
    until(lambda: codex.figures(id) == (152, 50, 0))
    assert codex.box.json("result", id)["conversation_id"] != before
    codex.until(id, "idle")
    codex.type(id, "three")
    until(lambda: codex.figures(id) == (233, 80, 30))
    codex.until(id, "idle")
    codex.type(id, "/compact")
    until(lambda: codex.figures(id) == (233, None, None), what="the compaction")
    codex.until(id, "idle")
    assert codex.box.json("result", id)["result"]["output"] == "Three."
    codex.api.say(Reply("Four.", usage=Usage(60, 0, 0, 1)))
    codex.type(id, "four")
    until(lambda: codex.figures(id) == (294, 60, 10))


def test_peers_13_two_in_one_folder_have_their_own_usage_and_result(codex: Codex) -> None:
    def answer(turn: Any) -> Reply:
        mine = "alpha" if turn.has("be alpha") else "beta"
        return Reply(f"I am {mine}.", usage=Usage(100 if mine == "alpha" else 2000, 0, 0, 1))

    codex.api.otherwise = answer
    first, second = codex.spawn("be alpha")["id"], codex.spawn("be beta")["id"]
    for id, name, tokens in ((first, "alpha", 101), (second, "beta", 2001)):
        codex.until(id, "idle")
        until(lambda id=id, tokens=tokens: codex.figures(id)[0] == tokens)  # type: ignore[misc]
        assert codex.box.json("result", id)["result"]["output"] == f"I am {name}."


def test_the_result_is_the_last_message_with_what_was_not_allowed(codex: Codex) -> None:
    codex.api.say(Reply("Let me.", (asking("touch ../outside"),)))
    id = codex.spawn("touch it")["id"]
    codex.until(id, "waiting")
    until(lambda: "1. Yes" in codex.screen(id))
    codex.press(id, "Escape")
    codex.until(id, "idle")
    until(lambda: codex.box.json("result", id)["denied"] == ["exec_command: touch ../outside"])
    found = codex.box.json("result", id)
    assert found["result"]["output"] == "Let me." and found["by_itself"] is None
    codex.box.cli("kill", id)
    assert codex.box.json("result", id)["by_itself"] is False


def test_usage_of_the_last_moment_is_counted_when_it_is_killed(codex: Codex) -> None:
    codex.api.say(Reply("One.", usage=Usage(100, 0, 0, 1)))
    id = codex.spawn("one")["id"]
    until(lambda: any('"token_usage_record"' in p.read_text() for p in codex.home.glob("sessions/**/*.jsonl")))
    api.sessions_kill([id], settings=Settings(environ=codex.box.env))  # no look at it since its start
    assert codex.figures(id)[0] == 101
    assert codex.box.processes().keys() <= {codex.box.server_pid()}
