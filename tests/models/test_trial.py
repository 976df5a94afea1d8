"""A trial: a share of routine tasks is really done by both models, and the pairs say whether one may take over."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from openclaw.models import comparing
from openclaw.models.comparing import Tally
from tests.conftest import Box, until
from tests.local.conftest import Local
from tests.loopback.api import Api, Reply, Request, Tool, Usage
from tests.schedule.conftest import Cron
from tests.sessions.repo import Repo

MODELS = """
models:
  tried: {model: ollama/tried, tier: local, window: 100000, tools: true}
  proven: {model: paid/proven, tier: balanced, window: 100000, tools: true, price: {input: 10, output: 10}}
"""
TRIED = ("trial", "start", "--model", "tried", "--against", "proven", "--sample", "100%", "--pairs", "3", "--seed", "7")


class Both(Local):
    """Two models on one server; what each answers is in `answers`."""

    def __init__(self, box: Box, api: Api) -> None:
        super().__init__(box, api)
        config = box.root / "config"
        del box.env["OPENCLAW_LOCAL_URL"]
        box.env["OLLAMA_HOST"] = api.url
        (config / "endpoints.yaml").write_text(f"ollama: {{lists: false}}\npaid: {{url: {api.url}/v1, wire: openai}}\n")
        (config / "models.yaml").write_text(MODELS)
        self.answers: dict[str, Reply] = {}
        api.otherwise = self.reply
        self.repo = Repo(box)
        self.repo.commit("first", **{"notes.txt": "to be read\n"})

    def reply(self, request: Request) -> Reply:
        model = str(request.body["model"])
        last = request.body["messages"][-1]["role"]
        given = self.answers.get(model, Reply("Done."))
        return Reply(f"{model} is done.", usage=Usage(1000, 0, 0, 0)) if last == "tool" else given

    def task(self, text: str, *words: str, **more: Any) -> dict[str, Any]:
        return dict(self.box.json("spawn", "--agent", "local", *words, text, **more))

    def report(self) -> dict[str, Any]:
        return dict(self.box.json("trial", "report"))

    def settled(self) -> dict[str, Any]:
        """The report once nothing is at work."""
        return until(lambda: found if not (found := self.report())["working"] else None, 60) or {}


@pytest.fixture
def both(box: Box) -> Iterator[Both]:
    with Api(isolated=False) as api:
        yield Both(box, api)


def test_the_rule_is_clear() -> None:
    alike = comparing.judge(Tally(30, 0, 0, 0), 0.1, 20, 0.7)
    assert alike.word == "yes" and alike.chance > 0.95
    assert comparing.judge(Tally(19, 0, 0, 0), 0.1, 20, 0.7).said == "not enough yet: 19 of 20"
    assert comparing.judge(Tally(20, 0, 2, 0), 0.1, 20, 0.7).word == "open"
    assert comparing.judge(Tally(10, 0, 15, 0), 0.1, 20, 0.7).said == "no: it is worse"
    assert comparing.judge(Tally(10, 0, 0, 40), 0.1, 20, 0.7).said == "no: as bad as the other, 70% are wanted"
    assert comparing.judge(Tally(10, 15, 0, 0), 0.1, 20, 0.7).word == "yes"
    assert comparing.chance(Tally(), 0.1) == comparing.chance(Tally(), 0.1) < 0.95
    assert comparing.chance(Tally(5, 0, 5, 0), 0.5) > comparing.chance(Tally(5, 0, 5, 0), 0.1)


def test_both_do_the_work_and_only_one_counts(both: Both) -> None:
    write = {"path": "out.txt", "content": "right\n"}
    both.answers = {
        "proven": Reply("", tools=(Tool("write", write),), usage=Usage(1000, 0, 0, 0)),
        "tried": Reply("", tools=(Tool("write", write | {"content": "wrong\n"}),), usage=Usage(1000, 0, 0, 0)),
    }
    assert "there is no trial" in both.box.cli("trial", "status", exit=4).stderr
    both.box.cli(*TRIED)
    id = both.task("List the open points in out.txt", "--write", "out.txt", "--check", "grep -q right out.txt")["id"]
    found = both.settled()
    [line] = found["types"]
    assert (line["type"], line["pairs"], line["judged"], line["a_good"], line["b_good"]) == ("routine", 1, 1, 0, 1)
    assert (line["a_usd"], line["b_usd"]) == (0, pytest.approx(0.02)) and line["verdict"] == "not enough yet: 1 of 3"
    assert both.box.work.joinpath("out.txt").read_text() == "right\n"  # the other one's is in a worktree of its own
    rows = {s["name"].partition("-")[0]: s for s in both.box.json("ps", "--all")}
    shadow = rows["trial"]
    assert shadow["model"] == "ollama/tried" and shadow["status"] == "done" and shadow["worktree"]
    with open(os.path.join(shadow["worktree"], "out.txt"), encoding="utf-8") as file:
        assert file.read() == "wrong\n"
    assert both.box.json("result", id)["model"] == "paid/proven"
    learned = {row["model"]: row["good"] for row in both.box.json("models", "learning")}
    assert learned == {"proven": pytest.approx(1.0, abs=0.05), "tried": 0.0}
    both.box.cli("result", shadow["id"], "--good")  # a person knows better
    assert both.report()["types"][0]["a_good"] == 1


def test_what_a_trial_leaves_alone(both: Both) -> None:
    both.box.env["OPENCLAW_AGENT"] = "local"
    both.box.cli(*TRIED, "--types", "routine")
    both.task("List all files", "--model", "paid/proven")  # somebody named one
    both.task("Research what is new")  # of another type
    both.box.cli("spawn", "Draft the business strategy", exit=5)  # of high risk: never, though nothing can do it
    both.box.cli("spawn", "--agent", "shell", "true")
    both.box.cli("spawn", "List all files", "--dry-run")
    found = both.report()
    assert (found["trial"]["seen"], found["types"], found["working"]) == (0, [], 0)
    assert "high risk" in both.box.cli("trial", "start", "--model", "tried", "--against", "proven", "--types",
                                       "strategy", exit=3).stderr  # fmt: skip
    assert "runs already" in both.box.cli(*TRIED, exit=3).stderr
    assert "the same model" in both.box.cli(*TRIED[:3], "tried", "--against", "ollama/tried", exit=2).stderr


def test_jobs_are_tried_too_and_their_results_judge_and_a_takes_over(both: Both) -> None:
    cron = Cron(both.box)
    both.box.cli(*TRIED, "--margin", "60%")
    both.answers = {m: Reply(f"{m}: all is well.", usage=Usage(2000, 0, 0, 0)) for m in ("tried", "proven")}
    words = ("--every", "366d", "--message", "list the open tasks", "--agent", "local", "--inject-only", "HEARTBEAT.md")
    both.box.cli("cron", "add", "--name", "look", *words)
    for _ in range(3):
        run = both.box.json("cron", "run", "look", "--wait")
        assert (run["result"], run["model"]) == ("proven: all is well.", "paid/proven")
    found = both.settled()
    [line] = found["types"]
    assert (line["type"], line["judged"], line["a_good"], line["b_good"]) == ("cron", 3, 3, 3)
    assert line["may_take_over"] and line["routing"] == (
        'kinds: {cron: {tier: local, risk: low, prefer: ["tried"]}}'
    )
    assert [text for _, text in cron.inbox()] == ["proven: all is well."] * 3  # nothing of the other is delivered
    assert not [s for s in both.box.json("ps") if s["name"].startswith("trial-")]
    shown = both.box.cli("trial", "report").stdout
    assert "may take over" in shown and "$0.00  $0.06" in shown
    both.box.cli("trial", "stop")
    both.box.cli("cron", "run", "look", "--wait")
    assert both.report()["trial"]["seen"] == 3
    both.box.cli("trial", "stop", "--reset")
    assert both.box.cli("trial", "report", exit=4)


def test_it_survives_a_kill_and_leaves_no_shadow_twice(both: Both) -> None:
    both.box.cli(*TRIED)
    for kill_after in (0.25, 0.4, 0.55, 0.7):
        spawn = both.box.popen("spawn", "--agent", "local", "List all files", "--write", f"o{kill_after}")
        try:
            spawn.wait(kill_after)
        except Exception:  # noqa: BLE001 - it is killed where it is
            os.kill(spawn.pid, signal.SIGKILL)
        spawn.communicate()
    found = both.settled()
    pairs = sum(line["pairs"] for line in found["types"]) + sum(found["skipped"].values())
    shadows = [s for s in both.box.json("ps", "--all") if s["name"].startswith("trial-")]
    assert len(shadows) <= pairs <= found["trial"]["seen"] <= 4
    assert not [s for s in shadows if s["status"] in ("starting", "working", "idle")]
    assert set(found["skipped"]) <= {"its start was cut off", "its session is not known any more"}


def test_what_can_not_be_done_aside_is_said_and_harms_nobody(both: Both) -> None:
    both.box.cli(*TRIED, "--budget", "0")
    both.task("List all files")
    assert both.report()["trial"]["seen"] == 1 and not both.report()["skipped"]  # it may cost nothing
    both.box.cli("trial", "stop")
    both.box.cli(*TRIED, "--reset")
    both.box.write("notes.txt", "changed\n")
    id = both.task("List all files", "--write", "x")["id"]
    both.until(id, "idle")
    assert list(both.settled()["skipped"]) == [
        "1 changed files are not committed: a worktree of its own would be without them"
    ]
    both.repo.commit("second", **{"notes.txt": "changed\n"})
    both.answers = {"tried": Reply("no", status=400)}
    other = both.task("List all files", "--write", "y")["id"]
    both.until(other, "idle")
    both.box.cli("result", other, "--good")
    line = both.settled()["types"][0]
    assert (line["judged"], line["a_good"], line["b_good"]) == (1, 0, 1)  # a turn that fails has failed
