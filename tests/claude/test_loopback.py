"""The loopback API itself, judged by the real program."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from typing import Any

import pytest

from tests.claude.conftest import MODEL, Claude
from tests.conftest import until
from tests.loopback.api import Api, Reply, Tool, Usage


def ask(claude: Claude, prompt: str, *args: str) -> dict[str, Any]:
    """One prompt to the program itself, without tmux; its own JSON."""
    done = subprocess.run(
        [claude.box.root / "bin/claude", "-p", prompt, "--model", MODEL, "--output-format", "json", *args],
        env=claude.box.env, cwd=claude.box.work, capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    return dict(json.loads(done.stdout))


def test_the_program_gets_what_the_test_scripted_and_reports_what_it_used(claude: Claude) -> None:
    claude.box.write("note.txt", "the note")
    read = Tool("Read", {"file_path": str(claude.box.work / "note.txt")})
    claude.api.say(Reply("Reading.", (read,), Usage(1, 20, 300, 4000)), Reply("Read it.", usage=Usage(2, 30, 400, 5)))
    told = ask(claude, "read the note")
    assert told["result"] == "Read it."
    first, second = claude.api.turns
    assert first.text.endswith("read the note") and "the note" in second.text
    used = told["usage"]
    assert (used["input_tokens"], used["cache_creation_input_tokens"], used["cache_read_input_tokens"]) == (3, 50, 700)
    assert used["output_tokens"] == 4005 and claude.api.tokens == 3 + 50 + 700 + 4005


def test_errors_and_callables_are_answers_too(claude: Claude) -> None:
    claude.api.say(Reply("no such thing", status=400))
    assert "no such thing" in ask(claude, "fail")["result"]
    claude.api.otherwise = lambda request: Reply(f"{len(request.body['messages'])} messages")
    assert ask(claude, "count")["result"] == "1 messages"


def test_a_held_reply_waits_for_the_test(api: Api) -> None:
    gate = threading.Event()
    api.say(Reply("held", hold=gate))
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}], "tools": [{}]}).encode()
    answers: list[str] = []

    def post() -> None:
        with urllib.request.urlopen(urllib.request.Request(f"{api.url}/v1/messages", body)) as reply:
            answers.append(json.load(reply)["content"][0]["text"])

    waiting = threading.Thread(target=lambda: api.place.run(post))
    waiting.start()
    until(lambda: api.turns)
    assert not answers
    gate.set()
    waiting.join(10)
    assert answers == ["held"]


@pytest.mark.skipif(sys.platform != "linux", reason="networks of their own are Linux's")
def test_nothing_but_the_api_can_be_reached(api: Api) -> None:
    if not api.place.isolated:
        pytest.skip("only root may make a network")

    def outside() -> str:
        try:
            urllib.request.urlopen("http://192.0.2.1/", timeout=5)
        except urllib.error.URLError as error:
            return str(error.reason)
        return "reached"

    assert "unreachable" in api.place.run(outside)
