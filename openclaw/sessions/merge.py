"""Bringing what a sub-agent did in its worktree back to where it came from: whole or not at all.

A merge is computed in the object store first (`git merge-tree`), so a conflict is known before any file is touched. The
checkout then only ever moves forward to a finished commit, which git does or refuses; a commit of somebody else in
between makes it compute again.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from openclaw.errors import NotFound, Refused, Unavailable
from openclaw.git import OURS, Git, GitFailed, alone
from openclaw.processes import MARK
from openclaw.sessions import retire, worktree
from openclaw.sessions.difference import Change, Commit, base_of, between, commits_of, files_of, held, recorded
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.worktree import Tree
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.tasks.globs import matches

ATTEMPTS = 5  # against commits that others make in the target meanwhile
SHOWN = 5


class Merged(NamedTuple):
    """What a merge did. `both` were changed on both sides and are worth a look; of `kept`, too, the target's version
    was kept whole."""

    tree: Tree
    into: str
    commit: str
    commits: tuple[Commit, ...]
    files: tuple[Change, ...]
    squashed: bool
    both: tuple[str, ...]
    kept: tuple[str, ...]
    removed: bool  # the worktree, for nothing of it is left to lose

    def as_json(self) -> dict[str, Any]:
        return {
            "id": self.tree.id,
            "branch": self.tree.branch,
            "into": self.into,
            "commit": self.commit,
            "squashed": self.squashed,
            "commits": [c._asdict() for c in self.commits],
            "files": [f._asdict() for f in self.files],
            "changed_on_both_sides": list(self.both),
            "kept_as_it_was": list(self.kept),
            "worktree": None if self.removed else self.tree.path,
        }


def merge(fleet: Fleet, session: Session, squash: bool = False) -> Merged:
    """Bring the commits of its worktree into the branch that is checked out where it came from.

    Refused, with everything as it was, while it works, when it or the target has uncommitted changes, on a conflict,
    when a file that git does not know is in the way, and when another live sub-agent has claimed a changed path.
    """
    if session.live and session.status != "idle":
        raise Refused(
            f"session {session.id} is {session.status}",
            f"wait for it (`openclaw wait {session.id}`), or end it: its worktree stays",
            code="still_working",
        )
    tree = recorded(fleet, session)
    if not os.path.isdir(tree.top):
        raise NotFound(f"{tree.top}, where its worktree came from, is gone", f"its work is on branch {tree.branch}")
    lock = os.path.join(worktree.git_at(fleet, tree.top).common(), "openclaw-merge.lock")
    with alone(lock), held(fleet, session) as (tree, fd):
        git = worktree.git_at(fleet, tree.top, fd)
        head = _finished(fleet, git, tree, fd)
        for _ in range(ATTEMPTS):
            if done := _attempt(fleet, git, tree, session, head, squash):
                break
        else:
            raise Refused(f"{tree.top} gets new commits faster than they can be merged with", "try again later")
        tree = worktree.note_merged(fleet, tree, head, done.commit)
        removed = not session.live and retire.tidy(fleet, tree, fd)
    return done._replace(tree=tree, removed=removed)


def _finished(fleet: Fleet, git: Git, tree: Tree, fd: int) -> str:
    """The commit to merge: the HEAD of its worktree, once nothing is left uncommitted there."""
    now = worktree.standing(fleet, tree, fd)
    if not now.head:
        done = tree.merged or tree.base  # what it came to if it was removed for holding nothing else
        head = git.commit(f"refs/heads/{tree.branch}") or git.commit(done)
        kept = git.commit(tree.ref)
        if head and (not kept or git.is_ancestor(kept, head) or not between(git, kept, head)):
            return head
        if head and head != done:
            raise Refused(
                f"the worktree {tree.path} is gone, and {tree.ref} holds what was not committed in it",
                f"`git cherry-pick {tree.ref}` brings that here; `git update-ref -d {tree.ref}` lets go of it",
                code="uncommitted",
            )
        raise NotFound(
            f"the worktree {tree.path} and its branch {tree.branch} are gone", f"what was kept is under {tree.ref}"
        )
    worktree.keep(fleet, tree, fd)
    if now.under_way:
        raise Refused(f"a {now.under_way} is under way in {tree.path}", "finish it there first", code="unfinished")
    if now.uncommitted:
        raise Refused(
            f"uncommitted in {tree.path}: {_some(now.uncommitted)}",
            f"commit it (`git -C {tree.path} add -A`, then `commit`) or remove it, and merge again",
            code="uncommitted",
        )
    return now.head


def _attempt(fleet: Fleet, git: Git, tree: Tree, session: Session, head: str, squash: bool) -> Merged | None:
    """One try on the target as it is now; None when the target has moved on meanwhile."""
    into, target = _clean_target(git, tree)
    base = base_of(git, tree, target, head)
    if base == head:
        return Merged(tree, into, target, (), (), squash, (), (), False)
    commits = commits_of(git, base, head)
    content = _merged_content(git, tree, into, base, target, head)
    changed = between(git, target, content)
    _check_in_the_way(git, tree, target, content)
    _check_claims(fleet, tree, session, changed)
    if not squash and git.is_ancestor(target, head):
        new = head
    else:
        parents = ["-p", target] if squash else ["-p", target, "-p", head]
        new = git.out("commit-tree", content, *parents, stdin=_message(session, tree, commits, squash))
    forward = git.run(
        "merge", "--quiet", "--ff-only", "--no-squash", "--no-autostash", "--no-verify-signatures", new,
        env={
            "GIT_REFLOG_ACTION": f"openclaw merge {tree.id}",
            "GIT_CONFIG_COUNT": "1",  # a branch may be set to be merged with `-s ours`, which would drop the work
            "GIT_CONFIG_KEY_0": f"branch.{into}.mergeOptions",
            "GIT_CONFIG_VALUE_0": "",
        },
    )  # fmt: skip
    if forward.code:
        if git.commit() != target:
            return None
        raise Refused(f"{tree.top}: {forward.said}", "nothing was changed; mend that and merge again", code="git")
    both = sorted(between(git, base, head) & between(git, base, target) & between(git, target, head))
    return Merged(
        tree=tree,
        into=into,
        commit=new,
        commits=commits,
        files=files_of(git, target, new),
        squashed=squash,
        both=tuple(path for path in both if path in changed),
        kept=tuple(path for path in both if path not in changed),
        removed=False,
    )


def _clean_target(git: Git, tree: Tree) -> tuple[str, str]:
    """Branch and commit of the target; Refused unless a merge can go there."""
    into, target, under_way = git.branch(), git.commit(), git.under_way()
    if under_way:
        raise Refused(f"a {under_way} is under way in {tree.top}", "finish it first", code="dirty")
    if not into or not target:
        raise Refused(f"no branch is checked out in {tree.top}", "check out the one to merge into", code="dirty")
    dirty = git.list("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    if dirty:
        raise Refused(
            f"{tree.top} has uncommitted changes: {_some([item[3:] for item in dirty])}",
            "commit or stash them, and merge again",
            code="dirty",
        )
    return into, target


def _merged_content(git: Git, tree: Tree, into: str, base: str, target: str, head: str) -> str:
    """The tree of the merge, computed without touching a file; Refused with the paths when there are conflicts."""
    if not git.is_ancestor(base, target):  # git can't know it as a base: two commits that do descend from it stand in
        root = git.out("commit-tree", f"{base}^{{tree}}", "-m", "base", env=OURS)
        target, head = (
            git.out("commit-tree", f"{side}^{{tree}}", "-p", root, "-m", "side", env=OURS) for side in (target, head)
        )
    reply = git.run("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", target, head)
    if reply.code > 1 and reply.err.startswith("usage:"):
        raise Unavailable("this git can't merge without touching files", "install git 2.38 or newer", code="old_git")
    if reply.code > 1:
        raise GitFailed(f"git merge-tree in {tree.top}: {reply.said}")
    content, *conflicts = reply.out.split("\0")
    if reply.code:
        raise Refused(
            f"{tree.branch} conflicts with {into} in {_some([c for c in dict.fromkeys(conflicts) if c])}",
            f"solve it in the worktree (`git -C {tree.path} merge {into}`), and merge again",
            code="conflict",
        )
    return content


def _check_in_the_way(git: Git, tree: Tree, target: str, content: str) -> None:
    """Refused when a file that git does not know, ignored ones too (which git would overwrite), is where one comes."""
    known = set(git.list("ls-tree", "-r", "-z", "--name-only", target))
    for path in git.list("diff", "--name-only", "--no-renames", "--diff-filter=A", "-z", target, content):
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            part = "/".join(parts[:depth])
            place = os.path.join(tree.top, part)
            folder = depth < len(parts) and os.path.isdir(place) and not os.path.islink(place)
            if os.path.lexists(place) and not folder and part not in known and not _holds(known, part):
                raise Refused(
                    f"{part} in {tree.top} is not in git and would be overwritten",
                    "move it away or commit it, and merge again",
                    code="dirty",
                )


def _holds(known: set[str], folder: str) -> bool:
    """Whether all of a folder that gives way to a file is git's."""
    return any(path.startswith(folder + "/") for path in known)


