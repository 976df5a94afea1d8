"""init, doctor, config, completion: what openclaw stands on."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render, workspace
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.errors import BadInput
from openclaw.sessions.doctor import examine
from openclaw.settings import DECLARED


def init_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("folder", metavar="DIR", nargs="?", help="the workspace to make; else the one used here")
    json_argument(parser)


def init(folder: str | None, json: bool) -> int:
    """Writes AGENTS.md, MEMORY.md, HEARTBEAT.md, active-tasks.md and the folders; what is there stays as it is."""
    settings = open_fleet().settings
    where, made = workspace.init(folder or settings.workspace)
    if json:
        render.document({"workspace": where, "created": made})
    else:
        render.out(f"workspace {where}: " + (f"created {', '.join(made)}" if made else "complete already"))
    return 0


def doctor_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--fix", action="store_true", help="mend what can be mended without touching anybody's work")
    add = parser.add_argument
    add("--trust", metavar="DIR", action="append", help="with --fix: tell the programs that you trust this folder")
    json_argument(parser)


def doctor(fix: bool, trust: list[str] | None, json: bool) -> int:
    """Exit 1 when something is wrong."""
    if trust and not fix:
        raise BadInput("--trust changes the configuration of programs", "say so: openclaw doctor --fix --trust DIR")
    from openclaw.continuity.hooks_shown import check as check_hooks  # only for this verb

    fleet = open_fleet()
    checks = [*examine(fleet, fix, trust or ()), check_hooks(fleet.settings)]
    if json:
        render.document([c._asdict() for c in checks])
    else:
        width = max(len(c.name) for c in checks)
        for check in checks:
            level = render.paint(check.level.ljust(5), check.level)
            render.out(f"{level}  {check.name.ljust(width)}  {render.clean(check.detail)}")
            if check.hint:
                render.out(render.paint(f"       {'':{width}}  → {render.clean(check.hint)}", "dim"))
    return 1 if any(c.level == "error" for c in checks) else 0


def config_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("aspect", choices=("path", "show"), nargs="?", default="show")
    parser.add_argument("key", metavar="KEY", nargs="?", help="only this setting")
    json_argument(parser)


def config(aspect: str, key: str | None, json: bool) -> int:
    """`path`: the file to edit. `show`: each value with its source: flag, environment, workspace, user, default."""
    settings = open_fleet().settings
    if aspect == "path":
        if json:
            render.document({"path": settings.config_file})
        else:
            render.out(settings.config_file)
        return 0
    if key and key not in DECLARED:
        raise BadInput(f"no setting {key[:40]!r}", "`openclaw config show` lists them")
    rows = [(k, settings.value(k), DECLARED[k]) for k in ([key] if key else DECLARED)]
    if json:
        render.document(
            {k: {"value": v.value, "source": v.source, "env": d.env, "help": d.help} for k, v, d in rows}
            | (
                {}
                if key
                else {
                    "workspace": settings.workspace_value()._asdict(),
                    "state_dir": {"value": settings.state_dir, "source": "paths"},
                }
            )
        )
        return 0
    table = [(k, str(v.value), v.source) for k, v, _ in rows]
    if not key:
        table += [
            ("workspace", *settings.workspace_value()),
            ("state folder", settings.state_dir, "OPENCLAW_STATE_DIR, else the platform's"),
        ]
    render.table(("SETTING", "VALUE", "FROM"), table)
    return 0


def completion_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))


def completion(shell: str) -> int:
    """For bash and zsh: eval "$(openclaw completion bash)". For fish: openclaw completion fish | source"""
    from argcomplete.shell_integration import shellcode

    render.out(shellcode(["openclaw"], shell=shell))
    return 0
