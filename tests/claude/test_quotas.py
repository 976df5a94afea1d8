"""The limits of a subscription as the real Claude Code reports them: in its status line, and in a turn that ends."""

from __future__ import annotations

import time
from typing import Any

from openclaw.store import db
from openclaw.units import from_utc
from openclaw.usage.quotas import Quota, every
from tests.claude.conftest import Claude, used
from tests.conftest import until
from tests.loopback.api import Reply, Usage

OVER = "This request would exceed your account's rate limit. Please try again later."


def reported(claude: Claude) -> dict[str, Quota]:
    store = db.connect(str(claude.box.state / "openclaw.db"))
    try:
        return {quota.kind: quota for quota in every(store, "claude")}
    finally:
        store.close()


def row(claude: Claude, id: str) -> dict[str, Any]:
    [found] = [each for each in claude.box.json("ps") if each["id"] == id]
    return dict(found)


def test_peers_25_what_is_used_of_a_subscription_is_known_and_pauses_spawns_before_the_wall(claude: Claude) -> None:
    claude.subscribe()
    resets = int(time.time()) + 3600
    claude.api.say(Reply("One.", usage=Usage(100, 0, 0, 1), headers=used(81, resets)))
    id = claude.spawn("one")["id"]
    claude.until(id, "idle")
    until(lambda: reported(claude), 40)
    known = reported(claude)
    assert (known["five-hour"].percent, known["five-hour"].resets_at) == (81, resets)
    assert (known["weekly"].percent, known["weekly"].resets_at) == (40, resets + 86400)
    until(lambda: f"sub-agent {id}" in claude.screen(id), 40, "our status line")
    claude.api.say(Reply("Two.", usage=Usage(100, 0, 0, 1), headers=used(96, resets)))
    claude.box.cli("send", id, "two", "--wait")
    until(lambda: reported(claude)["five-hour"].percent == 96, 40)
    done = claude.box.cli("spawn", "more", "--agent", "claude", exit=3)
    assert "claude is at 96% of its five-hour limit, and from 95% on nothing is started: it resets at" in done.stderr
    claude.box.cli("send", id, "it may finish")  # what runs is not stopped


def test_one_that_has_hit_a_limit_is_shown_and_goes_on_after_the_reset(claude: Claude) -> None:
    claude.subscribe()
    resets = int(time.time()) + 25
    claude.api.say(
        Reply("One.", usage=Usage(100, 0, 0, 1), headers=used(90, resets)),
        Reply(OVER, status=429, headers=used(100, resets, "rejected")),
    )
    claude.api.otherwise = Reply("Going on.", usage=Usage(100, 0, 0, 1), headers=used(2, resets + 18_000))
    id = claude.spawn("one")["id"]
    claude.until(id, "idle")
    until(lambda: reported(claude), 40)
    claude.box.cli("send", id, "two", "--wait")
    until(lambda: row(claude, id)["limited_until"], 40)
    found = row(claude, id)
    assert found["status"] == "idle" and "hit your session limit" in found["reason"]
    assert from_utc(found["limited_until"]) == resets  # to the second, as it was reported before
    assert reported(claude)["five-hour"].percent == 100
    assert f"{id} is at a limit of its subscription, which resets in" in claude.box.cli("ps").stdout
    until(lambda: "Stop and wait for limit to reset" in claude.screen(id), 40, "its own dialog, which covers its line")
    sent = claude.box.json("send", id, "go on", "--after-reset")
    assert sent["verdict"] == "queued" and "it waits until" in sent["reason"]
    before = len(claude.api.turns)
    claude.box.cli("spawn", "more", "--agent", "claude", exit=3)
    until(lambda: len(claude.api.turns) > before, 90, "it goes on by itself")
    assert time.time() >= resets and claude.api.turns[before].text.endswith("go on")
    claude.until(id, "idle")
    assert row(claude, id)["limited_until"] is None
    claude.box.cli("spawn", "more", "--agent", "claude")


def test_too_many_requests_are_no_limit_of_a_subscription(claude: Claude) -> None:
    claude.box.env["CLAUDE_CODE_MAX_RETRIES"] = "0"
    claude.api.otherwise = Reply("Too many requests a minute.", status=429)
    id = claude.spawn("one", "--env", "CLAUDE_CODE_MAX_RETRIES")["id"]
    claude.until(id, "idle")
    assert not reported(claude) and row(claude, id)["limited_until"] is None
