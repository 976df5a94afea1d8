"""git commit in a sandbox: into a repository of the sub-agent's own, from where the commits are brought home.

Objects and refs of a repository belong to all its checkouts, and whoever can add some can take away others. So the
sandbox shows a private repository in the place of the worktree's: its refs, index and new objects are the sub-agent's,
the old objects are borrowed, read-only. When anybody looks from outside, what is new on its branch is copied, checked,
and the branch moved. No configuration that it could have written is ever read by a git outside.
"""

from __future__ import annotations

import os
import re
import shutil

from openclaw.agents.sandbox import Mount
from openclaw.git import Git, GitFailed, checkout
from openclaw.sessions.fleet import Fleet

NAME = "repository"
BROUGHT = "openclaw: from its sandbox"  # in the reflog: the branch is where we have put it
_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


def prepare(fleet: Fleet, id: str, path: str, branch: str) -> None:
    """Make the private repository for the worktree at `path`, as that stands now."""
    found, place = checkout(path), os.path.join(fleet.folder(id), NAME)
    if not found:
        raise GitFailed(f"{path} is no worktree")
    git = Git(path, fleet.settings.environ, fleet.settings.get("git.timeout"))
    for folder in ("objects/info", "objects/pack", "refs/heads", "info"):
        os.makedirs(os.path.join(place, folder), mode=0o700)
    refs = git.out("for-each-ref", "--format=%(objectname) %(refname)")
    config = _read(os.path.join(found.common, "config"))
    texts = {
        "HEAD": f"ref: refs/heads/{branch}\n",
        "config": f"{config}\n[core]\n\tbare = false\n\tlogAllRefUpdates = true\n",
        "objects/info/alternates": os.path.join(found.common, "objects") + "\n",
        "packed-refs": "".join(f"{line}\n" for line in refs.splitlines() if " refs/openclaw/" not in line),
        "info/exclude": _read(os.path.join(found.common, "info", "exclude")),
        "../gitfile": f"gitdir: {place}\n",
    }
    for name, text in texts.items():
        with open(os.path.join(place, name), "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
    for key in ("user.name", "user.email"):  # the sandbox may hide where the person says who commits
        if value := git.run("config", "--get", key).out.strip():
            git.out("config", "--file", os.path.join(place, "config"), key, value)
    for source in (os.path.join(found.own, "index"), os.path.join(found.common, "shallow")):
        if os.path.exists(source):
            shutil.copyfile(source, os.path.join(place, os.path.basename(source)))


def mounts(fleet: Fleet, id: str, cwd: str) -> list[Mount]:
    """The private repository as the sandbox shows it: what says where it reads and what it runs can't be changed."""
    found, folder = checkout(cwd), fleet.folder(id)
    place = os.path.join(folder, NAME)
    if not found:
        raise GitFailed(f"{cwd} is in no worktree")
    return [
        Mount("ro", os.path.join(found.common, "objects")),
        Mount("rw", place),
        Mount("ro", os.path.join(place, "config")),
        Mount("ro", os.path.join(place, "objects", "info")),
        Mount("ro", os.path.join(found.top, ".git"), os.path.join(folder, "gitfile")),
    ]


def bring(fleet: Fleet, git: Git, id: str, branch: str, base: str) -> None:
    """Copy what is new on its branch into the repository, and move the branch there; nothing where nothing is new.

    `git` runs in the worktree. GitFailed when what it left can't be read. A branch that somebody else has moved since,
    so that the sub-agent's would take something away, stays where it is.
    """
    place, ref = os.path.join(fleet.folder(id), NAME), f"refs/heads/{branch}"
    if not os.path.isdir(place):
        return
    new, old = _tip(place, ref), git.commit(ref)
    if not new or not old or new == old:
        return
    borrowed = {"GIT_ALTERNATE_OBJECT_DIRECTORIES": os.path.join(place, "objects")}
    ours = old == base or git.run("reflog", "-1", "--format=%gs", ref).out.strip() == BROUGHT
    if not ours and git.run("merge-base", "--is-ancestor", old, new, env=borrowed).code:
        return
    pack = git.run("pack-objects", "--revs", "--stdout", "-q", stdin=f"{new}\n^{old}\n", env=borrowed)
    if pack.code:
        raise GitFailed(f"what was committed in the sandbox of {id} can't be read: {pack.said}")
    git.out("index-pack", "--stdin", "--strict", stdin=pack.out)
    git.out("rev-list", "--objects", "--quiet", new, "--not", old)  # all of it is here
    git.out("update-ref", "--create-reflog", "-m", BROUGHT, ref, new, old)
    if git.branch() == branch:
        git.out("reset", "--quiet", "--mixed")  # its files are there already; this index is only ours


def _tip(place: str, ref: str) -> str:
    """The commit that a ref of the private repository names, read as text: nothing in there is run or believed."""
    text = _read(os.path.join(place, ref)).strip()
    if not text:
        lines = (line.split(" ") for line in _read(os.path.join(place, "packed-refs")).splitlines())
        text = next((words[0] for words in lines if words[1:] == [ref]), "")
    return text if _HASH.fullmatch(text) else ""


def _read(path: str) -> str:
    """A plain file; nothing where there is none, and no link is followed."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(16 * 2**20)
    except OSError:
        return ""
