"""The monthly audit: every target of the plan with what was found, pass or fail, and what to adjust."""

from __future__ import annotations

import calendar
import statistics
from typing import NamedTuple

from openclaw.errors import BadInput
from openclaw.store import figures
from openclaw.usage import metrics
from openclaw.usage.metrics import Figure, Period, View
from openclaw.usage.remarks import remarks

ODD = 3.0  # times the middle day: a day that cost so much is worth a look


class Audit(NamedTuple):
    """Of one month. `remarks` are for people to look at; they fail nothing."""

    month: str
    lines: list[Figure]
    remarks: list[str]

    @property
    def failed(self) -> list[Figure]:
        return [line for line in self.lines if line.ok is False]


def month_of(text: str) -> Period:
    """The days of a month such as `2026-11`. BadInput for what is none."""
    year, _, month = text.partition("-")
    if not (len(year) == 4 and year.isdecimal() and len(month) == 2 and month.isdecimal() and 1 <= int(month) <= 12):
        raise BadInput(f"{text[:40]!r} is no month", "write it like 2026-11")
    return Period(f"{text}-01", f"{text}-{calendar.monthrange(int(year), int(month))[1]:02}")


def audit(view: View, month: str, now: float) -> Audit:
    """`view` is of that month; `now` in epoch seconds."""
    total, limit = view.total(), view.limit
    by_type = {each.type: each for each in figures.injected(view.store, *view.period)}

    def injected(type: str) -> float | None:
        return round(by_type[type].tokens, 1) if type in by_type else None

    others = metrics.injection(view)[1].value
    saved = metrics.compaction(view)[1].value
    fresh = total.input + total.cache_write + total.output
    share = metrics.session_isolation(view)[0]
    lines = [
        Figure("tokens of the month, without what caches gave", float(fresh) if total.turns else None, "tokens",
               limit("audit_month_tokens"), action="find what grew"),
        Figure("injected for a heartbeat", injected("heartbeat"), "tokens", limit("audit_heartbeat"),
               action="shorten HEARTBEAT.md"),
        Figure("injected for a cron job", injected("cron"), "tokens", limit("audit_cron"), action="increase batching"),
        Figure("injected for a sub-agent", others, "tokens", limit("audit_subagent"),
               action="reduce the injection scope"),
        Figure("a compaction saves", saved, "%", limit("audit_compaction"), True, "adjust the trigger thresholds"),
        share,
        Figure("the dearest day", metrics.cost(view)[1].value, "$", limit("daily_usd"), action="review and optimize"),
    ]  # fmt: skip
    return Audit(month, lines, _remarks(view, now))


def markdown(found: Audit) -> str:
    """As a document of the workspace."""
    text = [f"# Audit of {found.month}", "", "| check | target | found | verdict |", "|---|---|---|---|"]
    for line in found.lines:
        bound = f"{'≥' if line.least else '≤'} {line.limit:,.0f} {line.unit}" if line.limit is not None else ""
        value = "nothing to check" if line.value is None else f"{line.value:,.6g} {line.unit}"
        text.append(f"| {line.name} | {bound} | {value} | {({True: 'pass', False: 'FAIL', None: '–'})[line.ok]} |")
    if found.failed:
        text += ["", "## To adjust", "", *(f"- [ ] {line.name}: {line.action}" for line in found.failed)]
    if found.remarks:
        text += ["", "## To look at", "", *(f"- {remark}" for remark in found.remarks)]
    return "\n".join([*text, ""])


def _remarks(view: View, now: float) -> list[str]:
    days = [(key[0], sums) for key, sums in view.sums("day")]
    middle = statistics.median([sums.cost_usd for _, sums in days]) if days else 0.0
    found = [
        f"{day} cost ${sums.cost_usd:.2f}, {sums.cost_usd / middle:.1f} times the middle day"
        for day, sums in days
        if middle and sums.cost_usd > ODD * middle
    ]
    found += remarks(view, now)
    dearest = sorted(view.sums("model"), key=lambda each: -each[1].cost_usd)[:3]
    found += [f"{key[0]}: {sums.turns} turns for ${sums.cost_usd:.2f}" for key, sums in dearest if sums.cost_usd]
    return found
