"""The prefix is scoped too: what the real Claude Code sends with its first request, and that it works with less."""

from __future__ import annotations

import subprocess

import pytest

from tests.claude.conftest import MODEL, Claude
from tests.conftest import until
from tests.loopback.api import Reply, Request, Tool, Usage

RULES = "# Rules\n\n" + "Write the test first, and see it fail before you trust it.\n" * 85


def first_request(claude: Claude, before: int) -> Request:
    return until(lambda: claude.api.turns[before:], 40)[0]


def default_start(claude: Claude) -> Request:
    """The first request of the program as anybody starts it, without a terminal: the smallest that it has."""
    before = len(claude.api.turns)
    words = [str(claude.box.root / "bin/claude"), "-p", "--model", MODEL, "--", "hello"]
    env, work = claude.box.env, claude.box.work
    subprocess.run(words, env=env, cwd=work, stdin=subprocess.DEVNULL, capture_output=True, timeout=90, check=True)
    return first_request(claude, before)


def names(request: Request) -> set[str]:
    return {tool["name"] for tool in request.body.get("tools") or []}


def test_a_scoped_one_costs_a_fifth_and_a_heartbeat_a_fiftieth_and_they_work(claude: Claude) -> None:
    box = claude.box
    inside, outside = box.write("src/a.txt", "old"), box.write("b.txt", "old")
    box.write("CLAUDE.md", RULES)
    box.write("HEARTBEAT.md", "Is anything on fire?\n")
    (claude.config / "settings.json").write_text('{"permissions": {"defaultMode": "acceptEdits"}}')
    full = default_start(claude)
    assert full.has(RULES.strip()) and len(RULES) > 5000

    before = len(claude.api.turns)
    beat = claude.spawn("Look.", "--type", "heartbeat")["id"]
    claude.until(beat, "idle")
    [asked] = claude.api.turns[before:]
    assert not names(asked) and asked.has("Is anything on fire?") and not asked.has("Write the test first")
    assert len(asked.raw) <= 0.02 * len(full.raw), (len(asked.raw), len(full.raw))

    before, spent = len(claude.api.turns), claude.api.tokens
    read = (Tool("Read", {"file_path": str(inside)}), Tool("Read", {"file_path": str(outside)}))
    edits = (
        Tool("Edit", {"file_path": str(outside), "old_string": "old", "new_string": "new"}),
        Tool("Edit", {"file_path": str(inside), "old_string": "old", "new_string": "new"}),
    )
    claude.api.say(
        Reply("", read, Usage(1, 2, 30, 4)), Reply("", edits, Usage(5, 6, 70, 8)), Reply("Did.", (), Usage(9, 1, 2, 3))
    )
    id = claude.spawn("change it", "--type", "code-edit", "--inject", "src/a.txt", "--write", "src/**")["id"]
    claude.until(id, "idle")
    scoped, *_, last = claude.api.turns[before:]
    assert names(scoped) == {"Read", "Edit", "Write", "Bash", "Grep", "Glob"} and scoped.has(RULES)
    assert len(scoped.raw) <= 0.20 * len(full.raw), (len(scoped.raw), len(full.raw))
    assert inside.read_text() == "new" and outside.read_text() == "old" and last.has("src/**")
    until(lambda: box.json("result", id)["tokens_used"] == claude.api.tokens - spent)
    found = box.json("result", id)
    assert found["result"]["changed"] == ["src/a.txt"] and len(found["denied"]) == 1
    claude.type(id, "/exit")
    claude.until(id, "done")
    assert all(request.is_turn for request in claude.api.requests if request.body), "nothing was asked on the side"


def test_a_lean_one_keeps_what_the_settings_say(claude: Claude) -> None:
    """Who logs in, forbids or watches by settings still does: only what is sent is cut."""
    (claude.config / "key").write_text("#!/bin/sh\necho from-the-helper\n")
    (claude.config / "key").chmod(0o755)
    (claude.config / "settings.json").write_text(
        f'{{"apiKeyHelper": "{claude.config}/key", "env": {{"MARK": "mark-is-set"}},'
        ' "permissions": {"allow": ["Bash(printenv:*)"], "deny": ["Read(./private.txt)"]}}'
    )
    del claude.box.env["ANTHROPIC_API_KEY"]
    claude.box.write("private.txt", "SECRET-WORD")
    command = Tool("Bash", {"command": "printenv MARK", "description": "say"})
    claude.api.say(Reply("", (command, Tool("Read", {"file_path": str(claude.box.work / "private.txt")}))), "Done.")
    id = claude.spawn("look", "--type", "code-edit")["id"]
    claude.until(id, "idle")
    first, second = claude.api.turns
    assert "from-the-helper" in str(first.headers)
    assert second.has("mark-is-set") and not second.has("SECRET-WORD")


@pytest.mark.parametrize(("prefix", "tools"), [("full", None), ("none", set()), ("lean", {"Read", "Bash"})])
def test_a_person_and_a_template_may_say_how_much(claude: Claude, prefix: str, tools: set[str] | None) -> None:
    claude.box.write("CLAUDE.md", "RULE-WORD\n")
    folder = claude.box.workspace / "templates"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("tools: [Read, Bash]\nprefix: lean\nsystem_prompt: Be SYSTEM-WORD.\n")
    id = claude.spawn("look", "--type", "own", "--prefix", prefix)["id"]
    claude.until(id, "idle")
    [turn] = claude.api.turns
    assert (names(turn) == tools) if tools is not None else len(names(turn)) > 12
    assert "SYSTEM-WORD" in str(turn.body["system"]) and turn.has("RULE-WORD") == (prefix == "full")
    assert ("working directory is " + str(claude.box.work) in str(turn.body["system"])) == (prefix == "lean")
