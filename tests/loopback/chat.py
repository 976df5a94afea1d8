"""How the same script sounds in Chat Completions, `POST /v1/chat/completions`, always as a stream."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.loopback.api import Reply, Usage

PATH = "/v1/chat/completions"


def is_turn(body: dict[str, Any]) -> bool:
    """Every request is one."""
    return bool(body.get("messages"))


def stream(reply: Reply, number: int, request: dict[str, Any]) -> str:
    """The reply as server-sent events: text word by word, then each call in two pieces, then why it ends and usage."""
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks(reply, number, request)) + "data: [DONE]\n\n"


def chunks(reply: Reply, number: int, request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What the events say."""
    head = {"id": f"chatcmpl-{number:06d}", "object": "chat.completion.chunk", "model": request.get("model")}

    def chunk(delta: dict[str, Any], why: str | None = None) -> dict[str, Any]:
        return head | {"created": 1_790_000_000, "choices": [{"index": 0, "delta": delta, "finish_reason": why}]}

    yield chunk({"role": "assistant", "content": ""})
    for piece in re.findall(r"\s*\S+|\s+$", reply.text):
        yield chunk({"content": piece})
    for index, tool in enumerate(reply.tools):
        text = json.dumps(tool.input)
        call = {"index": index, "id": f"call_{number:06d}{index:02d}", "type": "function"}
        yield chunk({"tool_calls": [call | {"function": {"name": tool.name, "arguments": text[:5]}}]})
        yield chunk({"tool_calls": [{"index": index, "function": {"arguments": text[5:]}}]})
    yield chunk({}, "tool_calls" if reply.tools else "stop")
    yield head | {"created": 1_790_000_000, "choices": [], "usage": _usage(reply.usage)}


def error(status: int, text: str) -> dict[str, Any]:
    return {"error": {"message": text or "failed", "type": "api_error", "code": None}}


def _usage(used: Usage) -> dict[str, Any]:
    """Here the input holds what came from caches."""
    sent = used.input + used.cache_write + used.cache_read
    return {
        "prompt_tokens": sent,
        "completion_tokens": used.output,
        "total_tokens": sent + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cache_read},
    }
