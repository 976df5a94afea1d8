"""models, route: which models there are, which can be used, and which one a task is given to."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.errors import BadInput
from openclaw.models import catalogue
from openclaw.models.catalogue import Catalogue, Model
from openclaw.models.endpoints import DEFAULT_WINDOW
from openclaw.models.prices import NOTHING, Price
from openclaw.models.reach import Reach
from openclaw.models.route import must
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.routed import decided
from openclaw.units import count_argument


def models_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "show", "check", "learning"), nargs="?", default="list")
    parser.add_argument("names", metavar="NAME", nargs="*", help="only these")
    parser.add_argument(
        "--reset", action="store_true", help="with learning: forget the outcomes, of the kinds NAME or all"
    )
    json_argument(parser)


def models(action: str, names: list[str], reset: bool, json: bool) -> int:
    """`list`: names, tiers, windows and prices in dollars for a million tokens. `show NAME`: all about one. `check`:
    what answers right now, without spending a token; exit 5 when nothing that was asked for does. `learning [KIND]`:
    how likely each model is to succeed at each kind of task, from outcomes (`openclaw result ID --good` or `--bad`).
    """
    fleet = open_fleet()
    if action == "learning":
        return _learning(fleet, names, reset, json)
    if reset:
        raise BadInput("--reset forgets what was learned", "openclaw models learning --reset")
    known = catalogue.load(fleet.settings)
    chosen = [known.get(name) for name in names] or list(known.models.values())
    if known.problem:
        render.warn(known.problem)
    if action == "check":
        return _check(fleet, known, chosen, json)
    if action == "show":
        return _show(known, chosen if names else [], json)
    if json:
        render.document([model.as_json() for model in chosen])
        return 0
    rows = [
        (m.name, m.tier, m.full, f"{m.window:,}" if m.window else "?", *prices_of(m.price), ", ".join(m.agents))
        for m in sorted(chosen, key=lambda m: catalogue.TIERS.index(m.tier) if m.tier else len(catalogue.TIERS))
    ]
    render.table(
        ("NAME", "TIER", "MODEL", "WINDOW", "IN", "CACHED", "OUT", "AGENTS"),
        rows,
        right=("WINDOW", "IN", "CACHED", "OUT"),
    )
    return 0


def _learning(fleet: Fleet, kinds: Sequence[str], reset: bool, json: bool) -> int:
    from openclaw.models import learning  # only to look at it
    from openclaw.store import db, outcomes

    if reset:
        with db.transaction(fleet.store):
            gone = sum(outcomes.forget(fleet.store, kind) for kind in kinds or ("",))
        render.document({"forgotten": gone}) if json else render.out(f"{gone} outcomes forgotten")
        return 0
    all_kinds = dict.fromkeys(o.kind for o in outcomes.newest(fleet.store))
    found = []
    for kind in (k for k in all_kinds if not kinds or k in kinds):
        counts = learning.count(((o.agent, o.model), o.good) for o in outcomes.newest(fleet.store, kind))
        found += [(kind, *arm, known) for arm, known in counts.items()]
    if json:
        keys = ("type", "agent", "model")
        render.document(
            [dict(zip(keys, row[:3], strict=True)) | row[3]._asdict() | {"success": row[3].mean} for row in found]
        )
    elif found:
        rows = [(k, a, m, f"{c.good:.1f}", f"{c.bad:.1f}", str(c.n), f"{c.mean:.0%}") for k, a, m, c in found]
        headers = ("KIND", "AGENT", "MODEL", "GOOD", "BAD", "OUTCOMES", "SUCCESS")
        render.table(headers, rows, right=headers[3:])
    else:
        render.out("nothing was learned yet: say how work was with `openclaw result ID --good` or `--bad`")
    return 0


def _check(fleet: Fleet, known: Catalogue, chosen: Sequence[Model], json: bool) -> int:
    from openclaw.agents import registry  # only to look around
    from openclaw.models import reach

    settings = fleet.settings
    url, patience = settings.get("local.url"), settings.get("models.patience")
    found = reach.look(known, chosen, registry.load(settings), settings.environ, patience, url)
    found = [_with_window(fleet, known, each, url) for each in found]
    if json:
        render.document([each._asdict() for each in found])
    else:
        rows = [(each.model, each.agent, "ok" if each.ok else "no", each.why) for each in found]
        render.table(("MODEL", "AGENT", "NOW", "WHY"), rows, widest="WHY", styled="NOW")
    return 0 if any(each.ok for each in found) else 5


def _with_window(fleet: Fleet, known: Catalogue, each: Reach, url: str) -> Reach:
    """With what its server says of the window, where no list knows it."""
    model = known.models.get(each.model) or known.get(each.model)
    entry, environ = known.endpoints[model.endpoint], fleet.settings.environ
    if not each.ok or each.agent != "local" or model.window or entry.window:
        return each
    from openclaw.models import windows

    key = environ.get(entry.key, "") if entry.key else ""
    size = windows.ask(entry, url or entry.base(environ), key, model.id, fleet.settings.get("models.patience"))
    if size:
        return each._replace(why=f"{each.why}; it says that its window has {size:,} tokens")
    usual = f"nobody says how large its window is: {DEFAULT_WINDOW:,} tokens are assumed (window: in models.yaml)"
    return each._replace(why=f"{each.why}; {usual}")


def _show(known: Catalogue, chosen: Sequence[Model], json: bool) -> int:
    if not chosen:
        raise BadInput("show which model?", "openclaw models show NAME")
    if json:
        render.document(chosen[0].as_json() if len(chosen) == 1 else [model.as_json() for model in chosen])
        return 0
    for m in chosen:
        spent, cached, output = prices_of(m.price)
        tools = {True: "yes", False: "no", None: "not known"}[m.tools]
        lines = [
            ("model", f"{m.full}  ({m.tier or 'in no list'})"),
            ("about", m.about),
            ("also", ", ".join(m.also)),
            ("window", f"{m.window:,} tokens" if m.window else "not known"),
            ("price", f"{spent} in, {cached} cached, {output} out, in dollars for a million tokens"),
            ("tools", tools),
            *((agent, f"told {told}") for agent, told in m.agents.items()),
            ("flat rate", ", ".join(s for s in known.active if set(known.subscriptions[s].agents) & set(m.agents))),
            ("from", m.source),
        ]
        render.out(render.paint(render.clean(m.name), "bold"))
        for label, text in lines:
            if text:
                render.out(f"  {label:<9} {render.clean(text)}")
    return 0


def prices_of(price: Price | None) -> tuple[str, str, str]:
    """Input, cached input, output, as people read them."""
    if price is None:
        return "?", "?", "?"
    if price == NOTHING:
        return "free", "free", "free"
    return f"{price.input:g}", f"{price.cache_read:g}", f"{price.output:g}"


def route_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("task", metavar="TASK", help="what is to be done")
    add("--type", metavar="T", help="its type, instead of what the rules make of the text")
    add("--agent", metavar="A", help="only models that this program can ask")
    add("--tokens", metavar="N", type=count_argument("--tokens"), default=0, help="the prompt has so many")
    add("--seed", metavar="S", default="", help="decide as last time with this, where chance has a say")
    add("--explain", action="store_true", help="say why, in a paragraph")
    json_argument(parser)


def route(task: str, type: str | None, agent: str | None, tokens: int, seed: str, explain: bool, json: bool) -> int:
    """The cheapest model that is good enough and can be used now, found without a token; exit 5 if there is none."""
    fleet = open_fleet()
    choice = decided(fleet, task, type, agent, tokens, seed or fleet.settings.get("route.seed"))
    if json:
        render.document({"task": task} | choice.as_json())
        return 0 if choice.chosen else 5
    step = must(choice) if not explain else choice.chosen
    if explain:
        from openclaw.models.route import explain as paragraph

        render.out(render.clean(paragraph(choice)))
        return 0 if step else 5
    judged = choice.judged
    assert step
    cost = "free" if step.usd == 0 else "price not known" if step.usd is None else f"about ${step.usd:.4f} a run"
    rest = "".join(f" → {each.model}" for each in choice.chain[1:4])
    render.out(
        f"{render.paint(step.model, 'bold')}  {step.agent} {step.told}  {judged.kind.name}, {judged.tier},"
        f" risk {judged.risk}, {cost}{rest}"
    )
    return 0
