"""Budgets as people write them: of a day, a month or each sub-agent, of all, of a model or a job. And how they stand.

They come from `budgets.yaml`, beside openclaw.yaml or in the workspace; the settings `budgets.day_usd` and the like are
the short form of the budgets called `day` and `month`. Nothing here looks anywhere else: figures are passed in.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw import places
from openclaw.errors import BadInput
from openclaw.settings import Settings
from openclaw.units import from_utc, parse_amount, parse_count, utc
from openclaw.yamls import read_yaml

FILE = "budgets.yaml"
PERIODS = ("day", "month", "session")
UNITS = ("usd", "tokens")
SHORT = ("day_usd", "day_tokens", "month_usd", "month_tokens")  # settings budgets.*
EACH = "*"  # of models or jobs: each by itself
WARN = 80  # percent


class Budget(NamedTuple):
    """One budget. `usd` and `tokens` (those that no cache had) are its limits; with `halt`, what runs when it is used
    up is ended too. `model` and `job` are a name, a pattern, or EACH; both empty: everything."""

    name: str
    per: str
    usd: float | None = None
    tokens: int | None = None
    model: str = ""
    job: str = ""
    warn: int = WARN
    halt: bool = False
    source: str = ""

    @property
    def limits(self) -> dict[str, float]:
        """By unit."""
        return {unit: float(limit) for unit in UNITS if (limit := getattr(self, unit)) is not None}

    @property
    def whose(self) -> str:
        """For people."""
        for kind, which in (("model", self.model), ("job", self.job)):
            if which:
                return f"each {kind}" if which == EACH else f"{kind} {which}"
        return "each sub-agent" if self.per == "session" else "everything"


class Standing(NamedTuple):
    """How one budget stands in one unit. `held`: what live sub-agents may still need; `subject`: whose it is, where
    each has its own; `frees_at`: when its next day or month begins, empty of sub-agents, which have one life."""

    budget: Budget
    unit: str
    limit: float
    spent: float
    held: float = 0.0
    subject: str = ""
    frees_at: str = ""

    @property
    def percent(self) -> float:
        """Spent, of the limit."""
        return 100 * self.spent / self.limit

    @property
    def level(self) -> str:
        """ok, warn or full, by what is spent."""
        return "full" if self.percent >= 100 else "warn" if self.percent >= self.budget.warn else "ok"

    @property
    def period(self) -> str:
        """What tells this day or month from the next; empty of sub-agents."""
        return self.frees_at[:10]

    @property
    def called(self) -> str:
        """`the budget of the day`, `the budget opus (model opus, a day)`."""
        budget = self.budget
        if budget.name == budget.per and not (budget.model or budget.job) and budget.per != "session":
            return f"the budget of the {budget.per}"
        whose = f"{budget.whose.removeprefix('each ')} {self.subject}" if self.subject else budget.whose
        return f"the budget {budget.name} ({whose}{'' if budget.per == 'session' else f', a {budget.per}'})"

    def shown(self, amount: float) -> str:
        return f"${amount:,.2f}" if self.unit == "usd" else f"{amount:,.0f} tokens"

    @property
    def raise_it(self) -> str:
        """What a person does who wants more."""
        budget = self.budget
        return f"raise {budget.source}" if budget.source.startswith("budgets.") else f"raise it in {budget.source}"

    def as_json(self) -> dict[str, Any]:
        budget = self.budget
        return {
            "name": budget.name, "per": budget.per, "model": budget.model or None, "job": budget.job or None,
            "subject": self.subject or None, "unit": self.unit, "limit": self.limit, "spent": round(self.spent, 6),
            "held": round(self.held, 6), "left": round(max(0.0, self.limit - self.spent - self.held), 6),
            "percent": round(self.percent, 1), "level": self.level, "halt": budget.halt,
            "frees_at": self.frees_at or None, "source": budget.source,
        }  # fmt: skip


def files(settings: Settings) -> list[str]:
    """The files of budgets that are there, weakest first."""
    places = (settings.config_dir, settings.workspace)
    return [path for place in dict.fromkeys(places) if os.path.lexists(path := os.path.join(place, FILE))]


def some(settings: Settings) -> bool:
    """Whether there is any: asked at every spawn, so that nobody else has to read a file."""
    return any(settings.get(f"budgets.{key}") for key in SHORT) or bool(files(settings))


def arm(settings: Settings) -> bool:
    """`some`; and have the hooks of sub-agents ask for a look at every turn, or not, accordingly."""
    flag, wanted = os.path.join(settings.state_dir, places.BUDGETS), some(settings)
    if wanted != os.path.lexists(flag):
        if wanted:
            os.makedirs(settings.state_dir, mode=0o700, exist_ok=True)
            os.close(os.open(flag, os.O_CREAT | os.O_CLOEXEC, 0o600))
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(flag)
    return wanted


def load(settings: Settings) -> list[Budget]:
    """All of them. BadInput names the file, the budget and what is wrong with it."""
    entries: dict[str, dict[str, Any]] = {}
    for path in files(settings):
        tree = read_yaml(path, settings.yaml_cache)
        for key in tree:
            if key != "budgets":
                raise BadInput(f"{path}: unknown key {str(key)[:40]!r}", "its one key is budgets", "bad_config")
        named = tree.get("budgets")
        if not isinstance(named, (dict, type(None))):
            raise BadInput(f"{path}: budgets must be a mapping", "write budgets: {day: {usd: 10}}", "bad_config")
        for name, entry in (named or {}).items():
            where = f"{path}: budget {str(name)[:40]}"
            entries[str(name)] = entries.get(str(name), {}) | _checked(entry, where) | {"source": path}
    for key in SHORT:
        if limit := settings.get(f"budgets.{key}"):
            name, unit = key.split("_")
            entries[name] = entries.get(name, {}) | {unit: limit, "source": f"budgets.{key}"}
    return [_budget(name, entry) for name, entry in entries.items()]


def next_period(now: str, per: str) -> str:
    """When the next day or month begins, in UTC; empty of sub-agents."""
    if per == "session":
        return ""
    at = from_utc(now)
    tomorrow = at - at % 86400 + 86400
    while per == "month" and time.gmtime(tomorrow).tm_mday != 1:
        tomorrow += 86400
    return utc(tomorrow)


# --- what people wrote

_KEYS = ("per", "model", "job", "usd", "tokens", "warn", "halt")


def _checked(entry: Any, where: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise BadInput(f"{where} must be a mapping", "write it like {usd: 10} or {per: day, tokens: 2M}", "bad_config")
    found: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in _KEYS:
            raise BadInput(f"{where}: unknown key {str(key)[:40]!r}", f"known are {', '.join(_KEYS)}", "bad_config")
        try:
            found[key] = _value(str(key), value)
        except BadInput as error:
            raise BadInput(f"{where}: {error.message}", error.hint, code="bad_config") from error
    return found


def _value(key: str, value: Any) -> Any:
    if key == "halt":
        if not isinstance(value, bool):
            raise BadInput(f"halt can't be {value!r:.40}", "it is true or false")
        return value
    if isinstance(value, (bool, dict, list, type(None))):
        raise BadInput(f"{key} can't be {value!r:.40}", "it is a single value")
    if key == "per":
        if value not in PERIODS:
            raise BadInput(f"per {value!r:.40}", f"it is one of {', '.join(PERIODS)}")
    elif key == "usd":
        value = _more_than_none(key, parse_amount(str(value), key))
    elif key == "tokens":
        value = _more_than_none(key, parse_count(str(value), key))
    elif key == "warn":
        if not isinstance(value, int) or not 0 < value <= 100:
            raise BadInput(f"warn can't be {value!r:.40}", "it is a percentage, 1 to 100")
    elif not str(value).strip() or not str(value).isprintable():
        raise BadInput(f"{key} {value!r:.40} is no name", "a name, a pattern with *, or * for each by itself")
    return str(value) if key in ("model", "job") else value


def _more_than_none(key: str, value: Any) -> Any:
    if not value:
        raise BadInput(f"{key} can't be 0", "leave it out where there is no limit")
    return value


def _budget(name: str, entry: Mapping[str, Any]) -> Budget:
    where = f"{entry['source']}: budget {name[:40]}"
    per = entry.get("per") or (name if name in PERIODS else "")
    if not per:
        raise BadInput(f"{where}: per is missing", f"it is one of {', '.join(PERIODS)}", code="bad_config")
    if "usd" not in entry and "tokens" not in entry:
        raise BadInput(f"{where} has no limit", "give it usd or tokens, or both", code="bad_config")
    if "model" in entry and "job" in entry:
        raise BadInput(f"{where} has a model and a job", "make it two budgets", code="bad_config")
    return Budget(name, **{**entry, "per": per})
