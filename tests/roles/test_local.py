"""The local agent's /compact with a model that summarises: asked beside the window, which stays alive."""

from __future__ import annotations

import threading

from tests.conftest import until
from tests.local.conftest import Local, api, local  # noqa: F401 - fixtures
from tests.loopback.api import Reply, Request, Tool, Usage

SMALL = "ollama/qwen2.5:3b"
SUMMARY = "The person asked to read it often. The file was read twenty times, and no surprise was in it."


def shows(local: Local, id: str, *texts: str) -> None:  # noqa: F811
    until(lambda: all(text in local.screen(id) for text in texts), 40, f"{texts} on the screen")


def read_often(local: Local, summary: Reply) -> str:  # noqa: F811
    """An agent that has read a file twenty times; whoever summarises is answered so."""
    local.box.write("big.txt", "".join(f"line {n} of a file\n" for n in range(400)))
    reads = [Reply(f"Reading {n}.", (Tool("read", {"path": "big.txt"}),)) for n in range(20)]
    local.api.say(*reads, "Read.")

    def answer(request: Request) -> Reply:
        return summary if request.body["model"] == SMALL.partition("/")[2] else Reply("Yes.")

    local.api.otherwise = answer
    id: str = local.spawn("read it often", "--budget-tokens", "1000000")["id"]
    local.until(id, "idle")
    return id


def test_a_configured_model_summarises_beside_the_window(local: Local) -> None:  # noqa: F811
    local.box.env["OPENCLAW_ROLES_SUMMARIZER"] = SMALL
    hold = threading.Event()
    id = read_often(local, Reply(SUMMARY, usage=Usage(5000, 0, 0, 40), hold=hold))
    before = local.box.json("result", id)["tokens_used"]
    local.type(id, "/compact")
    shows(local, id, "summarising")
    local.type(id, "/status")
    shows(local, id, "model    ollama/qwen2.5:7b")
    hold.set()
    shows(local, id, f"summarised by {SMALL}", "compacted, for you asked for it")
    local.type(id, "and?")
    shows(local, id, "Yes.")
    assert any(SUMMARY in message["content"] for message in local.api.turns[-1].body["messages"] if message["content"])
    until(lambda: local.box.json("result", id)["tokens_used"] == before + 5040 + 15, 40, "its tokens are in the ledger")


def test_it_can_be_interrupted_and_the_program_ends_without_waiting(local: Local) -> None:  # noqa: F811
    local.box.env["OPENCLAW_ROLES_SUMMARIZER"] = SMALL
    id = read_often(local, Reply(SUMMARY, hold=threading.Event()))
    local.type(id, "/compact")
    shows(local, id, "summarising")
    local.press(id, "Escape")
    shows(local, id, "interrupted: nothing was compacted")
    local.type(id, "and?")
    shows(local, id, "Yes.")
    local.type(id, "/compact")
    shows(local, id, "summarising")
    local.type(id, "/exit")
    local.until(id, "done")


def test_without_a_model_that_answers_it_compacts_without_one_and_says_so(local: Local) -> None:  # noqa: F811
    local.box.env["OPENCLAW_ROLES_SUMMARIZER"] = "groq/x"
    id = read_often(local, Reply(SUMMARY))
    local.type(id, "/compact")
    shows(local, id, "summarised without a model: groq needs a key", "compacted, for you asked for it")
