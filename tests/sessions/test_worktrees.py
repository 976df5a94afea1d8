"""A worktree of its own: made or not at all, kept with all that is in it, removed only when nothing is lost."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Box, until
from tests.sessions.repo import Repo


@pytest.fixture
def repo(box: Box) -> Repo:
    return Repo(box)


def nothing_left(repo: Repo) -> bool:
    return (
        repo.worktrees() == []
        and set(repo.refs()) == {"heads/main"}
        and not list((repo.path / ".git").glob("worktrees/*"))
        and not list((repo.box.state / "worktrees").glob("*"))
    )


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
    box.json("ps")
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


@pytest.mark.parametrize("left", ["checkout", "no .git", "no folder", "no admin"])
def test_a_checkout_killed_in_the_middle_is_cleared_away(box: Box, repo: Repo, left: str) -> None:
    slow_checkout(repo, 1000)
    spawner = box.popen("spawn", "true", "--worktree", start_new_session=True)
    until(lambda: list((box.state / "worktrees").glob("*/*")), what="files are being written")
    os.killpg(spawner.pid, signal.SIGKILL)  # git too
    spawner.wait()
    until(lambda: not any("sleep 1000" in c for c in box.processes().values()), what="the filter is gone")
    [tree] = repo.worktrees()
    if left == "no .git":  # what git has not made yet, or has just removed
        (Path(tree) / ".git").unlink()
    elif left == "no folder":
        shutil.rmtree(tree)
    elif left == "no admin":
        shutil.rmtree(repo.path / ".git" / "worktrees" / Path(tree).name)
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


# --- kept


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
