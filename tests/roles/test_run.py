"""One question to a model in a role: answers, limits, failures; in this process and in one of its own."""

from __future__ import annotations

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from typing import Any

import pytest

from openclaw.errors import OpenclawError, Refused, TimedOut, Unavailable
from openclaw.roles.run import run_role
from tests.conftest import until
from tests.loopback.api import Reply, Tool, Usage
from tests.roles.conftest import DEAD, MODEL, Asked

HERE = pytest.mark.parametrize("here", [True, False], ids=["here", "apart"])


@HERE
def test_it_asks_once_and_tells_what_it_used(asked: Asked, here: bool) -> None:
    asked.role("clerk", text="You are a clerk.")
    asked.api.say(Reply("Filed: ünïcode 漢字.", usage=Usage(100, 0, 30, 7)))
    found = run_role("clerk", "File this 漢字.", settings=asked.settings(), in_process=here)
    assert found.text == "Filed: ünïcode 漢字."
    assert (found.role, found.model, found.tokens_in, found.tokens_out) == ("clerk", MODEL, 130, 7)
    assert (found.cost_usd, found.attempts, found.notes) == (0.0, 1, ())
    [turn] = asked.api.turns
    assert [m["content"] for m in turn.body["messages"]] == ["You are a clerk.", "File this 漢字."]
    assert "tools" not in turn.body


def test_the_command_prints_the_answer_alone(asked: Asked) -> None:
    asked.role("clerk", "model: ollama/tiny:1b\n")
    asked.box.write("in.txt", "from a file\n")
    asked.api.say("One.", "Two.", "Three.")
    done = asked.box.cli("roles", "run", "clerk", "--in", "in.txt")
    assert (done.stdout, done.stderr) == ("One.\n", "")
    assert asked.run("clerk", "piped", "--model", "openai/gpt-x", env={"OPENAI_API_KEY": "k"})["text"] == "Two."
    assert asked.run("clerk", "piped")["model"] == "ollama/tiny:1b", "that of its file goes before the setting"
    said = [(t.body["model"], t.text) for t in asked.api.turns]
    assert said == [("tiny:1b", "from a file\n"), ("gpt-x", "piped"), ("tiny:1b", "piped")]


def test_what_cannot_be_meant_is_refused(asked: Asked) -> None:
    asked.role("clerk")
    assert "its input is empty" in asked.box.cli("roles", "run", "clerk", stdin=" \n", exit=2).stderr
    assert "did you mean clerk" in asked.box.cli("roles", "run", "clark", stdin="x", exit=4).stderr
    assert (
        "no endpoint 'nowhere'"
        in asked.box.cli("roles", "run", "clerk", "--model", "nowhere/x", stdin="x", exit=4).stderr
    )
    asked.box.cli("roles", "run", exit=2)
    asked.box.cli("roles", "list", "clerk", exit=2)
    asked.box.cli("roles", "show", "clerk", "--model", "x/y", exit=2)
    assert not asked.api.requests


# --- no model


def test_no_model_is_named(asked: Asked) -> None:
    asked.role("clerk", "model: sonnet\n")
    told = asked.box.cli("roles", "run", "clerk", stdin="x", env={"OPENCLAW_ROLES_MODEL": ""}, exit=5).stderr
    assert "no model is named for it; sonnet names no endpoint" in told and "roles.model" in told


def test_the_routing_chooses_one_and_what_follows_it_when_that_can_not_be_reached(asked: Asked) -> None:
    asked.role("clerk", "description: summarise a text\n")
    config = asked.box.root / "config"
    config.mkdir()
    (config / "endpoints.yaml").write_text(
        f"dead: {{url: '{DEAD}', wire: openai, key: DEAD_KEY}}\nalive: {{url: {asked.api.url}/v1, wire: openai}}\n"
    )
    (config / "models.yaml").write_text(
        "models:\n  first: {model: dead/a, tier: cheap, price: {input: 0, output: 0}}\n"
        "  next: {model: alive/b, tier: cheap, price: {input: 1, output: 1}}\n"
    )
    env = {"OPENCLAW_LOCAL_URL": "", "OPENCLAW_ROLES_MODEL": "", "OPENCLAW_ROLES_RETRIES": "0", "DEAD_KEY": "x"}
    asked.api.say("Short.")
    found = run_role("clerk", "x", settings=asked.settings(**env))
    assert (found.text, found.model) == ("Short.", "alive/b")
    assert "its model was chosen by the routing: text, “summari” stands in it" in found.notes[0].replace("for ", "")
    assert "dead/a at " in found.notes[1] and "went on with the next" in found.notes[1]


@HERE
def test_no_model_is_reachable_says_what_was_tried(asked: Asked, here: bool) -> None:
    asked.role("clerk")
    settings = asked.settings(OPENCLAW_LOCAL_URL=DEAD, OPENCLAW_ROLES_RETRIES="1")
    with pytest.raises(Unavailable) as caught:
        run_role("clerk", "x", settings=settings, in_process=here)
    assert f"{MODEL} at {DEAD}" in caught.value.message and "tried 2 times" in caught.value.message


