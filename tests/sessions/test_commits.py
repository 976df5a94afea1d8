"""git commit in a sandboxed worktree: it works, comes home, and the repository of all the others can't be touched."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import Box, until
from tests.sessions.repo import Repo
from tests.sessions.test_sandbox import run

pytestmark = pytest.mark.skipif(
    not shutil.which("bwrap") and not os.environ.get("CI"), reason="bubblewrap is not installed"
)


@pytest.fixture
def repo(box: Box) -> Repo:
    return Repo(box)


def ok(repo: Repo, command: str, *args: str) -> str:
    """The id of a sandboxed sub-agent in a worktree, in which this command line succeeded."""
    done = run(repo.box, command, "--worktree", *args, exit=None)
    assert done["status"] == "done", done["result"]["output"]
    return str(done["id"])


def subjects(repo: Repo, ref: str) -> list[str]:
    return repo.git("log", "--format=%s", ref).split("\n")


def test_commits_come_home_and_can_be_merged(box: Box, repo: Repo) -> None:
    command = (
        'test -z "$(git status --short)" && git log --format=%s && echo 8 >> a.txt && git commit -qam two'
        " && echo x > new && git add new && git commit -qm three && git pack-refs --all && echo left >> sub/s.txt"
    )
    id = ok(repo, command, "--name", "w")
    assert subjects(repo, "subagent/w") == ["three", "two", "one"] and repo.git("fsck") == ""
    found = box.json("diff", id)
    assert {file["path"] for file in found["files"]} == {"a.txt", "new", "sub/s.txt"}
    tree = box.json("result", id)["worktree"]
    assert repo.git("status", "--short", at=tree) == "M sub/s.txt"
    repo.git("commit", "-qam", "by the person", at=tree)
    box.cli("merge", id)
    assert subjects(repo, "main")[0] == "by the person" and (box.work / "new").read_text() == "x\n"


def test_it_comes_home_while_it_works_also_when_it_is_amended_and_not_over_what_others_did(
    box: Box, repo: Repo
) -> None:
    flags = box.root / "flags"
    flags.mkdir()
    wait = "until test -e {1}/{0}; do sleep 0.05; done"
    steps = [f"echo {n} > f; git add f; git commit -q {how}; touch {n}" for n, how in (
        ("1", "-m first"), ("2", "--amend -m amended"), ("3", "--amend -m again"),
    )]  # fmt: skip
    script = "; ".join(f"{wait.format(f'go{n}', flags)}; {step}" for n, step in enumerate(steps, 1))
    made = box.json("spawn", script, "--worktree", "b", "--sandbox", "--read", "**", "--read", f"{flags}/**")
    tree = Path(made["worktree"])
    for n, said in ((1, "first"), (2, "amended")):
        (flags / f"go{n}").touch()
        until((tree / str(n)).exists)
        box.json("diff", made["id"])
        assert subjects(repo, "b") == [said, "one"]
    repo.git("update-ref", "refs/heads/b", repo.git("commit-tree", "b^{tree}", "-p", "b", "-m", "a person's"))
    (flags / "go3").touch()
    box.cli("wait", made["id"])
    assert subjects(repo, "b") == ["a person's", "amended", "one"]


def test_nothing_of_the_repository_is_its_to_change(box: Box, repo: Repo) -> None:
    before = repo.picture()
    common, mine = f"{box.work}/.git", '"$(git rev-parse --absolute-git-dir)"'
    refused = (
        "rm .git", "mv .git x", "echo gitdir: /tmp > .git", f"touch {common}/objects/x", f"touch {common}/hooks/x",
        f"rm -rf {common}/objects/*", f"echo x >> {common}/config", "git config core.fsmonitor 'touch pwned'",
        f"echo x >> {mine}/config", f"rm {mine}/config", f"echo /etc > {mine}/objects/info/alternates",
        f"mv {mine} {mine}.old", "echo x >> a.txt",
    )  # fmt: skip
    command = " && ".join(f"! {each}" for each in refused)
    command += " && echo y >> sub/s.txt && git commit -qam mine && git branch -f main HEAD && git update-ref -d HEAD"
    id = ok(repo, command, "--write", "sub/**")
    after = repo.picture()
    assert (after[0], after[2:]) == (before[0], before[2:]) and subjects(repo, "main") == ["one"]
    assert repo.git("fsck") == "" and box.json("diff", id)["uncommitted"] == ["sub/s.txt"]
    assert not list(box.root.rglob("pwned"))


@pytest.mark.parametrize("damage", ["rm -rf $R/objects/??", "echo 0123456789012345678901234567890123456789 > $R/$B"])
def test_what_cannot_be_read_moves_nothing_and_is_said(box: Box, repo: Repo, damage: str) -> None:
    variables = 'R="$(git rev-parse --absolute-git-dir)"; B=$(git symbolic-ref HEAD)'
    id = ok(repo, f"echo x > new; git add new; git commit -qm new; {variables}; {damage}")
    assert "can't be read" in next(row for row in box.json("ps", "--all") if row["id"] == id)["reason"]
    assert subjects(repo, f"subagent/{id}") == ["one"] and repo.git("fsck") == ""
    assert (Path(box.json("result", id)["worktree"]) / "new").exists()


def test_dry_run_says_how(box: Box, repo: Repo) -> None:
    assert "brought home" in box.cli("spawn", "true", "--worktree", "--sandbox", "--dry-run").stdout
    repo.git("worktree", "add", "-q", "../other")
    shown = box.cli("spawn", "true", "--sandbox", "--dry-run", "--cwd", str(box.root / "other")).stdout
    assert "git can look there, and not commit" in shown
