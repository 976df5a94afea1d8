"""The cards of the page: each asks the ledger for one thing, draws it, and says in a sentence what is to be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from openclaw.errors import OpenclawError
from openclaw.models import catalogue
from openclaw.store import figures
from openclaw.store.ledger import Sums
from openclaw.usage import charts, html, metrics
from openclaw.usage.charts import AMBER, BLUE, GREEN, PALE, ROSE, SKY, STONE, VIOLET, WHOLE, Part
from openclaw.usage.html import Card
from openclaw.usage.metrics import Figure, View
from openclaw.usage.savings import savings as compared
from openclaw.usage.timeline import Timeline
from openclaw.usage.words import amount, bound, dollars, percent, short

MODELS = 6  # with a colour of their own; the others share one
DOLLARS, PERCENT = "$,.2~f", ".0f"  # how an axis is written
WARN = 0.8  # of a budget
TYPES, JOBS, COMPACTIONS = 10, 10, 24  # that are shown
GOING = ("starting", "working", "waiting", "idle")
ENDS = {
    "done": GREEN,
    "going on": BLUE,
    "failed": ROSE,
    "timeout": AMBER,
    "halted": VIOLET,
    "lost": SKY,
    "killed": STONE,
}
KINDS = {"from caches": SKY, "written to caches": BLUE, "new input": AMBER, "output": ROSE}


class Spent(NamedTuple):
    """How one budget stands: its share that is spent or held, and in words."""

    name: str
    share: float
    said: str


def bounds(view: View) -> Card:
    raised = [figure for figure in metrics.alerts(view) if figure.ok is False]
    if not raised:
        return Card("Bounds", "", '<ul class="alerts fine"><li><b>Nothing is out of bounds.</b></li></ul>', wide=True)
    lines = "".join(
        f"<li><b>{html.text(each.name)}: {html.text(amount(each.value, each.unit))}</b>, meant is"
        f" {html.text(bound(each))} → {html.text(each.action)}</li>"
        for each in raised
    )
    return Card("Out of bounds", "", f'<ul class="alerts">{lines}</ul>', wide=True)


def cost(view: View, time: Timeline) -> Card:
    title, spent = f"Cost by model, per {time.unit}", defaultdict[str, float](float)
    for (model,), sums in view.sums("model"):
        spent[model] += sums.cost_usd
    paid = sorted((model for model in spent if spent[model]), key=lambda model: -spent[model])
    if not paid:
        return Card(title, "", _none("nothing was paid yet"))
    own = {model: colour for colour, model in enumerate(paid[:MODELS])}
    names = [html.named(model)[:60] for model in own] + ([f"{len(paid) - MODELS} others"] if len(paid) > MODELS else [])
    columns = defaultdict[tuple[str, int], float](float)
    for (day, model), sums in view.sums("day", "model"):
        if sums.cost_usd and day in time.at:
            columns[time.at[day], own.get(model, STONE)] += sums.cost_usd
    parts = [
        Part(at, n, round(usd, 6), f"{at}, {names[n]}: {dollars(usd)}") for (at, n), usd in sorted(columns.items())
    ]
    dearest = metrics.cost(view)[1]
    said = f"the dearest day {dollars(dearest.value or 0)}, meant is {bound(dearest)}"
    return Card(title, said, charts.columns(parts, time.bins, DOLLARS), [(name, n) for n, name in enumerate(names)])


def turns(view: View, time: Timeline) -> Card:
    title, parts = f"Tokens of a turn, per {time.unit}", list[Part]()
    for at, sums in _by_bin(view, time):
        means = (each / sums.turns for each in (sums.cache_read, sums.cache_write, sums.input, sums.output))
        for (kind, colour), mean in zip(KINDS.items(), means, strict=True):
            parts.append(Part(at, colour, round(mean, 1), f"{at}, {kind}: {short(mean)} a turn"))
    if not parts:
        return Card(title, "", _none("no turns yet"))
    total = view.total()
    said = f"{short(total.sent / total.turns)} sent and {short(total.output / total.turns)} answered, on average"
    return Card(title, said, charts.columns(parts, time.bins, WHOLE), list(KINDS.items()))


def cache(view: View, time: Timeline) -> Card:
    title = f"Input that came from caches, per {time.unit}"
    shares = [(at, 100 * sums.cache_read / sums.sent) for at, sums in _by_bin(view, time) if sums.sent]
    parts = [Part(at, GREEN, round(share, 2), f"{at}: {share:.1f} %") for at, share in shares]
    if not parts:
        return Card(title, "", _none("no turns yet"))
    total = view.total()
    said = f"percent; {percent(total.cache_read, total.sent)} of all"
    return Card(title, said, charts.line(parts, time.bins, PERCENT, 100))


def sessions(view: View) -> Card:
    title, counts = "Sub-agents by type and outcome", defaultdict[str, dict[str, int]](dict)
    for type, status, count in figures.outcomes(view.store, *view.period):
        end = "going on" if status in GOING else status
        counts[type][end] = counts[type].get(end, 0) + count
    if not counts:
        return Card(title, "", _none("no sub-agents yet"))
    largest = sorted(counts, key=lambda type: -sum(counts[type].values()))
    parts = [
        Part(html.named(type)[:40], colour, counts[type][end], f"{html.named(type)}: {counts[type][end]:,} {end}")
        for type in largest[:TYPES]
        for end, colour in ENDS.items()
        if end in counts[type]
    ]
    more = f", {len(largest) - TYPES} more types are not shown" if len(largest) > TYPES else ""
    said = f"{sum(sum(each.values()) for each in counts.values()):,} in all{more}"
    legend = [(end, colour) for end, colour in ENDS.items() if any(end in each for each in counts.values())]
    return Card(title, said, charts.bars(parts, WHOLE), legend)


def tiers(view: View) -> Card:
    title = "Turns by tier"
    try:
        found = metrics.shares(view)
    except OpenclawError as error:
        return Card(title, "", _none(error.message))
    if all(each.percent is None for each in found):
        return Card(title, "", _none("no turns yet"))
    parts = [
        Part(each.step, colour, value, f"{each.step}: {value:g} % {said}")
        for each in found
        for value, colour, said in ((each.percent or 0.0, BLUE, "now"), (each.meant, PALE, "meant"))
    ]
    legend = (("now", BLUE), ("meant", PALE))
    return Card(title, "percent of all turns", charts.bars(parts, PERCENT, beside=True), legend)


def compactions(view: View) -> Card:
    title, found = "What compactions leave", figures.compactions(view.store, *view.period)
    if not found:
        return Card(title, "", _none("no compactions yet"))
    parts, first = list[Part](), max(0, len(found) - COMPACTIONS)
    for number, (before, after) in enumerate(found[first:], first + 1):
        said = f"{short(before)} → {short(after)} tokens"
        parts += [Part(f"{number}", GREEN, after, said), Part(f"{number}", PALE, before - after, said)]
    saved = metrics.compaction(view)[1]
    said = f"{len(found):,} saved {saved.value:g} % of their tokens, meant is {bound(saved)}"
    bins, legend = list(dict.fromkeys(part.at for part in parts)), (("tokens left", GREEN), ("saved", PALE))
    return Card(title, said, charts.columns(parts, bins, WHOLE), legend)


def savings(view: View, baseline: str) -> Card:
    title = "Savings"
    try:
        found = compared(view, catalogue.load(view.settings), baseline)
    except OpenclawError as error:
        return Card(title, "", _none(error.message))
    if not found.turns:
        return Card(title, "", _none("no turns yet"))
    rows = {"paid": found.paid_usd, f"all on {html.named(found.baseline)[:40]}": found.baseline_usd}
    parts = [
        Part(name, colour, usd, f"{name}: {dollars(usd)}")
        for (name, usd), colour in zip(rows.items(), (BLUE, PALE), strict=True)
    ]
    share = "" if found.saved_percent is None else f" ({found.saved_percent:g} %)"
    said = f"{dollars(found.saved_usd)}{share} beside the very same turns {parts[1].at}"
    if found.flat_usd_per_month:
        said += f"; beside that {dollars(found.flat_usd_per_month)} a month for flat rates"
    return Card(title, said, charts.bars(parts, DOLLARS))


def budgets(found: Sequence[Spent]) -> Card:
    title = "Budgets"
    if not found:
        return Card(title, "", _none("none is set (budgets.* in openclaw.yaml)"))
    parts = []
    for each in found:
        colour = ROSE if each.share >= 1 else AMBER if each.share >= WARN else BLUE
        parts.append(Part(each.name, colour, round(100 * each.share, 1), each.said))
    rows = [(each.name, each.said) for each in found]
    body = charts.bars(parts, PERCENT, most=max(100, *(part.value for part in parts))) + html.table(
        ("budget", "spent"), rows
    )
    return Card(title, "percent that is spent, or held for live sub-agents", body)


def jobs(view: View) -> Card:
    found = figures.jobs(view.store, *view.period, JOBS)
    if not found:
        return Card("Scheduled jobs", "", _none("no job has run yet"))
    rows = [(job.job, f"{job.runs:,}", f"{job.failed:,}", short(job.tokens), dollars(job.cost_usd)) for job in found]
    heads = ("job", "runs", "failed", "tokens", "cost")
    return Card("Scheduled jobs", "the dearest first", html.table(heads, rows, heads[1:]), wide=True)


def all_figures(view: View) -> Card:
    verdict = {True: "ok", False: "out of bounds", None: ""}
    rows = [
        (
            each.name,
            amount(each.value, each.unit),
            bound(each),
            verdict[each.ok],
            each.action if each.ok is False else "",
        )
        for name in metrics.FILTERS
        for each in _figures(name, view)
    ]
    heads = ("figure", "now", "bound", "", "what to do")
    return Card("All figures", "as `openclaw metrics` has them", html.table(heads, rows, ("now", "bound")), wide=True)


def _figures(name: str, view: View) -> list[Figure]:
    try:
        return metrics.FILTERS[name](view)
    except OpenclawError as error:  # a file of models that is being edited: the other figures stand
        return [Figure(error.message, None, "")]


def _by_bin(view: View, time: Timeline) -> list[tuple[str, Sums]]:
    found: dict[str, Sums] = {}
    for (day,), sums in view.sums("day"):
        if (at := time.at.get(day)) is not None:
            found[at] = found[at].plus(sums) if at in found else sums
    return list(found.items())


def _none(why: str) -> str:
    return f'<p class="none">{html.text(why)}</p>'
