"""When the session of a worktree has ended, or never began: what it holds is kept, and it goes only if nothing is lost.

A worktree stays while there is anything in it that git does not have elsewhere: commits, changes, new files, ignored
files that no tool makes anew, something half done; and while anybody is in it or has locked it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from openclaw import processes
from openclaw.errors import OpenclawError
from openclaw.git import Git, alone
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.worktree import RECORD, Tree, git_at, held, keep, load, lock_of, quiet, reason_of, standing
from openclaw.store import db, sessions
from openclaw.store.sessions import Session

if TYPE_CHECKING:
    from openclaw.sessions.decision import Verdict

CACHES = ("__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", "node_modules")  # ignored, and made anew by use


def discard(fleet: Fleet, id: str) -> bool:
    """Undo `make`, however far it came; False when somebody has worked in it: that is kept, and the branch with it."""
    home = fleet.folder(id)
    if not load(fleet, id):
        return True  # it is recorded before anything is made
    with alone(lock_of(home)) as fd:
        tree = load(fleet, id)
        if not tree:
            return True  # another command has just done it
        git = git_at(fleet, tree.top, fd)
        if tree.made and os.path.isdir(tree.path):
            keep(fleet, tree, fd)
            return _remove(fleet, git, tree, begun=False)  # its windows may just be dying in it
        _erase(git, tree)
        os.unlink(os.path.join(home, RECORD))
    return True


def leave(fleet: Fleet, session: Session) -> str:
    """Keep what its worktree holds; unlock it, and remove it when nothing would be lost. Returns what went wrong.

    Never raises for the state of a repository: a session ends whatever it is in, and its worktree then stays.
    """
    try:
        with held(fleet, session.id) as (tree, fd):
            git = git_at(fleet, tree.top, fd)
            if os.path.isdir(tree.path):
                keep(fleet, tree, fd)
            _remove(fleet, git, tree)
    except (OpenclawError, OSError) as error:
        return f"its worktree {session.worktree} stays as it is: {error}"
    return ""


def leave_all(fleet: Fleet, changed: Sequence[tuple[Session, Verdict]], now: str) -> list[tuple[Session, Verdict]]:
    """What `settle` is about to write, once the worktrees of those that have ended or never started are seen to.

    A start whose worktree can't be undone now is left out, for the next command; one in which work was done is lost,
    not undone.
    """
    seen: list[tuple[Session, Verdict]] = []
    for session, verdict in changed:
        if session.worktree and verdict.undo:
            try:
                if not discard(fleet, session.id):
                    verdict = verdict._replace(undo=False, ended_at=now, reason="its start was interrupted")
            except (OpenclawError, OSError):
                continue
        elif session.worktree and verdict.ended_at:
            problem = leave(fleet, session)
            verdict = verdict._replace(reason="; ".join(filter(None, (verdict.reason, problem))))
        seen.append((session, verdict))
    return seen


def tidy(fleet: Fleet, tree: Tree, fd: int) -> bool:
    """Remove the worktree of an ended session if nothing would be lost with it; whether it is gone."""
    return _remove(fleet, git_at(fleet, tree.top, fd), tree)


def _remove(fleet: Fleet, git: Git, tree: Tree, begun: bool = True) -> bool:
    """Unlock; remove when nothing would be lost and nobody is in it. Branch and ref go when they add nothing."""
    if not os.path.isdir(tree.path):
        git.run("worktree", "unlock", tree.path)  # git itself prunes what is no longer there
        _forget(fleet, tree)
        return True
    now = standing(fleet, tree, git.holds[0])
    with quiet(git) as git:
        if not _unlock(git, tree, git.at(tree.path).directory()):
            return False  # somebody has locked it for another reason
    left = [path for path in now.ignored if os.path.basename(path.rstrip("/")) not in CACHES]
    if now.owes or left or _came_from(fleet, tree) or (begun and _somebody_is_in(tree)):
        return False
    with quiet(git) as git:
        if git.run("worktree", "remove", tree.path).code:  # without force: git looks once more itself
            return False
        if not git.run("branch", "--delete", "--", tree.branch).code and git.is_ancestor(tree.ref, "HEAD"):
            git.run("update-ref", "-d", tree.ref)
    _forget(fleet, tree)
    return True


def _forget(fleet: Fleet, tree: Tree) -> None:
    with db.transaction(fleet.store):
        sessions.forget_worktree(fleet.store, tree.id, fleet.now())


def _unlock(git: Git, tree: Tree, admin: str) -> bool:
    try:
        with open(os.path.join(admin, "locked"), encoding="utf-8", errors="replace") as file:
            if file.read().strip() != reason_of(tree):
                return False
    except FileNotFoundError:
        return True
    return git.run("worktree", "unlock", tree.path).code == 0


def _came_from(fleet: Fleet, tree: Tree) -> bool:
    """Whether another session's worktree was made from this one and would have nowhere to be merged to."""
    others = (load(fleet, id) for id in sessions.with_worktree(fleet.store) if id != tree.id)
    return any(other.top == tree.path for other in others if other)


def _somebody_is_in(tree: Tree) -> bool:
    """Whether a process that is not the ended session's own works in it: a person's shell, an editor."""
    inside = set()
    for entry in os.listdir("/proc") if os.path.isdir("/proc/self") else ():
        if entry.isdigit():
            try:
                where = os.readlink(f"/proc/{entry}/cwd")
            except OSError:
                continue
            if where == tree.path or where.startswith(tree.path + "/"):
                inside.add(int(entry))
    return bool(inside and inside - {process.pid for process in processes.members([tree.id])[tree.id]})


def _erase(git: Git, tree: Tree) -> None:
    """Everything that an unfinished `make` has left; nobody can have worked in it yet."""
    common = git.run("rev-parse", "--path-format=absolute", "--git-common-dir")
    if common.code:
        shutil.rmtree(tree.path, ignore_errors=True)
        return  # the repository is gone
    with quiet(git) as git:
        git.run("worktree", "remove", "--force", "--force", tree.path)
        shutil.rmtree(tree.path, ignore_errors=True)
        shutil.rmtree(os.path.join(common.out.removesuffix("\n"), "worktrees", tree.id), ignore_errors=True)
        if git.commit(tree.ref):
            git.run("update-ref", "-d", f"refs/heads/{tree.branch}", tree.base)
            git.run("update-ref", "-d", tree.ref)