def test_it_tries_again_as_the_server_asks(asked: Asked) -> None:
    asked.role("clerk")
    asked.api.say(Reply("busy", status=429, headers=(("Retry-After", "1"),)), "Done.")
    found = run_role("clerk", "x", settings=asked.settings())
    assert (found.text, found.attempts) == ("Done.", 2)


def test_it_does_not_wait_past_its_time_limit(asked: Asked) -> None:
    asked.role("clerk")
    asked.api.say(Reply("busy", status=429, headers=(("Retry-After", "500"),)))
    with pytest.raises(Unavailable, match="asks to wait 500 s, which is past the time limit"):
        run_role("clerk", "x", settings=asked.settings(), timeout=60)


def test_a_key_that_is_missing_or_wrong_is_not_tried_twice(asked: Asked) -> None:
    asked.role("clerk", "model: groq/x\n")
    with pytest.raises(Unavailable, match="groq needs a key"):
        run_role("clerk", "x", settings=asked.settings())
    asked.api.say(Reply("bad key", status=401))
    with pytest.raises(Unavailable, match=r"HTTP 401: bad key \(tried once\)"):
        run_role("clerk", "x", settings=asked.settings(GROQ_API_KEY="secret"))
    assert len(asked.api.turns) == 1


def test_garbage_is_one_clear_line(asked: Asked) -> None:
    asked.role("clerk")
    settings = asked.settings(OPENCLAW_ROLES_RETRIES="0")
    asked.api.say(Reply("  \n"))
    with pytest.raises(OpenclawError, match="said nothing"):
        run_role("clerk", "x", settings=settings)
    asked.api.say(Reply("<html>gone</html>", status=502))
    with pytest.raises(Unavailable, match="502"):
        run_role("clerk", "x", settings=settings)
    asked.api.say(Reply("", (Tool("rm", {"path": "/"}),)), "Sorry.")
    assert run_role("clerk", "x", settings=settings).text == "Sorry.", "a tool that it does not have"
    assert asked.api.turns[-1].has("there is no tool 'rm'; the tools are: none")


# --- limits


@HERE
def test_an_input_over_the_budget_is_not_sent(asked: Asked, here: bool) -> None:
    asked.role("clerk", "budget: 1000\n")
    with pytest.raises(Refused) as caught:
        run_role("clerk", "word " * 2000, settings=asked.settings(), in_process=here)
    assert caught.value.code == "over_budget" and "of a budget of 1000" in caught.value.message
    assert asked.box.cli("roles", "run", "clerk", "--budget-tokens", "1500", stdin="word " * 2000, exit=3)
    assert not asked.api.requests


def test_the_answer_is_kept_within_the_budget(asked: Asked) -> None:
    asked.role("clerk")
    asked.api.say("Done.")
    run_role("clerk", "word " * 100, budget=1000, settings=asked.settings())
    [turn] = asked.api.turns
    assert 800 < (turn.body.get("max_completion_tokens") or turn.body["max_tokens"]) < 900


def test_the_budget_holds_over_all_calls_and_what_was_used_is_known(asked: Asked) -> None:
    asked.role("clerk", "tools: Read\nbudget: 2000\n")
    asked.box.write("a.txt", "a\n")
    asked.api.otherwise = Reply("", (Tool("read", {"path": "a.txt"}),), Usage(1000, 0, 0, 10))
    with pytest.raises(Refused, match=r"2020 tokens are used, .* of a budget of 2000"):
        run_role("clerk", "x", settings=asked.settings())
    assert len(asked.api.turns) == 2


def test_an_input_over_the_window_is_not_sent(asked: Asked) -> None:
    asked.role("clerk")
    with pytest.raises(Refused) as caught:
        run_role("clerk", "word " * 2000, settings=asked.settings(OPENCLAW_LOCAL_WINDOW="1000"))
    assert caught.value.code == "over_window" and not asked.api.requests


@HERE
def test_its_time_is_up(asked: Asked, here: bool) -> None:
    asked.role("clerk")
    asked.api.otherwise = Reply("late", hold=threading.Event())
    with pytest.raises(TimedOut, match=r"was not done within 0\.5 s"):
        run_role("clerk", "x", settings=asked.settings(), in_process=here, timeout=0.5)
    assert asked.box.cli("roles", "run", "clerk", "--timeout", "1s", stdin="x", exit=124)


# --- tools


