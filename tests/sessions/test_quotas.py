"""Spawns pause before the limit of a subscription, say when it resets, and go on then."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator

import pytest

from openclaw.store import db, quotas
from tests.conftest import Box, until


@pytest.fixture
def lab(box: Box) -> Iterator[Box]:
    entry = {"command": ["bash", "-c", "exec sleep 60"], "prompt": ["{prompt}"], "usage": "local-log", "memory_mb": 1}
    box.root.joinpath("config").mkdir()
    (box.root / "config/agents.yaml").write_text(json.dumps({"idle": entry, "other": entry}))
    box.cli("ps")
    yield box


def said(box: Box, percent: float, seconds: float, kind: str = "five-hour") -> None:
    """What its program has just reported."""
    store = db.connect(str(box.state / "openclaw.db"))
    with db.transaction(store):
        store.execute("DELETE FROM quotas")
        quotas.note(store, "idle", [(kind, percent, time.time() + seconds, 18_000)], time.time())


def test_peers_25_a_spawn_is_refused_before_the_wall_and_says_when_it_resets(lab: Box) -> None:
    said(lab, 96, 3600)
    done = lab.cli("spawn", "--agent", "idle", "work", exit=3)
    assert "idle is at 96% of its five-hour limit, and from 95% on nothing is started: it resets at 20" in done.stderr
    assert "in 59m" in done.stderr and "--queue waits for that" in done.stderr
    error = json.loads(lab.cli("spawn", "--agent", "idle", "x", "--json", exit=3).stderr)["error"]
    assert error["code"] == "quota" and lab.json("ps") == []
    lab.cli("spawn", "--agent", "other", "work")
    lab.cli("spawn", "--agent", "idle", "work", env={"OPENCLAW_QUOTAS_PAUSE": "97"})
    lab.cli("spawn", "--agent", "idle", "work", env={"OPENCLAW_QUOTAS_PAUSE": "0"})


def test_sixteen_at_once_can_not_pass_the_wall_together(lab: Box) -> None:
    said(lab, 90, 3600)
    started = [lab.popen("spawn", "--agent", "idle", "work") for _ in range(16)]
    codes = [process.wait(timeout=120) for process in started]
    errors = "".join(process.communicate()[1] for process in started)
    assert sorted(codes) == [0] * 5 + [3] * 11, errors
    assert "90% of its five-hour limit, beside what was started since" in errors
    said(lab, 92, 3600)  # what they have used by now
    lab.cli("spawn", "--agent", "idle", "work")


def test_it_waits_for_the_reset_and_goes_on_by_itself_and_others_need_not_wait(lab: Box) -> None:
    said(lab, 100, 20)
    waiting = lab.popen("spawn", "--agent", "idle", "work", "--queue")
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(timeout=3)
    lab.cli("spawn", "--agent", "other", "work", "--queue")
    assert [row["agent"] for row in lab.json("ps")] == ["other"]
    assert waiting.wait(timeout=90) == 0
    until(lambda: len(lab.json("ps")) == 2)


def test_a_report_of_a_window_that_has_passed_stops_nobody(lab: Box) -> None:
    said(lab, 100, -1)
    lab.cli("spawn", "--agent", "idle", "work")
    said(lab, 100, 10 * 86400)  # no five hours end in ten days: a clock has jumped
    lab.cli("spawn", "--agent", "idle", "work")
