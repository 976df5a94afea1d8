"""A job as it is written down: one JSON object, kept whole, in the form that job files already have.

What a job does is read from it anew each time, so that nothing in it is ever lost: neither fields nor kinds that we
don't know of. What of it we can't honour is said, in words, and never guessed. Ours beyond that form is in `run`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.errors import BadInput
from openclaw.schedule.dialects import plain
from openclaw.schedule.planner import CATCH_UP
from openclaw.schedule.times import Timing, check_cron, moment, zone
from openclaw.tasks.request import check_text
from openclaw.yamls import without_comments

OVERLAP = ("skip", "queue", "kill")
WAYS = ("announce", "none", "main", "file", "command")
LONGEST_TEXT = 65_536
MESSAGE = (
    "This is the scheduled job {name}. Check only what the files above say, and do what they ask for now. "
    "Reply HEARTBEAT_OK if nothing needs attention, else say shortly what does."
)
# field → where it counts; the others are kept and named
_KNOWN = {
    "": ("name", "enabled", "schedule", "sessionTarget", "payload", "delivery", "run", "deleteAfterRun", "id",
         "description", "createdAtMs", "updatedAtMs", "state", "wakeMode"),
    "payload": ("kind", "message", "text", "model", "fallbacks", "timeoutSeconds", "channel", "to",
                "bestEffortDeliver"),
    "delivery": ("mode", "path", "argv", "channel", "to", "accountId", "bestEffort"),
    "run": ("agent", "type", "injectOnly", "write", "budgetTokens", "maxInjectTokens", "overlap", "catchUp", "batch",
            "activeHours"),
}  # fmt: skip
_SCHEDULE = {
    "every": ("kind", "everyMs", "anchorMs", "staggerMs"),
    "cron": ("kind", "expr", "tz", "staggerMs"),
    "at": ("kind", "at", "atMs", "tz", "staggerMs"),
}
_CLOCK = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")


class Delivery(NamedTuple):
    """Where a result goes: announce, none, main (announced, and sent into the main session), file (`target` is its
    path) or command (its words as JSON)."""

    way: str
    target: str = ""


class Spec(NamedTuple):
    """What a job asks for. `never`: why it can't be run at all; `notes`: what of it isn't honoured, a line each.

    `timeout` in seconds; None and () where the type of task decides. `inject` None: the files of its type.
    `active`: minutes of the day, from and to, in the zone of its schedule.
    """

    timing: Timing | None
    enabled: bool
    main: bool
    message: str
    models: tuple[str, ...]
    timeout: float | None
    agent: str | None
    type: str
    inject: tuple[str, ...] | None
    write: tuple[str, ...]
    budget_tokens: int | None
    max_inject_tokens: int | None
    delivery: Delivery
    overlap: str
    catch_up: str
    batch: str
    active: tuple[int, int] | None
    delete_after: bool
    never: str
    notes: tuple[str, ...]


def read(document: Mapping[str, Any], name: str, created: float) -> Spec:
    """What it asks. BadInput where a field that we know has a value that can't be meant. `created` in epoch seconds."""
    notes: list[str] = []
    document = plain(document)
    schedule, payload = _mapping(document, "schedule"), _mapping(document, "payload")
    delivery, run = _mapping(document, "delivery"), _mapping(document, "run")
    timing, never = _timing(schedule, created)
    kind, target = payload.get("kind"), document.get("sessionTarget")
    if not never and kind not in ("agentTurn", "systemEvent"):
        never = _unknown("payload.kind", kind)
    elif not never and target not in ("isolated", "main"):
        never = _unknown("sessionTarget", target)
    for place, tree in (("", document), ("payload", payload), ("delivery", delivery), ("run", run)):
        notes += [f"{place}.{key}".lstrip(".") for key in tree if key not in _KNOWN[place]]
    notes += [f"schedule.{key}" for key in schedule if key not in _SCHEDULE.get(str(schedule.get("kind")), schedule)]
    way, said = _delivery(delivery)
    channel = _text(delivery, "channel", "delivery") or _text(payload, "channel", "payload")
    if way.way == "announce" and channel:
        said.append(f"not sent to {_shown(channel)}: announced here instead")
    main = target == "main"
    if main and document.get("wakeMode") == "next-heartbeat":
        said.append("wakeMode 'next-heartbeat': it is sent as soon as the main session is idle")
    if payload.get("timeoutSeconds") == 0:
        said.append("payload.timeoutSeconds 0: no run goes on for ever, the time limit is that of its type")
    text = _text(payload, "message", "payload") or _text(payload, "text", "payload") or MESSAGE.format(name=name)
    check_text(text, LONGEST_TEXT, "the message", "put the bulk into a file and name it with --inject-only")
    return Spec(
        timing=timing,
        enabled=_flag(document, "enabled", True),
        main=main,
        message=text,
        models=tuple(m for m in (_text(payload, "model", "payload"), *_texts(payload, "fallbacks", "payload")) if m),
        timeout=_number(payload, "timeoutSeconds", "payload", 366 * 86400, zero=True) or None,
        agent=_text(run, "agent", "run") or None,
        type=_text(run, "type", "run"),
        inject=_texts(run, "injectOnly", "run") if "injectOnly" in run else None,
        write=_texts(run, "write", "run"),
        budget_tokens=_whole(run, "budgetTokens"),
        max_inject_tokens=_whole(run, "maxInjectTokens"),
        delivery=way,
        overlap=_one_of(run, "overlap", OVERLAP),
        catch_up=_one_of(run, "catchUp", CATCH_UP, "one"),
        batch=_text(run, "batch", "run"),
        active=_hours(_text(run, "activeHours", "run")),
        delete_after=_flag(document, "deleteAfterRun", False),
        never=never,
        notes=(*(f"not used: {', '.join(notes)}" for _ in notes[:1]), *said),
    )


