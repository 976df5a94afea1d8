"""What the two APIs refuse, checked apart from the code that writes for them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def openai_faults(messages: Sequence[Any]) -> list[str]:
    """Every reason to refuse these messages."""
    faults = []
    waiting: list[str] = []
    for number, message in enumerate(messages):
        role = message.get("role")
        if role not in ("system", "developer", "user", "assistant", "tool"):
            faults.append(f"{number}: role {role}")
        if role == "tool":
            if message.get("tool_call_id") not in waiting:
                faults.append(f"{number}: a result without its call")
            else:
                waiting.remove(message["tool_call_id"])
            if not isinstance(message.get("content"), str | list):
                faults.append(f"{number}: a result without content")
            continue
        if waiting:
            faults.append(f"{number}: calls without results: {waiting}")
        waiting = []
        calls = message.get("tool_calls") or []
        if message.get("content") is None and not calls:
            faults.append(f"{number}: neither content nor calls")
        if calls and role != "assistant":
            faults.append(f"{number}: calls of the {role}")
        for call in calls:
            waiting.append(call["id"])
            json.loads(call["function"]["arguments"])
            if not NAME.fullmatch(call["function"]["name"]):
                faults.append(f"{number}: name {call['function']['name']!r}")
    return faults + ([f"the end: calls without results: {waiting}"] if waiting else [])


def anthropic_faults(messages: Sequence[Any]) -> list[str]:
    """Every reason to refuse these messages."""
    faults = []
    waiting: list[str] = []
    used: set[str] = set()
    for number, message in enumerate(messages):
        role, content = message["role"], message["content"]
        if role != ("user", "assistant")[number % 2]:
            faults.append(f"{number}: role {role}")
        if not content:
            faults.append(f"{number}: empty")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if sorted(results) != sorted(waiting):
            faults.append(f"{number}: results {results} for calls {waiting}")
        if any(block["type"] != "tool_result" for block in blocks[: len(results)]):
            faults.append(f"{number}: results are not first")
        waiting = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if waiting and role != "assistant":
            faults.append(f"{number}: calls of the user")
        for block in blocks:
            if block["type"] == "text" and not block["text"].strip():
                faults.append(f"{number}: an empty text")
            if block["type"] == "tool_use":
                if block["id"] in used or not NAME.fullmatch(block["id"]) or not isinstance(block["input"], dict):
                    faults.append(f"{number}: call {block}")
                used.add(block["id"])
                if not NAME.fullmatch(block["name"]):
                    faults.append(f"{number}: name {block['name']!r}")
    return faults + ([f"the end: calls without results: {waiting}"] if waiting else [])
