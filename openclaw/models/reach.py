"""What can be used right now: the endpoint answers, the key is there, the program is installed. No token is spent.

Endpoints are asked all at once, each for the list of its models, until one deadline.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from openclaw.agents.launch import check_installed
from openclaw.agents.registry import Agent
from openclaw.errors import Unavailable
from openclaw.models.catalogue import Catalogue, Model
from openclaw.models.endpoints import Endpoint

LARGEST = 8 * 2**20  # bytes of a list of models
QUICK_SECONDS = 0.4  # for what is on this machine: it answers at once or not at all


class Reach(NamedTuple):
    """Whether a program can use a model, and why (not). `told` is what the program has to be told."""

    model: str
    agent: str
    ok: bool
    why: str
    told: str


class Answer(NamedTuple):
    """What an endpoint said: `models` is None when it does not list them."""

    ok: bool
    why: str
    models: frozenset[str] | None = None


def look(
    known: Catalogue,
    models: Iterable[Model],
    agents: Mapping[str, Agent],
    environ: Mapping[str, str],
    seconds: float,
    url: str = "",
    remote: bool = True,
) -> list[Reach]:
    """Every pair of these models and their programs. `url` replaces all base URLs.

    Not `remote`, nobody outside is asked: a key that is set counts as good.
    """
    models = list(models)
    needed = {m.endpoint for m in models if "local" in m.agents}
    calls: dict[str, Callable[[], Answer]] = {}
    answers: dict[str, Answer] = {}
    for name in needed:
        entry = known.endpoints[name]
        if entry.key and not environ.get(entry.key):
            answers[name] = Answer(False, f"{entry.key} is not set")
        elif not entry.free and not remote:
            answers[name] = Answer(True, f"{entry.key} is set" if entry.key else "not asked")
        else:
            calls[name] = _call(entry, url or entry.base(environ), environ.get(entry.key, ""), seconds)
    answers |= together(calls, seconds)
    found = []
    for model in models:
        for agent, told in model.agents.items():
            ok, why = _program(agents.get(agent), environ)
            if ok and agent == "local":
                ok, why = _listed(model, known.endpoints[model.endpoint], answers[model.endpoint])
            found.append(Reach(model.name, agent, ok, why, told))
    return found


def together(calls: Mapping[str, Callable[[], Answer]], seconds: float) -> dict[str, Answer]:
    """What all calls give, made at once; who has not answered by the deadline is not waited for."""
    found: dict[str, Answer] = {}
    deadline = time.monotonic() + seconds

    def ask(name: str, call: Callable[[], Answer]) -> None:
        found[name] = call()

    threads = [threading.Thread(target=ask, args=pair, daemon=True) for pair in calls.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = Answer(False, f"no answer within {seconds:g} s")
    return {name: found.get(name, late) for name in calls}


def _call(entry: Endpoint, url: str, key: str, seconds: float) -> Callable[[], Answer]:
    return lambda: ask(entry, url, key, seconds)


def ask(entry: Endpoint, url: str, key: str, seconds: float) -> Answer:
    """Ask one endpoint for its models."""
    shown = url.partition("?")[0]
    if entry.free and (problem := closed(url, min(seconds, QUICK_SECONDS))):
        return Answer(False, f"{entry.name} does not answer at {shown}: {problem}")
    from urllib.error import HTTPError, URLError  # 40 ms: only where somebody listens

    try:
        return Answer(True, f"{entry.name} answers", _names(fetch(entry, models_url(entry, url), key, seconds)))
    except HTTPError as error:
        if error.code in (401, 403):
            return Answer(False, f"{entry.name} refuses the key in {entry.key}" if entry.key else "it wants a key")
        if error.code in (404, 405, 501):
            return Answer(True, f"{entry.name} answers, but lists no models")
        return Answer(False, f"{entry.name} answers with status {error.code}")
    except (URLError, OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return Answer(False, f"{entry.name} does not answer at {shown}: {str(reason)[:120]}")
    except Exception as error:  # noqa: BLE001 - http.client has more ways to say that this is no HTTP
        return Answer(False, f"{entry.name} answers with nonsense at {shown}: {type(error).__name__}")


def models_url(entry: Endpoint, url: str) -> str:
    """Where it lists its models."""
    path = "/v1/models" if entry.wire == "anthropic" and not url.endswith("/v1") else "/models"
    return url.rstrip("/") + path


def fetch(entry: Endpoint, address: str, key: str, seconds: float, data: bytes | None = None) -> bytes:
    """What an endpoint gives for this address, asked with its key; `data` is posted. OSError and ValueError when it
    gives nothing, and whatever else `http.client` raises for what is no HTTP."""
    from urllib.request import HTTPRedirectHandler, Request, build_opener  # as in `ask`

    class Stay(HTTPRedirectHandler):
        """A key goes to no other server."""

        def redirect_request(self, *_: Any) -> None:
            return None

    headers = {"User-Agent": "openclaw", "Accept": "application/json", "Content-Type": "application/json"}
    if key and entry.wire == "anthropic":
        headers |= {"x-api-key": key, "anthropic-version": "2023-06-01"}
    elif key:
        headers["Authorization"] = f"Bearer {key}"
    with build_opener(Stay).open(Request(address, data, headers), timeout=seconds) as reply:
        return bytes(reply.read(LARGEST))


def closed(url: str, seconds: float) -> str:
    """Why nobody listens there; empty when somebody does."""
    import socket
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        socket.create_connection((parts.hostname or "", port), seconds).close()
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return ""


def _names(data: bytes) -> frozenset[str] | None:
    try:
        entries = json.loads(data)["data"]
        return frozenset(str(entry["id"]) for entry in entries)
    except (ValueError, KeyError, TypeError):
        return None


def _listed(model: Model, entry: Endpoint, answer: Answer) -> tuple[bool, str]:
    if not answer.ok or not entry.lists or answer.models is None:
        return answer.ok, answer.why
    if {model.id, f"{model.id}:latest", f"models/{model.id}"} & answer.models:
        return True, answer.why
    get = f": `ollama pull {model.id}`" if entry.name == "ollama" else ""
    return False, f"{entry.name} has no {model.id}{get}"


def _program(agent: Agent | None, environ: Mapping[str, str]) -> tuple[bool, str]:
    if agent is None:
        return False, "no such program in agents.yaml"
    try:
        check_installed(agent, environ)
    except Unavailable as error:
        return False, error.message
    return True, "installed; its login is not looked at"
