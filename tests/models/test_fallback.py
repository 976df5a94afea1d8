"""A model that fails is followed by the next of the chain, and the ledger has what each of them did, to the cent."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import pytest

from tests.conftest import Box, until
from tests.local.conftest import Local, api, local  # noqa: F401  # fixtures
from tests.loopback.api import Api, Reply, Tool, Usage


@pytest.fixture
def three(local: Local) -> Local:  # noqa: F811
    """Three endpoints: nobody listens at the second one, the others are one server."""
    config = local.box.root / "config"
    del local.box.env["OPENCLAW_LOCAL_URL"]
    urls = {"one": local.api.url, "two": "http://127.0.0.1:9", "three": local.api.url}
    entries = (f"{name}: {{url: {url}/v1, wire: openai, window: 300000}}\n" for name, url in urls.items())
    (config / "endpoints.yaml").write_text("".join(entries))
    (config / "models.yaml").write_text(
        "models:\n"
        "  first: {model: one/a, price: {input: 10, output: 100}}\n"
        "  last: {model: three/c, price: {input: 30, output: 200, cache_read: 3}}\n"
    )
    local.box.env |= {"OPENCLAW_LOCAL_RETRIES": "0", "OPENCLAW_LOCAL_FALLBACK_MODEL": "two/b, last"}
    return local


def test_the_task_ends_on_the_third_and_the_cost_is_right(three: Local) -> None:
    three.model = "first"
    three.api.say(
        Reply("One.", usage=Usage(100_000, 0, 0, 1_000)),
        Reply("gone", status=500),  # the first one dies in the middle of the second prompt
        Reply("Three.", usage=Usage(50_000, 0, 100_000, 2_000)),
    )
    id = three.spawn("begin")["id"]
    three.until(id, "idle")
    three.box.cli("send", id, "go on")
    until(lambda: three.box.json("result", id)["result"]["output"] == "Three.", 40)
    hops = [entry["model"] for entry in three.log(id) if entry["type"] == "model"]
    assert hops == ["one/a", "two/b", "three/c"]
    rows = {row["model"]: row for row in until(lambda: two_models(three), 40)}
    assert rows["one/a"]["cost_usd"] == pytest.approx(1.0 + 0.1)
    assert rows["three/c"]["cost_usd"] == pytest.approx(1.5 + 0.3 + 0.4)
    assert three.box.json("result", id)["cost_usd"] == pytest.approx(3.3)


def two_models(three: Local) -> list[dict[str, Any]]:
    """The lines of the ledger once both models stand in it."""
    rows: list[dict[str, Any]] = three.box.json("metrics", "--by", "model")["rows"]
    return rows if len(rows) == 2 else []


MODELS = """
models:
  one: {model: one/a, tier: balanced, window: 200000, price: {input: 1, output: 10, cache_read: 0.1}}
  two: {model: two/b, tier: balanced, window: 200000, price: {input: 3, output: 20, cache_read: 0.3}}
  three: {model: three/c, tier: balanced, window: 200000, price: {input: 5, output: 50, cache_read: 0.5}}
"""


def test_three_endpoints_of_which_two_are_killed_in_the_middle_of_the_run(box: Box) -> None:
    """Nobody names a model: the routing chooses the cheapest, and what follows it."""
    config, held = box.root / "config", threading.Event()
    with ExitStack() as stack:
        one, two, three = (stack.enter_context(Api(isolated=False)) for _ in range(3))
        agent = Local(box, one)
        del box.env["OPENCLAW_LOCAL_URL"]
        urls = {"one": one.url, "two": two.url, "three": three.url}
        entries = (f"{name}: {{url: {url}/v1, wire: openai}}\n" for name, url in urls.items())
        (config / "endpoints.yaml").write_text("".join(entries))
        (config / "models.yaml").write_text(MODELS)
        box.env |= {"OPENCLAW_LOCAL_RETRIES": "0"}
        step = (Tool("read", {"path": "notes.txt"}),)
        box.write("notes.txt", "to be read\n")
        one.say(Reply("", tools=step, usage=Usage(40_000, 0, 0, 100)), Reply("never said", hold=held))
        two.say(Reply("", tools=step, usage=Usage(50_000, 0, 0, 200)), Reply("never said", hold=held))
        three.say(Reply("Fixed.", usage=Usage(20_000, 0, 40_000, 300)))
        id = box.json("spawn", "--agent", "local", "--type", "code-edit", "Fix the bug in the parser")["id"]
        for api in (one, two):
            until(lambda api=api: len(api.turns) == 2, 40, "it is in the middle of its work")  # type: ignore[misc]
            api.close()
        agent.until(id, "idle")
        found = until(lambda: done if (done := box.json("result", id))["result"]["output"] == "Fixed." else None, 40)
        held.set()
    assert found and found["model"] == "one/a" and found["routed"]["model"] == "one"
    assert [(hop["from"], hop["to"]) for hop in found["hops"]] == [("one/a", "two/b"), ("two/b", "three/c")]
    rows = {row["model"]: row["cost_usd"] for row in box.json("metrics", "--by", "model")["rows"]}
    first, second, last = 0.04 + 0.001, 0.15 + 0.004, 0.1 + 0.02 + 0.015
    assert rows == {"one/a": pytest.approx(first), "two/b": pytest.approx(second), "three/c": pytest.approx(last)}
    assert box.json("result", id, "--good")["cost_usd"] == pytest.approx(first + second + last)
    [row] = box.json("models", "learning")
    assert (row["model"], row["good"]) == ("three", 1.0)  # it counts for the one that did the work
    shown = box.cli("result", id).stdout
    assert "went on with three/c: two/b: " in shown
    [fallbacks] = [f for f in box.json("metrics", "--filter", "models")["figures"] if f["name"] == "fallbacks"]
    assert fallbacks["value"] == 2
