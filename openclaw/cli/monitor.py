"""context, monitor: how full the context of each agent is, and what is done about it."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import complete, json_argument
from openclaw.cli.context import fleet as open_fleet
from openclaw.continuity.gauges import Gauge, gauges
from openclaw.errors import NotFound
from openclaw.store import sessions
from openclaw.store.sessions import percent

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
