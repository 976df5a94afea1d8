"""The real Claude Code under --sandbox: it works, reports, and a shell command of it changes nothing outside."""

from __future__ import annotations

import os
import signal

import pytest

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool
from tests.sessions.repo import Repo


@pytest.fixture
def enclosed(claude: Claude, claude_program: str) -> Claude:
    claude.enclose(claude_program)
    return claude


def test_peers_23_a_shell_command_changes_nothing_outside_its_scope(enclosed: Claude) -> None:
    box = enclosed.box
    box.write("src/a.txt", "a")
    box.write("b.txt", "untouched")
    (enclosed.config / "settings.json").write_text('{"permissions": {"allow": ["Bash"]}}')
    command = "echo in > src/new; echo pwned > b.txt || echo REFUSED"
    enclosed.api.say(Reply("", (Tool("Bash", {"command": command, "description": "write"}),)), Reply("Tried."))
    id = enclosed.spawn("try it", "--write", "src/**", "--sandbox")["id"]
    enclosed.until(id, "idle")
    assert (box.work / "b.txt").read_text() == "untouched" and (box.work / "src/new").read_text() == "in\n"
    assert any(turn.has("REFUSED") for turn in enclosed.api.turns), [t.text for t in enclosed.api.turns]
    result = box.json("result", id)
    assert result["result"]["output"] == "Tried." and result["tokens_used"] > 0 and result["violations"] == []
    enclosed.type(id, "/exit")
    enclosed.until(id, "done")


def test_its_commits_in_a_worktree_come_home(enclosed: Claude) -> None:
    repo, box = Repo(enclosed.box), enclosed.box
    enclosed.knows(projects={str(box.state / "worktrees"): {"hasTrustDialogAccepted": True}})
    (enclosed.config / "settings.json").write_text('{"permissions": {"allow": ["Bash"]}}')
    command = "echo 8 >> a.txt && git commit -qam 'by the agent' && git status --short"
    enclosed.api.say(Reply("", (Tool("Bash", {"command": command, "description": "commit"}),)), Reply("Did."))
    made = enclosed.spawn("commit it", "--worktree", "--sandbox", "--type", "code-edit")
    assert made["reason"] == ""
    enclosed.until(made["id"], "idle")
    assert box.json("diff", made["id"])["files"] == [{"path": "a.txt", "additions": 1, "deletions": 0}]
    assert repo.git("log", "-1", "--format=%s", f"subagent/{made['id']}") == "by the agent"
    box.cli("kill", made["id"])
    box.cli("merge", made["id"])
    assert repo.git("log", "-1", "--format=%s") == "by the agent"


def test_a_sandboxed_worktree_inherits_trust_from_no_repository(enclosed: Claude) -> None:
    Repo(enclosed.box)
    made = enclosed.spawn("look", "--worktree", "--sandbox")
    folder = f"doctor --fix --trust {enclosed.box.state}/worktrees)"
    assert folder in made["reason"] and folder in enclosed.until(made["id"], "waiting")


def test_it_comes_back_into_its_sandbox_and_its_conversation(enclosed: Claude) -> None:
    made = enclosed.spawn("sandboxed task", "--sandbox", "--write", "out/**")
    id = made["id"]
    enclosed.until(id, "idle")
    until(lambda: enclosed.box.json("result", id)["tokens_used"], what="its turn is in its transcript")
    os.kill(enclosed.box.server_pid(), signal.SIGKILL)
    until(lambda: enclosed.status(id)[0] == "lost")
    [found] = enclosed.box.json("restore")["sessions"]
    assert found["action"] == "resumed"
    enclosed.until(id, "idle")
    last = enclosed.api.turns[-1]
    assert len(enclosed.api.turns) == 2 and last.has("Done.") and "same conversation in a new one" in last.text
    script = (enclosed.box.state / "sessions" / id / "launch.sh").read_text()
    assert "bwrap" in script and f"--resume {made['conversation_id']}" in script and "--session-id" not in script
