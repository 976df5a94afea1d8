"""Tokens, context and results of the real Claude Code, against what the API reported."""

from __future__ import annotations

from typing import Any

from openclaw import api
from openclaw.settings import Settings
from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool, Usage

NOTE = Tool("Bash", {"command": "cat note.txt", "description": "look"})


def figures(claude: Claude, id: str) -> tuple[int, int | None, int | None]:
    found: dict[str, Any] = claude.box.json("result", id)
    return found["tokens_used"], found["context"]["tokens"], found["context"]["conversation"]


def test_tokens_equal_what_the_api_reported(claude: Claude) -> None:
    claude.box.write("note.txt", "the note")
    claude.api.say(Reply("Looking.", (NOTE,), Usage(10, 20_000, 0, 31)), Reply("Read.", usage=Usage(7, 90, 20_000, 5)))
    id = claude.spawn("look")["id"]
    claude.until(id, "idle")
    until(lambda: figures(claude, id)[0] == claude.api.tokens == 20_041 + 20_102)
    assert figures(claude, id) == (claude.api.tokens, 20_097, 87)
    claude.api.say(Reply("Again.", usage=Usage(1, 2, 20_100, 3)))
    claude.type(id, "again")
    until(lambda: figures(claude, id) == (claude.api.tokens, 20_103, 93))
    assert claude.box.json("ps")[0]["tokens_used"] == claude.api.tokens
    claude.type(id, "/exit")
    claude.until(id, "done")
    assert figures(claude, id) == (claude.api.tokens, 20_103, 93)


def test_agents_inside_it_are_counted_and_are_not_its_context(claude: Claude) -> None:
    inside = Tool("Agent", {"description": "help", "prompt": "do a part", "subagent_type": "general-purpose"})
    claude.api.say(
        Reply("", (inside,), Usage(10, 20, 30, 40)),
        Reply("A part.", usage=Usage(1000, 2000, 3000, 4000)),
        Reply("All.", usage=Usage(11, 22, 33, 44)),
    )
    id = claude.spawn("get help", "--prefix", "full")["id"]  # a lean one has no agents inside
    claude.until(id, "idle")
    until(lambda: figures(claude, id) == (100 + 10_000 + 110, 66, 6))
    assert claude.box.json("result", id)["result"]["output"] == "All."


def test_a_new_conversation_and_a_compaction_change_the_context_and_not_the_sum(claude: Claude) -> None:
    claude.api.say(Reply("One.", usage=Usage(100, 0, 0, 1)))
    id = claude.spawn("one")["id"]
    claude.until(id, "idle")
    until(lambda: figures(claude, id) == (101, 100, 0))
    claude.type(id, "/clear")
    until(lambda: figures(claude, id) == (101, None, None))
    claude.api.say(Reply("Two.", usage=Usage(50, 0, 0, 1)), Reply("Three.", usage=Usage(80, 0, 0, 1)))
    claude.type(id, "two")
    until(lambda: figures(claude, id) == (152, 50, 0))
    claude.type(id, "three")
    until(lambda: figures(claude, id) == (233, 80, 30))
    claude.api.say(Reply("<summary>All of it.</summary>", usage=Usage(90, 0, 0, 9)))
    claude.until(id, "idle")
    claude.type(id, "/compact")
    until(lambda: figures(claude, id) == (233, None, None), what="the compaction")
    claude.until(id, "idle")
    claude.api.say(Reply("Four.", usage=Usage(60, 0, 0, 1)))
    claude.type(id, "four")
    until(lambda: figures(claude, id) == (294, 60, 10))


def test_peers_13_two_in_one_folder_have_their_own_usage_and_result(claude: Claude) -> None:
    def answer(turn: Any) -> Reply:
        mine = "alpha" if turn.has("be alpha") else "beta"
        return Reply(f"I am {mine}.", usage=Usage(100 if mine == "alpha" else 2000, 0, 0, 1))

    claude.api.otherwise = answer
    first, second = claude.spawn("be alpha")["id"], claude.spawn("be beta")["id"]
    for id, name, tokens in ((first, "alpha", 101), (second, "beta", 2001)):
        claude.until(id, "idle")
        assert figures(claude, id)[0] == tokens
        assert claude.box.json("result", id)["result"]["output"] == f"I am {name}."


def test_the_result_is_the_last_message_with_what_was_not_allowed(claude: Claude) -> None:
    touch = Tool("Bash", {"command": "touch ../outside", "description": "make a file"})
    claude.api.say(Reply("Let me.", (touch,)))
    id = claude.spawn("touch it")["id"]
    claude.until(id, "waiting")
    until(lambda: "No" in claude.screen(id))
    claude.press(id, "Escape")
    claude.until(id, "idle")
    until(lambda: claude.box.json("result", id)["denied"] == ["Bash: touch ../outside"])
    found = claude.box.json("result", id)
    assert found["result"]["output"] == "Let me." and found["by_itself"] is None
    claude.box.cli("kill", id)
    assert claude.box.json("result", id)["by_itself"] is False
    shown = claude.box.cli("result", id).stdout
    assert "not allowed: Bash: touch ../outside" in shown and shown.endswith("Let me.\n")


def test_an_error_is_in_the_result(claude: Claude) -> None:
    claude.api.say(Reply("One."), Reply("no such thing", status=400))
    id = claude.spawn("one")["id"]
    claude.until(id, "idle")
    claude.type(id, "two")
    until(lambda: "400 no such thing" in claude.box.json("result", id)["error"])
    claude.type(id, "/exit")
    claude.until(id, "done")
    found = claude.box.json("result", id)
    assert found["by_itself"] is True and "400" in found["error"]


def test_usage_of_the_last_moment_is_counted_when_it_is_killed(claude: Claude) -> None:
    claude.api.say(Reply("One.", usage=Usage(100, 0, 0, 1)))
    id = claude.spawn("one")["id"]
    until(lambda: any('"usage"' in p.read_text() for p in claude.config.glob("projects/*/*.jsonl")))
    api.sessions_kill([id], settings=Settings(environ=claude.box.env))  # no look at it since its start
    assert figures(claude, id)[0] == 101
    assert claude.box.processes().keys() <= {claude.box.server_pid()}
