"""The real Claude Code under --sandbox: it works, reports, and a shell command of it changes nothing outside."""

from __future__ import annotations

import pytest

from tests.claude.conftest import Claude
from tests.loopback.api import Reply, Tool


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
