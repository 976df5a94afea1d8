"""spawn: from the words of a command line to requests, and what a person sees of what was started."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Sequence
from typing import Any

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument, line
from openclaw.errors import BadInput, Refused
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.spawn import plan
from openclaw.sessions.spawn import spawn as start
from openclaw.store.sessions import Session
from openclaw.tasks.prefix import KINDS
from openclaw.tasks.request import POLICIES, Request, from_list
from openclaw.units import count_argument, duration_argument
from openclaw.usage import budgets as limits

LARGEST_STDIN = 16 * 2**20


def spawn_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("task", metavar="TASK", nargs="?", help="what is to be done; for the agent shell, a command line")
    add("--task-file", metavar="F|-", help="read the task from a file, or - for standard input")
    add("--agent", metavar="A", help="the program: shell, claude, codex, gemini, opencode, aider, or your own")
    add("--model", metavar="M", help="the model it is told to use")
    add("--type", metavar="T", help="heartbeat, cron, research, code-edit, review, test, sub-agent, direct-chat")
    add(
        "--role", metavar="R", help="a role (`openclaw roles`): its text, tools and model, where no flag says otherwise"
    )
    add("--template", metavar="T", help="a template of your own, or a shipped one")
    add(
        "--inject",
        metavar="PATH[:A-B]|GLOB",
        action="append",
        help="a file, or its lines A to B, to put into the prompt",
    )
    add("--read", metavar="GLOB", action="append", help="what it may read")
    add("--write", metavar="GLOB", action="append", help="what it may write: claimed for it alone")
    add("--timeout", metavar="D", type=duration_argument("--timeout"), help="end it after 90s, 10m, 2h")
    add(
        "--max-inject-tokens", metavar="N", type=count_argument("--max-inject-tokens"), help="refuse to start with more"
    )
    add("--budget-tokens", metavar="N", type=count_argument("--budget-tokens"), help="what its conversation may use")
    add("--on-context", choices=POLICIES, help="what the monitor does when its context is nearly full")
    add("--cwd", metavar="DIR", default=".", help="where it works, the current folder by default")
    add(
        "--worktree",
        metavar="BRANCH",
        nargs="?",
        const="",
        help="a git worktree of its own, on a new branch: BRANCH, or one named after it",
    )
    add("--name", metavar="N", help="a name to call it by, as good as its id while it lives")
    add("--env", metavar="K=V|K", action="append", help="a variable for it; K alone passes yours on")
    add("--allow-secret", metavar="PATH", action="append", help="inject PATH although it looks like a secret")
    add("--from", metavar="FILE", dest="from_file", help="many at once: a YAML or JSON list, or a markdown checklist")
    add("--prefix", choices=KINDS, help="what the program sends beside the prompt, else as the type says")
    add("--sandbox", action="store_true", help="enclose it with bubblewrap: only its scope is there, for every program")
    add("--check", metavar="CMD", help="a command line that says by its exit status whether the work is good")
    add("--queue", action="store_true", help="wait for a place instead of being refused")
    add("--wait", action="store_true", help="wait for the end and print the result")
    add("--dry-run", action="store_true", help="show files, tokens and scope; start nothing")
    json_argument(parser)


def spawn(
    task: str | None,
    task_file: str | None,
    from_file: str | None,
    cwd: str,
    name: str | None,
    queue: bool,
    wait: bool,
    dry_run: bool,
    json: bool,
    **flags: Any,
) -> int:
    """Exit: 3 when a guard refuses (scope, claim, tokens, secrets, room), and then nothing was started."""
    fleet = open_fleet()
    for several in ("inject", "read", "write", "env", "allow_secret"):
        flags[several] = tuple(flags[several] or ())
    flags["cwd"] = os.path.abspath(cwd)
    if from_file:
        if task or task_file or name:
            raise BadInput("--from names the tasks: leave out TASK, --task-file and --name")
        requests = from_list(read_text(from_file, "--from"), Request(task="", name=None, **flags))
    else:
        if (task is None) == (task_file is None):
            hint = "give it as TASK, with --task-file F, or many with --from FILE"
            if flags["worktree"]:
                hint += "; it may have been taken for the BRANCH: put --worktree after it, or write --worktree=BRANCH"
            raise BadInput("one task is needed", hint)
        text = task if task_file is None else read_text(task_file, "--task-file").rstrip("\n")
        requests = [Request(task=text or "", name=name, **flags)]
    if dry_run:
        from openclaw.cli.planned import show  # what only --dry-run needs

        return show(fleet, plan(fleet, requests), many=bool(from_file), json=json)
    _say_unseen(fleet, dict.fromkeys(r.cwd for r in requests if r.worktree is not None))
    started = start(fleet, requests, queue, waiting=lambda why: render.progress(f"waiting for a place: {why}"))
    if limits.some(fleet.settings):
        from openclaw.agents import registry  # only where there are any
        from openclaw.sessions import budgets
        from openclaw.store import sessions

        for warning in budgets.warnings(fleet, registry.load(fleet.settings), sessions.live(fleet.store)):
            render.warn(warning)
    if wait:
        return _finish(fleet, started, many=bool(from_file), json=json)
    if json:
        render.document([s.as_json() for s in started] if from_file else started[0].as_json())
    else:
        for session in started:
            render.out(line(session))
        if len(started) == 1:
            _next_steps(started[0])
    return 0


def read_text(path: str, flag: str) -> str:
    """A file, or standard input; BadInput when it is not text."""
    try:
        if path == "-":
            data = sys.stdin.buffer.read(LARGEST_STDIN + 1)
        else:
            with open(path, "rb") as file:
                data = file.read(LARGEST_STDIN + 1)
        if len(data) > LARGEST_STDIN:
            raise Refused(
                f"{flag} {path}: more than {LARGEST_STDIN} bytes",
                "put the bulk into files and --inject them",
                code="over_limit",
            )
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{flag} {path}: not UTF-8 at byte {error.start}", "it must be a text file") from error
    except OSError as error:
        raise BadInput(f"{flag} {path}: {error.strerror}", "name a file that can be read, or -") from error


def _say_unseen(fleet: Fleet, folders: Iterable[str]) -> None:
    for folder in folders:
        from openclaw.sessions.worktree import unseen  # git, and few have a worktree

        if count := unseen(fleet, folder):
            render.warn(f"{count} changed files in {folder} are not committed: a worktree starts without those changes")


def _next_steps(session: Session) -> None:
    if sys.stdout.isatty():
        render.out(render.paint(f"watch: openclaw attach {session.id}   then: openclaw result {session.id}", "dim"))


def _finish(fleet: Fleet, started: Sequence[Session], many: bool, json: bool) -> int:
    from openclaw.sessions import output  # only what --wait needs
    from openclaw.sessions.wait import verdict
    from openclaw.sessions.wait import wait as wait_for

    found, timed_out = wait_for(fleet, [s.id for s in started])
    results = [output.result(fleet, s) for s in found]
    if json:
        render.document([r.as_json() for r in results] if many else results[0].as_json())
    else:
        for item in results:
            render.out(line(item.session))
            if item.output and not many:
                render.out(item.output)
    return verdict(fleet, found, timed_out)
