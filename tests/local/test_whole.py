"""A whole task, as a person would give it: everything that can happen to it on the way happens."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

from openclaw.local.agent import INTERRUPTED
from tests.conftest import until
from tests.local.conftest import Local
from tests.local.test_restart import program
from tests.loopback.api import Reply, Request, Tool, Usage

WINDOW = 8000  # tokens
CALC = "def total(values):\n    return sum(values) + 1\n"
TEST = (
    "import unittest\nfrom calc import total\n\n\nclass Test(unittest.TestCase):\n"
    "    def test_total(self):\n        self.assertEqual(total([1, 2]), 3)\n"
)
TASK = "The sum in src/calc.py is wrong. DECISION: keep the name `total`. Mend it and run the tests."


class Model:
    """A model with a window: it counts what it is sent, refuses what is too long, else says the next of its lines.

    A number among these is its window from then on: somebody has started it anew with less memory.
    """

    def __init__(self, *lines: Reply | int) -> None:
        self.lines = list(lines)
        self.window = WINDOW
        self.refused = 0

    def __call__(self, request: Request) -> Reply:
        check_pairs(request.body["messages"])
        tokens = len(request.raw) // 4
        if isinstance(self.lines[0], int):
            self.window = self.lines.pop(0)  # type: ignore[assignment]
        if tokens > self.window:
            self.refused += 1
            return Reply(status=400, text=f"maximum context length is {self.window} tokens, you sent {tokens}")
        line = self.lines.pop(0)
        assert isinstance(line, Reply)
        return line._replace(usage=Usage(tokens, 0, 0, 20))


def check_pairs(messages: list[dict[str, Any]]) -> None:
    """What an API insists on: each call is answered directly after it, and nothing answers what was not called."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            waiting.remove(message["tool_call_id"])
        else:
            assert not waiting, messages
            waiting = [call["id"] for call in message.get("tool_calls") or ()]
    assert not waiting, messages


def rewrites(local: Local, id: str) -> list[str]:
    return [str(entry["why"]) for entry in local.log(id) if entry["type"] == "rewrite"]


def test_a_whole_task(local: Local) -> None:
    box = local.box
    box.env["OPENCLAW_LOCAL_WINDOW"] = str(WINDOW)
    box.write("src/calc.py", CALC)
    box.write("src/test_calc.py", TEST)
    numbers = Tool("run", {"command": "seq 1 2200"})
    model = Model(
        Reply("I read both.", (Tool("read", {"path": "src/calc.py"}), Tool("read", {"path": "src/test_calc.py"}))),
        Reply("It adds one.", (Tool("edit", {"path": "src/calc.py", "old": " + 1", "new": ""}),)),
        Reply("And outside?", (Tool("write", {"path": "../outside.txt", "content": "x"}),)),
        Reply("The tests.", (Tool("run", {"command": "cd src && python3 -m unittest -v"}),)),
        Reply("Many numbers.", (numbers, numbers, numbers)),
        Reply("More of them.", (numbers, numbers, numbers)),
        Reply("And one.", (numbers,)),
        2200,
        Reply("A slow one.", (Tool("run", {"command": "echo once >> src/ran.txt; sleep 300"}),)),
    )
    local.api.otherwise = model
    id = local.spawn(TASK, "--write", "src/**")["id"]
    until(lambda: (box.work / "src/ran.txt").exists() or local.status(id)[0] == "idle", 60)
    assert (box.work / "src/ran.txt").exists(), local.screen(id)
    assert (box.work / "src/calc.py").read_text() == CALC.replace(" + 1", "")
    assert not (box.root / "outside.txt").exists()
    why = rewrites(local, id)
    assert len(why) >= 2 and "80% of the window" in why[0] and "the server says it is too long" in why, why
    assert model.refused
    results = [part["result"] for e in local.log(id) for part in e.get("parts", ()) if "result" in part]
    assert any("outside the write scope" in result["content"] for result in results)
    assert any("OK" in result["content"] and "test_total" in result["content"] for result in results)

    os.kill(program(local), signal.SIGKILL)
    until(lambda: local.status(id)[0] == "lost", 40)
    model.lines.append(Reply("All done: the sum is right and the test passes."))
    box.cli("restore")
    local.until(id, "idle")
    last = local.api.turns[-1]
    assert last.has(INTERRUPTED) and (box.work / "src/ran.txt").read_text() == "once\n"
    assert TASK in json.dumps(last.body["messages"])  # verbatim, after two compactions
    assert model.lines == []
    local.type(id, "/exit")
    local.until(id, "done")
    found = box.json("result", id)
    assert found["result"]["output"] == "All done: the sum is right and the test passes."
    assert found["denied"] == ["write: ../outside.txt"]
    assert found["tokens_used"] == local.api.tokens
