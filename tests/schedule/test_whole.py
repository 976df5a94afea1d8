"""Jobs whose work is done by the local agent, its model on loopback: what is asked, what it costs, where it goes."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

from openclaw.units import utc
from tests.conftest import until
from tests.local.conftest import Local
from tests.loopback.api import Reply, Usage
from tests.schedule.conftest import Cron
from tests.schedule.test_jobs import FIVE

FILES = {
    "active-tasks.md": "# Active tasks\n- [ ] ship the parser\n",
    "project-status.md": "Build is green.\n",
    "MEMORY.md": "never to be sent\n",
    "AGENTS.md": "not asked for\n",
}


def test_the_morning_batch_runs_isolated_with_its_two_files(local: Local) -> None:
    cron = Cron(local.box)
    for name, text in FILES.items():
        (local.box.workspace / name).write_text(text)
    for line in FIVE.strip().splitlines():
        local.box.cli(*shlex.split(line)[1:])
    local.api.say(Reply("The parser is still to be shipped.", usage=Usage(700, 0, 0, 9)))
    run = local.box.json("cron", "run", "morning-batch", "--wait")
    assert (run["state"], run["result"]) == ("done", "The parser is still to be shipped.")
    [turn] = local.api.turns
    assert turn.body["model"] == "qwen2.5:3b"
    assert all(FILES[name] in turn.text for name in ("active-tasks.md", "project-status.md"))
    assert "never to be sent" not in turn.raw.decode() and "not asked for" not in turn.raw.decode()
    assert [Path(each["path"]).name for each in run["injected"]] == ["active-tasks.md", "project-status.md"]
    assert run["model"] == "ollama/qwen2.5:3b" and run["tokens_used"] == 709
    assert cron.inbox() == [("morning-batch", "The parser is still to be shipped.")]
    until(lambda: not [s for s in local.box.json("ps") if s["id"] == run["session_id"]], 40, "its window is not left")


def test_a_model_that_is_down_then_another(local: Local) -> None:
    cron = Cron(local.box)
    local.box.cli("config", "show")
    (local.box.root / "config/openclaw.yaml").write_text("local: {retries: 1}\n")
    local.api.otherwise = lambda request: (
        Reply("All is well.") if request.body.get("model") == "small" else Reply("no such model", status=404)
    )
    cron.box.cli("cron", "add", "--name", "job", "--at", "2s", "--model", "ollama/gone", "--fallback",
                 "ollama/small", "--message", "look", "--inject-only", "HEARTBEAT.md")  # fmt: skip
    failed = cron.until("retry")
    assert failed["attempts"][0]["model"] == "ollama/gone" and "no such model" in failed["reason"]
    until(lambda: cron.tick() is not None and cron.runs()[0]["state"] == "done", 120, "the next try")
    [done] = cron.runs()
    assert [each["model"] for each in done["attempts"]][:2] == ["ollama/gone", "ollama/small"]


def test_a_batch_is_one_request_and_says_what_it_saved(local: Local) -> None:
    cron = Cron(local.box)
    for name in ("mail", "builds", "news"):
        cron.box.cli("cron", "add", "--name", name, "--every", "2s", "--model", "ollama/small", "--batch", "b",
                     "--message", f"Look at the {name}.", "--inject-only", "active-tasks.md")  # fmt: skip
    until(lambda: all(each["next"] < _now() for each in cron.box.json("cron", "list")))
    parts = re.compile(r"^=== (\w+) ===$", re.M)
    local.api.otherwise = lambda request: Reply(
        "\n".join(f"=== {name} ===\nNothing new in {name}." for name in parts.findall(request.text))
    )
    cron.tick()
    for name in ("mail", "builds", "news"):
        cron.box.cli("cron", "disable", name)
    until(lambda: cron.tick() is not None and all(run["ended_at"] for run in cron.runs()), 40)
    done = {run["job"]: run for run in cron.runs("--state", "done")}
    assert {name: run["result"] for name, run in done.items()} == {
        name: f"Nothing new in {name}." for name in ("mail", "builds", "news")
    }
    assert len(local.api.turns) == 1 and local.api.turns[0].text.count("ship") <= 1
    assert sum(run["saved_tokens"] for run in done.values()) > 50
    assert "saved" in cron.box.cli("cron", "list").stdout


def _now() -> str:
    return utc(time.time())
