"""Asking a model: the neutral conversation out, its answer in as it comes, and what went wrong in one kind of error.

pydantic-ai speaks the wire; retries, the log and the loop are ours, so its own and those of its SDKs are off.
"""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_ai.direct import model_request_stream
from pydantic_ai.exceptions import ModelAPIError, ModelContextWindowExceededError, ModelTimeoutError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ModelResponse,
    ModelResponsePart,
    PartDeltaEvent,
    PartStartEvent,
    SystemPromptPart,
    TextPart,
    TextPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from openclaw.context.history import Attachment, Call, Message, Part, Result, Text, Usage
from openclaw.local.endpoints import Target

if TYPE_CHECKING:
    from openclaw.local.tools import Tool

CHARS_PER_TOKEN = 8  # more text than this for each allowed token is no answer any more
MOST_TOKENS = 10**9  # a server that reports more does not know
TRIED_AGAIN = (408, 409, 425, 429)
OVERFLOW = ("context length", "context_length", "context window", "maximum context", "too many tokens",
            "prompt is too long", "exceeds the available context", "exceed_context_size")  # fmt: skip


class WireError(Exception):
    """No answer. `kind`: again (trying once more may help), overflow (the conversation is too long), or final.

    `after` are the seconds the server asked to wait.
    """

    def __init__(self, kind: str, message: str, after: float | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.after = kind, message, after


class Answer(NamedTuple):
    """What the model said. `cut`: why it is not whole, for people; `known`: its usage is the server's own."""

    message: Message
    cut: str
    known: bool


class Limits(NamedTuple):
    """Of one answer: its tokens, and the seconds in which something has to come."""

    tokens: int = 8192
    silence_s: float = 600.0


def connect(target: Target, limits: Limits) -> Model:
    """The model as pydantic-ai knows it. Nothing is sent yet."""
    if target.wire == "anthropic":
        from anthropic import AsyncAnthropic  # a second, and few need both
        from pydantic_ai.models.anthropic import AnthropicModel
        from pydantic_ai.providers.anthropic import AnthropicProvider

        client = AsyncAnthropic(api_key=target.key, base_url=target.url, max_retries=0, timeout=limits.silence_s)
        return AnthropicModel(target.model, provider=AnthropicProvider(anthropic_client=client))
    from openai import AsyncOpenAI  # as above
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    openai = AsyncOpenAI(api_key=target.key or "none", base_url=target.url, max_retries=0, timeout=limits.silence_s)
    # an answer that says why it ends is whole; one that just ends has broken off
    profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
    provider = OpenAICompatibleProvider(target.endpoint, openai_client=openai, profile=profile)
    return OpenAIChatModel(target.model, provider=provider)


async def ask(
    model: Model,
    history: Sequence[Message],
    tools: Iterable[Tool],
    limits: Limits,
    on_text: Callable[[str], None],
) -> Answer:
    """One model call. `on_text` gets the text as it comes. WireError for everything but an answer."""
    parameters = ModelRequestParameters(
        function_tools=[
            ToolDefinition(name=t.name, parameters_json_schema=t.schema, description=t.about) for t in tools
        ]
    )
    settings = ModelSettings(max_tokens=limits.tokens)
    most, seen = limits.tokens * CHARS_PER_TOKEN, 0
    try:
        async with model_request_stream(
            model, outgoing(history), model_settings=settings, model_request_parameters=parameters
        ) as stream:
            events: AsyncIterator[Any] = stream.__aiter__()
            while True:
                try:
                    event = await asyncio.wait_for(anext(events), limits.silence_s)
                except StopAsyncIteration:
                    break
                text, more = _said(event)
                seen += len(text) + more
                if text:
                    on_text(text)
                if seen > most:
                    break
            response = stream.get()
            usage = stream.usage() if callable(stream.usage) else stream.usage
    except (TimeoutError, ModelTimeoutError):
        raise WireError("again", f"nothing came for {limits.silence_s:g} s") from None
    except ModelAPIError as error:
        raise _refused(error) from error
    except Exception as error:  # whatever a server can send: no JSON, or JSON of any other shape
        raise WireError("again", f"the server's answer can't be understood: {_line(error)}") from error
    cut = ""
    if seen > most:
        cut = f"its answer was endless and cut after {seen} characters"
    elif response.finish_reason is None and not (response.provider_details or {}).get("finish_reason"):
        raise WireError("again", "the answer broke off")
    elif response.finish_reason in ("length", "content_filter", "error"):
        cut = {"length": f"its answer was cut at {limits.tokens} tokens"}.get(
            response.finish_reason, f"its answer ended early ({response.finish_reason})"
        )
    return _answer(response, usage, cut, {call.id for message in history for call in message.calls})


def cost(target: Target, usage: Usage | None) -> float:
    """US dollars of one call, by the prices that pydantic-ai knows; 0 on one's own machine and for what is unknown."""
    if target.free or not usage:
        return 0.0
    from genai_prices import calc_price  # only where it costs anything
    from genai_prices.types import Usage as Priced

    used = Priced(
        input_tokens=usage.context,
        cache_write_tokens=usage.cache_write,
        cache_read_tokens=usage.cache_read,
        output_tokens=usage.output,
    )
    provider, _, model = target.model.rpartition("/")
    try:
        return float(calc_price(used, model, provider_id=provider or target.endpoint).total_price)
    except (LookupError, ValueError):
        return 0.0


# --- out


def outgoing(history: Sequence[Message]) -> list[ModelMessage]:
    """The conversation as pydantic-ai has it. Attachments of other providers stay out."""
    names = {call.id: call.name for message in history for call in message.calls}
    found: list[ModelMessage] = []
    for message in history:
        if message.role == "assistant":
            if told := [said for part in message.parts if (said := _told(part))]:
                found.append(ModelResponse(told))
            continue
        asked = [each for part in message.parts if (each := _asked(message.role, part, names))]
        if asked and found and isinstance(found[-1], ModelRequest):
            found[-1] = ModelRequest([*found[-1].parts, *asked])
        elif asked:
            found.append(ModelRequest(asked))
    return found


def _told(part: Part) -> ModelResponsePart | None:
    if isinstance(part, Text) and part.text:
        return TextPart(part.text)
    if isinstance(part, Call):
        return ToolCallPart(part.name, _arguments(part.arguments), tool_call_id=part.id)
    return None


def _asked(role: str, part: Part, names: dict[str, str]) -> ModelRequestPart | None:
    if isinstance(part, Result):
        return ToolReturnPart(names.get(part.call_id, "tool"), part.content, tool_call_id=part.call_id)
    if isinstance(part, Attachment) or not isinstance(part, Text):
        return None
    return SystemPromptPart(part.text) if role == "system" else UserPromptPart(part.text)


def _arguments(text: str) -> str:
    """What servers take as arguments: what was no JSON object is wrapped, for some refuse all that holds it."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    return text or "{}" if isinstance(found, dict) else json.dumps({"not_json": text})


# --- in


def _said(event: Any) -> tuple[str, int]:
    """The text of one event, and how many characters of anything else it brought."""
    if isinstance(event, PartStartEvent):
        if isinstance(event.part, TextPart):
            return event.part.content, 0
        return "", len(str(getattr(event.part, "args", "") or getattr(event.part, "content", "") or ""))
    if isinstance(event, PartDeltaEvent):
        if isinstance(event.delta, TextPartDelta):
            return event.delta.content_delta, 0
        if isinstance(event.delta, ToolCallPartDelta):
            return "", len(str(event.delta.args_delta or "")) + len(event.delta.tool_name_delta or "")
        return "", len(str(getattr(event.delta, "content_delta", "") or ""))
    return "", 0


def _answer(response: ModelResponse, usage: Any, cut: str, taken: set[str]) -> Answer:
    """`taken` are ids of earlier calls: some servers count from nought in every answer."""
    parts: list[Part] = []
    for part in response.parts:
        if isinstance(part, TextPart) and part.content:
            parts.append(Text(part.content))
        elif isinstance(part, ToolCallPart) and not (cut and not _whole(part)):
            arguments = part.args if isinstance(part.args, str) else json.dumps(part.args or {})
            id = part.tool_call_id if part.tool_call_id not in taken else f"call_{uuid.uuid4().hex[:12]}"
            taken.add(id)
            parts.append(Call(id, part.tool_name, arguments))
    counted = _usage(usage)
    message = Message("assistant", tuple(parts), id=uuid.uuid4().hex, usage=counted)
    return Answer(message, cut, bool(counted.context))


def _whole(part: ToolCallPart) -> bool:
    try:
        return isinstance(part.args, dict) or isinstance(json.loads(part.args or ""), dict)
    except ValueError:
        return False


def _usage(usage: Any) -> Usage:
    """What the server reported; zeros for what can't be."""
    counts = [getattr(usage, f"{name}_tokens", 0) for name in ("input", "cache_write", "cache_read", "output")]
    if not all(isinstance(n, int) and 0 <= n < MOST_TOKENS for n in counts):
        return Usage()
    sent, written, read, output = counts
    return Usage(max(0, sent - written - read), written, read, output)  # here the input holds all three


def _refused(error: ModelAPIError) -> WireError:
    status = getattr(error, "status_code", None)
    text = _line(error)
    if isinstance(error, ModelContextWindowExceededError) or (
        status in (400, 413, 422, 500) and any(words in text.lower() for words in OVERFLOW)
    ):
        return WireError("overflow", text)
    if status is None or status in TRIED_AGAIN or status >= 500:
        return WireError("again", text, error.retry_after)
    return WireError("final", text)


def _line(error: BaseException) -> str:
    """What happened, in one line: what the server itself says where it says something."""
    body = getattr(error, "body", None)
    status = getattr(error, "status_code", None)
    said: Any = body
    for key in ("error", "message"):
        said = said.get(key, said) if isinstance(said, dict) else said
    cause = error.__cause__
    while status is None and cause is not None and cause.__cause__ is not None:
        cause = cause.__cause__  # the connection's own words say more than the SDK's
    text = said if isinstance(said, str) and said else str(cause or error) or type(error).__name__
    return " ".join(f"{f'HTTP {status}: ' if status else ''}{text}".split())[:300]
