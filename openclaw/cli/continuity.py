"""snapshot, restore, snapshots, handoff, note: what must survive a compaction, and the way back."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.continuity import notes
from openclaw.continuity import snapshot as snapshots_of
from openclaw.continuity.reading import Snapshot, load
from openclaw.errors import BadInput
from openclaw.units import count_argument, duration_argument, format_duration, from_utc


def snapshot_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="R", default="manual", help="why, in a few words: part of the file's name")
    json_argument(parser)


def snapshot(reason: str, json: bool) -> int:
    """Writes memory/snapshots/<time>-<reason>.md in the workspace; the same state is not written twice."""
    taken = snapshots_of.take(open_fleet(), reason)
    if json:
        document = {"path": taken.path, "written": taken.written, "bytes": taken.bytes, "pruned": list(taken.pruned)}
        render.document(document | {"sessions": taken.tree["sessions"], "left_out": taken.tree["left_out"]})
    else:
        render.out(render.clean(taken.path) + ("" if taken.written else "  nothing has changed since"))
    return 0


def restore_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "snapshot",
        metavar="SNAPSHOT",
        nargs="?",
        help="latest, a number (1 is the newest), a start of its name, or a path",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done; start nothing")
    parser.add_argument("--rerun", action="store_true", help="start those that can't resume again from their beginning")
    parser.add_argument(
        "--brief-tokens", metavar="N", type=count_argument("--brief-tokens"), default=1500, help="of the brief (1500)"
    )
    json_argument(parser)


def restore(snapshot: str | None, dry_run: bool, rerun: bool, brief_tokens: int, json: bool) -> int:
    """Confirms windows, resumes lost sub-agents in their own conversations, prints a brief of what to go on with.

    Exit: 3 when one could not come back because its files are claimed by another by now; the rest is done.
    """
    from openclaw.continuity import brief, state  # what only this verb needs
    from openclaw.continuity import restore as way_back

    limit = way_back.check_tokens(brief_tokens)
    fleet = open_fleet()
    done = way_back.restore(fleet, snapshot, dry_run, rerun)
    factor = brief.factor(fleet)
    text = brief.render(done, state.kept(fleet), limit, factor)
    if json:
        used = done.snapshot
        render.document(
            {
                "snapshot": used.path if used else None,
                "created_at": used.created_at if used else None,
                "dry_run": dry_run,
                "warnings": list(done.warnings),
                "sessions": [found.as_json() for found in done.found],
                "brief": text,
                "brief_tokens": brief.count(text, factor),
            }
        )
        return done.exit_status
    for warning in done.warnings:
        render.warn(warning)
    if done.found:
        rows = [
            (f.session.id, f.session.agent, f.session.status, f.action, f.session.window_id or "", f.detail)
            for f in done.found
        ]
        headers = ("ID", "AGENT", "STATE", "WOULD BE" if dry_run else "ACTION", "WINDOW", "WHY")
        render.table(headers, rows, widest="WHY", styled="STATE")
        render.out()
    render.out(text.rstrip("\n"))
    return done.exit_status


def note_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("text", metavar="TEXT", nargs="+", help="what must not be forgotten")
    kinds = parser.add_mutually_exclusive_group()
    for kind, about in (
        ("decision", "something was decided; kept word for word"),
        ("preference", "how the person wants it; kept word for word"),
        ("task", "something is to be done: an open item of active-tasks.md too"),
    ):
        kinds.add_argument(f"--{kind}", dest="kind", action="store_const", const=kind, help=about)
    parser.add_argument("--long-term", action="store_true", help="into MEMORY.md instead of the file of the day")
    json_argument(parser)


def note(text: list[str], kind: str | None, long_term: bool, json: bool) -> int:
    """Goes into memory/YYYY-MM-DD.md (UTC). The brief after a compaction holds decisions and preferences verbatim."""
    made = notes.add(open_fleet(), " ".join(text), kind or "note", long_term)
    if json:
        render.document({"kind": made.kind, "text": made.text, "at": made.at, "path": made.path})
    else:
        render.out(f"{made.kind} noted in {made.path}")
    return 0


def handoff_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("file", metavar="FILE", nargs="?", help="with `- [ ] …` lines; active-tasks.md of the workspace by default")
    add("--agent", metavar="A", help="the program, as for spawn")
    add("--model", metavar="M", help="the model it is told to use")
    add("--type", metavar="T", help="the task type (sub-agent)")
    add("--timeout", metavar="D", type=duration_argument("--timeout"), help="end each after 90s, 10m, 2h")
    add("--cwd", metavar="DIR", default=".", help="where they work, the current folder by default")
    add("--worktree", action="store_true", help="each in a git worktree of its own")
    add("--dry-run", action="store_true", help="check everything; start nothing")
    json_argument(parser)


def handoff(
    file: str | None,
    agent: str | None,
    model: str | None,
    type: str | None,
    timeout: float | None,
    cwd: str,
    worktree: bool,
    dry_run: bool,
    json: bool,
) -> int:
    """Each item is marked with the id of its sub-agent, <!-- openclaw:ID -->, and never given out again.

    Exit: that of the first item that could not be given; the others are.
    """
    from openclaw.continuity.handoff import handoff as give  # imports spawn: only for this verb
    from openclaw.tasks.request import Request

    request = Request(
        "", agent, model, type=type, timeout=timeout, cwd=os.path.abspath(cwd), worktree="" if worktree else None
    )
    given = give(open_fleet(), os.path.abspath(file) if file else None, request, dry_run)
    if json:
        render.document([each.as_json() for each in given])
    for each in given if not json else ():
        who = f"{each.session.id} {each.session.status}" if each.session else each.item.session or "nobody"
        state = "given to" if each.started else "would be given to a sub-agent; now" if dry_run else "is with"
        render.out(f"line {each.item.line}: {render.clean(each.item.text[:60])}  {state} {who}")
        if each.error:
            render.warn(f"line {each.item.line}: {each.error.message}")
    if not given and not json:
        render.out("no open items")
    return next((each.error.exit_status for each in given if each.error), 0)


def snapshots_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "show", "diff", "prune"), nargs="?", default="list")
    parser.add_argument(
        "names",
        metavar="SNAPSHOT",
        nargs="*",
        help="latest, a number (1 is the newest), a start of its name, or a path",
    )
    parser.add_argument("--keep", metavar="N", type=count_argument("--keep"), help="prune: all but the newest N")
    parser.add_argument(
        "--older-than", metavar="D", type=duration_argument("--older-than"), help="prune: what is older, like 7d"
    )
    json_argument(parser)


def snapshots(action: str, names: list[str], keep: int | None, older_than: float | None, json: bool) -> int:
    """List, show, compare (two, or one with the latest) and prune them; the last good one is never pruned."""
    most = {"list": 0, "show": 1, "diff": 2, "prune": 0}[action]
    if len(names) > most or (action == "diff" and not names):
        raise BadInput(f"snapshots {action} takes {'1 or 2' if most == 2 else most} names, {len(names)} are given")
    if action != "prune" and (keep is not None or older_than is not None):
        raise BadInput("--keep and --older-than belong to `snapshots prune`")
    return {"list": _list, "show": _show, "diff": _diff, "prune": _prune}[action](names, keep, older_than, json)


def _list(names: list[str], keep: int | None, older_than: float | None, json: bool) -> int:
    found = snapshots_of.entries(open_fleet())
    if json:
        render.document([entry._asdict() for entry in found])
    elif found:
        now = time.time()
        rows = [(e.name, e.reason, format_duration(now - from_utc(e.at)), str(e.bytes)) for e in found]
        render.table(("SNAPSHOT", "REASON", "AGE", "BYTES"), rows, right=("AGE", "BYTES"))
    else:
        render.out("no snapshots; `openclaw snapshot` takes one")
    return 0


def _show(names: list[str], keep: int | None, older_than: float | None, json: bool) -> int:
    found = load(snapshots_of.find(open_fleet(), *names))
    _say_problems(found)
    if json:
        render.document(
            {"path": found.path, "condition": found.condition, "problems": list(found.problems)} | found.tree
        )
    else:
        with open(found.path, "rb") as file:
            render.raw(file.read())
    return 0


def _diff(names: list[str], keep: int | None, older_than: float | None, json: bool) -> int:
    from openclaw.continuity.difference import between, sentences  # only for this

    fleet = open_fleet()
    old, new = (load(snapshots_of.find(fleet, name)) for name in (*names, "latest")[:2])
    changes = between(old.tree, new.tree)
    if json:
        render.document({"old": old.path, "new": new.path} | changes)
    else:
        lines = sentences(changes)
        render.out("\n".join(map(render.clean, lines)) if lines else "no difference")
    return 0


def _prune(names: list[str], keep: int | None, older_than: float | None, json: bool) -> int:
    gone = snapshots_of.prune(open_fleet(), keep, older_than)
    if json:
        render.document({"pruned": gone})
    else:
        render.out("\n".join(gone) if gone else "nothing to prune")
    return 0


def _say_problems(found: Snapshot) -> None:
    for problem in found.problems:
        render.warn(f"{os.path.basename(found.path)}, {problem}; used without it")
    if found.condition == "cut" and not found.problems:
        render.warn(f"{os.path.basename(found.path)} has lost its end")
