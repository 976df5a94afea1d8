"""How large a window is, as servers of every kind say it; and what is assumed, and said, where none does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from openclaw.models import targets
from openclaw.settings import Settings
from tests.conftest import Box
from tests.models.test_reach import Server, serve  # noqa: F401  # a fixture

LISTS = {"data": [{"id": "m"}]}
SERVERS: dict[str, tuple[dict[str, Any], int]] = {
    "vllm": ({"/v1/models": {"data": [{"id": "x", "max_model_len": 1000}, {"id": "m", "max_model_len": 8192}]}}, 8192),
    "openrouter": ({"/v1/models": {"data": [{"id": "m", "context_length": 131072}]}}, 131072),
    "groq": ({"/v1/models": {"data": [{"id": "m", "context_window": 65536}]}}, 65536),
    "llama.cpp": (
        {"/v1/models": {"data": [{"id": "m", "meta": {"n_ctx_train": 131072}}]},
         "/props?model=m": {"default_generation_settings": {"n_ctx": 16384}}},
        16384,
    ),
    "ollama, as it was told": (
        {"/v1/models": LISTS,
         "/api/show": {"parameters": "temperature 1\nnum_ctx 24576", "model_info": {"llama.context_length": 131072}}},
        24576,
    ),
    "ollama, trained for more than it will give": (
        {"/v1/models": LISTS, "/api/show": {"model_info": {"llama.context_length": 131072}}}, 32768,
    ),
    "ollama, trained for less": (
        {"/v1/models": LISTS, "/api/show": {"model_info": {"llama.context_length": 4096}}}, 4096,
    ),
    "one that says nonsense": ({"/v1/models": {"data": [{"id": "m", "max_model_len": "9"}]}, "/api/show": [1]}, 32768),
    "one that says nothing": ({}, 32768),
}  # fmt: skip


def own(box: Box, server: Server, more: str = "") -> Settings:
    config = box.root / "config"
    config.mkdir(exist_ok=True)
    (config / "endpoints.yaml").write_text(f"mine: {{url: {server.url}/v1, wire: openai{more}}}\n")
    (config / "models.yaml").write_text("models: {m: {model: mine/m, tier: local}}\n")
    return Settings(environ=box.env, cwd=str(box.work))


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_of_ones_own_is_asked_for_the_window(box: Box, serve: Any, name: str) -> None:  # noqa: F811
    pages, size = SERVERS[name]

    def reply(path: str, headers: Any) -> tuple[int, bytes]:
        return (200, json.dumps(pages[path]).encode()) if path in pages else (404, b"{}")

    server = serve(reply)
    settings = own(box, server)
    assert targets.target("mine/m", settings).window == size
    [row] = box.json("models", "check", "m")
    said = f"{size:,} tokens are assumed" if "one that" in name else f"its window has {size:,} tokens"
    assert row["ok"] and said in row["why"]
    asked = len(server.seen)
    assert targets.target("mine/m", own(box, server, ", window: 5000")).window == 5000
    assert len(server.seen) == asked  # what a person says counts, and nobody is asked


def test_a_server_that_is_not_there_keeps_nobody_waiting(box: Box) -> None:
    config = box.root / "config"
    config.mkdir()
    (config / "endpoints.yaml").write_text("mine: {url: 'http://127.0.0.1:9/v1', wire: openai}\n")
    settings = Settings(environ=box.env, cwd=str(box.work))
    assert targets.target("mine/m", settings).window == 32768
