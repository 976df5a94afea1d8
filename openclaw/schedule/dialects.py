"""Job files as other versions and hands have written them, in the words that `document` reads. Pure.

The document itself is never changed: this is how it is understood. What has no counterpart is left as it is, for
`document` to name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS = {kind.lower(): kind for kind in ("agentTurn", "systemEvent", "every", "cron", "at")}
_NUMBERS = ("everyMs", "anchorMs", "staggerMs")


def plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same job with the present names of things. What is of a type that can't be meant stays, to be refused."""
    tree = {key: value for key, value in document.items() if value is not None}
    tree["schedule"] = _schedule(tree.get("schedule"), tree)
    tree["payload"] = payload = _payload(tree)
    if "jobId" in tree:
        tree.setdefault("id", tree.pop("jobId"))
    if isinstance(payload, dict):
        tree.setdefault("sessionTarget", "main" if payload.get("kind") == "systemEvent" else "isolated")
        delivery = tree.get("delivery")
        if payload.pop("deliver", True) is False and delivery is None:
            tree["delivery"] = {"mode": "none"}
        elif isinstance(delivery, dict):
            mode = delivery.get("mode")
            tree["delivery"] = {key: value for key, value in delivery.items() if value is not None}
            if mode is None or (isinstance(mode, str) and mode.lower() == "deliver"):
                tree["delivery"]["mode"] = "announce"
    return tree


def _schedule(found: Any, tree: Mapping[str, Any]) -> Any:
    if isinstance(found, str):
        return {"kind": "cron", "expr": found}
    if not isinstance(found, dict):
        return found
    schedule = {key: value for key, value in found.items() if value is not None}
    if "cron" in schedule:
        schedule.setdefault("expr", schedule.pop("cron"))
    if "kind" not in schedule:
        named = (("at", ("at", "atMs")), ("every", ("everyMs",)), ("cron", ("expr",)))
        for kind, keys in named:
            if any(key in schedule for key in keys):
                schedule["kind"] = kind
                break
    schedule |= _kind(schedule)
    for key in _NUMBERS:
        if isinstance(schedule.get(key), str):
            schedule[key] = _number(schedule[key])
    if isinstance(at := schedule.get("atMs"), str):
        number = _number(at)
        schedule |= {"atMs": number} if number != at else {"at": at}
        if number == at:
            del schedule["atMs"]
    if schedule.get("kind") == "every" and isinstance(tree.get("createdAtMs"), int):
        schedule.setdefault("anchorMs", tree["createdAtMs"])  # so that it keeps its rhythm
    return schedule


def _payload(tree: dict[str, Any]) -> Any:
    """Its payload; in the oldest files what belongs there stands beside it."""
    found = tree.get("payload")
    if found is None:
        loose = {key: tree.pop(key) for key in ("message", "text", "model", "timeoutSeconds") if key in tree}
        found = loose if "message" in loose or "text" in loose else None
    if not isinstance(found, dict):
        return found
    payload = {key: value for key, value in found.items() if value is not None}
    if "kind" not in payload and ("message" in payload or "text" in payload):
        payload["kind"] = "agentTurn" if "message" in payload else "systemEvent"
    return payload | _kind(payload)


def _kind(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Its kind, spelt as it should be; nothing when it has none that is known."""
    kind = tree.get("kind")
    return {"kind": _KINDS[kind.strip().lower()]} if isinstance(kind, str) and kind.strip().lower() in _KINDS else {}


def _number(text: str) -> Any:
    try:
        value = float(text)
    except ValueError:
        return text
    return int(value) if value.is_integer() else value
