"""What a task is, what it needs and what is at stake: by its type, else by the rules of `routing.yaml`. Pure but for
reading those files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from openclaw.errors import BadInput
from openclaw.models.catalogue import TIERS
from openclaw.settings import Settings
from openclaw.yamls import read_yaml

SHIPPED = os.path.join(os.path.dirname(__file__), "routing.yaml")
RISKS = ("low", "medium", "high")
POLITE = (
    "please",
    "can you",
    "could you",
    "would you",
    "now",
    "then",
    "quickly",
    "just",
    "you",
    "i need you to",
    "lets",
)
_WORD = re.compile(r"[\w./'’-]+")


class Kind(NamedTuple):
    """What a task may be. `window` in tokens; see the head of routing.yaml."""

    name: str
    tier: str
    risk: str
    about: str = ""
    window: int = 0
    tools: bool = False
    prefer: tuple[str, ...] = ()


class Rule(NamedTuple):
    """When a task is of a kind. Phrases in small letters; a `*` at the end stands for any ending."""

    kind: str
    starts: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


class Rules(NamedTuple):
    """All of routing.yaml."""

    kinds: Mapping[str, Kind]
    rules: tuple[Rule, ...]
    default: Kind
    floors: Mapping[str, str]
    shares: Mapping[str, float]
    chances: Mapping[str, float]


class Judged(NamedTuple):
    """What a task is, and why, for people. `floor`: the tier below which it never goes."""

    kind: Kind
    tier: str
    risk: str
    floor: str
    why: str
    chance: float  # how likely a model must be to succeed


def judge(rules: Rules, text: str, type: str = "") -> Judged:
    """By its type if that is a kind, else by its text. What reads as high risk stays that whatever its type."""
    rule, found = first_match(rules, text)
    said = rules.kinds[rule.kind] if rule else rules.default
    if type in rules.kinds:
        kind, why = rules.kinds[type], f"its type is {type}"
        if said.risk == "high" != kind.risk and kind.name not in ("heartbeat", "command"):
            kind = kind._replace(tier=said.tier, risk="high", window=max(kind.window, said.window))
            why += f", but {found} makes it {said.name}"
    else:
        kind, why = said, found or rules.default.about
    floor = rules.floors[kind.risk]
    return Judged(kind, max(kind.tier, floor, key=TIERS.index), kind.risk, floor, why, rules.chances[kind.risk])


def first_match(rules: Rules, text: str) -> tuple[Rule | None, str]:
    """The first rule that matches, and by which words, for people."""
    words = f" {' '.join(word.strip(_EDGES) for word in _WORD.findall(text.lower()))} "
    begin = words
    while lead := next((p for p in POLITE if begin.startswith(f" {p} ")), ""):
        begin = begin[len(lead) + 1 :]
    for rule in rules.rules:
        first = next((p for p in rule.starts if begin.startswith(_needle(p))), "")
        inside = next((p for p in rule.any if _needle(p) in words), "")
        if (rule.starts and not first) or (rule.any and not inside) or any(_needle(p) in words for p in rule.unless):
            continue
        parts = [f"it begins with “{first}”" if first else "", f"“{inside.rstrip('*')}” stands in it" if inside else ""]
        return rule, " and ".join(filter(None, parts))
    return None, ""


_EDGES = "./'’-"


def _needle(phrase: str) -> str:
    return f" {phrase[:-1]}" if phrase.endswith("*") else f" {phrase} "


def load(settings: Settings) -> Rules:
    """The shipped rules under the user's own. BadInput names the file and what is wrong in it."""
    kinds: dict[str, Kind] = {}
    floors: dict[str, str] = {}
    shares: dict[str, float] = {}
    chances: dict[str, float] = {}
    rules: list[tuple[str, Rule]] = []
    default: Kind | None = None
    for path in (SHIPPED, *(os.path.join(d, "routing.yaml") for d in (settings.config_dir, settings.workspace))):
        if not os.path.exists(path):
            continue
        tree = read_yaml(path, settings.yaml_cache)
        _known(tree, ("kinds", "rules", "default", "floors", "shares", "chances"), path)
        for name, entry in _pairs(tree, "kinds", path):
            kinds[name] = _kind(name, entry, f"{path}: kind {name}")
        if tree.get("default"):
            entry = dict(tree["default"]) if isinstance(tree["default"], dict) else {}
            default = _kind(str(entry.pop("kind", "other")), entry, f"{path}: default")
        for risk, tier in _pairs(tree, "floors", path):
            _one_of(risk, RISKS, f"{path}: floors")
            floors[risk] = _one_of(tier, TIERS, f"{path}: floors: {risk}")
        for step, percent in _pairs(tree, "shares", path):
            if isinstance(percent, bool) or not isinstance(percent, (int, float)) or not 0 <= percent <= 100:
                raise _bad(f"{path}: shares: {step} can't be {percent!r:.40}")
            shares[step] = float(percent)
        for risk, chance in _pairs(tree, "chances", path):
            _one_of(risk, RISKS, f"{path}: chances")
            if isinstance(chance, bool) or not isinstance(chance, (int, float)) or not 0 <= chance <= 1:
                raise _bad(f"{path}: chances: {risk} can't be {chance!r:.40}", "it is a number from 0 to 1")
            chances[risk] = float(chance)
        if not isinstance(given := tree.get("rules") or [], list):
            raise _bad(f"{path}: rules must be a list")
        rules = [(path, _rule(each, f"{path}: rule {n}")) for n, each in enumerate(given, 1)] + rules
    for path, rule in rules:
        _one_of(rule.kind, tuple(kinds), f"{path}: a rule's kind")
    if default is None:
        raise _bad(f"{SHIPPED}: there is no default")
    return Rules(kinds, tuple(rule for _, rule in rules), default, floors, shares, chances)


