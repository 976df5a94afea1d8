"""A conversation out of the bytes of a file, in whatever form it is, and the list of messages that goes out. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.context.forms import anthropic, claude_code, log, openai
from openclaw.context.forms.shared import FORMS, Conversation, word, wrong
from openclaw.context.history import Message

INSIDE = ("messages", "history", "traj")  # where a document keeps its messages: both APIs, SWE-agent, tau-bench
ANTHROPIC_BLOCKS = {"tool_use", "tool_result", "thinking", "redacted_thinking", "document", "server_tool_use"}
API_OF = {"openai": "openai", "anthropic": "anthropic", "claude-code": "anthropic", "openclaw": "openclaw"}


def read(data: bytes, form: str = "auto", where: str = "the input") -> Conversation:
    """The conversation in a file. BadInput says in one line what is wrong, and at which line or position."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise wrong(where, f"not UTF-8 at byte {error.start}") from error
    if not text.strip():
        raise wrong(where, "it is empty")
    document, lines = _parsed(text, form, where)
    if lines is not None:
        form = _form_of_lines(lines) if form == "auto" else form
        if form == claude_code.FORM:
            found = claude_code.decode(lines, where)
        elif form == log.FORM:
            found = log.decode(lines, where)
        else:  # one message a line
            found = _messages(lines, form, where)._replace(frame=("lines", lines))
        if not found.messages:
            raise wrong(where, f"no message in it is of the form {found.form}")
        return found
    if form in (claude_code.FORM, log.FORM) and not isinstance(document, list):
        raise wrong(where, f"the form {form} is one JSON object per line")
    return _document(document, form, where)


def write(conversation: Conversation) -> str:
    """The file again. What was not changed says the same as when it was read."""
    form, frame, messages = conversation.form, conversation.frame, conversation.messages
    if form == claude_code.FORM:
        return claude_code.dumps(claude_code.encode(conversation))
    if form == log.FORM and not isinstance(frame, Mapping):
        return claude_code.dumps(log.encode(conversation))
    codec = {"openai": openai.encode, "anthropic": anthropic.encode, "openclaw": log.record}[form]
    system: list[Any] = []
    if isinstance(frame, Mapping) and "system" in frame["document"] and messages and messages[0].role == "system":
        system, messages = [codec(messages[0])["content"]], messages[1:]
    written = [codec(message) for message in messages]
    if isinstance(frame, Mapping):
        beside = {"system": system[0]} if system else {}
        return json.dumps({**frame["document"], **beside, frame["key"]: written})
    return claude_code.dumps(written) if frame else json.dumps(written)


def listed(history: Sequence[Message], to: str) -> list[dict[str, Any]]:
    """What the next call needs, as one list of messages in the form of an API; the history has no orphans."""
    if to == anthropic.FORM:
        return anthropic.listed(history)
    return openai.request(history) if to == openai.FORM else [log.record(message) for message in history]


def model_of(conversation: Conversation) -> str:
    """The model that spoke last in it, as far as its form says; else empty."""
    for line in reversed(conversation.frame if isinstance(conversation.frame, tuple | list) else ()):
        said = line.get("message", line) if isinstance(line, Mapping) else None
        model = said.get("model") if isinstance(said, Mapping) and said.get("role") == "assistant" else None
        if isinstance(model, str) and model and model != claude_code.SYNTHETIC:
            return model
    return ""


