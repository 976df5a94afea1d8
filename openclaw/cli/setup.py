"""init, doctor, config: what openclaw stands on."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from openclaw import render, workspace
from openclaw.cli import context
from openclaw.cli.agents import Json
from openclaw.errors import BadInput
from openclaw.sessions.doctor import examine
from openclaw.settings import DECLARED


class Aspect(enum.StrEnum):
    """What `config` shows."""

    path = "path"
    show = "show"


def init(
    folder: Annotated[
        str, typer.Argument(metavar="[DIR]", help="the workspace to make; by default the one openclaw would use here")
    ] = "",
    json: Json = False,
) -> int:
    """Writes AGENTS.md, MEMORY.md, HEARTBEAT.md, active-tasks.md and the folders; what is there stays as it is."""
    settings = context.settings()
    where, made = workspace.init(folder or settings.workspace)
    if json:
        render.document({"workspace": where, "created": made})
    else:
        render.out(f"workspace {where}: " + (f"created {', '.join(made)}" if made else "complete already"))
    return 0


def doctor(
    fix: Annotated[bool, typer.Option("--fix", help="mend what can be mended without touching anybody's work")] = False,
    json: Json = False,
) -> int:
    """Exit 1 when something is wrong."""
    checks = examine(context.fleet(), fix)
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


def config(
    aspect: Annotated[Aspect, typer.Argument(metavar="path|show")] = Aspect.show,
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="only this setting")] = "",
    json: Json = False,
) -> int:
    """`path`: the file to edit. `show`: each value with its source: flag, environment, workspace, user, default."""
    settings = context.settings()
    if aspect is Aspect.path:
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
