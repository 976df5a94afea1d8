"""The verbs by family, loaded when they are called, and the one place where errors become exit statuses."""

from __future__ import annotations

import importlib
import signal
import sqlite3
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Annotated, Any, NamedTuple

import typer
from typer import _click as click  # Typer 0.28 carries its own click
from typer.core import TyperGroup

from openclaw import render
from openclaw.cli import context
from openclaw.errors import BadInput, Interrupted, OpenclawError, Unavailable


class Verb(NamedTuple):
    """Where a verb is implemented, and its line in the help."""

    panel: str
    module: str
    help: str


VERBS = {
    "spawn": Verb("Agents", "spawn", "start an isolated sub-agent with only the files its task needs"),
    "ps": Verb("Agents", "agents", "list sub-agents and what they are doing"),
    "attach": Verb("Agents", "agents", "watch or take over a sub-agent's window, or several at once"),
    "logs": Verb("Agents", "agents", "what a sub-agent printed"),
    "wait": Verb("Agents", "agents", "block until sub-agents have finished"),
    "result": Verb("Agents", "agents", "what came of a sub-agent"),
    "kill": Verb("Agents", "agents", "end sub-agents with all their processes"),
    "tokens": Verb("Context", "files", "count the tokens of files"),
    "init": Verb("Set-up", "setup", "make a workspace: the files that agents and people share"),
    "doctor": Verb("Set-up", "setup", "check everything openclaw stands on, and mend it with --fix"),
    "config": Verb("Set-up", "setup", "show every setting and where its value comes from"),
}


class Verbs(TyperGroup):
    """Knows all verbs by name; imports one family when one of its verbs is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        verb = VERBS[cmd_name]
        module = importlib.import_module(f"openclaw.cli.{verb.module}")
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(
            cmd_name, help=verb.help[0].upper() + verb.help[1:] + ".\n\n" + (getattr(module, cmd_name).__doc__ or "")
        )(getattr(module, cmd_name))
        return typer.main.get_command(app)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for panel in dict.fromkeys(verb.panel for verb in VERBS.values()):
            with formatter.section(panel):
                formatter.write_dl([(name, verb.help) for name, verb in VERBS.items() if verb.panel == panel])


root = typer.Typer(cls=Verbs, rich_markup_mode=None, no_args_is_help=True, invoke_without_command=True)


@root.callback(
    help="Run many coding agents as isolated sub-agents on one shared tmux socket,"
    " each with only the files its task needs.",
    epilog="Exit: 0 done, 1 failed, 2 usage, 3 refused by a guard, 4 not found, 5 something is missing,"
    " 6 needs a person, 124 timed out.",
)
def everywhere(
    workspace: Annotated[str, typer.Option("--workspace", metavar="DIR", help="the workspace to use")] = "",
    version: Annotated[bool, typer.Option("--version", "-V", help="show the version")] = False,
) -> None:
    if version:
        from openclaw.version import VERSION

        render.out(f"openclaw {VERSION}")
        raise typer.Exit
    context.workspace = workspace or None


def run(words: Sequence[str]) -> int:
    """Parse and do; the exit status. Errors become one or two lines on stderr, or one JSON document with --json."""
    signal.signal(signal.SIGTERM, _terminated)
    as_json = "--json" in words
    try:
        status = typer.main.get_command(root).main(list(words), prog_name="openclaw", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except OpenclawError as error:
        return render.error(error, as_json)
    except click.exceptions.NoArgsIsHelpError as error:
        render.out(error.format_message())
        return 2
    except click.ClickException as error:
        return render.error(_usage(error), as_json)
    except (KeyboardInterrupt, typer.Abort):
        return render.error(Interrupted("interrupted"), as_json)
    except BrokenPipeError:
        return render.reader_left()
    except (sqlite3.Error, OSError) as error:
        return render.error(_system(error), as_json)


def _usage(error: click.ClickException) -> OpenclawError:
    ctx = getattr(error, "ctx", None)
    return BadInput(error.format_message(), f"see `{ctx.command_path} --help`" if ctx else "see `openclaw --help`")


def _system(error: Exception) -> OpenclawError:
    where = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return Unavailable(where, "`openclaw doctor` checks the disk, the state folder and the database", code="system")


def _terminated(signum: int, frame: FrameType | None) -> Any:
    raise Interrupted("ended by SIGTERM")
