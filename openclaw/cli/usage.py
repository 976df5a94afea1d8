"""usage, metrics, savings, alerts: what was used and paid, from one ledger."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument, write_out
from openclaw.errors import BadInput
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle_usage
from openclaw.store import figures, ledger
from openclaw.store.ledger import Sums
from openclaw.usage import calibrations, costs, imports
from openclaw.usage import metrics as made
from openclaw.usage.metrics import Figure, View
from openclaw.usage.words import amount, bound, dollars

COLUMNS = ("turns", "input", "cache_write", "cache_read", "output", "cost_usd", "unpriced")


def usage_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("import",))
    parser.add_argument("path", metavar="PATH", nargs="?", help="a file or folder; else both programs' own folders")
    json_argument(parser)


def usage(action: str, path: str | None, json: bool) -> int:
    """Takes what you have had with Claude Code and Codex into the ledger: what is new of it, each turn once."""
    fleet = open_fleet()
    settings = fleet.settings
    done = imports.take(fleet.store, imports.places(settings.environ, settings.home, path))
    calibrations.refresh(fleet.store)
    if problem := costs.fill(fleet.store, settings):
        render.warn(problem)
    if done.odd:
        render.warn(f"{done.odd} rows have figures or times that can't be: that part of them counts for nothing")
    if json:
        render.document(done._asdict())
    else:
        render.out(f"{done.turns} new turns, from {done.read} of {done.files} files that have grown")
    return 0


def metrics_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--filter", choices=tuple(made.FILTERS), help="only these figures")
    add("--period", choices=tuple(made.DAYS), help="the last day, week or month; else all")
    add("--by", choices=tuple(ledger.GROUPS), help="a line for each")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--csv", action="store_true", help="the lines as CSV")
    form.add_argument("--plot", action="store_true", help="draw the tokens of each line")
    form.add_argument("--html", metavar="FILE", help="write all of it as one page with charts")
    json_argument(parser)


def metrics(
    filter: str | None, period: str | None, by: str | None, csv: bool, plot: bool, html: str | None, json: bool
) -> int:
    """Figures with the bounds they should keep; where one doesn't, what to do. Then what was used, by day or --by."""
    fleet, view = _view(period)
    if html:
        from openclaw.cli.page import write  # what draws is loaded only for it

        return write(fleet, view, html, json)
    names = [filter] if filter else list(made.OVERVIEW)
    found = [figure for name in names for figure in made.FILTERS[name](view)]
    lines = view.sums(by or "day")
    if json:
        rows = [{by or "day": key[0]} | dict(zip(COLUMNS, sums, strict=True)) for key, sums in lines]
        shown = {"since": view.period.since or None, "until": view.period.until if period else None}
        render.document({"period": shown, "figures": [f.as_json() for f in found], "rows": rows})
        return 0
    if csv:
        _csv(by or "day", lines)
        return 0
    _figures(found)
    render.out()
    if plot:
        from openclaw.cli.plot import bars

        bars(by or "day", lines, fleet.now()[:10])
    else:
        _lines(by or "day", lines)
    _remarks(fleet, view)
    return 0


def savings_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--baseline", metavar="MODEL", help="what the same turns would have run on (savings.baseline)")
    parser.add_argument("--period", choices=tuple(made.DAYS), help="the last day, week or month; else all")
    json_argument(parser)


def savings(baseline: str | None, period: str | None, json: bool) -> int:
    """What was paid, and what the very same turns would have cost on one model. Nothing in it is estimated."""
    from openclaw.models import catalogue  # only here
    from openclaw.usage.savings import savings as compared

    fleet, view = _view(period)
    found = compared(view, catalogue.load(fleet.settings), baseline or fleet.settings.get("savings.baseline"))
    if json:
        render.document(found.as_json())
        return 0
    render.out(f"{found.turns} turns with {found.tokens:,} tokens")
    render.out(f"paid                 ${found.paid_usd:.2f}")
    render.out(f"all on {found.baseline:<13.13} ${found.baseline_usd:.2f}")
    percent = "" if found.saved_percent is None else f", {found.saved_percent:g} %"
    render.out(f"saved                {dollars(found.saved_usd)}{percent}")
    if found.flat_usd_per_month:
        render.out(f"beside that          ${found.flat_usd_per_month:.2f} a month for flat rates")
    if found.unpriced:
        render.out(f"{found.unpriced} turns are in neither: nobody knows their price")
    return 0