@HERE
def test_its_tools_are_bound_by_the_scope_and_commands_are_none_of_them(asked: Asked, here: bool) -> None:
    asked.role("auditor", "tools: Read, Write, Bash, WebFetch\n")
    asked.box.write("code.py", "print(1)\n")
    (asked.box.root / "secret").write_text("secret\n")
    asked.api.say(
        Reply("", (Tool("read", {"path": "code.py"}), Tool("read", {"path": "../secret"}))),
        Reply("", (Tool("write", {"path": "code.py", "content": ""}), Tool("run", {"command": "touch ran"}))),
        "It prints 1.",
    )
    found = run_role("auditor", "look at code.py", settings=asked.settings(), in_process=here)
    assert found.text == "It prints 1." and found.tokens_in == 30
    assert found.notes == ("tools it does not have here: Bash, WebFetch",)
    assert sorted(t["function"]["name"] for t in asked.api.turns[0].body["tools"]) == ["read", "read_result", "write"]
    last = asked.api.turns[-1]
    assert last.has("1\tprint(1)") and last.has("there is no tool 'run'; the tools are: read, write, read_result")
    results = [m["content"] for m in last.body["messages"] if m["role"] == "tool"]
    assert "outside the read scope" in results[1] and "this task changes no files" in results[2]
    assert asked.box.work.joinpath("code.py").read_text() == "print(1)\n"


# --- a process of its own


def runs(asked: Asked) -> list[int]:
    return [pid for pid, line in asked.box.processes().items() if "-m openclaw.roles" in line]


CALLER = "from openclaw.roles.run import run_role; print(run_role('clerk', 'x', in_process=False).text)"


@pytest.mark.parametrize("end", ["its own", "the caller's"])
def test_killed_it_leaves_nothing(asked: Asked, end: str) -> None:
    asked.role("clerk", "tools: Read\n")
    asked.api.otherwise = Reply("late", hold=threading.Event())
    temporary = asked.box.root / "tmp"
    temporary.mkdir()
    asked.box.env["TMPDIR"] = str(temporary)
    caller = subprocess.Popen(
        [sys.executable, "-c", CALLER], cwd=asked.box.work, env=asked.box.env,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until(lambda: asked.api.turns, 40, "it asks")
    [run] = runs(asked)
    os.kill(run if end == "its own" else caller.pid, signal.SIGKILL)
    out, complaint = caller.communicate(timeout=40)
    until(lambda: not runs(asked), 40, "its process is gone")
    assert not out
    if end == "its own":
        assert "Unavailable: role clerk: its process was killed by signal 9" in complaint
    until(lambda: not any(temporary.iterdir()), 40, "its folder is gone")


ANSWERS = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "  # it may be ignored here


def test_an_interrupted_caller_ends_it(asked: Asked) -> None:
    asked.role("clerk")
    asked.api.otherwise = Reply("late", hold=threading.Event())
    caller = subprocess.Popen(
        [sys.executable, "-c", ANSWERS + CALLER], cwd=asked.box.work, env=asked.box.env, stderr=subprocess.PIPE
    )
    until(lambda: asked.api.turns, 40, "it asks")
    caller.send_signal(signal.SIGINT)
    caller.communicate(timeout=40)
    until(lambda: not runs(asked), 40, "its process is gone")


# --- whose tokens these are


def ledger(asked: Asked) -> list[tuple[Any, ...]]:
    with sqlite3.connect(asked.box.state / "openclaw.db") as store:
        return store.execute("SELECT session_id, path, model, side, input, output FROM turns").fetchall()


@HERE
def test_what_it_uses_is_in_the_ledger_of_its_session_also_when_it_fails(asked: Asked, here: bool) -> None:
    asked.role("clerk", "tools: Read\n")
    id = asked.box.json("spawn", "sleep 100")["id"]
    inside = asked.settings(OPENCLAW_SESSION_ID=id)
    asked.api.say(Reply("Done.", usage=Usage(100, 0, 0, 7)))
    run_role("clerk", "x", settings=inside, in_process=here)
    asked.api.say(Reply("", (Tool("read", {"path": "a"}),), Usage(50, 0, 0, 3)), Reply("no", status=400))
    with pytest.raises(Unavailable):
        run_role("clerk", "x", settings=asked.settings(), session=id, in_process=here)
    assert ledger(asked) == [(id, "role clerk", MODEL, 1, 100, 7), (id, "role clerk", MODEL, 1, 50, 3)]
    assert asked.box.json("result", id)["tokens_used"] == 160


def test_without_a_session_there_is_no_ledger(asked: Asked) -> None:
    asked.role("clerk")
    run_role("clerk", "x", settings=asked.settings(OPENCLAW_SESSION_ID="nobody"))
    assert not (asked.box.state / "openclaw.db").exists()


def test_the_module_of_the_commands_imports_nothing_heavy() -> None:
    heavy = ("asyncio", "pydantic_ai", "openai", "yaml", "dataclasses", "tempfile", "openclaw.local")
    code = f"import sys, openclaw.cli.roles, openclaw.roles.run; print([m for m in sys.modules if m in {heavy}])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def test_it_is_silent(asked: Asked, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """Also when what it held open is collected: a connection that outlives its loop complains."""
    asked.role("clerk")
    asked.api.otherwise = Reply("late", hold=threading.Event())
    settings = asked.settings()
    with pytest.raises(TimedOut):
        run_role("clerk", "x", settings=settings, timeout=0.5)
    asked.api.otherwise = Reply("Done.")
    run_role("clerk", "x", settings=settings)
    gc.collect()
    assert capfd.readouterr() == ("", "") and not caplog.records
