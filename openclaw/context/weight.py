"""What a message takes, by a count of its texts. Pure."""

from __future__ import annotations

from collections.abc import Callable

from openclaw.context.history import Attachment, Call, Message, Result, Text
from openclaw.context.tokens import estimate

MESSAGE, CALL, ATTACHMENT = 4, 8, 1_200  # tokens of a message, of a call or a result, and of an image, besides the text

Count = Callable[[str], int]


def tokens(message: Message, count: Count = estimate) -> int:
    """What a message takes; by default an estimate."""
    total = MESSAGE
    for part in message.parts:
        match part:
            case Text(text):
                total += count(text)
            case Call(_, name, arguments):
                total += CALL + count(name) + count(arguments)
            case Result(_, content):
                total += CALL + count(content)
            case Attachment(kind, data):
                total += count(str(data.get("thinking", ""))) if "thinking" in kind else ATTACHMENT
    return total
