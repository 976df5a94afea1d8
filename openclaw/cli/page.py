"""`metrics --html FILE`: the page, with what only live sessions know about budgets."""

from __future__ import annotations

import os

from openclaw import render
from openclaw.agents import registry
from openclaw.cli.context import write_out
from openclaw.sessions.budgets import Gauge
from openclaw.sessions.fleet import Fleet
from openclaw.store import sessions
from openclaw.usage import page
from openclaw.usage.cards import Spent
from openclaw.usage.metrics import View


def write(fleet: Fleet, view: View, file: str, json: bool) -> int:
    """Write it, whole or not at all, and say how large it is."""
    known = _budgets(fleet) if view.now else []  # somebody is at work on budgets.yaml, and was told
    text = page.build(view, known, fleet.now(), fleet.settings.get("savings.baseline"))
    path = write_out("--html", file, text)
    if json:
        render.document({"file": path, "bytes": os.path.getsize(path)})
    else:
        render.out(f"{path}: {os.path.getsize(path) / 1024:,.0f} KB, to be opened in a browser")
    return 0


def _budgets(fleet: Fleet) -> list[Spent]:
    gauge = Gauge(fleet, registry.load(fleet.settings))
    return [
        Spent(
            f"{' '.join(filter(None, (s.budget.name, s.subject)))}, {'$' if s.unit == 'usd' else s.unit}",
            (s.spent + s.held) / s.limit,
            f"{s.shown(s.spent)} of {s.shown(s.limit)}" + (f", {s.shown(s.held)} held" if s.held else ""),
        )
        for s in gauge.standings(fleet.store, sessions.live(fleet.store), fleet.now())
    ]
