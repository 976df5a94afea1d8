"""How large a model's window is, asked of the server that runs it: no list knows what a person's own server was given.

What a server says it was started with counts; of what a model was only trained with, no more than the usual.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from openclaw.models import reach
from openclaw.models.endpoints import DEFAULT_WINDOW, Endpoint

# of an entry in a list of models: vLLM, OpenRouter, Groq, Mistral and LM Studio
_LISTED = ("max_model_len", "loaded_context_length", "context_length", "context_window", "max_context_length")
LEAST = 256  # tokens: less is no window


def ask(entry: Endpoint, url: str, key: str, model: str, seconds: float) -> int | None:
    """Tokens; None where the server doesn't say. No token is spent."""
    if reach.closed(url, min(seconds, reach.QUICK_SECONDS)):
        return None
    root = url.rstrip("/").removesuffix("/v1")

    def got(address: str, data: Mapping[str, Any] | None = None) -> Any:
        try:
            return json.loads(reach.fetch(entry, address, key, seconds, json.dumps(data).encode() if data else None))
        except (OSError, ValueError):
            return None
        except Exception:  # noqa: BLE001 - http.client has more ways to say that this is no HTTP
            return None

    listed = got(reach.models_url(entry, url))
    entries = listed.get("data") if isinstance(listed, dict) else None
    ours = next((e for e in entries or () if isinstance(e, dict) and e.get("id") == model), {})
    trained = list(_numbers(ours.get("meta"), "n_ctx_train"))
    if found := [*_numbers(ours, *_LISTED), *_numbers(ours.get("meta"), "n_ctx")]:
        return found[0]
    if not entry.free and entry.key:
        return None  # what follows are ways of servers that people run themselves
    props = got(f"{root}/props?model={quote(model)}")  # llama.cpp
    if found := list(_numbers(props.get("default_generation_settings") if isinstance(props, dict) else None, "n_ctx")):
        return found[0]
    shown = got(f"{root}/api/show", {"model": model})  # ollama
    if isinstance(shown, dict):
        words = str(shown.get("parameters") or "").split()
        if "num_ctx" in words[:-1] and (given := words[words.index("num_ctx") + 1]).isdecimal():
            return int(given)
        info = shown.get("model_info")
        trained += [size for name in info or () if name.endswith(".context_length") for size in _numbers(info, name)]
    return min(*trained, DEFAULT_WINDOW) if trained else None


def _numbers(tree: Any, *names: str) -> Iterator[int]:
    for name in names if isinstance(tree, dict) else ():
        value = tree.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= LEAST:
            yield value