def _check_claims(fleet: Fleet, tree: Tree, session: Session, changed: set[str]) -> None:
    """Refused when a changed path of the target is claimed by a live sub-agent other than the one that calls us."""
    own = (session.id, fleet.settings.environ.get(MARK, ""))
    for holder, pattern in sessions.claims(fleet.store):
        found = next((p for p in sorted(changed) if holder not in own and matches(pattern, f"{tree.top}/{p}")), "")
        if found:
            raise Refused(
                f"{found} in {tree.top} is claimed by session {holder} through {pattern}",
                f"wait for it (`openclaw wait {holder}`) or end it, and merge again",
                code="claim_conflict",
            )


def _message(session: Session, tree: Tree, commits: Sequence[Commit], squash: bool) -> str:
    lines = [line.strip() for line in session.task.splitlines() if line.strip()]
    first = lines[0] if len(lines[0]) <= 60 else lines[0][:59] + "…"
    if not squash:
        return f"Merge {tree.branch}: {first}\n"
    if len(commits) == 1:
        return commits[0].subject + "\n"
    return "\n".join([first, "", *(f"- {commit.subject}" for commit in reversed(commits))]) + "\n"


def _some(paths: Sequence[str]) -> str:
    return ", ".join(paths[:SHOWN]) + (f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else "")
