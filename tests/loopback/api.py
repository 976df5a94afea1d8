"""An API on loopback, scripted by the test: what the model says, how long it takes, how it fails, what it used.

It speaks Messages, and Responses or Chat Completions for those who ask there.

    with Api() as api:
        api.say("Hello.", Reply(tools=(Tool("Bash", {"command": "ls"}),)), Reply(status=529))
        ... run a program with ANTHROPIC_BASE_URL=api.url ...
        assert api.turns[0].text.endswith("End of task.")

A *turn* is a request of an agent's conversation: one that offers tools, or whose context is managed. What programs ask
on the side (titles, quotas, token counts) gets a plain answer and stays out of `turns`. The replies are given in order,
then `api.otherwise`; a callable decides for each turn instead. Everything that came in is in `api.requests`.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple

from tests.loopback import chat, net, responses


class Usage(NamedTuple):
    """Tokens as the API reports them."""

    input: int = 10
    cache_write: int = 0
    cache_read: int = 0
    output: int = 5

    def as_json(self) -> dict[str, int]:
        return {
            "input_tokens": self.input,
            "cache_creation_input_tokens": self.cache_write,
            "cache_read_input_tokens": self.cache_read,
            "output_tokens": self.output,
        }


class Tool(NamedTuple):
    """A tool that the model calls."""

    name: str
    input: dict[str, Any]


class Reply(NamedTuple):
    """What the model answers: text, then tools. A `status` other than 200 is an error that says `text`."""

    text: str = ""
    tools: tuple[Tool, ...] = ()
    usage: Usage = Usage()
    status: int = 200
    delay_s: float = 0.0
    hold: threading.Event | None = None  # answered when the test sets it, or after a minute
    headers: tuple[tuple[str, str], ...] = ()


class Request(NamedTuple):
    """One request that came in; `at` in epoch seconds."""

    at: float
    method: str
    path: str
    headers: dict[str, str]
    raw: bytes
    body: dict[str, Any]

    @property
    def is_turn(self) -> bool:
        if self.path.startswith(responses.PATH):
            return responses.is_turn(self.body)
        if self.path.startswith(chat.PATH):
            return chat.is_turn(self.body)
        asked = self.path.startswith("/v1/messages") and "count_tokens" not in self.path
        return asked and (bool(self.body.get("tools")) or "context_management" in self.body)

    @property
    def text(self) -> str:
        """All that the last message says, one part per paragraph: what was typed, and what the program put by it."""
        return "\n\n".join((self._said() or [[]])[-1])

    def has(self, text: str) -> bool:
        """Whether a text is in any message, exactly."""
        return any(text in part for said in self._said() for part in said)

    def _said(self) -> list[list[str]]:
        """The texts of each message."""
        if self.path.startswith(responses.PATH):
            return [list(responses.texts(item)) for item in self.body.get("input", [])]
        return [list(_texts(message.get("content") or "")) for message in self.body.get("messages", [])]


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    else:
        for block in content:
            if block.get("type") == "text":
                yield block["text"]
            elif block.get("type") == "tool_result":
                yield from _texts(block.get("content") or "")


class Api:
    """The server. `close` ends it; requests that still wait get no answer."""

    def __init__(self, isolated: bool = True) -> None:
        self.requests: list[Request] = []
        self.reported: list[Usage] = []  # for each turn that was answered
        self.otherwise: Reply | Callable[[Request], Reply] = Reply("Done.")
        self._script: list[Reply] = []
        self._lock = threading.Lock()
        self._served = 0
        self.place = net.Place(isolated)
        self._http = self.place.run(lambda: _Server(("127.0.0.1", 0), self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def say(self, *replies: Reply | str) -> None:
        """Append to the script."""
        with self._lock:
            self._script += [Reply(r) if isinstance(r, str) else r for r in replies]

    @property
    def turns(self) -> list[Request]:
        return [r for r in list(self.requests) if r.is_turn]

    @property
    def tokens(self) -> int:
        """All tokens of all turns so far, as reported."""
        return sum(sum(usage) for usage in self.reported)

    def answer(self, request: Request) -> tuple[Reply, int]:
        """The reply to a request and its number; called by the server."""
        with self._lock:
            self.requests.append(request)
            self._served += 1
            if not request.is_turn:
                return Reply("ok", usage=Usage(0, 0, 0, 0)), self._served
            reply = self._script.pop(0) if self._script else self.otherwise
            number = self._served
        reply = reply(request) if callable(reply) else reply
        if reply.hold:
            reply.hold.wait(60)
        if reply.delay_s:
            time.sleep(reply.delay_s)  # part of what was scripted
        if reply.status == 200:
            with self._lock:
                self.reported.append(reply.usage)
        return reply, number

    def close(self) -> None:
        """As when its process is killed: nobody listens, and who waits is cut off."""
        self._http.shutdown()
        self._http.server_close()
        self._http.cut()
        self.place.close()

    def __enter__(self) -> Api:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: object, trace: TracebackType | None) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], api: Api) -> None:
        self.api = api
        self._open: set[socket.socket] = set()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        found = super().get_request()
        self._open.add(found[0])
        return found

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """End every connection."""
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A program that hangs up in the middle is what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing is logged: the test has the requests."""

    def do_HEAD(self) -> None:
        self._send(200, b"")

    def do_GET(self) -> None:
        self._take(b"")
        self._send(404, json.dumps(_error(404, "not here")).encode())

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        request = self._take(raw)
        if "count_tokens" in self.path:
            self.server.api.requests.append(request)
            return self._send(200, json.dumps({"input_tokens": len(raw) // 4}).encode())
        if not self.path.startswith(("/v1/messages", responses.PATH, chat.PATH)):
            return self._send(404, json.dumps(_error(404, "not here")).encode())
        reply, number = self.server.api.answer(request)
        if self.path.startswith(responses.PATH):
            if reply.status != 200:
                body = json.dumps(responses.error(reply.status, reply.text)).encode()
                return self._send(reply.status, body, number, headers=reply.headers)
            body = responses.stream(reply, number, request.body).encode()
            return self._send(200, body, number, "text/event-stream", reply.headers)
        if self.path.startswith(chat.PATH):
            if reply.status != 200:
                body = json.dumps(chat.error(reply.status, reply.text)).encode()
                return self._send(reply.status, body, number, headers=reply.headers)
            return self._send(200, chat.stream(reply, number, request.body).encode(), number, "text/event-stream")
        if reply.status != 200:
            body = json.dumps(_error(reply.status, reply.text)).encode()
            return self._send(reply.status, body, number, headers=reply.headers)
        message = _message(reply, number, str(request.body.get("model")))
        if request.body.get("stream"):
            body = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in _events(message)).encode()
            return self._send(200, body, number, "text/event-stream", reply.headers)
        return self._send(200, json.dumps(message).encode(), number, headers=reply.headers)

    def _take(self, raw: bytes) -> Request:
        body = json.loads(raw) if raw.startswith(b"{") else {}
        return Request(time.time(), self.command, self.path, dict(self.headers), raw, body)

    def _send(
        self,
        status: int,
        body: bytes,
        number: int = 0,
        kind: str = "application/json",
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("request-id", f"req_{number:06d}")
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _error(status: int, text: str) -> dict[str, Any]:
    kinds = {400: "invalid_request_error", 401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = kinds.get(status, "overloaded_error" if status == 529 else "api_error")
    return {"type": "error", "error": {"type": kind, "message": text or kind}}


def _message(reply: Reply, number: int, model: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [
        {"type": "tool_use", "id": f"toolu_{number:06d}{i:02d}", "name": tool.name, "input": tool.input}
        for i, tool in enumerate(reply.tools)
    ]
    return {
        "id": f"msg_{number:06d}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if reply.tools else "end_turn",
        "stop_sequence": None,
        "usage": reply.usage.as_json(),
    }


def _events(message: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The message as the API streams it: each block begins empty, then comes its content."""
    begun = message | {"content": [], "stop_reason": None, "usage": message["usage"] | {"output_tokens": 1}}
    yield {"type": "message_start", "message": begun}
    for index, block in enumerate(message["content"]):
        if block["type"] == "text":
            empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            empty = block | {"input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ended = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}