def _kind(name: str, entry: Any, where: str) -> Kind:
    if not isinstance(entry, dict):
        raise _bad(f"{where} must be a mapping")
    _known(entry, Kind._fields[1:], where)
    tier, risk = (
        _one_of(entry.get("tier"), TIERS, f"{where}: tier"),
        _one_of(entry.get("risk"), RISKS, f"{where}: risk"),
    )
    window, tools = entry.get("window", 0), entry.get("tools", False)
    if isinstance(window, bool) or not isinstance(window, int) or window < 0 or not isinstance(tools, bool):
        raise _bad(f"{where}: window is a number of tokens, tools true or false")
    return Kind(name, tier, risk, str(entry.get("about", "")), window, tools, _phrases(entry.get("prefer"), where))


def _rule(entry: Any, where: str) -> Rule:
    if not isinstance(entry, dict) or "kind" not in entry:
        raise _bad(f"{where} must be a mapping with a kind")
    _known(entry, Rule._fields, where)
    lists = {key: _phrases(entry.get(key), f"{where}: {key}") for key in ("starts", "any", "unless")}
    if not lists["starts"] and not lists["any"]:
        raise _bad(f"{where}: it needs starts or any")
    return Rule(str(entry["kind"]), **{key: tuple(p.lower() for p in value) for key, value in lists.items()})


def _phrases(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, (list, type(None))) or not all(isinstance(p, str) and p.strip("* ") for p in value or ()):
        raise _bad(f"{where} must be a list of texts")
    return tuple(" ".join(p.split()) for p in value or ())


def _pairs(tree: Mapping[str, Any], key: str, path: str) -> Iterable[tuple[str, Any]]:
    value = tree.get(key) or {}
    if not isinstance(value, dict):
        raise _bad(f"{path}: {key} must be a mapping")
    return ((str(name), entry) for name, entry in value.items())


def _one_of(value: Any, known: tuple[str, ...], where: str) -> str:
    if value not in known:
        raise _bad(f"{where} can't be {value!r:.40}", f"it is one of {', '.join(known)}")
    return str(value)


def _known(tree: Mapping[Any, Any], keys: tuple[str, ...], where: str) -> None:
    for key in tree:
        if key not in keys:
            raise _bad(f"{where}: unknown key {str(key)[:40]!r}", f"known are {', '.join(keys)}")


def _bad(message: str, hint: str = "see the head of routing.yaml") -> BadInput:
    return BadInput(message, hint, code="bad_config")
