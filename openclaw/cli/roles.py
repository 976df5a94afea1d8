"""roles: which there are, what one says, and one question to a model in one of them."""

from __future__ import annotations

import sys
from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.errors import BadInput
from openclaw.roles import library
from openclaw.roles.role import Role
from openclaw.settings import Settings
from openclaw.units import count_argument, duration_argument, format_duration


def roles_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "show", "run"), nargs="?", default="list")
    role = parser.add_argument("role", metavar="ROLE", nargs="?", help="the name of a role")
    role.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks for it
    parser.add_argument("--in", metavar="FILE|-", dest="source", help="run: what it works on; else standard input")
    parser.add_argument("--model", metavar="M", help="run: ask this one, as endpoint/model")
    add = parser.add_argument
    add("--budget-tokens", metavar="N", type=count_argument("--budget-tokens"), help="run: what it may use, in all")
    add("--timeout", metavar="D", type=duration_argument("--timeout"), help="run: give up after 90s, 10m")
    add("--no-cache", action="store_true", help="run: ask, also where the answer to the very same is kept")
    json_argument(parser)


def roles(
    action: str,
    role: str | None,
    source: str | None,
    model: str | None,
    budget_tokens: int | None,
    timeout: float | None,
    no_cache: bool,
    json: bool,
) -> int:
    """Roles are markdown with front matter, like Claude Code's `.claude/agents/*.md`, which are found too. `run` asks
    once and prints the answer. Exit: 3 over the budget or the window, 5 no model can be reached, 124 its time is up."""
    if (role is None) is not (action == "list"):
        takes = "takes no name: `openclaw roles show ROLE`" if role else "takes the name of a role"
        raise BadInput(f"roles {action} {takes}", "`openclaw roles` lists them")
    if action != "run" and (source or model or budget_tokens or timeout or no_cache):
        raise BadInput("--in, --model, --budget-tokens, --timeout and --no-cache belong to `roles run`")
    settings = open_fleet().settings
    if role is None:
        return _list(settings, json)
    if action == "show":
        return _show(library.find(role, settings), settings, json)
    return _run(library.find(role, settings), source, model, budget_tokens, timeout, not no_cache, settings, json)


def complete(prefix: str, **_: object) -> dict[str, str]:
    """The roles with what they are for, for the shell."""
    found = library.load(open_fleet().settings).roles
    return {name: role.description[:60] for name, role in found.items() if name.startswith(prefix)}


def _list(settings: Settings, json: bool) -> int:
    found = library.load(settings)
    if json:
        render.document([role.as_json() for role in found.roles.values()])
    else:
        rows = [(r.name, r.model or "", r.place, _tools(r), r.description) for _, r in sorted(found.roles.items())]
        render.table(("ROLE", "MODEL", "FROM", "TOOLS", "WHAT IT IS FOR"), rows, widest="WHAT IT IS FOR")
    for each in found.broken:
        render.warn(each.error.message)
    return 0


def _tools(role: Role) -> str:
    if role.tools is None:
        return "all"
    return ", ".join(role.tools) or "none"


def _show(role: Role, settings: Settings, json: bool) -> int:
    if json:
        render.document(role.as_json() | {"prompt": role.prompt})
        return 0
    kept = role.cache or settings.get("cache.keep_for")
    limits = [f"{role.budget} tokens"] if role.budget else []
    limits += [format_duration(role.timeout)] if role.timeout else []
    told = {
        "for": role.description,
        "file": f"{role.path} ({role.place})",
        "hides": ", ".join(role.hides),
        "model": role.model or "as whoever asks, or roles.model",
        "tools": _tools(role),
        "not given": f"{', '.join(role.partly)} (only whole tools are)" if role.partly else "",
        "limits": ", ".join(limits),
        "pure": "the same input has the same answer, which is kept for " + format_duration(kept) if role.pure else "",
        "unused": ", ".join(role.unused),
    }
    render.out(render.paint(role.name, "bold"))
    for what, text in told.items():
        if text:
            render.out(f"{what:<10} {render.clean(text)}")
    render.out(f"\n{role.prompt}")
    return 0


def _run(
    role: Role,
    source: str | None,
    model: str | None,
    budget_tokens: int | None,
    timeout: float | None,
    cache: bool,
    settings: Settings,
    json: bool,
) -> int:
    from openclaw.cli.spawn import read_text  # only to run one
    from openclaw.roles.run import run_role

    if source is None and sys.stdin.isatty():
        raise BadInput(f"roles run {role.name} needs what it works on", "--in FILE, or give it on standard input")
    text = read_text(source or "-", "--in")
    found = run_role(role, text, model, budget_tokens, settings=settings, timeout=timeout, cache=cache)
    if json:
        render.document(found._asdict())
        return 0
    render.out(found.text)
    for note in found.notes:
        render.warn(note)
    cost = "" if found.cost_usd is None else ", free" if not found.cost_usd else f", ${found.cost_usd:.4f}"
    took = format_duration(found.seconds)
    render.progress(f"{found.model}: {found.tokens_in} tokens in, {found.tokens_out} out{cost}, in {took}")
    return 0
