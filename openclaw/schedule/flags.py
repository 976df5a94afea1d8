"""From the options of `cron add` and `cron edit` to a job's document. Only what was said is changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from typing import Any

from openclaw.errors import BadInput
from openclaw.schedule.times import check_cron, moment, zone
from openclaw.units import utc

_RUN = {
    "agent": "agent", "type": "type", "budget_tokens": "budgetTokens", "max_inject_tokens": "maxInjectTokens",
    "overlap": "overlap", "catch_up": "catchUp", "batch": "batch", "active": "activeHours",
}  # fmt: skip


def write(tree: dict[str, Any], said: Mapping[str, Any], now: float, cwd: str) -> None:
    """Put what was said into the document `tree`. BadInput for what can't be meant. `now` is for times like 20m."""
    if said.get("name") is not None:
        tree["name"] = said["name"]
    if schedule := _schedule(tree.get("schedule") or {}, said, now):
        tree["schedule"] = schedule
    if said.get("session") is not None:
        tree["sessionTarget"] = said["session"]
        main = said["session"] == "main"
        payload = tree.setdefault("payload", {})
        payload.setdefault("kind", "systemEvent" if main else "agentTurn")
        if payload["kind"] in ("systemEvent", "agentTurn"):
            old, new = ("message", "text") if main else ("text", "message")
            payload["kind"] = "systemEvent" if main else "agentTurn"
            if old in payload:
                payload[new] = payload.pop(old)
    payload = tree.setdefault("payload", {"kind": "agentTurn"})
    if said.get("message") is not None:
        payload["text" if payload.get("kind") == "systemEvent" else "message"] = said["message"]
    if said.get("model") is not None:
        payload["model"] = said["model"]
    if said.get("fallback") is not None:
        payload["fallbacks"] = _list(said["fallback"])
    if said.get("timeout") is not None:
        payload["timeoutSeconds"] = _number(said["timeout"])
    if said.get("delivery") is not None:
        tree["delivery"] = _delivery(said["delivery"], tree.get("delivery") or {}, cwd)
    run = {key: said[flag] for flag, key in _RUN.items() if said.get(flag) is not None}
    for flag, key in (("inject_only", "injectOnly"), ("write", "write")):
        if said.get(flag) is not None:
            run[key] = [part for each in said[flag] for part in _list(each)]
    if run:
        tree["run"] = (tree.get("run") or {}) | run


def _schedule(before: Mapping[str, Any], said: Mapping[str, Any], now: float) -> dict[str, Any]:
    kinds = [kind for kind in ("every", "cron", "at") if said.get(kind) is not None]
    if len(kinds) > 1:
        raise BadInput(f"--{kinds[0]} and --{kinds[1]} are two schedules", "give one")
    tz, jitter = said.get("tz"), said.get("jitter")
    schedule = dict(before)
    if kinds:
        schedule = {key: value for key, value in schedule.items() if key in ("staggerMs", "tz")}
        schedule = {"kind": kinds[0]} | schedule
        if kinds == ["every"]:
            schedule.pop("tz", None)
            schedule["everyMs"] = _number(said["every"] * 1000)
        elif kinds == ["cron"]:
            schedule["expr"] = check_cron(said["cron"])
        else:
            at = moment(said["at"], tz or schedule.get("tz", ""), now)
            if at <= now:
                raise BadInput(f"--at {said['at'][:40]} has passed: it was {utc(at)}", "choose a time to come")
            schedule["at"] = utc(at)
    elif (tz is not None or jitter is not None) and not before:
        raise BadInput("a schedule is needed", "--every 10m, --cron '0 7 * * 1-5' or --at T")
    if tz is not None:
        if schedule.get("kind") == "every":
            raise BadInput("--every knows no time zone", "--tz belongs to --cron and --at")
        zone(tz)
        schedule["tz"] = tz
    if jitter is not None:
        schedule["staggerMs"] = _number(jitter * 1000)
    return schedule


def _delivery(word: str, before: Mapping[str, Any], cwd: str) -> dict[str, Any]:
    """What is after --delivery: announce, none, file:PATH, or command:WORDS, which are never given to a shell."""
    way, colon, rest = word.partition(":")
    kept = {key: value for key, value in before.items() if key not in ("mode", "path", "argv")}
    if way in ("announce", "none", "main") and not colon:
        return {"mode": way} | kept
    if way == "file" and rest:
        return {"mode": "file", "path": os.path.join(cwd, os.path.expanduser(rest))} | kept
    if way == "command" and rest.strip():
        try:
            return {"mode": "command", "argv": shlex.split(rest)} | kept
        except ValueError as error:
            raise BadInput(f"--delivery {word[:60]!r}: {error}", "close its quotes") from error
    hint = "announce, none, main, file:PATH or 'command:PROGRAM WORD …'"
    raise BadInput(f"--delivery {word[:60]!r} is not known", hint)


def _list(text: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise BadInput(f"{text[:40]!r} names no file", 'write --inject-only "a.md,b.md"')
    return found


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else value
