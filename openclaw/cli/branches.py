"""diff, merge: the work that sub-agents did in worktrees of their own."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import id_arguments, json_argument, named
from openclaw.sessions.difference import Change, difference, patch
from openclaw.sessions.merge import merge as bring_back
from openclaw.sessions.status import settle
from openclaw.store import sessions


def diff_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser, "1")
    parser.add_argument("--stat", action="store_true", help="only which files, and how much of each")
    json_argument(parser)


def diff(id: str, stat: bool, json: bool) -> int:
    """Its commits and what it has not committed, against the commit it shares with the branch it came from."""
    fleet = open_fleet()
    settle(fleet)
    [session] = named(fleet, [id])
    found = difference(fleet, session)
    if json:
        render.document(found.as_json())
        return 0
    against = f" beyond {found.into}" if found.into else ""
    where = f" in {found.tree.path}" if found.now.head else ", its worktree is gone"
    head = f"{_count(len(found.commits), 'commit')}{against} on {found.now.branch or found.tree.branch}{where}"
    render.out(render.paint(render.clean(head), "bold"))
    for commit in found.commits:
        render.out(render.clean(f"  {commit.sha[:9]} {commit.subject}"))
    if found.now.uncommitted:
        render.out(render.clean("not committed: " + ", ".join(found.now.uncommitted)))
    if shown := patch(fleet, found, stat, render.coloured(sys.stdout)):
        render.out()
        render.raw(shown)
    return 0


def merge_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser, "1")
    parser.add_argument("--squash", action="store_true", help="as one commit")
    json_argument(parser)


def merge(id: str, squash: bool, json: bool) -> int:
    """Into the branch that is checked out where it came from. Refused (3), with all as it was, on a conflict, when
    either side has uncommitted changes, and while the sub-agent works. What it left uncommitted is not committed for
    it: only who reads it knows whether it belongs to the work."""
    fleet = open_fleet()
    settle(fleet)
    [session] = named(fleet, [id])
    done = bring_back(fleet, session, squash)
    if json:
        render.document(done.as_json())
        return 0
    if not done.files and not done.commits:
        render.out(render.clean(f"nothing to merge: {done.into} has all of {done.tree.branch}"))
    else:
        render.out(
            render.clean(f"merged {_count(len(done.commits), 'commit')} of {done.tree.branch} into {done.into}")
            + f" ({done.commit[:9]}): {_count(len(done.files), 'file')}, {_lines(done.files)}"
        )
    if done.both:
        render.warn(f"changed on both sides and merged by line, look at them: {', '.join(done.both)}")
    if done.kept:
        render.warn(f"changed on both sides, and {done.into} keeps its own version of: {', '.join(done.kept)}")
    left = sessions.by_ids(fleet.store, [session.id])[0].worktree
    render.out("its worktree is removed" if not left else render.clean(f"its worktree stays: {left}"))
    return 0


def _lines(files: Sequence[Change]) -> str:
    return f"+{sum(f.additions or 0 for f in files)} -{sum(f.deletions or 0 for f in files)}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
