"""The verbs by family, each loaded when called.

argparse, because the parser is most of what a short command costs: it adds a fifth to the start of Python with SQLite
and subprocess, Typer doubles it. A family module has, for each verb, `VERB_arguments(parser)` and `VERB(**arguments)`.
"""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType
from typing import Any, NamedTuple, NoReturn

from openclaw import render
from openclaw.cli import context
from openclaw.cli.guarded import guarded
from openclaw.errors import BadInput, Interrupted


class Verb(NamedTuple):
    """Which panel of the help shows it, which module has it, and its line."""

    panel: str
    module: str
    help: str


VERBS = {
    "spawn": Verb("Agents", "spawn", "start an isolated sub-agent with only the files its task needs"),
    "ps": Verb("Agents", "agents", "list sub-agents and what they are doing"),
    "attach": Verb("Agents", "agents", "watch or take over a sub-agent's window, or several at once"),
    "send": Verb("Agents", "send", "tell a running sub-agent something, or press a key in its window"),
    "logs": Verb("Agents", "agents", "what a sub-agent printed"),
    "wait": Verb("Agents", "agents", "block until sub-agents have finished"),
    "result": Verb("Agents", "agents", "what came of a sub-agent"),
    "kill": Verb("Agents", "agents", "end sub-agents with all their processes"),
    "diff": Verb("Agents", "branches", "what a sub-agent changed in its own worktree"),
    "merge": Verb("Agents", "branches", "bring a sub-agent's commits back from its worktree"),
    "snapshot": Verb("Survive compaction", "continuity", "write window ids and the state of everything to markdown"),
    "restore": Verb("Survive compaction", "continuity", "compare a snapshot with what is there, bring back what died"),
    "snapshots": Verb("Survive compaction", "continuity", "list, show, compare and prune snapshots"),
    "handoff": Verb("Survive compaction", "continuity", "give each open item of active-tasks.md to a sub-agent, once"),
    "note": Verb("Survive compaction", "continuity", "write down what must not be forgotten"),
    "hooks": Verb("Survive compaction", "hooks", "have Claude Code and Codex keep their main session under care"),
    "context": Verb("Context", "monitor", "how full the context of each agent is"),
    "monitor": Verb("Context", "monitor", "watch all contexts and budgets, and act when they run full"),
    "compact": Verb("Context", "compact", "make a conversation's history small, and lose no task, decision or pair"),
    "tokens": Verb("Context", "files", "count the tokens of files"),
    "models": Verb("Models and money", "models", "list the models, and which can be used right now"),
    "route": Verb("Models and money", "models", "which model a task would be given to, and why"),
    "trial": Verb("Models and money", "trial", "try a model against another on real work"),
    "usage": Verb("Models and money", "usage", "take in what you have had with Claude Code and Codex"),
    "metrics": Verb("Models and money", "usage", "what was used and paid, and what is out of bounds"),
    "savings": Verb("Models and money", "usage", "what was paid beside what one model would have cost"),
    "alerts": Verb("Models and money", "usage", "what is out of bounds now"),
    "audit": Verb("Models and money", "usage", "every target of a month, pass or fail"),
    "cache": Verb("Models and money", "cache", "results that are kept and used again, and how to forget them"),
    "cron": Verb("Schedule", "cron", "jobs that run at their times, in isolated sub-agents with only what they need"),
    "heartbeat": Verb("Schedule", "heartbeat", "a look at HEARTBEAT.md now and then, in a fresh session"),
    "inbox": Verb("Schedule", "inbox", "what scheduled work has to say, and what was missed"),
    "roles": Verb("Teams", "roles", "list and show roles, and ask a model once in one of them"),
    "init": Verb("Set-up", "setup", "make a workspace: the files that agents and people share"),
    "doctor": Verb("Set-up", "setup", "check everything openclaw stands on, and mend it with --fix"),
    "config": Verb("Set-up", "setup", "show every setting and where its value comes from"),
    "completion": Verb("Set-up", "setup", "print what makes bash, zsh or fish complete verbs, options and live ids"),
}
HEAD = """Run many coding agents as isolated sub-agents on one shared tmux socket,
each with only the files its task needs."""
ASKED_AGAIN_SECONDS = 5.0
EXITS = """Exit status: 0 done, 1 failed, 2 usage, 3 refused by a guard (nothing was started), 4 not found,
5 something is missing, 6 needs a person, 124 timed out, 130 interrupted."""


