"""A model that fails is followed by the next of the chain, and the ledger has what each of them did, to the cent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import until
from tests.local.conftest import Local, api, local  # noqa: F401  # fixtures
from tests.loopback.api import Reply, Usage


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
