"""What changed outside a write scope is noticed at the end, recorded, and shown wherever the session is."""

from __future__ import annotations

import os
import subprocess
from typing import Any

import pytest

from openclaw.sessions import violations
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db, sessions
from tests.conftest import Box, until


def git(box: Box, *args: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=x", "-c", "user.email=x@localhost", "-c", "init.defaultBranch=main", *args],
        cwd=box.work, env=box.env, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def repo(box: Box) -> Box:
    for path in ("src/a.py", "b.txt", "gone.txt", "sub/deep/x"):
        box.write(path, "old\n")
    box.write(".gitignore", "*.log\n__pycache__/\n")
    git(box, "init")
    git(box, "add", ".")
    git(box, "commit", "-m", "start")
    box.write("dirty.txt", "before\n")
    return box


def run(box: Box, command: str, *args: str, write: str = "src/**") -> list[str]:
    """Run it to its end; what is recorded as outside its scope, relative to the cwd."""
    done = box.json("spawn", command, "--write", write, "--wait", *args)
    return [os.path.relpath(path, box.work) for path in done["violations"]]


def test_peers_23_a_shell_command_that_writes_outside_is_reported(repo: Box) -> None:
    assert run(repo, "echo x > src/new && echo x >> src/a.py") == []
    assert run(repo, "echo x >> b.txt; echo x > new.txt; echo x > src/new; mkdir -p a/b; echo > 'a/b/n\nl'") == [
        "a/b/n\nl", "b.txt", "new.txt",
    ]  # fmt: skip
    patch = "--- a/b.txt\\n+++ b/b.txt\\n@@ -1 +1 @@\\n-old\\n+new\\n"
    git(repo, "checkout", "b.txt")
    assert run(repo, f"printf -- '{patch}' | git apply") == ["b.txt"]


def test_commits_links_and_deletions_are_seen_too(repo: Box) -> None:
    assert run(repo, "echo x >> b.txt; git -c user.name=x -c user.email=x@x commit -qam x") == ["b.txt"]
    assert run(repo, "ln -s /etc/passwd link; ln b.txt src/hard") == ["b.txt", "link"]
    assert run(repo, "rm gone.txt; rm -r sub") == ["gone.txt", "sub/deep/x"]
    assert run(repo, "true") == []  # what was gone before is nobody's


def test_what_was_before_what_is_ignored_and_what_is_read_are_no_violations(repo: Box) -> None:
    assert run(repo, "cat b.txt dirty.txt; echo x > build.log; mkdir __pycache__; echo > __pycache__/x.pyc") == []
    assert run(repo, "git status; git stash list; git gc -q") == []


def test_without_a_repository(box: Box) -> None:
    box.write("b.txt", "old")
    assert run(
        box, "mkdir __pycache__; echo x > __pycache__/b.pyc; echo x > src; echo x > b.txt; echo x > c.log", write="src"
    ) == ["b.txt", "c.log"]


def test_a_session_whose_writing_is_not_limited_has_none(repo: Box) -> None:
    assert repo.json("spawn", "echo x > b.txt", "--wait")["violations"] == []
    done = repo.json("spawn", "echo x > b.txt", "--type", "review", "--wait")
    assert [os.path.basename(p) for p in done["violations"]] == ["b.txt"]


def test_what_another_session_has_claimed_is_not_blamed(repo: Box) -> None:
    other = repo.json(
        "spawn", "until test -e go; do sleep 0.02; done; echo x > b.txt; echo y > stray; sleep 60", "--write", "b.txt"
    )
    mine = repo.json("spawn", "until test -e stray; do sleep 0.02; done", "--write", "src/**")
    repo.write("go", "")
    repo.cli("wait", mine["id"])
    # `stray` and `go` changed while it ran, and nobody had claimed them; b.txt the other one
    assert [os.path.basename(p) for p in repo.json("result", mine["id"])["violations"]] == ["go", "stray"]
    repo.cli("kill", other["id"])
    assert [os.path.basename(p) for p in repo.json("result", other["id"])["violations"]] == ["go", "stray"]
    late = repo.json("spawn", "echo z >> b.txt", "--write", "src/**", "--wait")  # the other one is gone
    assert [os.path.basename(p) for p in late["violations"]] == ["b.txt"]


def test_our_own_state_in_the_tree_is_no_violation(repo: Box) -> None:
    env = {"OPENCLAW_STATE_DIR": str(repo.work / "state"), "OPENCLAW_SHARED_SOCKET": str(repo.work / "sock/s")}
    try:
        assert repo.json("spawn", "echo x", "--write", "src/**", "--wait", env=env)["violations"] == []
    finally:
        subprocess.run(["tmux", "-S", env["OPENCLAW_SHARED_SOCKET"], "kill-server"], env=repo.env, check=False)


def test_looking_again_finds_only_what_is_new(repo: Box) -> None:
    made = repo.json("spawn", "echo x >> b.txt; echo up > src/up; sleep 1000", "--write", "src/**")
    until((repo.work / "src/up").exists)
    fleet = Fleet(Settings(environ=repo.env))

    def look() -> dict[str, list[str]]:
        found = violations.find(fleet, sessions.by_ids(fleet.store, [made["id"]]))
        with db.transaction(fleet.store):
            for id, paths in found.items():
                sessions.set_violations(fleet.store, id, paths)
        return {id: [os.path.basename(path) for path in paths] for id, paths in found.items()}

    assert look() == {made["id"]: ["b.txt"]} and look() == {}
    (repo.work / "c.txt").write_text("x")
    assert look() == {made["id"]: ["b.txt", "c.txt"]}


def test_it_is_shown_in_ps_result_and_the_window(repo: Box) -> None:
    done = repo.json("spawn", "echo x >> b.txt", "--write", "src/**", "--wait")
    clean = repo.json("spawn", "echo x >> src/a.py", "--write", "src/**", "--wait")
    lines = repo.cli("ps", "--all").stdout.splitlines()
    assert "done!" in next(line for line in lines if done["id"] in line)
    assert "done!" not in next(line for line in lines if clean["id"] in line)
    assert lines[-1].startswith("! ")
    shown = repo.cli("result", done["id"]).stdout
    assert "changed outside its write scope while it ran: b.txt" in shown
    assert "outside its" not in repo.cli("result", clean["id"]).stdout
    assert "outside its" not in repo.cli("ps").stdout
    target = ("-t", f"=subagent-{done['id']}:")
    assert repo.tmux("show-options", "-qv", *target, "@openclaw_violations") == "1\n"
    assert "outside its scope" in repo.tmux("display-message", "-p", *target, "#{T:status-left}")
    assert "outside" not in repo.tmux("display-message", "-p", "-t", f"=subagent-{clean['id']}:", "#{T:status-left}")


def test_a_killed_a_lost_and_a_timed_out_one_are_looked_at_too(repo: Box) -> None:
    def one(*more: str) -> Any:
        made = repo.json("spawn", "echo x >> b.txt; echo up > src/up; sleep 1000", "--write", "src/**", *more)
        until((repo.work / "src/up").exists)
        (repo.work / "src/up").unlink()
        return made

    def told(made: Any) -> list[str]:
        return [os.path.basename(path) for path in repo.json("result", made["id"])["violations"]]

    killed = one()
    repo.cli("kill", killed["id"])
    assert told(killed) == ["b.txt"]
    late = one("--timeout", "1s")
    repo.cli("wait", late["id"], exit=124)
    assert told(late) == ["b.txt"]
    lost = one()
    repo.tmux("kill-server")
    until(lambda: repo.json("result", lost["id"])["status"] == "lost")
    assert told(lost) == ["b.txt"]


def test_the_wider_part_of_a_sandbox_is_looked_at(repo: Box) -> None:
    pytest.importorskip("shutil").which("bwrap") or pytest.skip("bubblewrap is not installed")
    assert run(repo, "echo x > new.txt; echo x > other.txt", "--sandbox", write="new.txt") == ["other.txt"]


def test_a_turn_whose_end_nobody_saw_is_looked_at_though_its_usage_was_read_since(repo: Box) -> None:
    made = repo.json("spawn", "sleep 1000", "--write", "src/**")
    fleet = Fleet(Settings(environ=repo.env))
    now = fleet.now()
    with db.transaction(fleet.store):  # its hook has reported the end of its turn, and then its tokens were added up
        sessions.update(fleet.store, made["id"], now, reporter="claude-hooks", reported_state="idle", reported_at=now)
        sessions.update(fleet.store, made["id"], now, status="idle", conversation_id="c")
        sessions.update(fleet.store, made["id"], fleet.now() + "later", tokens_used=7)
    (repo.work / "b.txt").write_text("changed")
    assert repo.json("result", made["id"])["violations"] == [str(repo.work / "b.txt")]
