"""Job files in the shapes that installations really have, of several versions: taken in whole, understood, given out
unchanged."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from openclaw.schedule import document
from openclaw.schedule.document import Spec
from openclaw.units import from_utc
from tests.conftest import Box
from tests.schedule.conftest import Cron

CREATED = 1_769_550_483_487
STATE = {
    "nextRunAtMs": 1772800200000, "lastRunAtMs": 1772713800035, "lastRunStatus": "ok", "lastStatus": "ok",
    "lastDurationMs": 146002, "lastDelivered": False, "lastDeliveryStatus": "not-delivered", "consecutiveErrors": 0,
    "scheduleErrorCount": 0, "runningAtMs": 1773439200035, "lastError": "⚠️ failed",
}  # fmt: skip
EVERY = {"kind": "every", "everyMs": 7_200_000}
TURN = {"kind": "agentTurn", "message": "Look."}


def job(name: str, **more: Any) -> dict[str, Any]:
    return {"id": f"id-of-{name}", "name": name, "enabled": True, "schedule": EVERY, "sessionTarget": "isolated",
            "wakeMode": "now", "payload": TURN} | more  # fmt: skip


JOBS = [
    # as it is written today, with what only a gateway can do
    job("brief", agentId="main", sessionKey="agent:main:main", description="each morning", createdAtMs=CREATED,
        updatedAtMs=CREATED + 7, schedule={"kind": "cron", "expr": "30 7 * * *", "tz": "America/New_York",
        "staggerMs": 0}, state=STATE, delivery={"mode": "announce", "channel": "telegram", "to": "-100", "accountId":
        "monitor", "bestEffort": True}, payload=TURN | {"model": "anthropic/claude-haiku-4-5", "thinking": "low",
        "timeoutSeconds": 0, "lightContext": True, "toolsAllow": None}, failureAlert={"after": 2, "mode": "announce"}),
    job("again", schedule=EVERY | {"anchorMs": CREATED + 60_000}, createdAtMs=CREATED),
    job("rhythm", createdAtMs=CREATED),
    job("once", schedule={"kind": "at", "at": "2030-02-01T16:00:00"}, deleteAfterRun=True, sessionTarget="main",
        wakeMode="next-heartbeat", payload={"kind": "systemEvent", "text": "Look!"}),
    # the first versions
    job("early", payload=TURN | {"deliver": True, "channel": "whatsapp", "to": "+49", "bestEffortDeliver": False},
        isolation={"postToMainPrefix": "Cron", "postToMainMode": "summary", "postToMainMaxChars": 8000}),
    job("quiet", payload=TURN | {"deliver": False}),
    job("old once", schedule={"kind": "at", "atMs": 1_900_000_000_000}),
    job("older once", schedule={"atMs": "1900000000000"}),
    job("deliver", delivery={"mode": "deliver"}),
    # by hand, and by agents
    {"jobId": "by-hand", "name": "by hand", "schedule": "0 14 * * *", "payload": {"message": "Look."}},
    {"name": "by hand", "schedule": {"kind": "cron", "cron": "0 */1 * * *", "tz": "Asia/Seoul"},
     "payload": {"kind": "systemevent", "text": "[PULSE]"}},
    {"name": "loose", "schedule": {"everyMs": "60000"}, "message": "Look.", "model": "opus", "timeoutSeconds": 30},
    job("👨‍💻 stand-up\tof all", schedule={"kind": "cron", "expr": "@daily"}),
    job("--dashes " + "x" * 120, schedule={"kind": "cron", "expr": "0 0 9 ? * MON-FRI", "tz": "Europe/Berlin"}),
    # what we can't do
    job("moon", schedule={"kind": "cron", "expr": "0 9 W * *"}),
    job("zone", schedule={"kind": "cron", "expr": "0 9 * * *", "tz": "Mars/Olympus"}),
    job("flow", payload={"kind": "workflowStart", "moduleId": "m", "input": {"a": [1.0, None]}}),
    job("here", sessionTarget="current"),
    job("prompted", payload={"prompt": "Look.", "model": "x"}),
    {"name": "other program", "schedule": {"kind": "interval", "minutes": 30}, "prompt": "Look.", "skills": [],
     "repeat": {"times": None, "completed": 4}, "state": "scheduled", "deliver": "origin"},
]  # fmt: skip


@pytest.fixture
def taken(box: Box) -> dict[str, dict[str, Any]]:
    """What import said of each, by the order in the file."""
    box.write("jobs.json", json.dumps({"version": 1, "jobs": JOBS}))
    done = box.json("cron", "import", "jobs.json")
    return {said["name"]: each for said, each in zip(JOBS, done, strict=True)}


def test_all_of_them_survive_import_and_export_unchanged(box: Box, taken: dict[str, dict[str, Any]]) -> None:
    exported = box.cli("cron", "export").stdout
    assert json.dumps(json.loads(exported)["jobs"], sort_keys=True) == json.dumps(JOBS, sort_keys=True)
    assert [list(each) for each in json.loads(exported)["jobs"]] == [list(each) for each in JOBS]  # in their order too
    box.write("again.json", exported)
    assert {each["outcome"] for each in box.json("cron", "import", "again.json")} == {"unchanged"}
    assert len({each["job"] for each in taken.values()}) == len({each["name"] for each in JOBS}) == len(JOBS) - 1
    names = [each["name"] for each in box.json("cron", "list")]
    assert len(set(names)) == len(JOBS) and "by hand 2" in names and "👨💻 stand-up of all" in names


def test_what_can_not_be_honoured_is_said_in_a_line_each(taken: dict[str, dict[str, Any]]) -> None:
    never = {name: each["never"] for name, each in taken.items() if each["never"]}
    assert set(never) == {"moon", "zone", "flow", "here", "prompted", "other program"}
    assert "schedule.expr '0 9 W * *'" in never["moon"] and "Mars/Olympus" in never["zone"]
    assert "workflowStart" in never["flow"] and "current" in never["here"] and "interval" in never["other program"]
    assert taken["brief"]["notes"] == [
        "not used: agentId, sessionKey, failureAlert, payload.thinking, payload.lightContext",
        "not sent to 'telegram': announced here instead",
        "payload.timeoutSeconds 0: no run goes on for ever, the time limit is that of its type",
    ]
    assert taken["early"]["notes"] == ["not used: isolation", "not sent to 'whatsapp': announced here instead"]
    assert taken["once"]["notes"] == ["wakeMode 'next-heartbeat': it is sent as soon as the main session is idle"]
    assert all(not taken[name]["notes"] for name in ("again", "rhythm", "quiet", "old once", "deliver", "loose"))


def spec(name: str, nth: int = 0) -> Spec:
    return document.read([each for each in JOBS if each["name"] == name][nth], name, time.time())


def test_what_can_be_honoured_is() -> None:
    again, rhythm = spec("again").timing, spec("rhythm").timing
    assert again and (again.step_ms, again.anchor_ms) == (7_200_000, CREATED + 60_000)
    assert rhythm and rhythm.anchor_ms == CREATED, "it keeps the rhythm that it had"
    once = spec("once")
    assert once.timing and once.timing.at_ms / 1000 == from_utc("2030-02-01T16:00:00.000Z"), "no zone means UTC there"
    assert once.main and once.delete_after and once.message == "Look!"
    for name in ("old once", "older once"):
        timing = spec(name).timing
        assert timing and (timing.kind, timing.at_ms) == ("at", 1_900_000_000_000)
    assert spec("quiet").delivery.way == "none" and spec("deliver").delivery.way == "announce"
    assert (spec("brief").timeout, spec("brief").models) == (None, ("anthropic/claude-haiku-4-5",))
    first, second = spec("by hand").timing, spec("by hand", 1).timing
    assert first and second and (first.expr, second.expr, second.tz) == ("0 14 * * *", "0 */1 * * *", "Asia/Seoul")
    assert not spec("by hand").main and spec("by hand", 1).main
    loose = spec("loose")
    assert loose.timing and loose.timing.step_ms == 60_000
    assert (loose.message, loose.models, loose.timeout) == ("Look.", ("opus",), 30)
    daily, seconds = spec("👨‍💻 stand-up\tof all").timing, spec("--dashes " + "x" * 120).timing
    assert daily and seconds and (daily.expr, seconds.expr) == ("0 0 * * *", "0 0 9 * * MON-FRI")


def test_a_job_of_such_a_file_runs_once_and_is_gone(cron: Cron) -> None:
    at = int((time.time() + 1) * 1000)
    old = {"id": "9f", "name": "remind", "deleteAfterRun": True, "schedule": {"kind": "at", "atMs": at},
           "payload": TURN | {"message": "echo ANNOUNCE_SKIP"}, "run": {"agent": "shell"}}  # fmt: skip
    cron.box.write("jobs.json", json.dumps([old]))
    cron.box.cli("cron", "import", "jobs.json")
    cron.until("done")
    assert cron.box.json("cron", "list") == [] and cron.inbox() == []


def test_the_id_of_a_file_wins_over_its_name(box: Box) -> None:
    box.write("one.json", json.dumps(job("news")))
    box.cli("cron", "import", "one.json")
    box.write("two.json", json.dumps([job("headlines", id="id-of-news"), job("news", id="other")]))
    assert "another job" in box.cli("cron", "import", "two.json", exit=3).stderr
    done = box.json("cron", "import", "two.json", "--replace")
    assert [(each["job"], each["outcome"]) for each in done] == [("headlines", "replaced"), ("news", "added")]
