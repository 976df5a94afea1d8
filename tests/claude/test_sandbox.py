"""The real Claude Code under --sandbox: it works, reports, and a shell command of it changes nothing outside."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool


@pytest.fixture
def enclosed(claude: Claude, claude_program: str) -> Claude:
    """The loopback network is entered before the sandbox is: inside of it nobody may change networks."""
    bin = claude.box.root / "bin"
    real = shutil.which("bwrap")
    if not real:
        pytest.skip("bubblewrap is not installed")
    (bin / "bwrap").write_text(claude.api.place.wrap(real))
    (bin / "bwrap").chmod(0o755)
    (bin / "claude").write_text(f'#!/bin/sh\nexec {claude_program} "$@"\n')
    # the stub in bin/ says nothing of where the real one is; a real install is found by its own links
    config = claude.box.root / "config"
    config.mkdir(exist_ok=True)
    modules = claude_program.partition("/node_modules/")[0]
    (config / "agents.yaml").write_text(f"claude:\n  reads: [{modules}]\n")
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


def test_it_comes_back_into_its_sandbox_and_its_conversation(enclosed: Claude) -> None:
    made = enclosed.spawn("sandboxed task", "--sandbox", "--write", "out/**")
    id = made["id"]
    enclosed.until(id, "idle")
    os.kill(enclosed.box.server_pid(), signal.SIGKILL)
    until(lambda: enclosed.status(id)[0] == "lost")
    [found] = enclosed.box.json("restore")["sessions"]
    assert found["action"] == "resumed"
    enclosed.until(id, "idle")
    last = enclosed.api.turns[-1]
    assert len(enclosed.api.turns) == 2 and last.has("Done.") and "same conversation in a new one" in last.text
    script = (enclosed.box.state / "sessions" / id / "launch.sh").read_text()
    assert "bwrap" in script and f"--resume {made['conversation_id']}" in script and "--session-id" not in script