def alerts_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--period", choices=tuple(made.DAYS), default="day", help="the last day (the default), week, month"
    )
    json_argument(parser)


def alerts(period: str, json: bool) -> int:
    """What is out of bounds, and what to do; exit 1 when something is. The bounds are the settings alerts.*"""
    _, view = _view(period)
    found = made.alerts(view)
    raised = [figure for figure in found if figure.ok is False]
    if json:
        render.document([figure.as_json() for figure in raised])
    elif raised:
        _figures(raised)
    else:
        render.out(f"nothing is out of bounds ({len(found)} figures looked at)")
    return 1 if raised else 0


def audit_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("what", nargs="?", choices=("code",), help="look for spawns without scope, inject or isolation")
    parser.add_argument("paths", metavar="PATH", nargs="*", help="code: files and folders, else the current one")
    parser.add_argument("--month", metavar="YYYY-MM", help="the month, this one by default")
    parser.add_argument("--out", metavar="FILE", help="write it there, as markdown")
    json_argument(parser)


def audit(what: str | None, paths: list[str], month: str | None, out: str | None, json: bool) -> int:
    """Every target of a month with what was found, pass or fail, what to adjust and what to look at; exit 1 if one
    fails. `audit code PATH` looks through Python, shell, job files and crontabs for spawns that name no scope, no files
    to inject or no isolated session; exit 1 if there are any. `# openclaw: allow` on its line says one is meant so."""
    if what == "code":
        if month or out:
            raise BadInput("--month and --out belong to the audit of a month", "see `openclaw audit --help`")
        from openclaw.cli.audit_code import audit_code  # parsers

        return audit_code(paths, json)
    from openclaw.usage import audit as audits  # only here

    fleet, view = _view(None)
    month = month or fleet.now()[:7]
    found = audits.audit(view._replace(period=audits.month_of(month)), month)
    if out:
        write_out("--out", out, audits.markdown(found))
    if json:
        lines = [line.as_json() for line in found.lines]
        render.document({"month": month, "lines": lines, "failed": len(found.failed), "remarks": found.remarks})
    elif out:
        render.out(f"{out}: {len(found.failed)} of {len(found.lines)} lines fail")
    else:
        render.out(audits.markdown(found).rstrip("\n"))
    return 1 if found.failed else 0


def _view(period: str | None) -> tuple[Fleet, View]:
    """The ledger, brought up to date first."""
    fleet = open_fleet()
    settle_usage(fleet)
    calibrations.refresh(fleet.store)
    if problem := costs.fill(fleet.store, fleet.settings):
        render.warn(problem)
    return fleet, View(fleet.store, fleet.settings, made.period(fleet.clock(), period or ""))


def _figures(found: Sequence[Figure]) -> None:
    rows = []
    for figure in found:
        verdict = {True: "ok", False: "warn", None: ""}[figure.ok]
        rows.append((figure.name, amount(figure.value, figure.unit), bound(figure), verdict,
                     f"→ {figure.action}" if figure.ok is False else ""))  # fmt: skip
    render.table(("FIGURE", "NOW", "BOUND", "", "DO"), rows, styled="", right=("NOW", "BOUND"))


def _lines(by: str, lines: Sequence[tuple[tuple[str, ...], Sums]]) -> None:
    rows = [
        (key[0] or "–", f"{s.turns:,}", f"{s.input:,}", f"{s.cache_write:,}", f"{s.cache_read:,}", f"{s.output:,}",
         f"${s.cost_usd:,.2f}" + ("+?" if s.unpriced else ""))
        for key, s in lines
    ]  # fmt: skip
    headers = (by.upper(), "TURNS", "INPUT", "CACHE WRITE", "CACHE READ", "OUTPUT", "COST")
    render.table(headers, rows, right=headers[1:])


def _csv(by: str, lines: Sequence[tuple[tuple[str, ...], Sums]]) -> None:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((by, *COLUMNS))
    writer.writerows((key[0], *sums) for key, sums in lines)
    render.out(text.getvalue().rstrip("\n"))


def _remarks(fleet: Fleet, view: View) -> None:
    if count := figures.misdated(fleet.store, made.period(fleet.clock() + 86400, "day").until):
        render.warn(f"{count} turns are dated on days that have not come or that are none: a clock has jumped")
    if count := view.total().unpriced:
        render.warn(f"{count} turns have no known price: give their models one in models.yaml")
