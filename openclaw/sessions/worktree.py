"""A git worktree and branch of its own for a sub-agent: made, kept, and removed only when nothing would be lost.

What was made is recorded in the session's folder (`worktree.json`) before it is, and `refs/openclaw/<id>` is created in
the same git transaction as the branch: who finds that ref knows that the branch is ours. Every step holds the lock file
of the session, and the git processes hold it too, so whoever undoes a crashed spawn waits for a git it left behind.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from openclaw.errors import BadInput, OpenclawError, Refused
from openclaw.git import OURS, Git, alone
from openclaw.sessions import commits
from openclaw.sessions.fleet import Fleet
from openclaw.whole import put

RECORD = "worktree.json"


class Tree(NamedTuple):
    """One worktree: below `path` on `branch`, made from commit `base` of the checkout `top`, where a merge goes to."""

    id: str
    top: str
    path: str
    branch: str
    base: str
    made: bool = False  # git was done: only then can anybody have worked in it
    merged: str = ""  # the commit that was merged last,
    merged_as: str = ""  # and what that made of the target: after a squash no ancestry shows it

    @property
    def ref(self) -> str:
        return f"refs/openclaw/{self.id}"


class Standing(NamedTuple):
    """What a worktree holds that the branch of its `top` does not. `head` is empty when its folder is gone."""

    head: str
    branch: str
    ahead: int  # commits
    uncommitted: tuple[str, ...]  # paths: changed, staged, or new and not ignored
    ignored: tuple[str, ...]
    under_way: str  # merge, rebase, ...

    @property
    def owes(self) -> bool:
        """Whether there is work that would be lost with it."""
        return bool(self.ahead or self.uncommitted or self.under_way)


# --- before and while a session starts


def plan(fleet: Fleet, cwd: str, branch: str, name: str | None, id: str) -> Tree:
    """The worktree that a spawn in `cwd` would get; nothing is made. `branch` may be empty: one after the name or id.

    BadInput says why there can be none.
    """
    git = git_at(fleet, cwd)
    found = git.run("rev-parse", "--show-toplevel")
    if found.code:
        raise BadInput(f"--worktree: {cwd}: {found.said}", "work in a git repository, or leave --worktree out")
    top = found.out.removesuffix("\n")
    current, base = git.branch(), git.commit()
    if not base:
        raise BadInput(f"--worktree: {top} has no commit yet", "make the first commit, a worktree starts from one")
    if not current:
        raise BadInput(
            f"--worktree: {top} is on no branch (HEAD is detached at {base[:9]})",
            "check a branch out: it is what `openclaw merge` brings the work back to",
        )
    if not git.run("rev-parse", "--verify", "--quiet", "HEAD:.gitmodules").code:
        raise BadInput(f"--worktree: {top} has submodules, which a new worktree is without", "leave --worktree out")
    below = os.path.relpath(os.path.realpath(cwd), top)
    if below != "." and git.run("cat-file", "-e", f"HEAD:{below}").code:
        raise BadInput(f"--worktree: {below} is not committed in {top}", "commit it, or start from a folder that is")
    path = os.path.join(os.path.realpath(folder(fleet)), id)
    return Tree(id, top, path, _free_branch(git, branch, name, id), base)


def unseen(fleet: Fleet, cwd: str) -> int:
    """How many changed files of the checkout around `cwd` are not committed, so that a new worktree is without them."""
    reply = git_at(fleet, cwd).run("status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    return reply.out.count("\0")


def make(fleet: Fleet, tree: Tree) -> None:
    """Create branch, ref and worktree, locked. The session's folder is there; whatever fails is left to `discard`."""
    home = fleet.folder(tree.id)
    with alone(lock_of(home)) as fd:
        _record(home, tree)
        os.makedirs(os.path.dirname(tree.path), mode=0o700, exist_ok=True)
        git = git_at(fleet, tree.top, fd)
        refs = "".join(f"create {ref}\0{tree.base}\0" for ref in (tree.ref, f"refs/heads/{tree.branch}"))
        reply = git.run("update-ref", "--create-reflog", "-z", "--stdin", stdin=refs)
        if reply.code:
            raise Refused(f"branch {tree.branch} can't be made: {reply.said}", "name another: --worktree=BRANCH")
        with quiet(git) as git:
            git.out("worktree", "add", "--quiet", "--lock", "--reason", reason_of(tree), tree.path, tree.branch)
        _record(home, tree._replace(made=True))


