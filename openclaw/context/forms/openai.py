"""Chat messages as OpenAI's API takes them, and the many servers that speak it. Pure.

`decode` keeps each message as it was read beside what it means, so that `encode` gives it back; `request` writes what
an API accepts, whatever form the history came from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.context.forms.shared import arguments, stand_in, text_of, tool_name, word, wrong
from openclaw.context.history import Attachment, Call, Message, Part, Result, Role, Text

FORM = "openai"
ROLES: Mapping[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    "function": "tool",
}  # fmt: skip


def decode(raw: Any, where: str = "the message") -> Message:
    """One message. BadInput names what can't be one."""
    if not isinstance(raw, Mapping):
        raise wrong(where, "a message must be an object")
    role = ROLES.get(word(raw.get("role")))
    if role is None:
        raise wrong(where, f"the role is {word(raw.get('role'))[:40]!r}, not one of {', '.join(ROLES)}")
    content = raw.get("content")
    if content is not None and not isinstance(content, str | list):
        raise wrong(where, "the content must be a text, a list of parts or null")
    parts: list[Part]
    if role == "tool":
        parts = [Result(_answers(raw), text_of(content))]
    else:
        parts = _content(content)
        calls = raw.get("tool_calls")
        if calls is not None and not isinstance(calls, list):
            raise wrong(where, "tool_calls must be a list")
        parts += [_call(call, where) for call in calls or ()]
        if isinstance(old := raw.get("function_call"), Mapping):  # as it was before there were tool calls
            parts.append(Call(word(old.get("name")), word(old.get("name")), _json(old.get("arguments"))))
    return Message(role, tuple(parts), extra={FORM: raw})


def encode(message: Message) -> dict[str, Any]:
    """As it was read, if it still says the same; else what the API takes (several results don't fit one message)."""
    if unchanged(message):
        return dict(message.extra[FORM])
    return request([message])[-1]


def unchanged(message: Message) -> bool:
    """Whether it stands in its `extra` as it is."""
    return FORM in message.extra and decode(message.extra[FORM]) == message


def request(history: Sequence[Message]) -> list[dict[str, Any]]:
    """The messages for the next call. The history has no orphans (`repair.repaired`)."""
    found: list[dict[str, Any]] = []
    for message in history:
        if unchanged(message) and (raw := _acceptable(message)):
            found.append(raw)
            continue
        found += [_result(result) for result in message.results]
        if message.role == "tool" or not (said := [p for p in message.parts if not isinstance(p, Result)]):
            continue
        new: dict[str, Any] = {"role": message.role, "content": _said(said)}
        if message.role == "assistant" and (calls := message.calls):
            new["content"] = new["content"] or None
            new["tool_calls"] = [_asked(call) for call in calls]
        found.append(new)
    return found


def _content(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [Text(content)] if content else []
    parts: list[Part] = []
    for block in content or ():
        if isinstance(block, str):
            parts.append(Text(block))
        elif isinstance(block, Mapping) and isinstance(text := block.get("text") or block.get("refusal"), str):
            parts.append(Text(text))
        elif isinstance(block, Mapping):
            parts.append(Attachment(word(block.get("type")) or "part", block))
    return parts


def _call(raw: Any, where: str) -> Call:
    inner = raw.get("function", raw.get("custom")) if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(inner, Mapping):
        raise wrong(where, "a tool call must be an object with a function")
    return Call(word(raw.get("id")), word(inner.get("name")), _json(inner.get("arguments", inner.get("input"))))


def _json(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _answers(raw: Mapping[str, Any]) -> str:
    """The call that a result answers, by the names that are in use for it."""
    several = raw.get("tool_call_ids")
    return word(raw.get("tool_call_id") or (several[0] if isinstance(several, list) and several else raw.get("name")))


def _acceptable(message: Message) -> dict[str, Any] | None:
    """The message as it was read, where the API takes it so; a result is given the field the API wants."""
    raw: Mapping[str, Any] = message.extra[FORM]
    if message.role == "tool":
        return {**raw, "role": "tool", "tool_call_id": message.results[0].call_id} if "content" in raw else None
    if "function_call" in raw or any(_asked(call) != _as_read(call, raw) for call in message.calls):
        return None
    return dict(raw) if message.calls or isinstance(raw.get("content"), str | list) else None


def _as_read(call: Call, raw: Mapping[str, Any]) -> Any:
    """The call as it stands in the message, less what servers write besides."""
    for known in raw.get("tool_calls") or ():
        if known.get("id") == call.id and known.get("function", {}).get("arguments") == call.arguments:
            return {"id": call.id, "type": "function", "function": {
                "name": known["function"].get("name"), "arguments": call.arguments}}  # fmt: skip
    return None


def _asked(call: Call) -> dict[str, Any]:
    try:
        json.loads(call.arguments)
        written = call.arguments
    except (ValueError, RecursionError):
        written = json.dumps(arguments(call))
    return {"id": call.id, "type": "function", "function": {"name": tool_name(call.name), "arguments": written}}


def _result(result: Result) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": result.call_id, "content": result.content}


def _said(parts: Sequence[Part]) -> str | list[dict[str, Any]]:
    """A text where text is all there is; else a list of parts."""
    blocks: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Text) and part.text:
            blocks.append({"type": "text", "text": part.text})
        elif isinstance(part, Attachment) and (block := _attached(part)):
            blocks.append(block)
    if all(block["type"] == "text" for block in blocks):
        return "\n\n".join(block["text"] for block in blocks)
    return blocks


def _attached(part: Attachment) -> dict[str, Any] | None:
    if part.kind in ("image_url", "input_audio", "file"):
        return dict(part.data)
    source = part.data.get("source")
    if part.kind == "image" and isinstance(source, Mapping):  # as Anthropic writes it
        url = source.get("url") or f"data:{source.get('media_type')};base64,{source.get('data')}"
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "text", "text": text} if (text := stand_in(part)) else None
