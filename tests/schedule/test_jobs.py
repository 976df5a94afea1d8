"""cron add, list, show, edit, rm, enable, disable, next, and the words that they refuse."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.conftest import Box

FIVE = """
openclaw cron add --name "health-check" --every "10m" --session isolated --model ollama/qwen2.5:3b --inject-only "HEARTBEAT.md"
openclaw cron add --name "morning-batch" --cron "0 7 * * 1-5" --session isolated --model ollama/qwen2.5:3b --inject-only "active-tasks.md,project-status.md"
openclaw cron add --name "evening-recap" --cron "0 18 * * 1-5" --session isolated --model ollama/qwen2.5:3b --inject-only "active-tasks.md,project-status.md"
openclaw cron add --name "weekly-review" --cron "0 9 * * 1" --session isolated --model claude/claude-haiku --inject-only "mistakes.md,self-review.md,project-status.md"
openclaw cron add --name "weekly-cleanup" --cron "0 22 * * 0" --session isolated --model ollama/qwen2.5:3b --inject-only "active-tasks.md" --delivery "none"
"""  # noqa: E501 - as people have them


def job(box: Box, name: str) -> dict[str, Any]:
    return dict(box.json("cron", "show", name))


def test_the_five_commands_as_people_have_them(box: Box) -> None:
    for line in FIVE.strip().splitlines():
        box.cli(*shlex.split(line)[1:])
    found = box.json("cron", "list")
    assert [(each["name"], each["state"]) for each in found] == [
        (name, "on") for name in ("health-check", "morning-batch", "evening-recap", "weekly-review", "weekly-cleanup")
    ]
    assert job(box, "health")["job"] == {
        "name": "health-check", "enabled": True, "schedule": {"kind": "every", "everyMs": 600_000},
        "sessionTarget": "isolated", "payload": {"kind": "agentTurn", "model": "ollama/qwen2.5:3b"},
        "delivery": {"mode": "announce"}, "run": {"injectOnly": ["HEARTBEAT.md"]},
    }  # fmt: skip
    assert job(box, "weekly-cleanup")["job"]["delivery"] == {"mode": "none"}
    shown = box.cli("cron", "list").stdout
    assert "0 7 * * 1-5" in shown and "active-tasks.md,project-status.md" in shown
    assert len(box.json("cron", "next", "--count", "3")) == 15


def test_a_job_says_all_that_was_typed(box: Box) -> None:
    box.cli(
        "cron", "add", "--name", "all", "--cron", " 0  7 * * 1-5", "--tz", "Europe/Berlin", "--jitter", "30s",
        "--agent", "shell", "--type", "test", "--message", "true", "--timeout", "90s", "--budget-tokens", "20k",
        "--delivery", "command:notify 'two words'", "--overlap", "queue", "--catch-up", "all",
        "--write", "out/**", "--batch", "b",
    )  # fmt: skip
    said = job(box, "all")["job"]
    assert said["schedule"] == {"kind": "cron", "expr": "0 7 * * 1-5", "tz": "Europe/Berlin", "staggerMs": 30_000}
    assert said["payload"] == {"kind": "agentTurn", "message": "true", "timeoutSeconds": 90}
    assert said["delivery"] == {"mode": "command", "argv": ["notify", "two words"]}
    assert said["run"] == {
        "agent": "shell", "type": "test", "budgetTokens": 20_000, "overlap": "queue", "catchUp": "all", "batch": "b",
        "write": ["out/**"],
    }  # fmt: skip


def test_edit_changes_what_is_named_and_nothing_else(box: Box) -> None:
    box.cli("cron", "add", "--name", "one", "--every", "10m", "--message", "do it", "--jitter", "10s",
            "--agent", "shell")  # fmt: skip
    box.cli("cron", "edit", "one", "--cron", "0 7 * * *", "--name", "two")
    said = job(box, "two")["job"]
    assert said["schedule"] == {"kind": "cron", "expr": "0 7 * * *", "staggerMs": 10_000}
    assert said["payload"]["message"] == "do it"
    box.cli("cron", "edit", "two", "--session", "main")
    assert job(box, "two")["job"]["payload"] == {"kind": "systemEvent", "text": "do it"}
    assert "no job 'three'" in box.cli("cron", "show", "three", "--json", exit=4).stderr


def test_switching_and_removing(box: Box) -> None:
    for name in ("one", "two"):
        box.cli("cron", "add", "--name", name, "--every", "10m", "--model", "x/y")
    box.cli("cron", "disable", "one", "two")
    assert [(each["state"], each["next"]) for each in box.json("cron", "list")] == [("off", None)] * 2
    box.cli("cron", "enable", "two")
    assert job(box, "two")["state"] == "on" and job(box, "two")["next"]
    assert box.json("cron", "rm", "one")[0]["name"] == "one"
    assert [each["name"] for each in box.json("cron", "list")] == ["two"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("", "a schedule is needed"),
        ("--every 10m --cron '* * * * *'", "two schedules"),
        ("--every 0s", "out of range"),
        ("--every 10m --tz Europe/Berlin", "no time zone"),
        ("--cron '0 7 * * 1-5' --tz Mars/Base", "no time zone 'Mars/Base'"),
        ("--cron '0 25 * * *'", "bad hour"),
        ("--at 2020-01-01T00:00Z", "has passed"),
        ("--at soon", "is no time"),
        ("--every 1m --jitter 2m --agent shell", "jitter is as long"),
        ("--every 1m --delivery carrier-pigeon", "is not known"),
        ("--every 1m --delivery \"command:'open\"", "quotation"),
        ("--every 1m --inject-only ,", "names no file"),
        ("--every 1m --session main", "a message to the main session"),
        ("--every 1m --active 8-9 --agent shell", "active hours"),
        ("--every 1m --cwd /nowhere", "is no folder"),
        ("--every 1m --message ' ' --agent shell", "the message is empty"),
    ],
)
def test_what_can_not_be_meant_is_one_clear_line(box: Box, words: str, says: str) -> None:
    done = box.cli("cron", "add", "--name", "x", *shlex.split(words), exit=2)
    assert says in done.stderr and len(done.stderr.splitlines()) <= 2
    assert box.json("cron", "list") == []


def test_names(box: Box) -> None:
    box.cli("cron", "add", "--name", "a b/c", "--every", "1h", "--model", "x/y")
    box.cli("cron", "add", "--name", "a b/d", "--every", "1h", "--model", "x/y")
    assert job(box, "a b/c")["id"] == "a-b-c"
    assert "already" in box.cli("cron", "add", "--name", "a b/c", "--every", "1h", "--model", "x/y", exit=3).stderr
    assert "is the start of" in box.cli("cron", "show", "a b", exit=2).stderr
    for wrong in ("", " ", "x\ny", "-x", "y" * 101):
        box.cli("cron", "add", f"--name={wrong}", "--every", "1h", "--model", "x/y", exit=2)
