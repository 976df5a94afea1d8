"""The life of a worktree: kept with all in it however its session ends, removed only when nothing is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Box, until
from tests.sessions.repo import Repo, nothing_left


@pytest.fixture
def repo(box: Box) -> Repo:
    return Repo(box)


@pytest.mark.parametrize("ending", ["itself", "kill", "server", "timeout"])
@pytest.mark.parametrize("work", ["new file", "change", "staged", "commit", "deleted", "merge", "merge of nothing"])
def test_peers_17_nothing_unfinished_is_removed_however_it_ends(box: Box, repo: Repo, ending: str, work: str) -> None:
    do = {
        "new file": "echo precious > new",
        "change": "echo precious >> a.txt",
        "staged": "echo precious > new; git add new; rm new",
        "commit": "echo precious > new; git add new; git commit -qm mine",
        "deleted": "rm a.txt",
        "merge": "git merge -q --no-ff --no-commit side",
        "merge of nothing": "git merge -q -s ours --no-commit side",
    }[work]
    repo.git("checkout", "-qb", "side")
    repo.commit("side", **{"side.txt": "side\n"})
    repo.git("checkout", "-q", "main")
    rest = "" if ending == "itself" else "; sleep 1000"
    limit = ("--timeout", "1s") if ending == "timeout" else ()
    made = box.json("spawn", f"{do}; touch {box.root}/did{rest}", "--worktree", *limit)
    tree = Path(made["worktree"])
    until(lambda: (box.root / "did").exists())
    state = {p.name: p.read_bytes() for p in tree.iterdir() if p.is_file()}, repo.git("ls-files", "-s", at=tree)
    if ending == "kill":
        assert str(tree) in box.cli("kill", made["id"]).stdout
    elif ending == "server":
        os.kill(box.server_pid(), signal.SIGKILL)
    ended = box.cli("wait", made["id"], exit=None)
    assert str(tree) in ended.stdout  # it says where
    assert repo.worktrees() == [str(tree)] and f"heads/subagent/{made['id']}" in repo.refs()
    assert "locked" not in repo.git("worktree", "list", "--porcelain")
    now = {p.name: p.read_bytes() for p in tree.iterdir() if p.is_file()}, repo.git("ls-files", "-s", at=tree)
    assert now == state, "the worktree or its index was touched"
    kept = repo.git("ls-tree", "-r", "--name-only", f"refs/openclaw/{made['id']}").split()
    assert {"new file": "new", "change": "a.txt", "commit": "new", "merge": "side.txt"}.get(work, "sub/s.txt") in kept
    assert not (work == "deleted" and "a.txt" in kept)
    box.cli("kill", "--all")
    box.cli("doctor", "--fix", exit=None)
    assert repo.worktrees() == [str(tree)]


def test_peers_17_the_backup_holds_new_files_of_any_name_but_not_ignored_ones(box: Box, repo: Repo) -> None:
    repo.commit("ignore", **{".gitignore": "*.log\n"})
    names = [
        b"plain",
        b"with space",
        b"new\nline",
        b'quo"te',
        b"-dash",
        b"\xff\xfe",
        "é漢🎉".encode(),
        b":(top)x",
        b"*?[",
    ]
    made = box.json("spawn", "sleep 1000", "--worktree")
    tree = os.fsencode(made["worktree"])
    for name in [*names, b"not.log"]:
        Path(os.fsdecode(tree + b"/" + name)).write_bytes(b"x" + name)
    (Path(made["worktree"]) / "exec").write_text("#!/bin/sh\n")
    (Path(made["worktree"]) / "exec").chmod(0o755)
    (Path(made["worktree"]) / "to").symlink_to("a.txt")
    nested = Path(made["worktree"]) / "nested"
    nested.mkdir()
    repo.git("init", "-q", at=nested)
    (nested / "inner").write_text("of another repository")
    os.mkfifo(Path(made["worktree"]) / "fifo")
    box.cli("kill", made["id"])
    ref = f"refs/openclaw/{made['id']}"
    kept = subprocess.run(
        ["git", "ls-tree", "-rz", "--name-only", ref], cwd=box.work, capture_output=True, env=repo.env
    )
    assert set(kept.stdout.split(b"\0")) - {b""} == {*names, b"a.txt", b"sub/s.txt", b".gitignore", b"exec", b"to"}
    assert repo.git("show", f"{ref}:with space") == "xwith space"
    assert repo.git("log", "-1", "--format=%an", ref) == "openclaw"
    assert nested.exists() and repo.worktrees() == [made["worktree"]]


def test_what_was_kept_before_stays_in_the_reflog(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "sleep 1000", "--worktree")
    new = Path(made["worktree"]) / "new"
    new.write_text("first")
    box.cli("diff", made["id"])
    new.write_text("second")
    box.cli("diff", made["id"])
    second = int(time.time())
    until(lambda: int(time.time()) != second)  # a commit made in the same second would be the same
    box.cli("diff", made["id"])  # nothing has changed: no third one
    ref = f"refs/openclaw/{made['id']}"
    assert repo.git("show", f"{ref}@{{1}}:new") == "first" and repo.git("show", f"{ref}:new") == "second"
    assert len(repo.git("reflog", "show", ref).splitlines()) == 3


def test_peers_22_a_worktree_in_use_is_not_removed(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "sleep 1000", "--worktree")
    tree = Path(made["worktree"])
    refused = subprocess.run(
        ["git", "worktree", "remove", "--force", str(tree)], cwd=box.work, env=repo.env, capture_output=True, text=True
    )
    assert refused.returncode and "locked" in refused.stderr
    with subprocess.Popen(["sleep", "1000"], cwd=tree / "sub") as person:  # a shell or an editor in it
        box.cli("kill", made["id"])
        person.kill()
    assert tree.exists()


def test_peers_22_another_lock_and_another_session_inside_keep_it(box: Box, repo: Repo) -> None:
    mine = box.json("spawn", "sleep 1000", "--worktree")
    repo.git("worktree", "unlock", mine["worktree"])
    repo.git("worktree", "lock", "--reason", "mine", mine["worktree"])
    box.cli("kill", mine["id"])
    assert "locked mine" in repo.git("worktree", "list", "--porcelain")
    outer = box.json("spawn", "sleep 1000", "--worktree")
    inner = box.json("spawn", "echo x > new", "--worktree", "--wait", cwd=Path(outer["worktree"]))
    box.cli("kill", outer["id"])
    assert set(repo.worktrees()) == {mine["worktree"], outer["worktree"], inner["worktree"]}


def test_peers_22_a_branch_with_work_that_was_left_for_another_is_never_deleted(box: Box, repo: Repo) -> None:
    task = "echo x > new; git add new; git commit -qm mine; git checkout -q --detach main"
    made = box.json("spawn", task, "--worktree", "left", "--wait")
    assert made["worktree"] is None and repo.worktrees() == []  # its HEAD is clean and merged
    assert repo.git("show", "left:new") == "x"


def test_a_clean_one_goes_with_its_branch_and_ref(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "mkdir __pycache__; echo x > __pycache__/x.pyc; sleep 1000", "--worktree")
    (box.work / ".git" / "info" / "exclude").write_text("__pycache__/\n*.out\n")
    until(lambda: (Path(made["worktree"]) / "__pycache__/x.pyc").exists())
    box.cli("kill", made["id"])
    assert nothing_left(repo)
    assert box.json("ps", "--all")[0]["worktree"] is None
    other = box.json("spawn", "echo hours of computing > big.out", "--worktree", "--wait")
    box.json("ps")
    assert (Path(other["worktree"]) / "big.out").exists(), "git does not have this file"


def test_one_that_was_removed_by_hand_is_told_from_its_ref(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "echo precious > new; sleep 1000", "--worktree")
    until(lambda: (Path(made["worktree"]) / "new").exists())
    box.cli("diff", made["id"])
    shutil.rmtree(made["worktree"])
    box.cli("kill", made["id"])
    shown = box.json("diff", made["id"])
    assert [f["path"] for f in shown["files"]] == ["new"] and shown["worktree"] is None
    assert "+precious" in box.cli("diff", made["id"]).stdout


@pytest.mark.parametrize("status", ["killed", "done"])
def test_a_repository_that_is_broken_does_not_keep_a_session_from_ending(box: Box, repo: Repo, status: str) -> None:
    made = box.json("spawn", "until test -e go; do sleep 0.02; done", "--worktree")
    os.rename(box.work / ".git", box.root / "elsewhere")
    (Path(made["worktree"]) / ("go" if status == "done" else "no")).touch()
    [ended] = box.json("kill" if status == "killed" else "wait", made["id"])
    assert ended["status"] == status and made["worktree"] in ended["reason"]
    assert Path(made["worktree"]).exists()


def test_a_lost_database_loses_no_worktree(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "echo precious > new; sleep 1000", "--worktree")
    until(lambda: (Path(made["worktree"]) / "new").exists())
    for file in box.state.glob("openclaw.db*"):
        file.unlink()
    box.cli("doctor", "--fix", exit=None)
    [back] = box.json("ps")
    assert back["worktree"] == made["worktree"]
    box.cli("kill", made["id"])
    assert [f["path"] for f in box.json("diff", made["id"])["files"]] == ["new"]


def test_repositories_and_files_with_odd_names(box: Box, repo: Repo) -> None:
    odd = box.root / "r $(touch PWNED) 'é\" *"
    repo.git("init", "-q", str(odd))
    repo.commit("one", at=odd, **{"s p/f": "1\n"})
    name = "feature/é-'\"$(x)&;"
    task = "echo 2 > '-n'; git add -A; git commit -qm 'a \"b\" $(c)'; echo 3 >> '../s p/f'"
    made = box.json("spawn", task, f"--worktree={name}", "--wait", cwd=odd / "s p")
    shown = box.json("diff", made["id"], cwd=odd)
    assert shown["branch"] == name and {f["path"] for f in shown["files"]} == {"s p/-n", "s p/f"}
    repo.commit("rest", at=made["worktree"])
    assert box.json("merge", made["id"])["branch"] == name
    assert (odd / "s p" / "-n").read_text() == "2\n" and not list(box.root.rglob("PWNED"))


def test_the_python_api_takes_it(box: Box, repo: Repo) -> None:
    code = "import json, openclaw; print(json.dumps(openclaw.sessions_spawn('sleep 1000', worktree='x').as_json()))"
    python = str(Path(__import__("sys").executable))
    done = subprocess.run([python, "-c", code], cwd=box.work, env=box.env, text=True, capture_output=True, timeout=60)
    assert json.loads(done.stdout)["worktree"] in repo.worktrees(), done.stderr
