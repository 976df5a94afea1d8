"""usage budgets: what is left of every budget, and of the subscriptions that programs report."""

from __future__ import annotations

import os

from openclaw import render
from openclaw.agents import registry
from openclaw.sessions import budgets
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle, settle_usage
from openclaw.store import sessions
from openclaw.units import format_duration, from_utc
from openclaw.usage import budgets as limits
from openclaw.usage import quotas
from openclaw.usage.budgets import Standing
from openclaw.usage.quotas import Quota

NUMBERS = ("SPENT", "HELD", "LIMIT", "LEFT", "USED")


def show(fleet: Fleet, json: bool) -> int:
    """Both tables, of figures that are brought up to date first."""
    settle(fleet)
    settle_usage(fleet)
    limits.arm(fleet.settings)
    gauge = budgets.Gauge(fleet, registry.load(fleet.settings))
    found = gauge.standings(fleet.store, sessions.live(fleet.store), fleet.now())
    found += [  # of each sub-agent, model or job, where there is none now
        Standing(budget, unit, limit, 0.0, frees_at=limits.next_period(fleet.now(), budget.per))
        for budget in gauge.budgets
        if budget not in (standing.budget for standing in found)
        for unit, limit in budget.limits.items()
    ]
    known, now = quotas.every(fleet.store), fleet.clock()
    if json:
        render.document({"budgets": [s.as_json() for s in found], "subscriptions": [q.as_json(now) for q in known]})
        return 0
    if found:
        headers = ("BUDGET", "OF", "PER", *NUMBERS, "", "FREE AGAIN")
        render.table(headers, [_row(standing, now) for standing in found], styled="", right=NUMBERS)
    else:
        file = os.path.join(fleet.settings.config_dir, limits.FILE)
        render.out(f"no budgets: write them into {render.clean(file)}, like budgets: {{day: {{usd: 10}}}}")
    if known:
        render.out()
        pause = fleet.settings.get("quotas.pause")
        rows = [_quota(quota, now, pause) for quota in known]
        render.table(("PROGRAM", "SUBSCRIPTION", "USED", "", "RESETS", "SAID"), rows, styled="", right=("USED",))
    return 0


def _row(standing: Standing, now: float) -> tuple[str, ...]:
    budget, left = standing.budget, max(0.0, standing.limit - standing.spent - standing.held)
    frees = f"in {format_duration(from_utc(standing.frees_at) - now)}" if standing.frees_at else ""
    amounts = (standing.spent, standing.held, standing.limit, left)
    return (
        budget.name, standing.subject or budget.whose, budget.per, *(_amount(standing, each) for each in amounts),
        f"{standing.percent:.0f} %", standing.level, frees,
    )  # fmt: skip


def _amount(standing: Standing, amount: float) -> str:
    return f"${amount:,.2f}" if standing.unit == "usd" else f"{amount:,.0f}"


def _quota(quota: Quota, now: float, pause: float) -> tuple[str, ...]:
    ago = f"{format_duration(now - quota.seen_at)} ago" if quota.seen_at <= now else "by another clock"
    if not quota.known(now):
        return quota.agent, quota.kind, "?", "", "since then", ago
    level = "full" if quota.percent >= 100 else "warn" if pause and quota.percent >= pause else "ok"
    resets = f"in {format_duration(quota.resets_at - now)}" if quota.resets_at else "?"
    return quota.agent, quota.kind, f"{quota.percent:.0f} %", level, resets, ago
