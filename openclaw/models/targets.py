"""Which server is asked for a model, and with what: `ollama/qwen2.5:7b`, or a name of the catalogue, → its endpoint."""

from __future__ import annotations

from typing import NamedTuple

from openclaw.errors import BadInput, NotFound, Unavailable
from openclaw.models import catalogue
from openclaw.models.endpoints import DEFAULT_WINDOW, Endpoint
from openclaw.models.prices import Price
from openclaw.settings import Settings

PATIENCE = 2.0  # seconds for each question to a server


class Target(NamedTuple):
    """One model at one endpoint. `key` is the secret itself, empty where none is needed; `window` in tokens."""

    endpoint: str
    model: str
    url: str
    wire: str
    key: str
    window: int
    free: bool
    price: Price | None = None

    @property
    def name(self) -> str:
        """As people name it."""
        return f"{self.endpoint}/{self.model}"


def target(name: str, settings: Settings) -> Target:
    """The model that is named so. BadInput, NotFound: no such name; Unavailable: its key is not set."""
    known = catalogue.load(settings)
    hint = f"name it endpoint/model; the endpoints are {', '.join(known.endpoints)}; or as in `openclaw models list`"
    if not name:
        raise BadInput("no model is named", hint)
    model = known.find(name)
    if not model:
        endpoint, slash, rest = name.partition("/")
        if not slash or not rest or not endpoint:
            raise BadInput(f"the model {name[:60]!r} names no endpoint", hint)
        raise NotFound(f"no endpoint {endpoint[:40]!r}", hint)
    entry = known.endpoints[model.endpoint]
    key = settings.environ.get(entry.key, "") if entry.key else ""
    if entry.key and not key:
        raise Unavailable(f"{entry.name} needs a key", f"set {entry.key} in your environment", code="no_key")
    url = settings.get("local.url") or entry.base(settings.environ)
    return Target(
        entry.name,
        model.id,
        url,
        entry.wire,
        key,
        settings.get("local.window") or model.window or entry.window or _asked(entry, model.id, url, key),
        entry.free,
        model.price,
    )


def _asked(entry: Endpoint, model: str, url: str, key: str) -> int:
    """What its server says of the window; else the usual one, which `models check` tells."""
    from openclaw.models import windows  # only where no list knows it

    return windows.ask(entry, url, key, model, PATIENCE) or DEFAULT_WINDOW
