"""context, monitor: how full the context of each agent is, and what is done about it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from openclaw import render
from openclaw.cli.context import complete, json_argument
from openclaw.cli.context import fleet as open_fleet
from openclaw.continuity.gauges import Gauge, gauges
from openclaw.errors import NotFound
from openclaw.sessions.fleet import Fleet
from openclaw.store import sessions
from openclaw.store.sessions import percent
from openclaw.units import duration_argument

if TYPE_CHECKING:
    from openclaw.continuity.monitor import Report

HEADERS = ("ID", "NAME", "AGENT", "STATE", "CONTEXT", "LIMIT", "FULL", "CONVERSATION", "BUDGET", "LEVEL", "WHEN FULL")
NUMBERS = ("CONTEXT", "LIMIT", "FULL", "CONVERSATION", "BUDGET")
NEEDS_PERSON = 6


def context_arguments(parser: ArgumentParser) -> None:
    action = parser.add_argument("id", metavar="ID", nargs="?", help="one sub-agent, or main; all of them by default")
    action.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks for it
    json_argument(parser)


def context(id: str | None, json: bool) -> int:
    """Tokens as the programs report them. CONVERSATION: what came after the first call. Levels: ok, warn from
    context.warn % on, critical from context.compact % on (of what a fixed prefix leaves, where that alone is more),
    unknown."""
    fleet = open_fleet()
    found, _ = gauges(fleet)
    if id:
        who = id if id == "main" else sessions.find(fleet.store, id).id
        found = [each for each in found if who in (each.who, each.name if each.main else "")]
        if not found:
            raise NotFound(f"{who} is not live", "`openclaw context` without an ID shows who is")
    if json:
        render.document([each.as_json() for each in found] if not id else found[0].as_json())
    else:
        show(found)
    return 0


def show(found: Sequence[Gauge]) -> None:
    """The table, and below it what people should know."""
    if not found:
        render.out("no agents are live")
        return
    render.table(HEADERS, map(_row, found), styled="LEVEL", right=NUMBERS)
    for each in found:
        if each.note and not each.note.startswith("its program does not say"):
            render.out(f"{_named(each)}: {render.clean(each.note)}")


def _row(each: Gauge) -> tuple[str, ...]:
    tokens, conversation, limit = each.fill
    full, budget = percent(tokens, limit), percent(conversation, each.budget)
    return (
        _named(each),
        each.name if each.session else "",
        each.agent,
        each.status,
        _count(tokens),
        _count(limit),
        "" if full is None else f"{full} %",
        _count(conversation),
        ""
        if each.budget is None
        else _count(each.budget)
        if budget is None
        else f"{budget} % of {_count(each.budget)}",
        each.level,
        each.policy if each.level != "unknown" else "",
    )


def _named(each: Gauge) -> str:
    return each.who if each.session else "main"


def _count(tokens: int | None) -> str:
    return "" if tokens is None else str(tokens)


def monitor_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--once", action="store_true", help="one look, then end: for cron and heartbeats")
    add("--interval", metavar="D", type=duration_argument("--interval"), help="between two looks (monitor.interval)")
    json_argument(parser)


def monitor(once: bool, interval: float | None, json: bool) -> int:
    """One process for all. At context.warn %: a snapshot and a warning, in the window and in HEARTBEAT.md. At
    context.compact %: a snapshot, and /compact when it is idle, if its policy says so (spawn --on-context, on_context
    of its template, context.policy); then it is told to go on. Of --budget-tokens: warn, compact, halt.

    Budgets act where somebody asked for one: --budget-tokens, a --type or --template that has one, or
    budget.defaults; without a monitor too, at the agent's own turns (budget.by_hooks). Settings are read at the start.

    --json prints one document with --once, else one line of JSON for each look at which something happened.
    Exit: 130 when it is ended; --once 0, or 6 when something needs a person; 3 when another monitor runs
    (--once then only looks).
    """
    from openclaw.continuity import watching  # what only this verb needs

    fleet = open_fleet()
    if once:
        return _once(fleet, json)
    every = interval or fleet.settings.get("monitor.interval")
    for number, report in enumerate(watching.watch(fleet, every)):
        if json and (report.happened or not number):
            render.document(_document(report), one_line=True)
        elif not json:
            if not number:
                show(report.gauges)
            for who, what in report.happened:
                render.out(f"{fleet.now()[11:19]} {_who(report.gauges, who)}: {render.clean(what)}")
    return 0


def _once(fleet: Fleet, json: bool) -> int:
    from openclaw.continuity import watching  # as above

    report, other = watching.once(fleet)
    if other:
        render.warn(f"{other}: it acts, this one only looks")
    if json:
        render.document(_document(report))
    else:
        show(report.gauges)
        for who, what in report.happened:
            render.out(f"{_who(report.gauges, who)}: {render.clean(what)}")
    return NEEDS_PERSON if report.stuck else 0


def _document(report: Report) -> dict[str, Any]:
    return {
        "agents": [each.as_json() for each in report.gauges],
        "happened": [{"id": who, "what": what} for who, what in report.happened],
        "needs_person": report.stuck,
    }


def _who(found: Sequence[Gauge], who: str) -> str:
    return next((_named(each) for each in found if each.who == who), who or "monitor")