def parse(text: str, where: str) -> list[dict[str, Any]]:
    """The jobs of a file: one object, a list, or `{"jobs": [...]}`; comments and trailing commas are allowed."""
    try:
        tree = json.loads(without_comments(text))
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{where}: {error}"[:300], "it must be JSON") from error
    found = tree.get("jobs") if isinstance(tree, dict) and "schedule" not in tree else tree
    found = [found] if isinstance(found, dict) else found
    if not isinstance(found, list) or not found or not all(isinstance(each, dict) for each in found):
        raise BadInput(f"{where}: there is no job in it", 'one object, a list of them, or {"jobs": [...]}')
    return found


# --- the parts


def _timing(schedule: Mapping[str, Any], created: float) -> tuple[Timing | None, str]:
    kind, jitter = schedule.get("kind"), int(_number(schedule, "staggerMs", "schedule", 86_400_000, zero=True) or 0)
    if kind == "every":
        step = int(_number(schedule, "everyMs", "schedule", 366 * 86_400_000) or 0)
        if step < 1000:
            raise BadInput("schedule.everyMs must be a second at least", "write it like --every 10m")
        anchor = _number(schedule, "anchorMs", "schedule", 4e12, zero=True)
        if jitter >= step:
            raise BadInput("the jitter is as long as the time between two firings", "choose a shorter --jitter")
        return Timing("every", step_ms=step, anchor_ms=int(created * 1000 if anchor is None else anchor),
                      jitter_ms=jitter), ""  # fmt: skip
    tz = _text(schedule, "tz", "schedule")
    try:
        if kind == "cron":
            zone(tz)
            expr = check_cron(_text(schedule, "expr", "schedule"), "schedule.expr")
            return Timing("cron", expr=expr, tz=tz, jitter_ms=jitter), ""
        if kind == "at":  # where it names no zone, that of these files is UTC
            ms = _number(schedule, "atMs", "schedule", 4e12)
            at = ms / 1000 if ms else moment(_text(schedule, "at", "schedule"), tz or "UTC", created, "schedule.at")
            return Timing("at", at_ms=round(at * 1000), tz=tz, jitter_ms=jitter), ""
    except BadInput as error:  # others take more than we do
        return None, error.message
    return None, _unknown("schedule.kind", kind)


def _delivery(delivery: Mapping[str, Any]) -> tuple[Delivery, list[str]]:
    mode = delivery.get("mode", "announce")
    if mode == "file":
        path = _text(delivery, "path", "delivery")
        if not path:
            raise BadInput("delivery.path is missing", "write --delivery file:PATH")
        return Delivery("file", path), []
    if mode == "command":
        words = _texts(delivery, "argv", "delivery")
        if not words:
            raise BadInput("delivery.argv is missing", "write --delivery 'command:PROGRAM WORD …'")
        return Delivery("command", json.dumps(words)), []
    if mode in WAYS:
        return Delivery(mode), []
    return Delivery("announce"), [f"{_unknown('delivery.mode', mode)}: announced instead"]


def _hours(text: str) -> tuple[int, int] | None:
    if not text:
        return None
    if not (found := _CLOCK.fullmatch(text)):
        raise BadInput(f"the active hours {text[:40]!r} can't be read", "write them like 08:00-22:00")
    first, last = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
    if first == last or last > 1440:
        raise BadInput(f"the active hours {text[:40]!r} are no hours", "write them like 08:00-22:00")
    return first, last


# --- values


def _shown(value: object) -> str:
    return repr(value)[:60] if value is not None else "nothing"


def _unknown(what: str, value: object) -> str:
    return f"{what} is missing" if value is None else f"{what} {_shown(value)} is not known here"


def _mapping(tree: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = tree.get(key)
    if found is not None and not isinstance(found, dict):
        raise BadInput(f"{key} must be an object, not {_shown(found)}")
    return found or {}


def _text(tree: Mapping[str, Any], key: str, place: str) -> str:
    found = tree.get(key)
    if found is not None and not isinstance(found, str):
        raise BadInput(f"{place}.{key} must be a text, not {_shown(found)}")
    return found or ""


def _texts(tree: Mapping[str, Any], key: str, place: str) -> tuple[str, ...]:
    found = tree.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, str) and each for each in found):
        raise BadInput(f"{place}.{key} must be a list of texts, not {_shown(found)}")
    return tuple(found)


def _number(tree: Mapping[str, Any], key: str, place: str, most: float, zero: bool = False) -> float | None:
    found = tree.get(key)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, (int, float)) or not (0 if zero else 1e-9) <= found <= most:
        raise BadInput(f"{place}.{key} {_shown(found)} is no number that can be meant")
    return found


def _whole(tree: Mapping[str, Any], key: str) -> int | None:
    found = _number(tree, key, "run", 1e15)
    return None if found is None else int(found)


def _flag(tree: Mapping[str, Any], key: str, default: bool) -> bool:
    found = tree.get(key, default)
    if not isinstance(found, bool):
        raise BadInput(f"{key} must be true or false, not {_shown(found)}")
    return found


def _one_of(tree: Mapping[str, Any], key: str, known: Sequence[str], default: str = "") -> str:
    found = tree.get(key) or default or known[0]
    if found not in known:
        raise BadInput(f"run.{key} is one of {', '.join(known)}, not {_shown(found)}")
    return str(found)
