"""Bringing the work back: whole, or refused with everything as it was."""

from __future__ import annotations

import json
import os
import pty
import shutil
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import OPENCLAW, Box, until
from tests.sessions.repo import Repo

COMMIT = "git add -A && git commit -qm"


@pytest.fixture
def repo(box: Box) -> Repo:
    return Repo(box)


def refuse(repo: Repo, id: str, code: str, *flags: str, exit: int = 3) -> str:
    """A merge that is refused with this code, and leaves the target and the worktree's branch as they were."""
    before = repo.picture()
    done = repo.box.cli("merge", id, *flags, "--json", exit=exit)
    error = json.loads(done.stderr)["error"]
    assert error["code"] == code and error["hint"], error
    assert repo.picture() == before
    return str(error["message"])


def worked(box: Box, task: str, *flags: str) -> Any:
    return box.json("spawn", f"{task} && {COMMIT} 'by the agent'", "--worktree", *flags, "--wait")


# --- done


def test_forward_when_nothing_happened_meanwhile_then_the_worktree_goes(box: Box, repo: Repo) -> None:
    made = worked(box, "echo x > new; echo 8 >> a.txt")
    done = box.json("merge", made["id"])
    assert done["into"] == "main" and done["commit"] == repo.git("rev-parse", "main")
    assert done["files"] == [{"path": "a.txt", "additions": 1, "deletions": 0},
                             {"path": "new", "additions": 1, "deletions": 0}]  # fmt: skip
    assert [c["subject"] for c in done["commits"]] == ["by the agent"] and not done["squashed"]
    assert repo.git("log", "-1", "--format=%an %s") == "Person by the agent"
    assert (box.work / "new").read_text() == "x\n" and repo.git("status", "-s") == ""
    assert repo.worktrees() == [] and set(repo.refs()) == {"heads/main"} and done["worktree"] is None
    assert box.json("ps", "--all")[0]["worktree"] is None
    assert "nothing to merge" in box.cli("merge", made["id"]).stdout


def test_a_merge_commit_says_what_was_asked(box: Box, repo: Repo) -> None:
    made = worked(box, "echo x > new", "--name", "painter")
    repo.commit("meanwhile", other="o\n")
    box.cli("merge", made["id"])
    assert repo.git("log", "-1", "--format=%s").startswith("Merge subagent/painter: echo x > new")
    assert len(repo.git("log", "-1", "--format=%P").split()) == 2
    assert (box.work / "new").exists() and (box.work / "other").exists() and repo.git("status", "-s") == ""


def test_squash_makes_one_commit_and_the_branch_with_its_commits_stays(box: Box, repo: Repo) -> None:
    task = f"echo 1 > one; {COMMIT} first; echo 2 > two; {COMMIT} second"
    made = box.json("spawn", task, "--worktree", "--name", "n", "--wait")
    base = repo.git("rev-parse", "main")
    done = box.json("merge", made["id"], "--squash")
    assert done["squashed"] and repo.git("log", "-1", "--format=%P") == base
    assert repo.git("log", "-1", "--format=%b").splitlines() == ["- first", "- second"]
    assert (box.work / "one").exists() and (box.work / "two").exists()
    assert repo.worktrees() == [] and repo.git("log", "-1", "--format=%s", "subagent/n") == "second"
    assert f"openclaw/{made['id']}" in repo.refs()
    before = repo.picture()
    box.cli("merge", made["id"], "--squash")  # once more: nothing to do
    assert repo.picture() == before


def test_an_idle_one_may_be_merged_again_and_again(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "sleep 1000", "--worktree")
    refuse(repo, made["id"], "still_working")
    store = sqlite3.connect(box.state / "openclaw.db")
    store.execute("UPDATE sessions SET status = 'idle'")
    store.commit()
    for number in range(3):
        repo.commit(f"step {number}", at=made["worktree"], **{f"f{number}": "x", "a.txt": f"{number}\n"})
        repo.commit(f"person {number}", **{f"p{number}": "x"})
        done = box.json("merge", made["id"], *(["--squash"] if number else []))
        assert [c["subject"] for c in done["commits"]] == [f"step {number}"]
        assert (box.work / f"f{number}").exists() and (box.work / "a.txt").read_text() == f"{number}\n"
    assert repo.worktrees() == [made["worktree"]]
    assert "locked" in repo.git("worktree", "list", "--porcelain")
    assert box.json("merge", made["id"])["files"] == []


