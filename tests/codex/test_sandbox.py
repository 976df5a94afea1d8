"""The real Codex under --sandbox: it works, reports, and a shell command of it changes nothing outside."""

from __future__ import annotations

import pytest

from tests.codex.conftest import Codex
from tests.loopback.api import Reply, Tool


@pytest.fixture
def enclosed(codex: Codex, codex_program: str) -> Codex:
    codex.enclose(codex_program)
    return codex


def test_peers_23_a_shell_command_changes_nothing_outside_its_scope(enclosed: Codex) -> None:
    box = enclosed.box
    box.write("src/a.txt", "a")
    box.write("b.txt", "untouched")
    command = "echo in > src/new; echo pwned > b.txt || echo REFUSED"
    enclosed.api.say(Reply("", (Tool("exec_command", {"cmd": command}),)), Reply("Tried."))
    id = enclosed.spawn("try it", "--write", "src/**", "--sandbox")["id"]
    enclosed.until(id, "idle")
    assert (box.work / "b.txt").read_text() == "untouched"
    assert (box.work / "src/new").exists(), enclosed.api.turns[-1].text
    assert any(turn.has("REFUSED") for turn in enclosed.api.turns), [t.text for t in enclosed.api.turns]
    result = box.json("result", id)
    assert result["result"]["output"] == "Tried." and result["tokens_used"] > 0 and result["violations"] == []
    enclosed.type(id, "/quit")
    enclosed.until(id, "done")


def test_what_it_reads_for_others_too_can_only_be_read(enclosed: Codex) -> None:
    enclosed.home.joinpath("rules").mkdir()
    enclosed.until(enclosed.spawn("make your own files first", "--sandbox")["id"], "idle")
    assert enclosed.home.joinpath("skills").is_dir()
    places = ("config.toml", "rules/x", "skills/x")
    tries = "; ".join(f"touch {enclosed.home}/{place} && echo CHANGED" for place in places)
    enclosed.api.say(Reply("", (Tool("exec_command", {"cmd": tries}),)), Reply("Tried."))
    enclosed.until(enclosed.spawn("try it", "--sandbox")["id"], "idle")
    text = enclosed.api.turns[-1].text
    assert text.count("Read-only file system") == 3 and "CHANGED" not in text, text
