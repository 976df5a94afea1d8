"""The limits of a subscription as the real Codex writes them into its rollout."""

from __future__ import annotations

import json
import time

import pytest

from openclaw.store import db
from openclaw.units import from_utc
from openclaw.usage.quotas import Quota, every
from tests.codex.conftest import Codex
from tests.conftest import until
from tests.loopback import responses
from tests.loopback.api import Reply, Usage


def used(percent: float, resets_at: int) -> tuple[tuple[str, str], ...]:
    """The headers with which OpenAI's API says how much of a subscription is used."""
    named = {"used-percent": percent, "window-minutes": 300, "reset-at": resets_at}
    weekly = {"used-percent": 40, "window-minutes": 10080, "reset-at": resets_at + 86400}
    return tuple(
        (f"x-codex-{which}-{name}", str(value))
        for which, limit in (("primary", named), ("secondary", weekly))
        for name, value in limit.items()
    )


def reported(codex: Codex) -> dict[str, Quota]:
    store = db.connect(str(codex.box.state / "openclaw.db"))
    try:
        return {quota.kind: quota for quota in every(store, "codex")}
    finally:
        store.close()


def test_peers_25_it_is_read_at_the_next_spawn_which_pauses_and_one_at_the_limit_goes_on_after_it(
    codex: Codex, monkeypatch: pytest.MonkeyPatch
) -> None:
    resets = int(time.time()) + 60
    codex.api.say(Reply("One.", usage=Usage(100, 0, 0, 1), headers=used(96.5, resets)))
    id = codex.spawn("one")["id"]
    until(lambda: any("token_count" in path.read_text() for path in codex.home.glob("sessions/**/*.jsonl")), 40)
    done = codex.box.cli("spawn", "more", "--agent", "codex", exit=3)  # no look at it before
    assert "codex is at 96% of its five-hour limit, and from 95% on nothing is started: it resets at" in done.stderr
    known = reported(codex)
    assert (known["five-hour"].percent, known["weekly"].percent) == (96.5, 40)
    assert known["five-hour"].resets_at == resets
    codex.until(id, "idle")

    over = {"type": "usage_limit_reached", "message": "The usage limit has been reached", "resets_at": resets}
    monkeypatch.setattr(responses, "error", lambda status, text: {"error": over})
    codex.api.say(Reply("", status=429, headers=used(100, resets)))
    codex.api.otherwise = Reply("Going on.", usage=Usage(100, 0, 0, 1), headers=used(1, resets + 18_000))
    codex.box.cli("send", id, "two", "--wait")
    until(lambda: "hit your usage limit" in codex.box.json("ps")[0]["reason"], 40)
    [row] = codex.box.json("ps")
    assert from_utc(row["limited_until"]) == resets and row["status"] == "idle"
    assert json.loads(codex.box.cli("send", id, "go on", "--after-reset", "--json").stdout)["verdict"] == "queued"
    before = len(codex.api.turns)
    until(lambda: len(codex.api.turns) > before, 120, "it goes on by itself")
    assert time.time() >= resets and codex.api.turns[before].text.endswith("go on")
    codex.until(id, "idle")
    assert codex.box.json("ps")[0]["limited_until"] is None
    codex.box.cli("spawn", "more", "--agent", "codex")
