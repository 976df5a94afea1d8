"""The real Claude Code where nobody names a model: the routing chooses, and a trial has two of them at work."""

from __future__ import annotations

import os

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Request, Tool, Usage
from tests.sessions.repo import Repo

ROUTED = {"OPENCLAW_ROUTE_AGENTS": "local, claude"}


def test_the_routing_chooses_its_model(claude: Claude) -> None:
    id = claude.box.json("spawn", "--agent", "claude", "--type", "review", "Review the last commit", env=ROUTED)["id"]
    claude.until(id, "idle")
    [turn] = claude.api.turns
    assert str(turn.body["model"]).startswith("claude-haiku")
    found = claude.box.json("result", id)
    assert (found["model"], found["routed"]["model"]) == ("haiku", "haiku") and "good enough" in found["routed"]["why"]


def test_a_trial_of_two_of_its_models(claude: Claude) -> None:
    repo = Repo(claude.box)
    (claude.config / "settings.json").write_text('{"permissions": {"allow": ["Write"]}}')  # nobody answers a shadow

    def reply(request: Request) -> Reply:
        if "haiku" in str(request.body["model"]):
            return Reply("I can't.", usage=Usage(1000, 0, 0, 10))
        write = Tool("Write", {"file_path": str(repo.path / "out.txt"), "content": "it is there"})
        done = b'"tool_result"' in request.raw
        return Reply("Done.") if done else Reply("", (write,), Usage(1000, 0, 0, 10))

    claude.api.otherwise = reply
    (claude.box.root / "config").mkdir(exist_ok=True)
    (claude.box.root / "config/models.yaml").write_text(  # newer than the prices that are installed
        "models: {newest: {model: anthropic/claude-sonnet-5, tier: premium, agents: {claude: sonnet},"
        " price: {input: 30, output: 90}}}\n"
    )
    claude.box.cli("trial", "start", "--model", "haiku", "--against", "newest", "--sample", "1", "--pairs", "1")
    words = ("--type", "code-edit", "--write", "out.txt", "--check", "test -e out.txt")
    id = claude.box.json("spawn", "--agent", "claude", *words, "Write out.txt", env=ROUTED)["id"]
    claude.until(id, "idle")
    found = until(lambda: r if not (r := claude.box.json("trial", "report"))["working"] else None, 60) or {}
    assert found["skipped"] == {}, found
    [line] = found["types"]
    assert (line["type"], line["judged"], line["a_good"], line["b_good"]) == ("code-edit", 1, 0, 1)
    assert 0 < line["a_usd"] < line["b_usd"] and not line["may_take_over"]
    assert os.path.exists(repo.path / "out.txt")
    assert [s["status"] for s in claude.box.json("ps", "--all") if s["name"].startswith("trial-")] == ["done"]
