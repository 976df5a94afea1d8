"""cache: what is kept of pure roles, pure tools and Python functions, what it has spared, and forgetting it."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.results import Results
from openclaw.store import cache_uses
from openclaw.store.cache_uses import Uses
from openclaw.store.results import Kept
from openclaw.units import format_duration


def cache_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "clear"), nargs="?", default="list")
    parser.add_argument("name", metavar="NAME", nargs="?", help="of one role, tool or function, as `cache` lists it")
    json_argument(parser)


def cache(action: str, name: str | None, json: bool) -> int:
    """What was computed once is used again while it is kept: answers of roles that say `pure: true` (`cache: 1h` says
    for how long), searches of the local agent, functions under `openclaw.api.cache_with_ttl`. `clear` forgets them.
    `roles run --no-cache` leaves it aside, and so does OPENCLAW_CACHE_ENABLED=0 (the setting cache.enabled)."""
    fleet = open_fleet()
    results = Results(fleet.settings, fleet.clock)
    if action == "clear":
        gone = results.clear(name)
        render.document({"forgotten": gone}) if json else render.out(f"{gone} results are forgotten")
        return 0
    kept = {each.name: each for each in results.kept()}
    uses = {each.name: each for each in cache_uses.uses(fleet.store)}
    found = [
        (kept.get(each, Kept(each, 0, 0, 0)), uses.get(each, Uses(each, 0, 0, 0.0, 0, 0.0)))
        for each in sorted(kept.keys() | uses.keys())
        if name in (None, each)
    ]
    if json:
        render.document([k._asdict() | u._asdict() for k, u in found])
        return 0
    rows = [
        (k.name, f"{k.results - k.expired:,}", f"{k.bytes:,}", f"{u.hits:,}", f"{u.misses:,}",
         format_duration(u.seconds), f"{u.tokens:,}", f"${u.cost_usd:,.2f}")
        for k, u in found
    ]  # fmt: skip
    headers = ("NAME", "KEPT", "BYTES", "USED AGAIN", "COMPUTED", "TIME SPARED", "TOKENS SPARED", "COST SPARED")
    render.table(headers, rows, widest="NAME", right=headers[1:])
    return 0
