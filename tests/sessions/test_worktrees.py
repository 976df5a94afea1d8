"""A worktree of its own: made as asked, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from tests.conftest import Box, until
from tests.sessions.repo import Repo, nothing_left


@pytest.fixture
def repo(box: Box) -> Repo:
    return Repo(box)


# --- made


def test_it_works_in_its_own_folder_and_branch_and_the_main_checkout_stays_as_it_is(box: Box, repo: Repo) -> None:
    before = repo.picture()
    task = "pwd > where; echo changed > s.txt; git commit -qam 'by the agent'; sleep 1000"
    made = box.json("spawn", task, "--worktree", "--name", "one", "--cwd", str(box.work / "sub"))
    tree = Path(made["worktree"])
    assert tree == box.state / "worktrees" / made["id"] and made["cwd"] == str(tree / "sub")
    until(lambda: "by the agent" in repo.git("log", "-1", "--format=%s", "subagent/one"))
    assert (tree / "sub" / "where").read_text().strip() == made["cwd"]
    assert f"locked openclaw sub-agent {made['id']}" in repo.git("worktree", "list", "--porcelain")
    after = repo.picture()
    assert (after[0], after[2:]) == (before[0], before[2:])
    assert repo.refs()["heads/main"] == repo.refs()[f"openclaw/{made['id']}"]  # kept from its start


def test_the_branch_is_as_named_or_after_the_session(box: Box, repo: Repo) -> None:
    keep = "echo x > new; sleep 0"
    named = box.json("spawn", keep, "--worktree", "feature/mine", "--wait")
    assert repo.git("symbolic-ref", "--short", "HEAD", at=named["worktree"]) == "feature/mine"
    first = box.json("spawn", keep, "--worktree", "--name", "again", "--wait")
    second = box.json("spawn", keep, "--worktree", "--name", "again", "--wait")
    anonymous = box.json("spawn", keep, "--worktree", "--wait")
    for session, branch in (
        (first, "subagent/again"),
        (second, f"subagent/again-{second['id']}"),
        (anonymous, f"subagent/{anonymous['id']}"),
    ):
        assert repo.git("symbolic-ref", "--short", "HEAD", at=session["worktree"]) == branch


def test_scope_and_claims_are_inside_it_so_nothing_conflicts(box: Box, repo: Repo) -> None:
    (box.work / "link").symlink_to("sub")
    main = box.json("spawn", "sleep 1000", "--write", "sub/**")
    flags = ("--write", "sub/**", "--write", str(box.work / "a.txt"), "--write", "link/t", "--read", "*.txt")
    one = box.json("spawn", "sleep 1000", "--worktree", *flags)
    two = box.json("spawn", "sleep 1000", "--worktree", *flags)
    tree = one["worktree"]
    assert one["scope"] == {"read": [f"{tree}/*.txt"], "write": [f"{tree}/sub/**", f"{tree}/a.txt", f"{tree}/sub/t"]}
    prompt = (box.state / "sessions" / two["id"] / "task.md").read_text()
    assert "Change only: sub/**, a.txt, sub/t" in prompt and str(box.work) not in prompt
    assert main["scope"]["write"] == [f"{box.work}/sub/**"]
    outside = str(box.root / "outside" / "**")
    box.json("spawn", "sleep 1000", "--worktree", "--write", outside)
    box.cli("spawn", "true", "--worktree", "--write", outside, exit=3)  # what is not in the repository is shared


def test_all_of_it_is_claimed_when_nothing_else_is_said(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "echo x > sub/new; echo y >> a.txt", "--worktree", "--wait")
    assert made["scope"]["write"] == [made["worktree"] + "/**"]
    assert made["result"]["changed"] == ["a.txt", "sub/new"]
    review = box.json("spawn", "true", "--worktree", "--type", "review", "--wait")
    assert review["scope"]["write"] == []


def test_many_from_a_file_each_with_its_own(box: Box, repo: Repo) -> None:
    box.write(
        "../tasks.yaml", "- {task: echo x > new, worktree: true}\n- {task: echo x > new, worktree: b2}\n- true x\n"
    )
    one, two, three = box.json("spawn", "--from", str(box.root / "tasks.yaml"), "--wait")
    assert len(repo.worktrees()) == 2 and three["worktree"] is None
    assert {f"heads/subagent/{one['id']}", "heads/b2"} < set(repo.refs()) and two["worktree"]
    box.write("../tasks.yaml", "- {task: 'true', worktree: b3}\n- {task: 'true', worktree: b3}\n")
    assert "b3" in box.cli("spawn", "--from", str(box.root / "tasks.yaml"), exit=2).stderr


def test_dry_run_makes_nothing_and_says_what_it_would(box: Box, repo: Repo) -> None:
    shown = box.json("spawn", "true", "--worktree", "b", "--dry-run")
    assert shown["worktree"]["branch"] == "b" and shown["cwd"] == shown["worktree"]["path"]
    assert "on the new branch b" in box.cli("spawn", "true", "--worktree", "b", "--dry-run").stdout
    assert nothing_left(repo)


def test_uncommitted_changes_that_it_starts_without_are_said(box: Box, repo: Repo) -> None:
    assert box.cli("spawn", "true", "--worktree", "--wait").stderr == ""
    box.write("a.txt", "changed")
    assert "1 changed file" in box.cli("spawn", "true", "--worktree", "--wait").stderr


def test_settable_folder_and_an_environment_that_means_another_repository(box: Box, repo: Repo) -> None:
    place = box.root / "trees with spaces"
    env = {"OPENCLAW_WORKTREES": str(place), "GIT_DIR": str(box.root / "no"), "GIT_INDEX_FILE": "/nonexistent"}
    made = box.json("spawn", "echo x > new", "--worktree", "--wait", env=env)
    assert made["worktree"] == str(place / made["id"]) and repo.worktrees() == [made["worktree"]]
    assert box.json("diff", made["id"], env=env)["files"] == [{"path": "new", "additions": 1, "deletions": 0}]


def test_hooks_of_the_repository_are_not_run(box: Box, repo: Repo) -> None:
    for name in ("post-checkout", "post-merge", "pre-commit", "reference-transaction", "post-index-change"):
        hook = repo.path / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\ntouch {box.root}/RAN-{name}\n")
        hook.chmod(0o755)
    made = box.json("spawn", "echo x > new", "--worktree", "--wait")
    box.cli("diff", made["id"])
    assert not list(box.root.glob("RAN-*"))


# --- or not at all


def refuse(box: Box, word: str, *flags: str, exit: int = 2, cwd: Path | None = None) -> None:
    done = box.cli("spawn", "touch ran", *flags, exit=exit, cwd=cwd)
    lines = done.stderr.strip().splitlines()
    assert word in lines[0] and len(lines) <= 2, done.stderr
    assert box.json("ps", "--all") == [] and not list((box.state / "sessions").glob("*"))


def test_where_there_can_be_none_one_clear_line_and_nothing_is_left(box: Box, repo: Repo) -> None:
    outside = box.root / "outside"
    outside.mkdir()
    refuse(box, "not a git repository", "--worktree", cwd=outside)
    repo.git("init", "-q", at=outside)
    refuse(box, "no commit yet", "--worktree", cwd=outside)
    refuse(box, "work tree", "--worktree", cwd=outside / ".git")
    (box.work / "untracked").mkdir()
    refuse(box, "untracked is not committed", "--worktree", cwd=box.work / "untracked")
    repo.git("branch", "taken")
    refuse(box, "exists already", "--worktree", "taken")
    refuse(box, f"is checked out in {box.work}", "--worktree", "main")
    repo.git("branch", "deep/er")
    refuse(box, "branches below 'deep' exist", "--worktree", "deep")
    refuse(box, "taken/x", "--worktree", "taken/x", exit=3)
    for name in ("a b", "-x", "a..b", "HEAD", "x.lock", "a~1", "a\nb", "\x1b[2J", "é:x", "@{-1}", "x" * 5000):
        refuse(box, "can't be the name of a branch", f"--worktree={name}")
    repo.git("checkout", "-q", "--detach")
    refuse(box, "HEAD is detached", "--worktree")
    repo.git("checkout", "-q", "main")
    repo.commit("with submodule", **{".gitmodules": '[submodule "x"]\n\tpath = x\n\turl = ../x\n'})
    refuse(box, "submodules", "--worktree")
    assert repo.worktrees() == [] and not list((box.state / "worktrees").glob("*"))


def test_a_failed_start_undoes_it(box: Box, repo: Repo) -> None:
    box.cli("spawn", "true", "--worktree", env={"OPENCLAW_TMUX_COMMAND": "/nonexistent/tmux"}, exit=5)
    box.json("ps")
    assert nothing_left(repo) and box.json("ps", "--all") == []
    repo.git("config", "filter.broken.smudge", "false")
    repo.git("config", "filter.broken.clean", "cat")
    repo.git("config", "filter.broken.required", "true")
    repo.commit("attributes", **{".gitattributes": "*.bin filter=broken\n", "x.bin": "x"})
    assert "git worktree" in box.cli("spawn", "true", "--worktree", exit=1).stderr  # the checkout fails in the middle
    assert nothing_left(repo) and box.json("ps", "--all") == []
    assert not list((box.state / "sessions").iterdir())


def test_eight_at_once_on_one_branch_one_wins(box: Box, repo: Repo) -> None:
    racers = [box.popen("spawn", "sleep 1000", "--worktree", "contested") for _ in range(8)]
    ends = [(*racer.communicate(timeout=120), racer.returncode) for racer in racers]
    assert sorted(code for *_, code in ends)[0] == 0 and all(code in (0, 2, 3) for *_, code in ends), ends
    assert [code for *_, code in ends].count(0) == 1
    [winner] = box.json("ps")
    assert repo.worktrees() == [winner["worktree"]]
    assert set(repo.refs()) == {"heads/main", "heads/contested", f"openclaw/{winner['id']}"}


def test_twelve_at_once_in_one_repository_all_start_and_all_end(box: Box, repo: Repo) -> None:
    racers = [box.popen("spawn", "true", "--worktree", "--wait") for _ in range(12)]
    for racer in racers:
        _, err = racer.communicate(timeout=120)
        assert racer.returncode == 0, err  # git itself fails when it meets a worktree that is being made
    assert nothing_left(repo)


def test_a_spawn_killed_at_ten_moments_leaves_nothing_that_the_next_command_does_not_set_right(
    box: Box, repo: Repo
) -> None:
    begun = time.monotonic()
    box.json("spawn", "true", "--worktree")
    whole = time.monotonic() - begun
    until(lambda: not box.json("ps"))
    for moment in range(10):
        spawner = box.popen("spawn", "sleep 1000", "--worktree", "contested")
        time.sleep(whole * (0.3 + 0.9 * moment / 10))  # the moment at which it dies is what varies here
        spawner.send_signal(signal.SIGKILL)
        spawner.wait()
        live = box.json("ps")  # the next command
        assert len(live) <= 1
        for session in live:  # a whole sub-agent in its worktree, or nothing at all
            assert session["status"] == "working" and repo.worktrees() == [session["worktree"]]
            assert repo.git("symbolic-ref", "--short", "HEAD", at=session["worktree"]) == "contested"
            box.cli("kill", session["id"])
        box.cli("doctor", "--fix", exit=None)
        assert nothing_left(repo), (moment, repo.refs(), repo.worktrees())


def slow_checkout(repo: Repo, seconds: float) -> None:
    repo.git("config", "filter.slow.smudge", f"sleep {seconds}; touch {repo.box.root}/smudged; cat")
    repo.commit("slow", **{".gitattributes": "*.slow filter=slow\n", "x.slow": "x", "z.txt": "z"})


def test_a_git_that_outlives_its_killed_spawner_is_waited_for(box: Box, repo: Repo) -> None:
    slow_checkout(repo, 2)
    spawner = box.popen("spawn", "true", "--worktree")
    until(lambda: repo.worktrees(), what="git has begun")
    spawner.send_signal(signal.SIGKILL)
    spawner.wait()
    assert box.json("ps") == []
    assert (box.root / "smudged").exists(), "the next command did not wait for the git that was left"
    assert nothing_left(repo)


@pytest.mark.parametrize("left", ["checkout", "no .git", "no folder", "no admin", "half an admin"])
def test_a_checkout_killed_in_the_middle_is_cleared_away(box: Box, repo: Repo, left: str) -> None:
    slow_checkout(repo, 1000)
    spawner = box.popen("spawn", "true", "--worktree", start_new_session=True)
    admin = repo.path / ".git" / "worktrees"
    until(lambda: any(path.read_text() for path in admin.glob("*/commondir")), what="files are being written")
    os.killpg(spawner.pid, signal.SIGKILL)  # git too
    spawner.wait()
    until(lambda: not any("sleep 1000" in c for c in box.processes().values()), what="the filter is gone")
    [tree] = repo.worktrees()
    if left == "no .git":  # what git has not made yet, or has just removed
        (Path(tree) / ".git").unlink()
    elif left == "no folder":
        shutil.rmtree(tree)
    elif left == "no admin":
        shutil.rmtree(admin / Path(tree).name)
    elif left == "half an admin":  # every git command that looks at worktrees fails with it
        shutil.rmtree(tree)
        (admin / Path(tree).name / "commondir").write_text("")
    assert box.json("ps") == [] and nothing_left(repo)


def test_work_done_in_a_start_that_was_interrupted_is_kept(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "echo precious > new; sleep 1000", "--worktree")
    until(lambda: (Path(made["worktree"]) / "new").exists())
    store = sqlite3.connect(box.state / "openclaw.db")
    store.execute("UPDATE sessions SET status = 'starting', spawner = '999999:1'")
    store.commit()
    os.kill(box.server_pid(), signal.SIGKILL)
    for pid, command in box.processes().items():
        if "launch.sh" in command or "sleep 1000" in command:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    assert box.json("ps") == []
    [lost] = box.json("ps", "--all")
    assert lost["status"] == "lost" and (Path(lost["worktree"]) / "new").read_text() == "precious\n"
