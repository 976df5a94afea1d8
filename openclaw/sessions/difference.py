"""What a sub-agent did in its worktree, against the commit that it shares with the branch it came from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from openclaw.errors import NotFound, OpenclawError
from openclaw.git import Git
from openclaw.sessions import worktree
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.worktree import Standing, Tree
from openclaw.store.sessions import Session


class Commit(NamedTuple):
    sha: str
    subject: str


class Change(NamedTuple):
    """One changed file; the counts are None for a binary one."""

    path: str
    additions: int | None
    deletions: int | None


class Difference(NamedTuple):
    """All that a worktree has beyond `base`: its commits, and what is not committed, both in the files."""

    tree: Tree
    now: Standing
    into: str  # the branch that is checked out where it came from; empty when none is
    base: str
    content: str  # a commit that holds everything
    commits: tuple[Commit, ...]
    files: tuple[Change, ...]

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.tree.id,
            "branch": self.now.branch or self.tree.branch,
            "into": self.into or None,
            "worktree": self.tree.path if self.now.head else None,
            "base": self.base,
            "head": self.now.head or None,
            "ref": self.tree.ref,
            "commits": [c._asdict() for c in self.commits],
            "uncommitted": list(self.now.uncommitted),
            "files": [f._asdict() for f in self.files],
        }


def difference(fleet: Fleet, session: Session) -> Difference:
    """Commits and uncommitted changes against the merge base with the branch it came from. NotFound without worktree.

    What is there is kept under `refs/openclaw/<id>` on the way; when the folder is gone, that ref tells what it held.
    """
    with held(fleet, session) as (tree, fd):
        now = worktree.standing(fleet, tree, fd)
        git = _git(fleet, tree, fd)
        if now.head:
            content, head = worktree.keep(fleet, tree, fd), now.head
        else:
            content = head = git.commit(tree.ref) or tree.merged or tree.base
        target = git.commit() if git.folder == tree.top else ""
        base = base_of(git, tree, target or tree.base, head)
        return Difference(
            tree=tree,
            now=now,
            into=git.branch() if target else "",
            base=base,
            content=content,
            commits=commits_of(git, base, head),
            files=files_of(git, base, content),
        )


def patch(fleet: Fleet, found: Difference, stat: bool, colour: bool) -> bytes:
    """The difference as git shows it, as a patch or as a table of files."""
    git = _git(fleet, found.tree)
    form = ["--stat"] if stat else ["--patch"]
    shown = git.out(
        "diff", *form, "--no-ext-diff", f"--color={'always' if colour else 'never'}", found.base, found.content, "--"
    )
    return os.fsencode(shown + "\n") if shown else b""


# --- what a merge needs of it too


def base_of(git: Git, tree: Tree, target: str, head: str) -> str:
    """The newest commit of the worktree that the target has all of, by ancestry or by an earlier squash."""
    shared = git.run("merge-base", target, head).out.strip() or tree.base
    squashed = tree.merged and git.is_ancestor(tree.merged_as, target) and git.is_ancestor(tree.merged, head)
    return tree.merged if squashed and not git.is_ancestor(tree.merged, shared) else shared


def recorded(fleet: Fleet, session: Session) -> Tree:
    """What is known of its worktree; NotFound when it never had one."""
    tree = worktree.load(fleet, session.id)
    if tree:
        return tree
    if session.worktree:
        raise OpenclawError(
            f"the record of its worktree is gone from {fleet.folder(session.id)}",
            f"the work is in {session.worktree}; git alone can merge its branch",
        )
    raise NotFound(f"session {session.id} has no worktree", "it was spawned without --worktree", code="no_worktree")


@contextmanager
def held(fleet: Fleet, session: Session) -> Iterator[tuple[Tree, int]]:
    """The same while nobody else works on it, and the lock for the git processes."""
    recorded(fleet, session)
    with worktree.held(fleet, session.id) as (tree, fd):
        yield tree, fd


def _git(fleet: Fleet, tree: Tree, fd: int | None = None) -> Git:
    return worktree.git_at(fleet, tree.top if os.path.isdir(tree.top) else tree.path, fd)


def between(git: Git, one: str, two: str) -> set[str]:
    """The paths that differ."""
    return set(git.list("diff", "--name-only", "--no-renames", "-z", one, two))


def commits_of(git: Git, base: str, head: str) -> tuple[Commit, ...]:
    """The commits of `head` that `base` has not, newest first."""
    lines = git.list("log", "-z", "--format=%H %s", "--no-show-signature", f"{base}..{head}", "--")
    return tuple(Commit(*line.split(" ", 1)) for line in lines)


def files_of(git: Git, base: str, head: str) -> tuple[Change, ...]:
    """The files that differ, each with how much of it."""
    found = []
    for line in git.list("diff", "--numstat", "--no-renames", "--no-ext-diff", "-z", base, head):
        additions, deletions, path = line.split("\t", 2)
        found.append(Change(path, *(int(n) if n != "-" else None for n in (additions, deletions))))
    return tuple(found)
