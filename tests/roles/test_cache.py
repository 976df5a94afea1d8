"""Roles that say `pure: true`: the same question to the same model is asked once, and what that spared is counted."""

from __future__ import annotations

import subprocess

from openclaw.roles import library
from openclaw.roles.run import run_role
from tests.conftest import OPENCLAW
from tests.loopback.api import Reply, Usage
from tests.roles.conftest import Asked


def test_a_pure_role_is_asked_once(asked: Asked) -> None:
    asked.role("judge", "pure: true\ncache: 1h\n")
    asked.api.say(Reply("ALLOW", usage=Usage(100, 0, 30, 7)), "ASK", "DENY", "again", "other")
    first, second = asked.run("judge", "ls"), asked.run("judge", "ls")
    assert first["text"] == second["text"] == "ALLOW" and len(asked.api.turns) == 1
    assert (second["tokens_in"], second["tokens_out"], second["cost_usd"], second["attempts"]) == (0, 0, 0, 0)
    assert first["notes"] == [] and "from the cache" in second["notes"][0] and "137 tokens" in second["notes"][0]
    assert asked.run("judge", "rm")["text"] == "ASK"
    assert asked.run("judge", "ls", "--model", "ollama/tiny:1b")["text"] == "DENY"
    assert asked.run("judge", "ls", "--no-cache")["text"] == "again"
    asked.role("judge", "pure: true\n", text="You say something else.")
    assert asked.run("judge", "ls")["text"] == "other"
    [row] = asked.box.json("cache", "list", "role judge")
    assert (row["hits"], row["misses"], row["tokens"]) == (1, 4, 137)
    figures = {each["name"]: each["value"] for each in asked.box.json("metrics", "--filter", "cache")["figures"]}
    assert figures["tokens that this spared"] == 137


def test_many_who_ask_at_once_are_one_question(asked: Asked) -> None:
    asked.role("judge", "pure: true\n")
    asked.api.say("ALLOW")
    words = [OPENCLAW, "roles", "run", "judge", "--in", str(asked.box.write("in", "ls"))]
    started = [
        subprocess.Popen(words, env=asked.box.env, cwd=asked.box.work, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate(timeout=120)[0] for process in started] == ["ALLOW\n"] * 4
    assert len(asked.api.turns) == 1


def test_what_is_not_pure_or_reads_files_is_asked_again(asked: Asked) -> None:
    asked.role("clerk")
    asked.role("reader", "pure: true\ntools: [Read]\n")
    asked.api.say("1", "2", "3", "4")
    for role, texts in (("clerk", ["1", "2"]), ("reader", ["3", "4"])):
        for text in texts:
            assert run_role(role, "x", settings=asked.settings()).text == text


def test_what_the_files_say(asked: Asked) -> None:
    wrong = asked.role("wrong", "cache: 1h\n")
    assert (
        f"{wrong}, line 3: cache is for roles that say pure: true"
        in asked.box.cli("roles", "show", "wrong", exit=2).stderr
    )
    asked.role("odd", "pure: true\ncache: soon\n")
    assert "'soon' is not a duration" in asked.box.cli("roles", "show", "odd", exit=2).stderr
    shipped = library.load(asked.settings()).roles
    assert {name: role.cache for name, role in shipped.items() if role.pure} == {
        "summarizer": 86400, "security-guard": 86400,
    }  # fmt: skip
    assert "which is kept for 1d00h" in asked.box.cli("roles", "show", "summarizer").stdout
    assert "--no-cache belong" in asked.box.cli("roles", "show", "summarizer", "--no-cache", exit=2).stderr