class Parser(argparse.ArgumentParser):
    """argparse that says what is wrong through our errors; no abbreviations, a later option could break them."""

    def __init__(self, **more: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **more)

    def error(self, message: str) -> NoReturn:
        raise BadInput(message, f"see `{self.prog} --help`")


def overview() -> str:
    """The first screen of the help: every verb in its panel."""
    lines = ["Usage: openclaw [--workspace DIR] VERB ...", "", HEAD]
    for panel in dict.fromkeys(verb.panel for verb in VERBS.values()):
        lines += ["", f"{panel}:"]
        lines += [f"  {name:<11} {verb.help}" for name, verb in VERBS.items() if verb.panel == panel]
    return "\n".join(
        [*lines, "", "`openclaw VERB --help` shows its options. --json prints one JSON document.", "", EXITS]
    )


def parser_of(name: str, into: argparse.ArgumentParser | None = None) -> argparse.ArgumentParser:
    """The options of one verb."""
    module = importlib.import_module(f"openclaw.cli.{VERBS[name].module}")
    about = VERBS[name].help
    parser = into or Parser(
        prog=f"openclaw {name}", description=f"{about[0].upper()}{about[1:]}.\n\n{getattr(module, name).__doc__ or ''}"
    )
    getattr(module, f"{name}_arguments")(parser)
    parser.add_argument("--workspace", metavar="DIR", help="the workspace to use")
    return parser


def run(words: Sequence[str]) -> int:
    """Parse and do; the exit status. Errors become one or two lines on stderr, or one JSON document with --json."""
    signal.signal(signal.SIGTERM, _terminated)
    if "_ARGCOMPLETE" in os.environ:
        _complete()
    return guarded(lambda: _dispatch(list(words)), as_json="--json" in words)


def _dispatch(words: list[str]) -> int:
    leading: list[str] = []
    while words and words[0].startswith("--workspace"):
        take = 1 if "=" in words[0] else 2
        leading, words = leading + words[:take], words[take:]
    if not words or words[0] in ("-h", "--help", "help"):
        render.out(overview())
        return 0 if words else 2
    name = words[0]
    if name not in VERBS:
        import difflib  # only for a typing error

        near = difflib.get_close_matches(name, VERBS, 1)
        hint = f"did you mean {near[0]}?" if near else "`openclaw --help` lists the verbs"
        raise BadInput(f"there is no {'option' if name.startswith('-') else 'verb'} {name[:40]!r}", hint)
    arguments = vars(_parse(parser_of(name), leading + words[1:]))
    context.workspace = arguments.pop("workspace")
    return int(getattr(importlib.import_module(f"openclaw.cli.{VERBS[name].module}"), name)(**arguments) or 0)


def _parse(parser: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    try:
        # after -- all is positional, which only the plain way of parsing knows; so it is with actions of their own
        plain = "--" in words or any(action.nargs == argparse.PARSER for action in parser._actions)
        return parser.parse_args(words) if plain else parser.parse_intermixed_args(words)
    except SystemExit as done:  # --help
        sys.stdout.flush()
        raise SystemExit(done.code) from None


def _complete() -> None:
    """Answer the shell's question and end. Every family is loaded, for the whole tree is asked about."""
    import argcomplete

    top = Parser(prog="openclaw", description=HEAD)
    verbs = top.add_subparsers()
    for name, verb in VERBS.items():
        parser_of(name, verbs.add_parser(name, help=verb.help))
    argcomplete.autocomplete(top)


def _terminated(signum: int, frame: FrameType | None) -> None:
    """Raise where the program is, and again every few seconds: Python swallows what is raised inside a finaliser."""
    signal.signal(signal.SIGALRM, _terminated)
    signal.setitimer(signal.ITIMER_REAL, ASKED_AGAIN_SECONDS)
    raise Interrupted("ended by SIGTERM")
