"""The heartbeat: a fresh session with HEARTBEAT.md and nothing else, silent when nothing needs attention."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from openclaw.context.tokens import Counter
from openclaw.schedule import firing, heartbeat, runner
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import jobs, runs
from tests.conftest import Box, until
from tests.local.conftest import Local
from tests.loopback.api import Reply, Usage
from tests.schedule.conftest import Cron

LIST = "# Heartbeat\n- Is the disk of /srv below 90 %?\n- Does the nightly build still pass?\n"


@pytest.fixture
def beats(local: Local) -> Local:
    Cron(local.box)
    local.box.cli("heartbeat", "install", "--model", "ollama/qwen2.5:3b")
    (local.box.workspace / "HEARTBEAT.md").write_text(LIST)
    return local


def test_a_beat_sends_heartbeat_md_and_less_than_60_tokens_beside_it(beats: Local) -> None:
    beats.api.otherwise = beats.api.otherwise._replace(text="HEARTBEAT_OK")  # type: ignore[union-attr]
    run = beats.box.json("heartbeat", "run")
    assert (run["state"], run["result"]) == ("done", "HEARTBEAT_OK")
    [turn] = beats.api.turns
    assert not turn.body.get("tools")
    count = Counter(str(beats.box.root / "cache"), beats.box.env)
    [injected] = run["injected"]
    assert Path(injected["path"]).name == "HEARTBEAT.md"
    beside = run["injected_tokens"] - injected["tokens"]
    assert beside < 60, turn.text
    assert count.count(turn.text).tokens <= run["injected_tokens"] + 5
    assert beats.box.json("inbox", "list", "--all") == []


def test_the_last_of_many_beats_sends_what_the_first_did(beats: Local) -> None:
    beats.api.otherwise = beats.api.otherwise._replace(text="HEARTBEAT_OK")  # type: ignore[union-attr]
    for _ in range(6):
        assert beats.box.json("heartbeat", "run")["state"] == "done"
    sizes = {len(turn.raw) for turn in beats.api.turns}
    assert len(beats.api.turns) == 6 and len(sizes) == 1
    shown = beats.box.json("heartbeat", "show")
    assert len(shown["beats"]) == 6 and not shown["needless"]


def test_what_needs_attention_is_announced(beats: Local) -> None:
    beats.api.say("/srv is at 97 %.")
    beats.box.cli("heartbeat", "run")
    assert [each["text"] for each in beats.box.json("inbox")] == ["/srv is at 97 %."]


def test_a_file_with_nothing_to_check_calls_no_model(beats: Local) -> None:
    (beats.box.workspace / "HEARTBEAT.md").write_text("# Heartbeat\n\n- [ ]\n<!-- later:\n- the disk -->\n---\n")
    done = beats.box.cli("heartbeat", "run")
    assert "no model was called" in done.stdout
    (beats.box.workspace / "HEARTBEAT.md").unlink()
    assert "there is no HEARTBEAT.md" in beats.box.cli("heartbeat", "run").stdout
    assert beats.api.turns == [] and beats.box.json("ps", "--all") == []


def test_a_new_workspace_has_nothing_to_check(box: Box) -> None:
    box.cli("init")
    assert heartbeat.needless(str(box.workspace))


@pytest.mark.parametrize("line", ["- look at the disk", "1. look", "* [ ] look", "Look.", "- <!-- x --> look", "-look"])
def test_one_line_is_something_to_check(tmp_path: Path, line: str) -> None:
    (tmp_path / "HEARTBEAT.md").write_text(f"# Heartbeat\n{line}\n")
    assert heartbeat.needless(str(tmp_path)) == ""


def test_install_changes_the_one_there_is(box: Box) -> None:
    box.cli("heartbeat", "install", "--model", "ollama/a", exit=4)
    box.cli("init")
    assert "which model" in box.cli("heartbeat", "install", exit=2).stderr
    assert "no heartbeat" in box.cli("heartbeat", "show", exit=4).stderr
    box.cli("heartbeat", "install", "--model", "ollama/a", "--active", "08:00-22:00")
    box.cli("heartbeat", "install", "--every", "1h")
    [job] = box.json("cron", "list")
    assert job["schedule"] == "every 1h" and job["job"]["payload"]["model"] == "ollama/a"
    assert job["job"]["run"]["activeHours"] == "08:00-22:00"
    other = box.root / "other"
    box.cli("init", str(other))
    box.cli("heartbeat", "install", "--model", "ollama/b", env={"OPENCLAW_WORKSPACE": str(other)})
    assert len(box.json("cron", "list")) == 2


def fleet_of(beats: Local, monkeypatch: pytest.MonkeyPatch, clock: Callable[[], float] = time.time) -> Fleet:
    """That of the box, in this process."""
    for key in os.environ:
        monkeypatch.delenv(key)
    for key, value in beats.box.env.items():
        monkeypatch.setenv(key, value)
    return Fleet(Settings(beats.box.env, str(beats.box.work)), clock=clock)


BEATS = 336 if os.environ.get("OPENCLAW_TEST_WEEK") else 5  # a week of them takes a quarter of an hour


def test_a_week_of_them_asks_the_same_at_its_end_as_at_its_start(beats: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    beats.api.otherwise = Reply("HEARTBEAT_OK")
    box, now = beats.box, [time.time()]
    fleet = fleet_of(beats, monkeypatch, lambda: now[0])
    [job] = jobs.every(fleet.store)
    for number in range(1, BEATS + 1):  # each by a firing that has become due, its clock half an hour further
        now[0] += 1800
        firing.tick(fleet)
        until(lambda: firing.tick(fleet) and not runs.unfinished(fleet.store), 60, "the beat is over")
        assert len(beats.api.turns) == number
    done = runs.of_job(fleet.store, job.id, BEATS * 2)
    assert [run.state for run in done] == ["done"] * BEATS and len({run.due for run in done}) == BEATS
    assert len({run.session_id for run in done}) == BEATS and box.json("inbox", "list", "--all") == []
    assert len({turn.raw for turn in beats.api.turns}) == 1, "the same bytes"
    assert len({(run.injected_tokens, run.tokens_used) for run in done}) == 1


def test_a_beat_that_ends_while_it_is_looked_at_is_counted(beats: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    beats.api.otherwise = Reply("HEARTBEAT_OK", usage=Usage(70, 0, 0, 9))
    fleet = fleet_of(beats, monkeypatch)
    number = firing.run_now(fleet, "heartbeat", wait=False).number
    monkeypatch.setattr(runner, "settle", lambda fleet: None)  # it has looked before the agent said that it is idle
    until(lambda: firing.tick(fleet) and not runs.unfinished(fleet.store), 40)
    run = runs.get(fleet.store, number)
    assert run and (run.state, run.tokens_used) == ("done", 79)