def _parsed(text: str, form: str, where: str) -> tuple[Any, list[Any] | None]:
    """(a JSON document, None), or (None, what stands in each line)."""
    if form not in (claude_code.FORM, log.FORM):
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            whole: Exception = error
        else:
            single = isinstance(document, Mapping) and not any(key in document for key in INSIDE)
            return (None, [document]) if single else (document, None)
    else:
        try:
            if isinstance(document := json.loads(text), list):
                return document, None
        except (ValueError, RecursionError):
            pass
        whole = ValueError("no line is JSON")
    rows = text.split("\n")  # not splitlines: U+2028 may stand inside of a JSON text
    lines: list[Any] = []
    bad: tuple[int, ValueError] | None = None
    for number, row in enumerate(rows):
        if not row.strip():
            continue
        try:
            lines.append(json.loads(row))
        except (ValueError, RecursionError) as error:
            torn = number == len(rows) - 1
            if not torn and bad is None:
                bad = number, error if isinstance(error, ValueError) else ValueError("nested too deep")
            lines.append(row)  # kept for the way back
    objects = [line for line in lines if isinstance(line, Mapping)]
    if not objects or (len(objects) == 1 and len(rows) > 1 and len(lines) > 2) or text.lstrip()[:1] == "[":
        raise wrong(where, _said(whole)) from whole
    if bad and not (form == log.FORM or any(line.get("v") == log.VERSION for line in objects[:5])):
        raise wrong(where, f"line {bad[0] + 1}: {_said(bad[1], line=False)}") from bad[1]
    return None, lines


def _said(error: Exception, line: bool = True) -> str:
    if isinstance(error, json.JSONDecodeError):
        place = f"line {error.lineno}, column {error.colno}" if line else f"column {error.colno}"
        return f"not JSON at {place}: {error.msg}"
    return f"not JSON: {error}" if isinstance(error, ValueError) else "not JSON: nested too deep"


def _form_of_lines(lines: Sequence[Any]) -> str:
    objects = [line for line in lines if isinstance(line, Mapping)]
    if any(line.get("v") == log.VERSION and "type" in line for line in objects):
        return log.FORM
    return claude_code.FORM if any(claude_code.is_transcript(line) for line in objects) else "auto"


def _document(document: Any, form: str, where: str) -> Conversation:
    if isinstance(document, list):
        if document and all(isinstance(each, Mapping) and "role" not in each for each in document):
            if inside := [each for each in document if any(isinstance(each.get(key), list) for key in INSIDE)]:
                key = next(key for key in INSIDE if key in inside[0])
                raise wrong(where, f"it holds {len(inside)} conversations; give one of them: jq '.[0].{key}'")
            if any(claude_code.is_transcript(each) for each in document):
                return claude_code.decode(document, where)
        return _messages(document, form, where)
    if not isinstance(document, Mapping):
        raise wrong(where, "neither a list of messages nor a document that has one")
    key = next(key for key in INSIDE if key in document)
    if not isinstance(document[key], list):
        raise wrong(where, f"{key} must be a list of messages")
    system = document.get("system") if form in ("auto", anthropic.FORM) else None
    found = _messages(document[key], anthropic.FORM if system is not None else form, where)
    messages = found.messages
    if system is not None:
        messages = (anthropic.decode_system(system, f"{where}: system"), *messages)
    return Conversation(messages, found.form, {"document": document, "key": key})


def _messages(raw: Sequence[Any], form: str, where: str) -> Conversation:
    if not raw:
        raise wrong(where, "it holds no message")
    if form not in FORMS:
        form = _form(raw)
    decode = {"openai": openai.decode, "openclaw": log.read_record}.get(form, anthropic.decode)
    messages = tuple(decode(each, f"{where}: message {number}") for number, each in enumerate(raw, 1))
    return Conversation(messages, "openai" if form == "auto" else form)


def _form(raw: Sequence[Any]) -> str:
    """The API whose form these messages have; where both read the same, OpenAI's."""
    for each in raw:
        if not isinstance(each, Mapping):
            continue
        if isinstance(each.get("parts"), list):
            return log.FORM
        if word(each.get("role")) in ("tool", "developer", "function") or "tool_calls" in each:
            return openai.FORM
        content = each.get("content")
        for block in content if isinstance(content, list) else ():
            if isinstance(block, Mapping) and (block.get("type") in ANTHROPIC_BLOCKS or "source" in block):
                return anthropic.FORM
    return openai.FORM
