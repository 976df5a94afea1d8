"""Job files in JSON: what we don't know of survives, and what we can't honour is said."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openclaw.errors import BadInput
from openclaw.schedule import document
from tests.conftest import Box

BEAT = """{
  "schedule": { "kind": "every", "everyMs": 1800000 },
  "sessionTarget": "isolated",  // a session of its own
  "payload": {
    "kind": "agentTurn",  // an isolated run
    "message": "Read HEARTBEAT.md. Check only what's listed. Reply HEARTBEAT_OK if nothing needs attention.",
    "timeoutSeconds": 60
  },
  "delivery": { "mode": "announce" }, /* told */
}"""
FILE: dict[str, Any] = {
    "version": 1,
    "jobs": [
        {
            "id": "3f0c2b54-1b1e-4a55-9c39-0d2a6f1b2c3d", "agentId": "main", "name": "Morning brief", "enabled": True,
            "createdAtMs": 1767225600000, "updatedAtMs": 1767225600001,
            "schedule": {"kind": "cron", "expr": "0 7 * * *", "tz": "America/Los_Angeles", "staggerMs": 120000},
            "sessionTarget": "isolated", "wakeMode": "now",
            "payload": {"kind": "agentTurn", "message": "Summarize.", "model": "opus", "thinking": "high",
                        "fallbacks": ["anthropic/x"], "timeoutSeconds": 90.5},
            "delivery": {"mode": "announce", "channel": "slack", "to": "channel:C1", "bestEffort": True},
            "state": {"nextRunAtMs": 1767254400000, "lastStatus": "ok"},
        },
        {
            "name": "Reminder", "enabled": False, "deleteAfterRun": True, "sessionTarget": "main", "wakeMode": "now",
            "schedule": {"kind": "at", "at": "2030-02-01T16:00:00Z"},
            "payload": {"kind": "systemEvent", "text": "Look!", "half": "\ud83d"},
        },
        {"name": "old", "schedule": {"kind": "at", "atMs": 1900000000000}, "sessionTarget": "main",
         "payload": {"kind": "systemEvent", "text": "é漢🙂"}},
        {"name": "hook", "schedule": {"kind": "every", "everyMs": 60000, "anchorMs": 0},
         "payload": {"kind": "agentTurn", "message": "x"}, "delivery": {"mode": "webhook", "to": "https://example.org"}},
        {"name": "strange", "schedule": {"kind": "moon", "phase": 1.0, "deep": [{"a": None}]},
         "payload": {"kind": "agentTurn", "message": "x"}},
        {"name": "stranger", "schedule": {"kind": "every", "everyMs": 60000}, "payload": {"kind": "dance", "steps": 3}},
        {"name": "bound", "schedule": {"kind": "every", "everyMs": 60000}, "sessionTarget": "session:x",
         "payload": {"kind": "agentTurn", "message": "x"}},
    ],
}  # fmt: skip


def test_the_heartbeat_with_its_comments(box: Box) -> None:
    box.write("job.json", BEAT)
    assert box.cli("cron", "import", "job.json", "--name", "beat").stdout.split() == ["added", "beat"]
    [job] = box.json("cron", "export")["jobs"]
    assert job["payload"]["message"].startswith("Read HEARTBEAT.md. Check only what's")
    assert "name" not in job and box.json("cron", "show", "beat")["schedule"] == "every 30m"


def test_a_job_file_survives_import_and_export_unchanged(box: Box) -> None:
    box.write("jobs.json", json.dumps(FILE))
    done = {each["job"]: each for each in box.json("cron", "import", "jobs.json")}
    assert box.json("cron", "export") == FILE
    assert "moon" in done["strange"]["never"] and "dance" in done["stranger"]["never"]
    assert "session:x" in done["bound"]["never"]
    unknown = "delivery.mode 'webhook' is not known here: announced instead"
    assert done["hook"]["notes"] == [unknown]
    assert done["Morning brief"]["notes"] == [
        "not used: agentId, payload.thinking", "not sent to 'slack': announced here instead"
    ]  # fmt: skip
    states = {each["name"]: each["state"] for each in box.json("cron", "list")}
    assert states == {
        "Morning brief": "on", "Reminder": "off", "old": "on", "hook": "on", "strange": "never", "stranger": "never",
        "bound": "never",
    }  # fmt: skip
    assert {each["outcome"] for each in box.json("cron", "import", "jobs.json")} == {"unchanged"}


def test_an_edited_job_keeps_what_is_not_known(box: Box) -> None:
    box.write("jobs.json", json.dumps(FILE))
    box.cli("cron", "import", "jobs.json")
    box.cli("cron", "edit", "Morning", "--model", "haiku", "--delivery", "none")
    changed = json.loads(json.dumps(FILE["jobs"][0]))
    changed["payload"]["model"], changed["delivery"]["mode"] = "haiku", "none"
    assert box.json("cron", "export", "Morning")["jobs"] == [changed]
    assert "another job" in box.cli("cron", "import", "jobs.json", exit=3).stderr
    box.cli("cron", "import", "jobs.json", "--replace")
    assert box.json("cron", "export") == FILE


def test_all_or_none(box: Box) -> None:
    wrong = [FILE["jobs"][0], {"name": "x", "schedule": {"kind": "every", "everyMs": "soon"}, "payload": {}}]
    done = box.cli("cron", "import", "-", stdin=json.dumps(wrong), exit=2)
    assert "job 2: schedule.everyMs 'soon'" in done.stderr
    assert box.json("cron", "list") == []


@pytest.mark.parametrize("text", ["", "{", "[]", "3", '{"jobs": 1}', "[1]", '"x"', "{'a': 1}", "[" * 100_000])
def test_what_is_no_job_file(text: str) -> None:
    with pytest.raises(BadInput, match=r"^f: "):
        document.parse(text, "f")


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(), PLAIN, max_size=5), st.booleans())
def test_any_job_is_read_as_it_was_written(extra: dict[str, Any], pretty: bool) -> None:
    job = extra | {"schedule": {"kind": "every", "everyMs": 1000} | extra, "payload": {"kind": "agentTurn"} | extra}
    text = json.dumps(job, indent=2 if pretty else None)
    assert document.parse(text.replace("{", "{ // , } \n", 1), "f") == [job]