def test_into_whatever_branch_is_checked_out_where_it_came_from(box: Box, repo: Repo) -> None:
    made = worked(box, "echo x > new")
    repo.git("checkout", "-qb", "release")
    assert box.json("merge", made["id"])["into"] == "release"
    assert "new" not in repo.git("ls-tree", "--name-only", "main").split()


def test_a_worktree_of_a_worktree_goes_back_to_that_one(box: Box, repo: Repo) -> None:
    outer = box.json("spawn", "sleep 1000", "--worktree")
    inner = box.json("spawn", f"echo x > new && {COMMIT} deep", "--worktree", "--wait", cwd=Path(outer["worktree"]))
    before = repo.picture()
    assert "claimed" in box.cli("merge", inner["id"], exit=3).stderr  # by the one that works there,
    own = {"OPENCLAW_SESSION_ID": outer["id"]}  # which may itself
    assert box.json("merge", inner["id"], env=own)["into"] == f"subagent/{outer['id']}"
    assert (Path(outer["worktree"]) / "new").exists()
    assert repo.picture()[2:] == before[2:]


def test_one_that_did_nothing_and_one_whose_branch_was_deleted(box: Box, repo: Repo) -> None:
    assert "nothing to merge" in box.cli("merge", box.json("spawn", "true", "--worktree", "--wait")["id"]).stdout
    made = worked(box, "echo x > new")
    repo.git("worktree", "remove", made["worktree"])
    assert box.json("diff", made["id"])["files"][0]["path"] == "new"
    repo.git("branch", "-D", f"subagent/{made['id']}")
    assert f"refs/openclaw/{made['id']}" in box.cli("merge", made["id"], exit=4).stderr
    assert box.json("diff", made["id"])["files"][0]["path"] == "new"
    other = box.json("spawn", f"echo x > one; {COMMIT} one; echo x > two; sleep 1000", "--worktree")
    until(lambda: (Path(other["worktree"]) / "two").exists())
    box.cli("kill", other["id"])
    repo.git("worktree", "remove", "--force", other["worktree"])
    assert f"openclaw/{other['id']}" in refuse(repo, other["id"], "uncommitted")
    repo.git("update-ref", "-d", f"refs/openclaw/{other['id']}")
    box.cli("merge", other["id"])
    assert (box.work / "one").exists() and not (box.work / "two").exists()


# --- refused


def test_a_conflict_is_known_before_anything_is_touched(box: Box, repo: Repo) -> None:
    made = worked(box, "echo theirs > a.txt; echo fine > other")
    repo.commit("mine", **{"a.txt": "mine\n"})
    assert "in a.txt" in refuse(repo, made["id"], "conflict")
    assert "in a.txt" in refuse(repo, made["id"], "conflict", "--squash")
    assert repo.git("status", "-s", at=made["worktree"]) == ""
    repo.git("merge", "-q", "-X", "theirs", "main", at=made["worktree"], check=False)  # as the hint says
    assert box.json("merge", made["id"])["commit"] == repo.git("rev-parse", "main")


@pytest.mark.parametrize("how", ["changed", "staged", "deleted", "merging"])
def test_a_dirty_target_is_refused(box: Box, repo: Repo, how: str) -> None:
    made = worked(box, "echo x > new")
    if how == "changed":
        box.write("sub/s.txt", "dirty")
    elif how == "staged":
        box.write("sub/s.txt", "dirty")
        repo.git("add", "-A")
    elif how == "deleted":
        (box.work / "a.txt").unlink()
    else:
        repo.git("branch", "side")
        repo.git("commit", "-q", "--allow-empty", "-m", "more")
        repo.git("checkout", "-q", "side")
        repo.git("commit", "-q", "--allow-empty", "-m", "side")
        repo.git("merge", "-q", "--no-commit", "--no-ff", "main")
    assert str(box.work) in refuse(repo, made["id"], "dirty")


def test_on_no_branch_it_is_refused(box: Box, repo: Repo) -> None:
    made = worked(box, "echo x > new")
    repo.git("checkout", "-q", "--detach")
    before = repo.git("rev-parse", "HEAD")
    assert "no branch" in box.cli("merge", made["id"], exit=3).stderr
    assert repo.git("rev-parse", "HEAD") == before


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("path", ["new", "deep/er/new", "deep", "new/below"])
def test_a_file_that_git_does_not_know_is_never_overwritten(box: Box, repo: Repo, path: str, ignored: bool) -> None:
    made = worked(box, "mkdir -p deep/er; echo x > deep/er/new; echo x > new")
    if ignored:
        (box.work / ".git" / "info" / "exclude").write_text("new\ndeep\n")
    box.write(path, "precious")
    assert "would be overwritten" in refuse(repo, made["id"], "dirty")
    assert (box.work / path).read_text() == "precious"


