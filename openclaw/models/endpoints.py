"""Where models are asked: the endpoints of `endpoints.yaml` and the user's own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw.errors import BadInput
from openclaw.settings import Settings
from openclaw.yamls import read_yaml

SHIPPED = os.path.join(os.path.dirname(__file__), "endpoints.yaml")
DEFAULT_WINDOW = 32_768  # tokens, where nobody says more or less
_KINDS = {
    "url": str, "url_env": str, "wire": str, "key": str, "window": int, "free": bool, "provider": str, "lists": bool,
}  # fmt: skip


class Endpoint(NamedTuple):
    """One endpoint; see the head of endpoints.yaml. `key` is the name of a variable, `window` tokens or 0."""

    name: str
    url: str
    wire: str
    url_env: str = ""
    key: str = ""
    window: int = 0
    free: bool = False
    provider: str = ""
    lists: bool = False

    def base(self, environ: Mapping[str, str]) -> str:
        """Its base URL, or the one that the service's own variable names."""
        return _spoken(environ.get(self.url_env), self.wire) or self.url


def load(settings: Settings) -> dict[str, Endpoint]:
    """All endpoints by name. A user's entry of the same name changes only the keys it gives. BadInput says where."""
    found: dict[str, dict[str, Any]] = {}
    paths = [SHIPPED, *(os.path.join(d, "endpoints.yaml") for d in (settings.config_dir, settings.workspace))]
    for path in paths:
        if not os.path.exists(path):
            continue
        for name, entry in read_yaml(path, settings.yaml_cache).items():
            where = f"{path}: endpoint {name}"
            if not isinstance(entry, dict):
                raise BadInput(f"{where} must be a mapping", code="bad_config")
            _check(where, entry)
            found[str(name)] = found.get(str(name), {}) | entry
            if not {"url", "wire"} <= found[str(name)].keys():
                raise BadInput(f"{where} needs url and wire", code="bad_config")
    return {name: Endpoint(name, **({"provider": name} | entry)) for name, entry in found.items()}


def keys(settings: Settings) -> set[str]:
    """The variables that hold keys: nothing that the agent starts gets to see them."""
    return {entry.key for entry in load(settings).values() if entry.key}


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
