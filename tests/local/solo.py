"""The agent without its window: in this process, against a server that answers whatever bytes the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from openclaw.local import tools
from openclaw.local.agent import Agent
from openclaw.local.budget import Budget
from openclaw.local.conversation import Conversation
from openclaw.local.place import Place
from openclaw.local.retry import Retry
from openclaw.local.wire import Limits
from openclaw.models.targets import Target
from tests.loopback import chat
from tests.loopback.api import Reply


class Seen:
    """A screen that remembers."""

    def __init__(self) -> None:
        self.said = ""
        self.lines: list[tuple[str, str]] = []
        self.doing: list[str] = []

    def text(self, more: str) -> None:
        self.said += more

    def text_end(self) -> None:
        self.said += "\n" if self.said and not self.said.endswith("\n") else ""

    def line(self, text: str, kind: str = "note") -> None:
        self.lines.append((kind, text))

    def status(self, doing: str) -> None:
        self.doing.append(doing)


class Solo:
    """One agent in a folder, and all that it reported."""

    def __init__(self, folder: Path, url: str, **more: Any) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir(exist_ok=True)
        self.screen = Seen()
        self.reports: list[tuple[str, dict[str, Any]]] = []
        self.slept: list[float] = []
        target = Target("ollama", "test", url, more.pop("wire", "openai"), "key", more.pop("window", 32_768), True)
        scope = more.pop("scope", {"read": [f"{self.work}/**"], "write": [f"{self.work}/**"]})
        place = Place(str(self.work), scope, str(folder), str(folder / "results"), environ={"PATH": "/usr/bin:/bin"})
        self.agent = Agent(
            Conversation(str(folder / "log.jsonl")),
            place._replace(**more.pop("place", {})),
            tools.TOOLS,
            target,
            self.screen,
            lambda event, **data: self.reports.append((event, data)),
            Budget(more.pop("budget", None)),
            more.pop("limits", Limits(silence_s=20.0)),
            Retry(sleep=self._sleep, tries=more.pop("tries", 3)),
            **more,
        )
        if not self.agent.conversation.messages:
            self.agent.conversation.system("You are tested.")

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def close(self) -> None:
        self.agent.conversation.close()


class Raw:
    """A server that gives each request the next of these bytes, and closes the connection. `requests` are bodies."""

    def __init__(self, *answers: bytes | Callable[[int], bytes]) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []

    async def __aenter__(self) -> Raw:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            self.requests.append(await reader.readexactly(length))
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            writer.write(answer(len(self.requests)) if callable(answer) else answer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # who asks hangs up when it has enough
        finally:
            writer.close()


def http(body: str | bytes, status: str = "200 OK", kind: str = "text/event-stream", headers: str = "") -> bytes:
    """A whole answer; its end is the end of the connection, so that nothing but its content says when it is whole."""
    body = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close\r\n{headers}\r\n".encode() + body


def chunked(body: bytes, sizes: Sequence[int] = (50,)) -> bytes:
    """The same with chunked transfer."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    parts, at, number = [], 0, 0
    while at < len(body):
        part = body[at : at + sizes[number % len(sizes)]]
        parts.append(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        at, number = at + len(part), number + 1
    return head + b"".join(parts) + b"0\r\n\r\n"


def events(reply: Reply, number: int = 1) -> str:
    """What Chat Completions streams for a reply."""
    return chat.stream(reply, number, {"model": "test"})
