"""How the same script sounds in the Responses API, `POST /v1/responses`: what its requests say, and its replies.

A reply's tools are called as the request offers them: one that takes free text (`custom`) gets the `input` of the tool
as it stands, any other gets JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.loopback.api import Reply, Usage

PATH = "/v1/responses"


def is_turn(body: dict[str, Any]) -> bool:
    """Tools are offered, and the answer may be anything: a title has a form."""
    return bool(_tools(body)) and "format" not in body.get("text", {})


def texts(item: dict[str, Any]) -> Iterator[str]:
    """All that one item of a request's input says: a message, or the result of a tool."""
    said = item.get("content") or item.get("output") or ""
    if isinstance(said, str):
        yield said
    else:
        yield from (part["text"] for part in said if isinstance(part.get("text"), str))


def stream(reply: Reply, number: int, request: dict[str, Any]) -> str:
    """The reply as server-sent events."""
    items: list[dict[str, Any]] = []
    if reply.text:
        said = {"type": "output_text", "text": reply.text, "annotations": []}
        items.append({"type": "message", "role": "assistant", "id": f"msg_{number:06d}", "content": [said]})
    offered = dict(_offered(_tools(request)))
    for index, tool in enumerate(reply.tools):
        kind, within = offered.get(tool.name, ("function", {}))
        call = {"id": f"fc_{number:06d}{index:02d}", "call_id": f"call_{number:06d}{index:02d}", "name": tool.name}
        call |= within
        if kind == "custom":
            items.append(call | {"type": "custom_tool_call", "input": tool.input["input"]})
        else:
            items.append(call | {"type": "function_call", "arguments": json.dumps(tool.input)})
    made = {"id": f"resp_{number:06d}", "object": "response", "model": request.get("model")}
    events: list[dict[str, Any]] = [{"type": "response.created", "response": made | {"status": "in_progress"}}]
    events += ({"type": "response.output_item.done", "output_index": i, "item": x} for i, x in enumerate(items))
    done = made | {"status": "completed", "output": items, "usage": _usage(reply.usage)}
    events.append({"type": "response.completed", "response": done})
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)


def _tools(body: dict[str, Any]) -> list[dict[str, Any]]:
    """What is offered: with the request itself, or for newer models as items of its input."""
    added = (item["tools"] for item in body.get("input", []) if item.get("type") == "additional_tools")
    return [*body.get("tools", []), *(tool for tools in added for tool in tools)]


def _offered(tools: list[dict[str, Any]]) -> Iterator[tuple[str, tuple[str, dict[str, str]]]]:
    """By name the kind of each tool, and the namespace that a call of it has to name."""
    for tool in tools:
        if tool["type"] == "namespace":
            yield from ((t["name"], (t["type"], {"namespace": tool["name"]})) for t in tool["tools"])
        else:
            yield tool.get("name", tool["type"]), (tool["type"], {})


def error(status: int, text: str) -> dict[str, Any]:
    return {"error": {"message": text or "failed", "type": "invalid_request_error", "code": str(status)}}


def _usage(used: Usage) -> dict[str, Any]:
    """Here the input holds what came from caches and what went into them; elsewhere they are counted apart."""
    sent = used.input + used.cache_write + used.cache_read
    return {
        "input_tokens": sent,
        "input_tokens_details": {"cached_tokens": used.cache_read, "cache_write_tokens": used.cache_write},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": sent + used.output,
    }
