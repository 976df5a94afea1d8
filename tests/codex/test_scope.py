"""Scope is enforced, not asked for: the real Codex is kept inside it by the hook, and told why."""

from __future__ import annotations

import pytest

from tests.codex.conftest import Codex
from tests.loopback.api import Reply, Tool


def patch(*lines: str) -> Tool:
    return Tool("apply_patch", {"input": "\n".join(("*** Begin Patch", *lines, "*** End Patch"))})


@pytest.fixture
def free(codex: Codex) -> Codex:
    """With no sandbox of its own and no questions: what stops it is ours."""
    codex.knows('sandbox_mode = "danger-full-access"', 'approval_policy = "never"')
    return codex


def test_an_edit_outside_the_scope_is_denied_and_the_model_sees_why(free: Codex) -> None:
    box = free.box
    inside, outside = box.write("src/a.txt", "old\n"), box.write("b.txt", "old\n")
    (box.work / "src" / "link.txt").symlink_to(outside)
    change = ("@@", "-old", "+new")
    free.api.say(
        Reply("", (patch(f"*** Update File: {outside}", *change),)),
        Reply("", (patch("*** Update File: src/a.txt", *change, "*** Update File: src/../b.txt", *change),)),
        Reply("", (patch("*** Update File: src/link.txt", *change),)),
        Reply("", (patch("*** Delete File: b.txt"),)),
        Reply("", (patch("*** Update File: src/a.txt", *change, "*** Add File: src/c.txt", "+made"),)),
        Reply("Done."),
    )
    id = free.spawn("change it", "--write", "src/**")["id"]
    free.until(id, "idle")
    assert outside.read_text() == "old\n" and inside.read_text() == "new\n"
    assert [turn.has("src/**. Leave it as it is") for turn in free.api.turns] == [False] + [True] * 5
    result = box.json("result", id)
    assert result["result"]["output"] == "Done." and len(result["denied"]) == 4, result
    assert result["denied"][1::2] == ["apply_patch: Update src/a.txt, Update src/../b.txt", "apply_patch: Delete b.txt"]
    assert result["result"]["changed"] == ["src/a.txt", "src/c.txt"] and result["violations"] == []


def test_a_script_of_the_model_is_held_to_the_scope_too(free: Codex) -> None:
    free.model = "gpt-6-sol"  # calls its tools from JavaScript
    inside, outside = free.box.write("src/a.txt", "old\n"), free.box.write("b.txt", "old\n")
    change = "*** Begin Patch\\n*** Update File: {}\\n@@\\n-old\\n+new\\n*** End Patch"
    script = "".join(
        f'try {{ text(await tools.apply_patch("{change.format(name)}")) }} catch (e) {{ text(String(e)) }}\n'
        for name in ("b.txt", "src/a.txt")
    )
    free.api.say(Reply("", (Tool("exec", {"input": script}),)), Reply("Done."))
    id = free.spawn("change it", "--write", "src/**")["id"]
    free.until(id, "idle")
    assert outside.read_text() == "old\n" and inside.read_text() == "new\n"
    assert free.api.turns[-1].has("src/**. Leave it as it is"), free.api.turns[-1].text
    [denied] = free.box.json("result", id)["denied"]
    assert denied.startswith("exec: try { text(await tools.apply_patch(")


def test_peers_23_what_a_shell_command_changed_outside_is_reported_at_the_end_of_the_turn(free: Codex) -> None:
    free.box.write("b.txt", "old")
    free.api.say(Reply("", (Tool("exec_command", {"cmd": "echo new > b.txt"}),)), Reply("Done."))
    id = free.spawn("change it", "--write", "src/**")["id"]
    free.until(id, "idle")
    assert free.box.json("result", id)["violations"] == [str(free.box.work / "b.txt")]
    assert "idle!" in free.box.cli("ps").stdout


def test_what_is_enforced_is_said_beforehand(codex: Codex) -> None:
    plan = codex.box.json("spawn", "x", "--agent", "codex", "--write", "src/**", "--dry-run")
    assert "enforced by a hook for the edits of codex" in " ".join(plan["enforced"])
