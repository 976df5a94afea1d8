"""hooks: what makes the agent that a person talks to tell us of itself, and survive its compactions."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.continuity import hooks as ours
from openclaw.errors import Unavailable


def hooks_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "show"), nargs="?", default="show")
    scopes = parser.add_mutually_exclusive_group()
    for scope, about in (
        ("user", "your own settings, for all your projects (the default)"),
        ("project", "those of the repository of the current folder"),
    ):
        scopes.add_argument(f"--{scope}", dest="scope", action="store_const", const=scope, help=about)
    parser.add_argument(
        "--agent", choices=(*ours.PROGRAMS, "all"), help="whose settings; by default of those that are installed"
    )
    json_argument(parser)


def hooks(action: str, scope: str | None, agent: str | None, json: bool) -> int:
    """Puts openclaw-hook into the settings of Claude Code and Codex, and takes it away again.

    It registers the main session, takes a snapshot before a compaction and puts the brief in after it. Nothing else in
    the files is touched; installing twice changes nothing; uninstall leaves them as they were.
    """
    fleet = open_fleet()
    agents = list(ours.PROGRAMS) if agent == "all" else [agent] if agent else ours.present(fleet.settings)
    if action == "show":
        from openclaw.continuity.hooks_shown import look  # runs the programs that it finds

        found = look(fleet.settings, [scope] if scope else ours.SCOPES, agents if agent else ours.PROGRAMS)
        if json:
            render.document([shown.as_json() for shown in found])
            return 0
        rows = [
            (s.file.agent, s.file.scope, _state(s.events, s.exists), s.version, s.problem, s.file.path) for s in found
        ]
        render.table(("AGENT", "SCOPE", "HOOKS", "VERSION", "PROBLEM", "FILE"), rows, widest="PROBLEM")
        return 0
    if not agents:
        raise Unavailable("neither Claude Code nor Codex is here", "name one with --agent all the same", "no_agent")
    change = ours.install if action == "install" else ours.uninstall
    done = change(fleet, scope or "user", agents)
    if json:
        render.document([each.as_json() for each in done])
        return 0
    for each in done:
        render.out(f"{each.file.agent}  {each.outcome:<9}  {render.clean(each.file.path)}")
    for remark in dict.fromkeys(remark for each in done for remark in each.remarks):
        render.out(f"  {render.clean(remark)}")
    if action == "install" and any(each.outcome != "unchanged" for each in done):
        render.out("  programs that run already read it when they are started again")
    return 0


def _state(events: tuple[str, ...], exists: bool) -> str:
    if events == ("notify",):
        return "notify"
    return f"{len(events)} events" if events else "none" if exists else "no file"
