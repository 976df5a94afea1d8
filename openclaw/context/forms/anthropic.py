"""Messages as Anthropic's API takes them: a list, or a document with `messages` and a `system` beside them. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.context.forms.shared import arguments, stand_in, text_of, tool_name, word, wrong
from openclaw.context.history import NOTHING, Attachment, Call, Message, Part, Result, Role, Text

FORM = "anthropic"
ROLES: Mapping[str, Role] = {"user": "user", "assistant": "assistant", "system": "system"}
FOREIGN = ("image_url", "input_audio", "file", "refusal")  # attachments as only OpenAI writes them


def decode(raw: Any, where: str = "the message") -> Message:
    """One message; one that holds nothing but results has the role `tool`. BadInput names what can't be one."""
    if not isinstance(raw, Mapping):
        raise wrong(where, "a message must be an object")
    role = ROLES.get(word(raw.get("role")))
    if role is None:
        raise wrong(where, f"the role is {word(raw.get('role'))[:40]!r}, not one of {', '.join(ROLES)}")
    content = raw.get("content")
    if not isinstance(content, str | list):
        raise wrong(where, "the content must be a text or a list of blocks")
    parts = decode_content(content, where)
    only_results = role == "user" and parts and all(isinstance(part, Result) for part in parts)
    return Message("tool" if only_results else role, parts, extra={FORM: raw})


def decode_content(content: Any, where: str = "the message") -> tuple[Part, ...]:
    """The parts of a content; each block that says more than its part is kept with it."""
    if isinstance(content, str):
        return (Text(content),) if content else ()
    return tuple(_part(block, where) for block in content)


def decode_system(raw: Any, where: str = "system") -> Message:
    """The top-level system prompt of a document."""
    if not isinstance(raw, str | list):
        raise wrong(where, "system must be a text or a list of blocks")
    return Message("system", decode_content(raw, where), extra={FORM: {"role": "system", "content": raw}})


def encode(message: Message) -> dict[str, Any]:
    """As it was read, if it still says the same; else from its parts, each as it was read if it is unchanged."""
    if unchanged(message):
        return dict(message.extra[FORM])
    role = "assistant" if message.role == "assistant" else "system" if message.role == "system" else "user"
    return {"role": role, "content": [block for part in message.parts if (block := encode_part(part))]}


def unchanged(message: Message) -> bool:
    """Whether it stands in its `extra` as it is."""
    return FORM in message.extra and decode(message.extra[FORM]) == message


def encode_part(part: Part) -> dict[str, Any] | None:
    """One block, as the API takes it; None for what it would refuse: an empty text, a thought of another form."""
    if not isinstance(part, Attachment) and FORM in part.extra and _part(part.extra[FORM]) == part:
        return dict(part.extra[FORM])
    match part:
        case Text(text):
            return {"type": "text", "text": text} if text.strip() else None
        case Call(id, name):
            return {"type": "tool_use", "id": id, "name": tool_name(name), "input": arguments(part)}
        case Result(call_id, content, error):
            block = {"type": "tool_result", "tool_use_id": call_id, "content": content}
            return block | {"is_error": True} if error else block
        case Attachment(kind, data):
            if kind in FOREIGN:
                return _image(data) or {"type": "text", "text": f"[{kind}]"}
            if "thinking" in kind and not (data.get("signature") or data.get("data")):
                return None  # only what it signed itself is taken back
            if data.get("type") == kind:
                return dict(data)
            return {"type": "text", "text": words} if (words := stand_in(part)) else None


def request(history: Sequence[Message]) -> tuple[str, list[dict[str, Any]]]:
    """(the leading system prompts, messages for the next call). The history has no orphans (`repair.repaired`).

    Roles alternate and the first is the user's; results come first in their message; ids are unique.
    """
    first = next((n for n, message in enumerate(history) if message.role != "system"), len(history))
    system = "\n\n".join(message.text for message in history[:first] if message.text)
    found: list[dict[str, Any]] = []
    ids = _Ids()
    for message in history[first:]:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = [block for part in message.parts if (block := encode_part(part))]
        blocks = [block for block in blocks if block["type"] != "text" or str(block.get("text")).strip()]
        ids.settle(blocks)
        if role == "assistant":
            while blocks and "thinking" in blocks[-1]["type"]:  # nothing came of the thought
                blocks.pop()
        if not blocks:
            continue
        if found and found[-1]["role"] == role:
            found[-1]["content"] += blocks
        else:
            found.append({"role": role, "content": blocks})
    for each in found:
        each["content"].sort(key=lambda block: block["type"] != "tool_result" and each["role"] == "user")
    if found and found[0]["role"] == "assistant":
        found.insert(0, {"role": "user", "content": [{"type": "text", "text": "(continued)"}]})
    return system, found


def listed(history: Sequence[Message]) -> list[dict[str, Any]]:
    """The same as one list. It has no place for a system prompt, so that one leads the first message of the user."""
    system, found = request(history)
    if system.strip():
        block = {"type": "text", "text": system}
        if found and found[0]["role"] == "user" and not _answers(found[0]):
            found[0]["content"].insert(0, block)
        else:
            found.insert(0, {"role": "user", "content": [block]})
    return found


class _Ids:
    """Ids that the API takes: of its letters, and each used once. A result has that of the call before it."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._now: dict[str, list[str]] = {}

    def settle(self, blocks: list[dict[str, Any]]) -> None:
        if any(block["type"] == "tool_use" for block in blocks):
            self._now = {}
        for number, block in enumerate(blocks):
            if block["type"] == "tool_use":
                blocks[number] = {**block, "id": self._fresh(block["id"])}
            elif block["type"] == "tool_result":
                waiting = self._now.get(block["tool_use_id"])
                blocks[number] = {**block, "tool_use_id": waiting.pop(0) if waiting else block["tool_use_id"]}

    def _fresh(self, given: str) -> str:
        clean = base = tool_name(given)
        count = 1
        while clean in self._used:
            count += 1
            clean = f"{base[:56]}_{count}"
        self._used.add(clean)
        self._now.setdefault(given, []).append(clean)
        return clean


def _answers(message: Mapping[str, Any]) -> bool:
    return any(block["type"] == "tool_result" for block in message["content"])


def _part(block: Any, where: str = "the message") -> Part:
    if isinstance(block, str):
        return Text(block)
    if not isinstance(block, Mapping):
        raise wrong(where, "a block of the content must be an object")
    kind = word(block.get("type"))
    extra: Mapping[str, Any] = {FORM: block}
    if kind == "text":
        return Text(word(block.get("text")), extra if len(block) > 2 else NOTHING)
    if kind == "tool_use":
        given = json.dumps(block.get("input", {}), ensure_ascii=False)
        return Call(word(block.get("id")), word(block.get("name")), given, extra)
    if kind == "tool_result":
        plain = isinstance(block.get("content"), str) and len(block) - ("is_error" in block) == 3
        error = bool(block.get("is_error"))
        content = text_of(block.get("content"))
        return Result(word(block.get("tool_use_id")), content, error, NOTHING if plain else extra)
    return Attachment(kind or "block", block)


def _image(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """An image of OpenAI's form in this one's."""
    given = data.get("image_url")
    url = word(given.get("url") if isinstance(given, Mapping) else given)
    if url.startswith("data:") and ";base64," in url:
        kind, _, content = url[5:].partition(";base64,")
        return {"type": "image", "source": {"type": "base64", "media_type": kind, "data": content}}
    return {"type": "image", "source": {"type": "url", "url": url}} if url.startswith("http") else None
