"""Where a model is asked: `ollama/qwen2.5:7b` → the endpoint of `endpoints.yaml`, and the model's name there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw.errors import BadInput, NotFound, Unavailable
from openclaw.settings import Settings
from openclaw.yamls import read_yaml

SHIPPED = os.path.join(os.path.dirname(__file__), "endpoints.yaml")
_KINDS = {"url": str, "url_env": str, "wire": str, "key": str, "window": int, "free": bool}


class Target(NamedTuple):
    """One model at one endpoint. `key` is the secret itself, empty where none is needed; `window` in tokens."""

    endpoint: str
    model: str
    url: str
    wire: str
    key: str
    window: int
    free: bool

    @property
    def name(self) -> str:
        """As people name it."""
        return f"{self.endpoint}/{self.model}"


def target(name: str, settings: Settings) -> Target:
    """The model that is named so. BadInput, NotFound: no such name; Unavailable: its key is not set."""
    endpoint, slash, model = name.partition("/")
    known = load(settings)
    hint = f"name it endpoint/model; the endpoints are {', '.join(known)}"
    if not slash or not model or not endpoint:
        raise BadInput(f"the model {name[:60]!r} names no endpoint" if name else "no model is named", hint)
    if endpoint not in known:
        raise NotFound(f"no endpoint {endpoint[:40]!r}", hint)
    entry = known[endpoint]
    environ = settings.environ
    key = environ.get(entry.get("key", ""), "")
    if entry.get("key") and not key:
        raise Unavailable(f"{endpoint} needs a key", f"set {entry['key']} in your environment", code="no_key")
    return Target(
        endpoint,
        model,
        settings.get("local.url") or _spoken(environ.get(entry.get("url_env", "")), entry["wire"]) or entry["url"],
        entry["wire"],
        key,
        settings.get("local.window") or entry.get("window", 32_768),
        bool(entry.get("free")),
    )


def load(settings: Settings) -> dict[str, dict[str, Any]]:
    """All endpoints by name. A user's entry of the same name changes only the keys it gives. BadInput says where."""
    found: dict[str, dict[str, Any]] = {}
    paths = [SHIPPED, *(os.path.join(d, "endpoints.yaml") for d in (settings.config_dir, settings.workspace))]
    for path in paths:
        if not os.path.exists(path):
            continue
        for name, entry in read_yaml(path).items():
            where = f"{path}: endpoint {name}"
            if not isinstance(entry, dict):
                raise BadInput(f"{where} must be a mapping", code="bad_config")
            _check(where, entry)
            found[str(name)] = found.get(str(name), {}) | entry
            if not {"url", "wire"} <= found[str(name)].keys():
                raise BadInput(f"{where} needs url and wire", code="bad_config")
    return found


def keys(settings: Settings) -> set[str]:
    """The variables that hold keys: nothing that the agent starts gets to see them."""
    return {entry["key"] for entry in load(settings).values() if entry.get("key")}


def _check(where: str, entry: Mapping[Any, Any]) -> None:
    for key, value in entry.items():
        if key not in _KINDS:
            raise BadInput(f"{where}: unknown key {key!r}", f"known are {', '.join(_KINDS)}", code="bad_config")
        if not isinstance(value, _KINDS[key]):
            raise BadInput(f"{where}: {key} must be of type {_KINDS[key].__name__}", code="bad_config")
    if entry.get("wire", "openai") not in ("openai", "anthropic"):
        raise BadInput(f"{where}: wire is openai or anthropic, not {entry['wire']!r}", code="bad_config")


def _spoken(value: str | None, wire: str) -> str:
    """A URL from a variable of the service's own, which may be only a host, or a host and a port."""
    if not value:
        return ""
    url = (value if "://" in value else f"http://{value}").rstrip("/")
    bare = url.count("/") == 2
    return f"{url}/v1" if bare and wire == "openai" else url
