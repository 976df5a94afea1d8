"""What each model call of a conversation sent, beside an estimate of it: from the file that its program writes.

Such a file is not ours to judge: a line that is none of the form is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from openclaw.context.calibration import Sample
from openclaw.context.forms import claude_code, log
from openclaw.context.history import Call, Message, Result, Text, Usage
from openclaw.context.weight import tokens
from openclaw.errors import BadInput
from openclaw.usage import rollouts
from openclaw.usage.ledger import MOST, count, parsed, whole_lines

LARGEST = 16 * 2**20  # bytes of a file that are read: its begin says enough

Said = tuple[str, Message | None]  # (the model that answers, a message); no message: what was before is gone
Runs = dict[str, list[list[Sample]]]


def runs(path: str, reporter: str) -> Runs:
    """The calls of each model, cut where the conversation was compacted or the model changed."""
    data, _ = whole_lines(path, 0, LARGEST)
    lines = [line for row in data if row.strip() and (line := parsed(row))]
    found: Runs = {}
    run: list[Sample] = []
    estimate = calls = 0
    last = ""
    for model, message in READERS[reporter](lines):
        if message is None:
            estimate, calls, last = 0, 0, ""
            continue
        sent = message.usage.context if message.usage else 0
        if model and 0 < sent <= MOST:
            if model != last:
                run, last = [], model
                found.setdefault(model, []).append(run)
            run.append(Sample(estimate, calls, sent))
        estimate, calls = estimate + tokens(message), calls + len(message.calls)
    return found


def _claude(lines: Sequence[dict[str, Any]]) -> Iterator[Said]:
    try:
        messages = claude_code.decode(lines).messages
    except BadInput:
        return
    for message in messages:
        if claude_code.is_summary(message):
            yield "", None
        line = lines[message.extra[claude_code.FORM]["lines"][0]]
        yield str(line["message"].get("model") or ""), message


def _local(lines: Sequence[dict[str, Any]]) -> Iterator[Said]:
    for line in lines:
        rewritten = line.get("messages") if line.get("type") == "rewrite" else None
        if line.get("type") in ("rewrite", "undo"):
            yield "", None
        for each in rewritten if isinstance(rewritten, list) else [line] if line.get("type") == "message" else []:
            try:
                message = log.read_record(each)
            except BadInput:
                continue
            yield str(line.get("model") or ""), message if rewritten is None else message._replace(usage=None)


def _codex(lines: Sequence[dict[str, Any]]) -> Iterator[Said]:
    """What the model itself has said is sent with the call after: the record of a call stands behind its answer."""
    model, said = "", list[Message]()
    for line in lines:
        kind, given = line.get("type"), line.get("payload")
        if not isinstance(given, dict):
            continue
        if kind == "turn_context":
            model = str(given.get("model") or "")
        elif kind == "compacted":
            said = []
            yield "", None
        elif kind == "token_usage_record" and given.get("thread_id") == given.get("session_id"):
            used = given.get("usage")
            sent = count(used.get("input_tokens")) if isinstance(used, dict) else 0
            yield model, Message("assistant", (), usage=Usage(sent))
        elif kind == "response_item" and (message := _item(given)):
            if message.role == "assistant":
                said.append(message)
                continue
            yield from (("", each) for each in said)
            said = []
            yield "", message


def _item(item: dict[str, Any]) -> Message | None:
    kind = str(item.get("type"))
    if kind in rollouts.CALLS:
        return Message("assistant", (Call("", str(item.get("name")), str(item.get("arguments") or item.get("input"))),))
    if kind.endswith("_output"):
        return Message("tool", (Result("", str(item.get("output"))),))
    parts = item.get("content")
    texts = [str(part.get("text") or "") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    said = tuple(map(Text, texts))
    if kind != "message":
        return None
    return Message("assistant", said) if item.get("role") == "assistant" else Message("user", said)


READERS = {"claude-hooks": _claude, "codex-hooks": _codex, "local": _local}
