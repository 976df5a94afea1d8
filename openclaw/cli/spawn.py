"""spawn: from the words of a command line to requests, and what a person sees of what was started."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from openclaw import render
from openclaw.cli import context
from openclaw.cli.agents import Json, line
from openclaw.context.tokens import Counter
from openclaw.errors import BadInput, Refused
from openclaw.sessions import output
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.spawn import Planned, plan
from openclaw.sessions.spawn import spawn as start
from openclaw.sessions.wait import verdict
from openclaw.sessions.wait import wait as wait_for
from openclaw.store.sessions import Session
from openclaw.tasks.prepare import everything
from openclaw.tasks.request import Request, from_list
from openclaw.units import format_duration, parse_count, parse_duration

LARGEST_STDIN = 16 * 2**20


def spawn(
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="what is to be done; for the agent shell, a command line")
    ] = None,
    task_file: Annotated[
        str, typer.Option("--task-file", metavar="F|-", help="read the task from a file, or - for standard input")
    ] = "",
    agent: Annotated[
        str,
        typer.Option(
            "--agent", metavar="A", help="the program: shell, claude, codex, gemini, opencode, aider, or your own"
        ),
    ] = "",
    model: Annotated[str, typer.Option("--model", metavar="M", help="the model it is told to use")] = "",
    template: Annotated[str, typer.Option("--template", metavar="T", help="a template of yours or a shipped one")] = "",
    type: Annotated[
        str,
        typer.Option(
            "--type", metavar="T", help="heartbeat, cron, research, code-edit, review, test, sub-agent, direct-chat"
        ),
    ] = "",
    inject: Annotated[
        list[str] | None,
        typer.Option(
            "--inject", metavar="PATH[:A-B]|GLOB", help="a file, or lines A to B of it, to put into the prompt"
        ),
    ] = None,
    read: Annotated[list[str] | None, typer.Option("--read", metavar="GLOB", help="what it may read")] = None,
    write: Annotated[
        list[str] | None, typer.Option("--write", metavar="GLOB", help="what it may write: claimed for it alone")
    ] = None,
    timeout: Annotated[str, typer.Option("--timeout", metavar="D", help="end it after 90s, 10m, 2h")] = "",
    max_inject_tokens: Annotated[
        str, typer.Option("--max-inject-tokens", metavar="N", help="refuse to start with more than N tokens")
    ] = "",
    budget_tokens: Annotated[
        str, typer.Option("--budget-tokens", metavar="N", help="tokens that its conversation may use")
    ] = "",
    cwd: Annotated[
        str, typer.Option("--cwd", metavar="DIR", help="where it works, the current folder by default")
    ] = "",
    name: Annotated[
        str, typer.Option("--name", metavar="N", help="a name to call it by, as good as its id while it lives")
    ] = "",
    env: Annotated[
        list[str] | None, typer.Option("--env", metavar="K=V|K", help="a variable for it; K alone passes yours on")
    ] = None,
    allow_secret: Annotated[
        list[str] | None,
        typer.Option("--allow-secret", metavar="PATH", help="inject PATH although it looks like a secret"),
    ] = None,
    from_file: Annotated[
        str, typer.Option("--from", metavar="FILE", help="many at once: a YAML or JSON list, or a markdown checklist")
    ] = "",
    queue: Annotated[bool, typer.Option("--queue", help="wait for a place instead of being refused")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="wait for the end and print the result")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show files, tokens and scope; start nothing")] = False,
    json: Json = False,
) -> int:
    """Exit: 3 when a guard refuses (scope, claim, tokens, secrets, room), and then nothing was started."""
    fleet = context.fleet()
    flags: dict[str, Any] = {
        "agent": agent or None,
        "model": model or None,
        "template": template or None,
        "type": type or None,
        "inject": tuple(inject or ()),
        "read": tuple(read or ()),
        "write": tuple(write or ()),
        "allow_secret": tuple(allow_secret or ()),
        "timeout": parse_duration(timeout, "--timeout") if timeout else None,
        "max_inject_tokens": parse_count(max_inject_tokens, "--max-inject-tokens") if max_inject_tokens else None,
        "budget_tokens": parse_count(budget_tokens, "--budget-tokens") if budget_tokens else None,
        "cwd": os.path.abspath(cwd or "."),
        "env": tuple(env or ()),
    }
    if from_file:
        if task or task_file or name:
            raise BadInput("--from names the tasks: leave out TASK, --task-file and --name")
        requests = from_list(_text(from_file, "--from"), Request(task="", name=None, **flags))
    else:
        if (task is None) == (not task_file):
            raise BadInput("one task is needed", "give it as TASK, with --task-file F, or many with --from FILE")
        text = task if task is not None else _text(task_file, "--task-file").rstrip("\n")
        requests = [Request(task=text or "", name=name or None, **flags)]
    if dry_run:
        return _dry_run(fleet, plan(fleet, requests), json)
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


def _next_steps(session: Session) -> None:
    if sys.stdout.isatty():
        render.out(render.paint(f"watch: openclaw attach {session.id}   then: openclaw result {session.id}", "dim"))


def _finish(fleet: Fleet, started: Sequence[Session], many: bool, json: bool) -> int:
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


def _dry_run(fleet: Fleet, planned: Sequence[Planned], json: bool) -> int:
    counter = Counter(fleet.cache_dir, fleet.settings.environ)
    all_files = everything(fleet.settings, counter)
    all_tokens = sum(tokens for _, tokens in all_files)
    if json:
        render.document(
            [_as_json(p, all_tokens) for p in planned] if len(planned) > 1 else _as_json(planned[0], all_tokens)
        )
        return 0
    for number, (task, agent, environ) in enumerate(planned):
        if number:
            render.out()
        mark = "" if task.exact else "≈"
        rows = [
            (i.path + (f":{i.first}-{i.last}" if i.first else ""), f"{i.tokens}", i.sha256[:8]) for i in task.injected
        ]
        rest = task.tokens - sum(i.tokens for i in task.injected)
        render.table(("FILE", "TOKENS", "SHA256"), [*rows, ("task and envelope", f"{rest}", "")], right=("TOKENS",))
        render.out(
            f"\n{mark}{task.tokens} tokens of at most {task.limit}; loading every workspace file instead: ≈{all_tokens}"
        )
        for missing in task.missing:
            render.out(render.paint(f"not there, so not loaded: {render.clean(missing)}", "dim"))
        render.out(
            f"agent {agent.name}, type {task.type}, time limit {format_duration(task.timeout_s)},"
            f" in {render.clean(task.cwd)}"
        )
        render.out(
            f"may read  {_patterns(task.scope.read)}\nmay write {_patterns(task.scope.write)}"
            f"  (claimed; {agent.name} itself is asked to keep to it, not forced)"
        )
        render.out(f"sees of your environment: {', '.join(sorted(environ))}")
    render.out("\nnothing was started")
    return 0


def _patterns(patterns: Sequence[str]) -> str:
    return ", ".join(map(render.clean, patterns)) or "nothing"


def _as_json(planned: Planned, all_tokens: int) -> dict[str, Any]:
    task = planned.task
    return {
        "dry_run": True,
        "task": task.text,
        "name": task.name,
        "type": task.type,
        "agent": planned.agent.name,
        "model": task.model,
        "cwd": task.cwd,
        "scope": {"read": list(task.scope.read), "write": list(task.scope.write)},
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
