"""Running git: argument lists only, a cleaned environment, a time limit; no hooks, pagers, editors or prompts.

Every answer is text in which bytes that are not UTF-8 survive as surrogates, so paths can be given back to git.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from openclaw.errors import OpenclawError, Unavailable

# A repository may be in the middle of something of a person's: what we run must not start a daemon or call its hooks.
QUIET = (
    "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.splitIndex=false",
    "-c", "core.quotePath=false", "-c", "gc.auto=0", "-c", "maintenance.auto=false", "-c", "advice.detachedHead=false",
)  # fmt: skip
# Of GIT_*, only who and with which configuration: a caller's GIT_DIR or GIT_INDEX_FILE would mean another repository.
KEPT = (
    "PATH", "HOME", "USER", "LOGNAME", "TMPDIR", "XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM", "GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL",
)  # fmt: skip
ALWAYS = {
    "LC_ALL": "C", "LANGUAGE": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_LITERAL_PATHSPECS": "1",
    "GIT_EDITOR": "true", "GIT_PAGER": "cat",
}  # fmt: skip
OURS = {
    "GIT_AUTHOR_NAME": "openclaw", "GIT_AUTHOR_EMAIL": "openclaw@localhost",
    "GIT_COMMITTER_NAME": "openclaw", "GIT_COMMITTER_EMAIL": "openclaw@localhost",
}  # fmt: skip
UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply", "BISECT_LOG")
LOCK_SECONDS = 30.0


class GitFailed(OpenclawError):
    """git said no; the message is its own."""

    code = "git"


class Reply(NamedTuple):
    """What one git process answered."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """The line of stderr that tells most: the first error, else the last line."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        wrong = [line for line in lines if line.startswith(("fatal:", "error:"))]
        return (wrong or lines[-1:] or [f"exit status {self.code}"])[0].removeprefix("fatal: ").removeprefix("error: ")


class Git:
    """git in one folder. `holds` are descriptors its processes keep open: a lock then lasts as long as any of them."""

    def __init__(
        self, folder: str, environ: Mapping[str, str], timeout: float = 120.0, holds: Sequence[int] = ()
    ) -> None:
        self.folder = folder
        self.timeout = timeout
        self.holds = tuple(holds)
        self.environ = {k: v for k, v in environ.items() if k in KEPT} | ALWAYS

    def at(self, folder: str) -> Git:
        """The same in another folder."""
        return Git(folder, self.environ, self.timeout, self.holds)

    def run(
        self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None, quiet: Sequence[str] = QUIET
    ) -> Reply:
        """One git process, whatever it answers. Unavailable when there is no git, or none that answers in time."""
        try:
            done = subprocess.run(
                ["git", *quiet, "-C", self.folder, *args],
                input=os.fsencode(stdin),
                capture_output=True,
                timeout=self.timeout,
                env={**self.environ, **(env or {})},
                pass_fds=self.holds,
                check=False,
            )
        except FileNotFoundError as error:
            raise Unavailable("git is not on the PATH", "apt-get install git, or brew install git") from error
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"git {args[0]} in {self.folder} did not end within {self.timeout:g}s",
                "look whether its disk answers, or raise git.timeout",
            ) from error
        return Reply(done.returncode, os.fsdecode(done.stdout), os.fsdecode(done.stderr))

    def out(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> str:
        """What it printed, without the last line feed; GitFailed when it ends with anything but 0."""
        reply = self.run(*args, stdin=stdin, env=env)
        if reply.code:
            raise GitFailed(f"git {args[0]} in {self.folder}: {reply.said}")
        return reply.out.removesuffix("\n")

    def list(self, *args: str, stdin: str = "", env: Mapping[str, str] | None = None) -> list[str]:
        """What it printed with -z, item by item."""
        return [item for item in self.out(*args, stdin=stdin, env=env).split("\0") if item]

    def commit(self, name: str = "HEAD") -> str:
        """The full hash of the commit that a name means; empty when there is none."""
        reply = self.run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return reply.out.strip() if not reply.code else ""

    def branch(self) -> str:
        """The branch that is checked out, without refs/heads/; empty when HEAD is detached."""
        return self.run("symbolic-ref", "--quiet", "HEAD").out.strip().removeprefix("refs/heads/")

    def is_ancestor(self, commit: str, of: str) -> bool:
        return self.run("merge-base", "--is-ancestor", commit, of).code == 0

    def directory(self) -> str:
        """Where this checkout's own index and HEAD are."""
        return self.out("rev-parse", "--absolute-git-dir")

    def common(self) -> str:
        """What all checkouts of this repository share: objects and branches."""
        return self.out("rev-parse", "--path-format=absolute", "--git-common-dir")

    def under_way(self) -> str:
        """What was begun here and not finished (a merge, a rebase); empty when nothing was."""
        folder = self.directory()
        found = next((name for name in UNDER_WAY if os.path.exists(os.path.join(folder, name))), "")
        return found.lower().partition("_")[0].partition("-")[0].replace("cherry", "cherry-pick")


class Checkout(NamedTuple):
    """Absolute folders: of a checkout's own index and HEAD, and of what all checkouts of the repository share."""

    top: str
    own: str
    common: str


def checkout(folder: str) -> Checkout | None:
    """The checkout around a folder, as its files say, without a git process; None where there is none."""
    top = folder
    while not os.path.lexists(os.path.join(top, ".git")):
        if top == os.path.dirname(top):
            return None
        top = os.path.dirname(top)
    own = os.path.realpath(os.path.join(top, ".git"))
    if os.path.isdir(own):
        return Checkout(top, own, own)
    mark, _, named = _line_of(own).partition(":")
    own = os.path.realpath(os.path.join(top, named.strip()))
    shared = _line_of(os.path.join(own, "commondir"))
    return Checkout(top, own, os.path.realpath(os.path.join(own, shared))) if mark == "gitdir" and named else None


def _line_of(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(4096).strip()
    except OSError:
        return ""


@contextmanager
def alone(path: str, seconds: float = LOCK_SECONDS) -> Iterator[int]:
    """Hold the lock file `path`; gives its descriptor. Unavailable when others hold it for longer than `seconds`."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise Unavailable(f"{path} is held by another process", "try again when it is done") from None
                time.sleep(0.02)  # between two tries
        yield fd
    finally:
        os.close(fd)