def again(fleet: Fleet, tree: Tree) -> None:
    """Have the worktree of a session that comes back: locked as before, made anew on its branch if it was removed."""
    with alone(lock_of(fleet.folder(tree.id))) as fd:
        git = git_at(fleet, tree.top, fd)
        if os.path.isdir(tree.path):
            git.run("worktree", "lock", "--reason", reason_of(tree), tree.path)  # it may be locked still, or by others
            return
        start = git.commit(tree.ref) or tree.merged or tree.base
        missing = [ref for ref in (tree.ref, f"refs/heads/{tree.branch}") if not git.commit(ref)]
        refs = "".join(f"create {ref}\0{start}\0" for ref in missing)
        git.out("update-ref", "--create-reflog", "-z", "--stdin", stdin=refs)
        with quiet(git) as git:
            git.out("worktree", "prune")
            git.out("worktree", "add", "--quiet", "--lock", "--reason", reason_of(tree), tree.path, tree.branch)


# --- while there is one


def load(fleet: Fleet, id: str) -> Tree | None:
    """What is recorded of a session's worktree; None when nothing is."""
    try:
        with open(os.path.join(fleet.folder(id), RECORD), encoding="utf-8", errors="surrogateescape") as file:
            return Tree(**json.load(file))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        where = os.path.join(fleet.folder(id), RECORD)
        raise OpenclawError(f"{where}: {error}", "`git worktree list` shows where the work is") from error


@contextmanager
def held(fleet: Fleet, id: str) -> Iterator[tuple[Tree, int]]:
    """The record of a session's worktree while nobody else works on it, and the lock for the git processes."""
    with alone(lock_of(fleet.folder(id))) as fd:
        tree = load(fleet, id)
        if not tree:
            raise OpenclawError(f"nothing is recorded of a worktree of session {id}")
        yield tree, fd


def note_merged(fleet: Fleet, tree: Tree, head: str, result: str) -> Tree:
    """Record that `head` was merged, which made `result` of the target."""
    tree = tree._replace(merged=head, merged_as=result)
    _record(fleet.folder(tree.id), tree)
    return tree


def keep(fleet: Fleet, tree: Tree, fd: int) -> str:
    """Put everything in the worktree under its ref, new files that are not ignored too, and return that commit.

    The worktree's own index is not touched: a copy of it is filled and written as a commit on top of HEAD. Repositories
    inside it are not looked into. What the ref held before stays in its reflog.
    """
    git = git_at(fleet, tree.path, fd)
    commits.bring(fleet, git, tree.id, tree.branch, tree.base)
    head = git.out("rev-parse", "--verify", "HEAD^{commit}")
    index = os.path.join(fleet.folder(tree.id), "worktree.index")
    scratch = {"GIT_INDEX_FILE": index}
    try:
        try:
            shutil.copyfile(os.path.join(git.directory(), "index"), index)
        except FileNotFoundError:
            git.out("read-tree", head, env=scratch)
        git.out("add", "--update", "--", ".", env=scratch)
        new = git.list("ls-files", "-z", "--others", "--exclude-standard", env=scratch)
        files = "".join(f"{path}\0" for path in new if not path.endswith("/"))
        if files:
            git.out("update-index", "--add", "-z", "--stdin", stdin=files, env=scratch)
        content = git.out("write-tree", env=scratch)
    finally:
        for leftover in (index, index + ".lock"):
            if os.path.exists(leftover):
                os.unlink(leftover)
    if content == git.out("rev-parse", f"{head}^{{tree}}"):
        commit = head
    elif git.run("rev-parse", f"{tree.ref}^{{tree}}", f"{tree.ref}^").out.split() == [content, head]:
        return git.commit(tree.ref)  # nothing has changed since
    else:
        commit = git.out("commit-tree", content, "-p", head, "-m", f"Uncommitted work of {tree.id}", env=OURS)
    git.out("update-ref", "-m", "openclaw: keep", tree.ref, commit)
    return commit


