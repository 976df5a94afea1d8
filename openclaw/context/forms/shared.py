"""What the forms have in common. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw.context.history import Attachment, Call, Message
from openclaw.errors import BadInput

FORMS = ("openai", "anthropic", "claude-code", "openclaw")
NAME = re.compile(r"[^A-Za-z0-9_-]")  # what neither API allows in the name of a tool
HINT = "`openclaw compact --help` says which forms can be read"


class Conversation(NamedTuple):
    """What a file held. `frame` is what stands around the messages, so that the file can be written as it was."""

    messages: tuple[Message, ...]
    form: str
    frame: Any = None


def wrong(where: str, what: str) -> BadInput:
    """The one way a form says no: where, and what is wrong."""
    return BadInput(f"{where}: {what}", HINT)


def text_of(content: Any) -> str:
    """The text of a content that is a string or a list of blocks; what is no text is left out."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    texts = [block.get("text") if isinstance(block, Mapping) else block for block in content]
    return "\n\n".join(text for text in texts if isinstance(text, str))


def word(value: Any) -> str:
    """A name or an id, whatever type it was given as."""
    return value if isinstance(value, str) else "" if value is None else str(value)


def arguments(call: Call) -> dict[str, Any]:
    """The arguments as an object; what the model wrote instead of one stands under `raw`."""
    try:
        found = json.loads(call.arguments)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict):
        return found
    return {"raw": call.arguments} if call.arguments.strip() else {}


def tool_name(name: str) -> str:
    """A name that both APIs take."""
    return NAME.sub("_", name)[:64] or "tool"


def stand_in(attachment: Attachment) -> str:
    """What stands for an attachment where it can't be shown; nothing for thoughts."""
    return "" if "thinking" in attachment.kind or attachment.kind == "reasoning" else f"[{attachment.kind}]"
