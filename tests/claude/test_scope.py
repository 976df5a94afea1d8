"""Scope is enforced, not asked for: the real Claude Code is kept inside it by the hook, and told why."""

from __future__ import annotations

from tests.claude.conftest import Claude
from tests.loopback.api import Reply, Tool


def edit(path: str, old: str, new: str) -> Tool:
    return Tool("Edit", {"file_path": path, "old_string": old, "new_string": new})


def test_an_edit_outside_the_scope_is_denied_and_the_model_sees_why(claude: Claude) -> None:
    box = claude.box
    inside, outside = box.write("src/a.txt", "old"), box.write("b.txt", "old")
    (box.work / "src" / "link.txt").symlink_to(outside)
    (claude.config / "settings.json").write_text('{"permissions": {"defaultMode": "acceptEdits"}}')
    claude.api.say(
        Reply("", (Tool("Read", {"file_path": str(inside)}), Tool("Read", {"file_path": str(outside)}))),
        Reply("", (edit(str(outside), "old", "new"), edit(str(box.work / "src/../b.txt"), "old", "new"))),
        Reply("", (Tool("Read", {"file_path": str(box.work / "src/link.txt")}),)),
        Reply("", (Tool("Write", {"file_path": str(box.work / "src/link.txt"), "content": "new"}),)),
        Reply("", (edit(str(inside), "old", "new"),)),
        Reply("Done."),
    )
    id = claude.spawn("change it", "--write", "src/**")["id"]
    claude.until(id, "idle")
    assert outside.read_text() == "old" and inside.read_text() == "new"
    denied = [turn for turn in claude.api.turns if turn.has("src/**")]
    assert len(denied) >= 2, [turn.text[-500:] for turn in claude.api.turns]
    result = box.json("result", id)
    assert result["result"]["output"] == "Done." and len(result["denied"]) == 3, result
    assert result["result"]["changed"] == ["src/a.txt"] and result["violations"] == []


def test_a_read_outside_the_scope_is_denied_and_injected_files_are_not(claude: Claude) -> None:
    box = claude.box
    box.write("src/a.txt", "inside")
    hidden, given = box.write("private.txt", "SECRET-WORD"), box.write("given.txt", "GIVEN-WORD")
    claude.api.say(
        Reply("", (Tool("Read", {"file_path": str(hidden)}), Tool("Read", {"file_path": str(given)}))), Reply("Done.")
    )
    id = claude.spawn("read it", "--read", "src/**", "--inject", "given.txt:1-1")["id"]
    claude.until(id, "idle")
    assert not any(turn.has("SECRET-WORD") for turn in claude.api.turns)
    assert any(turn.has("GIVEN-WORD") for turn in claude.api.turns)


def test_peers_23_what_a_shell_command_changed_outside_is_reported_at_the_end_of_the_turn(claude: Claude) -> None:
    box = claude.box
    box.write("b.txt", "old")
    (claude.config / "settings.json").write_text('{"permissions": {"allow": ["Bash"]}}')
    claude.api.say(Reply("", (Tool("Bash", {"command": "echo new > b.txt", "description": "x"}),)), Reply("Done."))
    id = claude.spawn("change it", "--write", "src/**")["id"]
    claude.until(id, "idle")
    assert box.json("result", id)["violations"] == [str(box.work / "b.txt")]
    assert "idle!" in box.cli("ps").stdout
