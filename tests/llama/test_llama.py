"""The agent `local` against the server of llama.cpp with a model of random weights: `make test-llama`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Box, until
from tests.local.conftest import Local
from tests.loopback.api import Api
from tests.program import installed

HERE = Path(__file__).parent
PORT = 18080  # in a network of its own, or nobody else's
pytestmark = pytest.mark.skipif(not os.environ.get("OPENCLAW_TEST_LLAMA"), reason="only with make test-llama")


class Llama:
    """The server, in the network of the agent; `start` it again with another window."""

    def __init__(self, box: Box, api: Api, python: str) -> None:
        self.model = box.root / "random.gguf"
        subprocess.run([python, HERE / "model.py", self.model], check=True, timeout=60, capture_output=True)
        self.run = box.root / "llama"
        self.run.write_text(api.place.wrap(python))
        self.run.chmod(0o755)
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, window: int) -> None:
        words: list[str | Path] = [self.run, HERE / "serve.py", self.model, str(window), str(PORT)]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(words, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
        assert self.process.stdout and b"http://127.0.0.1" in self.process.stdout.readline()

    def stop(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def local(box: Box) -> Iterator[Local]:
    with Api() as api:
        made = Local(box, api)
        made.model = "llamacpp/random"
        box.env |= {
            "OPENCLAW_LOCAL_URL": f"http://127.0.0.1:{PORT}/v1",
            "OPENCLAW_LOCAL_OUTPUT_TOKENS": "64",
            "OPENCLAW_LOCAL_RETRIES": "1",
        }
        yield made


@pytest.fixture
def llama(local: Local) -> Iterator[Llama]:
    made = Llama(local.box, local.api, installed("llama.sh"))
    made.start(32_768)
    yield made
    made.stop()


def answers(local: Local, id: str) -> list[dict[str, int]]:
    """The usage of each answer, as its server reported it."""
    return [e["usage"] for e in local.log(id) if e["type"] == "message" and e["role"] == "assistant"]


def test_it_answers_and_counts(local: Local, llama: Llama) -> None:
    id = local.spawn("Say something.")["id"]
    local.until(id, "idle")
    [first] = answers(local, id)
    assert first["input"] + first["cache_read"] > 100 and 0 < first["output"] <= 64
    until(lambda: local.figures(id)[0] == sum(first.values()))
    assert local.box.json("send", id, "And more.")["verdict"] == "delivered"
    until(lambda: len(answers(local, id)) == 2, 40)
    local.until(id, "idle")
    second = answers(local, id)[1]
    assert second["input"] + second["cache_read"] > first["input"] + first["cache_read"]
    assert "llamacpp/random" in local.screen(id)


def test_what_is_too_long_for_it_is_said(local: Local, llama: Llama) -> None:
    llama.stop()
    llama.start(256)
    id = local.spawn("Say something.")["id"]
    local.until(id, "idle")
    error = local.box.json("result", id)["error"]
    assert "the conversation is too long for llamacpp/random: HTTP 400: " in error and "context size" in error
    llama.stop()
    llama.start(32_768)
    assert local.box.json("send", id, "Now?")["verdict"] == "delivered"
    until(lambda: len(answers(local, id)) == 1, 40)


def test_it_is_gone_and_comes_back(local: Local, llama: Llama) -> None:
    llama.stop()
    id = local.spawn("Say something.")["id"]
    local.until(id, "idle")
    assert "(tried 2 times)" in local.box.json("result", id)["error"]
    llama.start(32_768)
    assert local.box.json("send", id, "Now?")["verdict"] == "delivered"
    until(lambda: len(answers(local, id)) == 1, 40)