def test_other_untracked_files_are_no_hindrance(box: Box, repo: Repo) -> None:
    made = worked(box, "mkdir sub/more; echo x > sub/more/new; rm a.txt; mkdir a.txt; echo x > a.txt/inside")
    box.write("sub/mine", "x")
    box.cli("merge", made["id"])
    assert (box.work / "a.txt" / "inside").exists() and (box.work / "sub" / "mine").exists()


def test_what_is_not_committed_is_refused_with_what_to_do(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "echo x > new; echo y >> a.txt", "--worktree", "--wait")
    message = refuse(repo, made["id"], "uncommitted")
    assert "a.txt, new" in message and made["worktree"] in message
    repo.commit("all of it", at=made["worktree"])
    box.cli("merge", made["id"])


def test_a_path_that_a_live_sub_agent_has_claimed_is_refused(box: Box, repo: Repo) -> None:
    made = worked(box, "echo x > sub/new")
    holder = box.json("spawn", "sleep 1000", "--write", "sub/**")
    assert holder["id"] in refuse(repo, made["id"], "claim_conflict")
    box.json("merge", made["id"], env={"OPENCLAW_SESSION_ID": holder["id"]})  # the holder itself may


def test_without_a_worktree_there_is_nothing_to_show_or_merge(box: Box, repo: Repo) -> None:
    made = box.json("spawn", "true", "--wait")
    for verb in ("diff", "merge"):
        assert "has no worktree" in box.cli(verb, made["id"], exit=4).stderr


# --- both sides


def test_peers_28_work_of_two_agents_in_one_file_is_in_it_whole_or_refused(box: Box, repo: Repo) -> None:
    first = worked(box, "sed -i s/^1$/one/ a.txt")
    second = worked(box, "sed -i s/^7$/seven/ a.txt")
    third = worked(box, "sed -i s/^1$/eins/ a.txt")
    assert box.json("merge", first["id"])["changed_on_both_sides"] == []
    done = box.cli("merge", second["id"])
    assert "look at them: a.txt" in done.stderr
    assert (box.work / "a.txt").read_text() == "one\n2\n3\n4\n5\n6\nseven\n"
    refuse(repo, third["id"], "conflict")
    assert (box.work / "a.txt").read_text() == "one\n2\n3\n4\n5\n6\nseven\n"
    assert "eins" in (Path(third["worktree"]) / "a.txt").read_text()


def test_peers_28_a_merge_driver_that_drops_one_side_is_told(box: Box, repo: Repo) -> None:
    repo.git("config", "merge.ours.driver", "true")
    repo.commit("attributes", **{".gitattributes": "b.txt merge=ours\n", "b.txt": "0\n"})
    made = worked(box, "echo agent > b.txt; echo x > new")
    repo.commit("mine", **{"b.txt": "mine\n"})
    done = box.json("merge", made["id"])
    assert done["kept_as_it_was"] == ["b.txt"] and (box.work / "new").exists()


def test_peers_28_settings_of_git_merge_that_would_drop_or_stop_it(box: Box, repo: Repo) -> None:
    for words in (
        ("branch.main.mergeOptions", "-s ours --no-commit"),
        ("merge.ff", "false"),
        ("merge.autoStash", "true"),
        ("merge.verifySignatures", "true"),
        ("pull.rebase", "true"),
    ):
        repo.git("config", *words)
    for name, more in (("forward", []), ("two", []), ("squashed", ["--squash"])):
        made = worked(box, f"echo x > {name}")
        if name != "forward":
            repo.commit(f"before {name}", **{f"p-{name}": "x"})
        box.cli("merge", made["id"], *more)
        assert (box.work / name).exists() and repo.git("status", "-s") == ""


@pytest.mark.parametrize("how", [(), ("--squash",)])
def test_after_a_merge_into_one_branch_all_of_it_can_go_into_another(
    box: Box, repo: Repo, how: tuple[str, ...]
) -> None:
    made = worked(box, f"echo x > old; {COMMIT} earlier; echo x > new")
    repo.git("branch", "release")
    box.cli("merge", made["id"], *how)
    repo.git("checkout", "-q", "release")
    assert box.json("diff", made["id"])["files"]
    box.cli("merge", made["id"])
    assert (box.work / "new").exists()


