"""What can be used right now, found out without spending a token: real servers on loopback, good, bad and silent."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box


class Server:
    """Answers every request with what `reply` gives for its path and headers, and remembers both."""

    def __init__(self, reply: Callable[[str, Any], tuple[int, bytes]]) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                outer.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                status, data = reply(self.path, self.headers)
                self.send_response(status)
                if status in (301, 302, 307):
                    self.send_header("Location", data.decode())
                    data = b""
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_HEAD = answer

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def models(*names: str) -> bytes:
    return json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    made: list[Server] = []

    def start(reply: Callable[[str, Any], tuple[int, bytes]]) -> Server:
        made.append(Server(reply))
        return made[-1]

    yield start
    for server in made:
        server.close()


def endpoint(box: Box, **urls: str) -> None:
    """The user's own base URLs."""
    config = box.root / "config"
    config.mkdir(exist_ok=True)
    (config / "endpoints.yaml").write_text("".join(f"{name}: {{url: {url}/v1}}\n" for name, url in urls.items()))


def check(box: Box, *names: str, exit: int = 0, env: dict[str, str] | None = None) -> dict[tuple[str, str], Any]:
    found = box.json("models", "check", *names, exit=exit, env=env)
    return {(each["model"], each["agent"]): each for each in found}


def test_a_local_model_is_there_when_its_server_lists_it(box: Box, serve: Any) -> None:
    server = serve(lambda path, headers: (200, models("qwen2.5:7b", "llama3:latest")))
    found = check(box, "qwen2.5:7b", "qwen2.5:32b", "llama3", env={"OLLAMA_HOST": server.url})
    assert found["qwen2.5:7b", "local"]["ok"] and found["llama3", "local"]["ok"]
    missing = found["qwen2.5:32b", "local"]
    assert not missing["ok"] and "ollama pull qwen2.5:32b" in missing["why"]
    assert [(verb, path) for verb, path, _ in server.seen] == [("GET", "/v1/models")]  # asked once, nothing spent


def test_a_key_that_is_missing_refused_or_good(box: Box, serve: Any) -> None:
    def reply(path: str, headers: Any) -> tuple[int, bytes]:
        good = headers.get("Authorization") == "Bearer good"
        return (200, models("llama-3.1-8b-instant")) if good else (401, b"{}")

    endpoint(box, groq=serve(reply).url)
    assert check(box, "fast", exit=5)["fast", "local"]["why"] == "GROQ_API_KEY is not set"
    bad = check(box, "fast", exit=5, env={"GROQ_API_KEY": "bad-secret"})["fast", "local"]
    assert not bad["ok"] and bad["why"] == "groq refuses the key in GROQ_API_KEY"
    found = check(box, "fast", "llama", env={"GROQ_API_KEY": "good"})
    assert found["fast", "local"]["ok"] and "has no llama-3.3" in found["llama", "local"]["why"]


def test_a_key_follows_no_redirect(box: Box, serve: Any) -> None:
    thief = serve(lambda path, headers: (200, models("llama-3.1-8b-instant")))
    endpoint(box, groq=serve(lambda path, headers: (302, f"{thief.url}/v1/models".encode())).url)
    done = box.cli("models", "check", "fast", exit=5, env={"GROQ_API_KEY": "very-secret"})
    assert thief.seen == [] and "status 302" in done.stdout and "very-secret" not in done.stdout + done.stderr


def test_servers_that_are_silent_slow_or_broken_cost_one_deadline_and_a_line_each(box: Box, serve: Any) -> None:
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen(50)
        closed.bind(("127.0.0.1", 0))  # bound, so that nobody else gets it, and not listening
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        endpoint(box, groq=url, deepseek=url, openrouter=url, moonshot=serve(lambda *_: (200, b"<html>")).url)
        keys = dict.fromkeys(("GROQ_API_KEY", "DEEPSEEK_API_KEY", "OPENROUTER_API_KEY", "MOONSHOT_API_KEY"), "k")
        host = f"127.0.0.1:{closed.getsockname()[1]}"
        names = ("fast", "deepseek", "trinity-free", "kimi", "qwen2.5:7b")
        found = check(box, *names, env=keys | {"OPENCLAW_MODELS_PATIENCE": "1s", "OLLAMA_HOST": host})
    for name in ("fast", "deepseek", "trinity-free"):
        assert not found[name, "local"]["ok"] and "\n" not in found[name, "local"]["why"]
    assert found["kimi", "local"]["ok"]  # it answers; what it lists can't be read
    assert "refused" in found["qwen2.5:7b", "local"]["why"].lower()


def test_a_program_has_to_be_installed(box: Box) -> None:
    env = {"PATH": f"{box.home}/bin"}
    found = check(box, "opus", exit=5, env=env)
    assert "claude is not on the PATH" in found["opus", "claude"]["why"]
    program = Path(box.home, "bin", "claude")
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = check(box, "opus", env=env)
    assert found["opus", "claude"]["ok"] and found["opus", "claude"]["told"] == "opus"
