"""A real repository in a box, and what tests of worktrees ask of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.conftest import Box


class Repo:
    """git in the box's working folder, with one commit; `git` runs it anywhere below."""

    def __init__(self, box: Box) -> None:
        self.box = box
        self.path = box.work
        self.env = box.env | {"GIT_CONFIG_NOSYSTEM": "1"}
        for words in (("user.name", "Person"), ("user.email", "person@example.org"), ("init.defaultBranch", "main")):
            self.git("config", "--global", *words)
        self.git("init", "-q")
        self.commit("one", **{"a.txt": "1\n2\n3\n4\n5\n6\n7\n", "sub/s.txt": "s\n"})

    def git(self, *words: str, at: Path | str | None = None, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *words], cwd=at or self.path, env=self.env, text=True, capture_output=True, timeout=60
        )
        assert not check or done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def commit(self, message: str, at: Path | str | None = None, **files: str) -> str:
        for name, text in files.items():
            target = Path(at or self.path) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)
        self.git("add", "-A", at=at)
        self.git("commit", "-qm", message, at=at)
        return self.git("rev-parse", "HEAD", at=at)

    def worktrees(self) -> list[str]:
        """All but the first, the repository itself."""
        lines = self.git("worktree", "list", "--porcelain").splitlines()
        return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")][1:]

    def refs(self) -> dict[str, str]:
        """Every ref below refs/heads and refs/openclaw, by its short name."""
        lines = self.git("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return {line.split()[0].removeprefix("refs/"): line.split()[1] for line in lines}

    def picture(self) -> tuple[object, ...]:
        """Everything of the target that a refused merge must leave as it was: branches, index, files."""
        files = {
            str(p.relative_to(self.path)): p.read_bytes()
            for p in self.path.rglob("*")
            if p.is_file() and ".git" not in p.relative_to(self.path).parts
        }
        heads = {name: value for name, value in self.refs().items() if name.startswith("heads/")}
        return self.git("symbolic-ref", "HEAD"), heads, self.git("ls-files", "-s"), self.git("status", "-s"), files


def nothing_left(repo: Repo) -> bool:
    """Whether there is no trace of a worktree in the repository and the state folder."""
    return (
        repo.worktrees() == []
        and set(repo.refs()) == {"heads/main"}
        and not list((repo.path / ".git").glob("worktrees/*"))
        and not list((repo.box.state / "worktrees").glob("*"))
    )