def test_two_merges_at_once_and_more_all_in_and_none_lost(box: Box, repo: Repo) -> None:
    made = [worked(box, f"echo x > new{i}") for i in range(6)]
    racers = [box.popen("merge", s["id"], *(["--squash"] if i % 2 else [])) for i, s in enumerate(made)]
    for racer in racers:
        _, err = racer.communicate(timeout=120)
        assert racer.returncode == 0, err
    assert {f"new{i}" for i in range(6)} <= {p.name for p in box.work.iterdir()}
    assert repo.git("status", "-s") == "" and repo.worktrees() == []


@pytest.mark.parametrize("always", [False, True])
def test_a_commit_of_a_person_between_computing_and_moving_forward(box: Box, repo: Repo, always: bool) -> None:
    made = worked(box, "echo x > new")
    repo.commit("before", before="x")
    real, fake = shutil.which("git"), box.root / "bin" / "git"
    fake.parent.mkdir()
    once = "" if always else f"[ -e {box.root}/done ] || "
    fake.write_text(
        f'#!/bin/sh\ncase "$*" in *--ff-only*) {once}{real} -C {box.work} commit -q --allow-empty -m person; '
        f'touch {box.root}/done;; esac\nexec {real} "$@"\n'
    )
    fake.chmod(0o755)
    env = {"PATH": f"{fake.parent}:{box.env['PATH']}"}
    done = box.cli("merge", made["id"], env=env, exit=3 if always else 0)
    subjects = repo.git("log", "--format=%s").splitlines()
    assert subjects.count("person") == (5 if always else 1) and repo.git("status", "-s") == ""
    assert (box.work / "new").exists() != always and "Merge" in (subjects[0] if not always else "Merge")
    assert not always or "faster" in done.stderr


def test_something_half_done_in_the_worktree_is_refused(box: Box, repo: Repo) -> None:
    repo.git("checkout", "-qb", "side")
    repo.commit("side", side="x")
    repo.git("checkout", "-q", "main")
    made = box.json("spawn", "git merge -q -s ours --no-commit side", "--worktree", "--wait")
    assert repo.git("status", "-s", at=made["worktree"]) == ""  # nothing else shows it
    refuse(repo, made["id"], "unfinished")


# --- diff


def test_diff_shows_commits_and_what_is_not_committed(box: Box, repo: Repo) -> None:
    task = f"echo 8 >> a.txt; {COMMIT} mine; echo x > new; printf 'a\\0b' > bin; rm sub/s.txt; sleep 1000"
    made = box.json("spawn", task, "--worktree")
    until(lambda: not (Path(made["worktree"]) / "sub" / "s.txt").exists())
    repo.commit("meanwhile", other="o\n")  # not theirs, so not in it
    found = box.json("diff", made["id"])
    assert found["branch"] == f"subagent/{made['id']}" and found["into"] == "main"
    assert [c["subject"] for c in found["commits"]] == ["mine"]
    assert sorted(found["uncommitted"]) == ["bin", "new", "sub/s.txt"]
    assert found["files"] == [
        {"path": "a.txt", "additions": 1, "deletions": 0},
        {"path": "bin", "additions": None, "deletions": None},
        {"path": "new", "additions": 1, "deletions": 0},
        {"path": "sub/s.txt", "additions": 0, "deletions": 1},
    ]
    text = box.cli("diff", made["id"]).stdout
    assert "+8" in text and "-s" in text and "\x1b" not in text and "other" not in text
    stat = box.cli("diff", made["id"], "--stat").stdout
    assert "4 files changed" in stat and "+8" not in stat
    apply = subprocess.run(
        ["git", "apply", "--check"], input=box.cli("diff", made["id"]).stdout, cwd=box.work, env=repo.env, text=True
    )
    assert apply.returncode == 1 or apply.returncode == 0  # the binary file has no patch


def test_diff_is_a_patch_and_coloured_on_a_terminal(box: Box, repo: Repo) -> None:
    made = worked(box, "echo 8 >> a.txt")
    text = box.cli("diff", made["id"]).stdout
    subprocess.run(["git", "apply"], input=text, cwd=box.work, env=repo.env, text=True, check=True)
    assert (box.work / "a.txt").read_text().endswith("7\n8\n")
    master, slave = pty.openpty()
    done = subprocess.run([OPENCLAW, "diff", made["id"]], cwd=box.work, env=box.env, stdout=slave, timeout=60)
    os.close(slave)
    assert done.returncode == 0 and b"\x1b[32m" in os.read(master, 65536)
    os.close(master)