def standing(fleet: Fleet, tree: Tree, fd: int | None = None) -> Standing:
    """How it stands now, against the commit that is checked out in `top`."""
    if not os.path.isdir(tree.path):
        return Standing("", "", 0, (), (), "")
    git = git_at(fleet, tree.path, fd)
    commits.bring(fleet, git, tree.id, tree.branch, tree.base)
    head = git.out("rev-parse", "--verify", "HEAD^{commit}")
    target = git.at(tree.top).commit() if os.path.isdir(tree.top) else ""
    known = [f"^{commit}" for commit in (tree.base, target, tree.merged) if commit]
    status = git.list(
        "status", "--porcelain", "-z", "--no-renames", "--untracked-files=normal", "--ignored=traditional"
    )
    return Standing(
        head=head,
        branch=git.branch(),
        ahead=int(git.out("rev-list", "--count", head, *known)),
        uncommitted=tuple(item[3:] for item in status if item[:2] != "!!"),
        ignored=tuple(item[3:] for item in status if item[:2] == "!!"),
        under_way=git.under_way(),
    )


# --- small things


def folder(fleet: Fleet) -> str:
    """Where all worktrees are made."""
    return str(fleet.settings.get("worktrees") or os.path.join(fleet.state_dir, "worktrees"))


def git_at(fleet: Fleet, place: str, fd: int | None = None) -> Git:
    """git in one folder, with this fleet's environment and time limit."""
    holds = () if fd is None else (fd,)
    return Git(place, fleet.settings.environ, fleet.settings.get("git.timeout"), holds)


@contextmanager
def quiet(git: Git) -> Iterator[Git]:
    """git while no other command of ours adds or removes a worktree: meeting a half-made one, it dies."""
    with alone(os.path.join(git.common(), "openclaw-worktrees.lock"), git.timeout) as fd:
        yield Git(git.folder, git.environ, git.timeout, (*git.holds, fd))


def _free_branch(git: Git, asked: str, name: str | None, id: str) -> str:
    """The branch to make: as asked, else after the name, else (that one being an earlier session's) with the id."""
    if not asked:
        first = f"subagent/{name or id}"  # not openclaw/: to git, that short name would mean the ref first
        return first if not git.commit(f"refs/heads/{first}") else f"{first}-{id}"
    shown = repr(asked[:60])
    valid = len(asked) <= 200 and asked.isprintable() and asked != "HEAD" and not asked.startswith("-")
    if not valid or git.run("check-ref-format", f"refs/heads/{asked}").code:
        raise BadInput(f"--worktree: {shown} can't be the name of a branch", "one without spaces and ~^:?*[\\")
    for refname in git.out("for-each-ref", "--format=%(refname)", f"refs/heads/{asked}").splitlines():
        if refname != f"refs/heads/{asked}":
            raise BadInput(f"--worktree: branches below {shown} exist, so it can't be one", "name another")
        with quiet(git) as git:
            place = git.out("for-each-ref", "--format=%(worktreepath)", refname)
        where = f" and is checked out in {place}" if place else ""
        raise BadInput(f"--worktree: branch {shown} exists already{where}", "name a new one, or none")
    return asked


def reason_of(tree: Tree) -> str:
    return f"openclaw sub-agent {tree.id}"


def lock_of(home: str) -> str:
    return os.path.join(home, "worktree.lock")


def _record(home: str, tree: Tree) -> None:
    """Write the record, whole or not at all."""
    put(os.path.join(home, RECORD), json.dumps(tree._asdict()).encode(errors="surrogateescape"))
