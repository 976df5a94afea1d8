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
from openclaw.context.tokens import Counter
from openclaw.errors import BadInput, Refused
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.spawn import Planned, plan
from openclaw.sessions.spawn import spawn as start
from openclaw.store.sessions import Session
from openclaw.tasks.prepare import everything
from openclaw.tasks.request import Request, from_list
from openclaw.units import count_argument, duration_argument, format_duration

LARGEST_STDIN = 16 * 2**20


def spawn_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("task", metavar="TASK", nargs="?", help="what is to be done; for the agent shell, a command line")
    add("--task-file", metavar="F|-", help="read the task from a file, or - for standard input")
    add("--agent", metavar="A", help="the program: shell, claude, codex, gemini, opencode, aider, or your own")
    add("--model", metavar="M", help="the model it is told to use")
    add("--type", metavar="T", help="heartbeat, cron, research, code-edit, review, test, sub-agent, direct-chat")
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
    add("--sandbox", action="store_true", help="enclose it with bubblewrap: only its scope is there, for every program")
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
        requests = from_list(_text(from_file, "--from"), Request(task="", name=None, **flags))
    else:
        if (task is None) == (task_file is None):
            hint = "give it as TASK, with --task-file F, or many with --from FILE"
            if flags["worktree"]:
                hint += "; it may have been taken for the BRANCH: put --worktree after it, or write --worktree=BRANCH"
            raise BadInput("one task is needed", hint)
        text = task if task_file is None else _text(task_file, "--task-file").rstrip("\n")
        requests = [Request(task=text or "", name=name, **flags)]
    if dry_run:
        return _dry_run(fleet, plan(fleet, requests), many=bool(from_file), json=json)
    _say_unseen(fleet, dict.fromkeys(r.cwd for r in requests if r.worktree is not None))
    started = start(fleet, requests, queue, waiting=lambda why: render.progress(f"waiting for a place: {why}"))
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


def _text(path: str, flag: str) -> str:
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
    return verdict(found, timed_out)


def _dry_run(fleet: Fleet, planned: Sequence[Planned], many: bool, json: bool) -> int:
    from openclaw.sessions.enclose import promises  # what only --dry-run and --sandbox need

    counter = Counter(fleet.cache_dir, fleet.settings.environ)
    all_files = everything(fleet.settings, counter)
    all_tokens = sum(tokens for _, tokens in all_files)
    if json:
        render.document([_as_json(p, all_tokens) for p in planned] if many else _as_json(planned[0], all_tokens))
        return 0
    for number, (task, agent, environ, _, tree) in enumerate(planned):
        if number:
            render.out()
        mark = "" if task.exact else "≈"
        rows = [
            (i.path + (f":{i.first}-{i.last}" if i.first else ""), f"{i.tokens}", i.sha256[:8]) for i in task.injected
        ]
        rest = task.tokens - sum(i.tokens for i in task.injected)
        render.table(("FILE", "TOKENS", "SHA256"), [*rows, ("task and envelope", f"{rest}", "")], right=("TOKENS",))
        instead = f"; loading every workspace file instead: ≈{all_tokens}" if all_files else ""
        render.out(f"\n{mark}{task.tokens} tokens of at most {task.limit}{instead}")
        for missing in task.missing:
            render.out(render.paint(f"not there, so not loaded: {render.clean(missing)}", "dim"))
        render.out(
            f"agent {agent.name}, type {task.type}, time limit {format_duration(task.timeout_s)},"
            f" in {render.clean(task.cwd)}"
        )
        if tree:
            render.out(f"worktree  {render.clean(tree.path)} on the new branch {tree.branch}, from {tree.base[:9]}")
        may_write = "anything" if task.open else _patterns(task.scope.write, task.cwd)
        render.out(f"may read  {_patterns(task.scope.read, task.cwd)}\nmay write {may_write}")
        for promise in promises(task, agent):
            render.out(f"  {render.clean(promise)}")
        render.out(f"sees of your environment: {', '.join(sorted(environ))}")
    render.out("\nnothing was started")
    return 0


def _patterns(patterns: Sequence[str], cwd: str) -> str:
    return ", ".join(render.clean(p.removeprefix(cwd.rstrip("/") + "/")) for p in patterns) or "nothing"


def _as_json(planned: Planned, all_tokens: int) -> dict[str, Any]:
    from openclaw.sessions.enclose import promises

    task = planned.task
    return {
        "dry_run": True,
        "task": task.text,
        "name": task.name,
        "type": task.type,
        "agent": planned.agent.name,
        "model": task.model,
        "cwd": task.cwd,
        "worktree": {"path": planned.tree.path, "branch": planned.tree.branch} if planned.tree else None,
        "scope": task.scope_json(),
        "enforced": promises(task, planned.agent),
        "injected": [
            {"path": i.path, "tokens": i.tokens, "sha256": i.sha256, "first": i.first, "last": i.last}
            for i in task.injected
        ],
        "missing": list(task.missing),
        "tokens": {"total": task.tokens, "exact": task.exact, "limit": task.limit, "everything": all_tokens},
        "timeout_s": task.timeout_s,
        "budget": {"tokens": task.budget_tokens, "usd": None},
        "env": sorted(planned.environ),
    }
