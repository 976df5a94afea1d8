"""The state of the real Codex, as `ps` tells it: from its hooks, its rollout, its first dialogs."""

from __future__ import annotations

import threading

from tests.codex.conftest import Codex
from tests.conftest import until
from tests.loopback.api import Reply, Tool


def asking(command: str) -> Tool:
    """A command that it must not run before a person allows it."""
    return Tool("exec_command", {"cmd": command, "sandbox_permissions": "require_escalated", "justification": "May I?"})


def test_from_starting_to_working_to_idle_to_done(codex: Codex) -> None:
    gate = threading.Event()
    codex.api.say(Reply("Hello.", hold=gate))
    made = codex.spawn("say hello")
    id = made["id"]
    assert made["status"] == "starting" and made["reason"] == ""
    codex.until(id, "working")
    until(lambda: codex.api.turns)
    assert codex.status(id)[0] == "working"
    gate.set()
    assert codex.until(id, "idle") == ""
    assert codex.box.cli("wait", id).returncode == 0
    codex.type(id, "/quit")
    codex.until(id, "done")
    assert codex.box.json("result", id)["exit_code"] == 0


def test_the_first_request_holds_exactly_what_was_injected(codex: Codex) -> None:
    one, two = "first $(x) `y`\n\tand \\ more\n", "zweite ünïcode 漢字\nno line end"
    codex.box.write("one.txt", one)
    codex.box.write("two.txt", two)
    made = codex.spawn("/use -both", "--inject", "one.txt", "--inject", "two.txt", "--write", "src/**")
    codex.until(made["id"], "idle")
    prompt = (codex.box.state / "sessions" / made["id"] / "task.md").read_text()
    assert one in prompt and two in prompt
    [turn] = codex.api.turns
    assert turn.text == prompt.strip()


def test_a_permission_dialog_waits_and_esc_is_idle(codex: Codex) -> None:
    codex.api.say(Reply("", (asking("touch ../outside"),)))
    id = codex.spawn("touch it")["id"]
    codex.until(id, "waiting")
    until(lambda: "touch ../outside" in codex.status(id)[1])
    assert f"openclaw attach {id}" in codex.status(id)[1]
    codex.box.cli("wait", id, exit=6)
    until(lambda: "1. Yes" in codex.screen(id))
    codex.press(id, "Escape")
    codex.until(id, "idle")
    assert not (codex.box.root / "outside").exists()


def test_an_answered_permission_dialog_goes_on(codex: Codex) -> None:
    codex.api.say(Reply("", (asking("touch ../outside"),)), Reply("Done."))
    id = codex.spawn("touch it")["id"]
    codex.until(id, "waiting")
    codex.answer(id, "1. Yes")
    codex.until(id, "idle")
    assert (codex.box.root / "outside").exists()


def test_esc_in_a_turn_is_idle(codex: Codex) -> None:
    gate = threading.Event()
    codex.api.say(Reply("never", hold=gate))
    id = codex.spawn("think")["id"]
    until(lambda: codex.api.turns)
    codex.until(id, "working")
    until(lambda: "esc to interrupt" in codex.screen(id))
    codex.press(id, "Escape")
    codex.until(id, "idle")
    gate.set()


def test_an_api_error_is_idle_with_the_error(codex: Codex) -> None:
    codex.api.say(Reply("no such thing", status=400))
    id = codex.spawn("fail")["id"]
    codex.until(id, "idle")
    until(lambda: "400 no such thing" in codex.status(id)[1])
    assert codex.box.json("result", id)["error"] == "400 no such thing"
    codex.api.say("Better.")
    codex.type(id, "again")
    until(lambda: len(codex.api.turns) == 2)
    until(lambda: codex.status(id) == ("idle", ""))
    assert codex.box.json("result", id)["error"] == ""


def test_trust_in_the_folder_is_asked_and_named(codex: Codex) -> None:
    codex.box.write(".codex/config.toml", 'model_reasoning_effort = "low"\n')
    codex.knows(trusted=False)
    made = codex.spawn("hello")
    id = made["id"]
    assert made["status"] == "starting" and "trust" in made["reason"]
    assert "trust" in codex.until(id, "waiting")
    codex.box.cli("wait", id, exit=6)
    codex.answer(id, "Trust this folder?")
    codex.until(id, "idle")
    assert codex.spawn("hello again")["reason"] == ""


def test_the_login_is_named(codex: Codex) -> None:
    (codex.home / "config.toml").write_text("")
    made = codex.spawn("hello")
    assert "log in" in made["reason"] and "log in" in codex.until(made["id"], "waiting")


def test_hooks_of_others_are_still_reviewed_and_that_is_named(codex: Codex) -> None:
    codex.knows('hooks = {Stop = [{hooks = [{type = "command", command = "touch ../ran"}]}]}')
    id = codex.spawn("hello")["id"]
    assert "review hooks" in codex.until(id, "waiting")
    codex.press(id, "Escape")
    codex.until(id, "idle")
    assert not (codex.box.root / "ran").exists()


def test_nothing_of_ours_is_written_into_its_home(codex: Codex) -> None:
    before = (codex.home / "config.toml").read_text()
    id = codex.spawn("hello")["id"]
    codex.until(id, "idle")
    assert (codex.home / "config.toml").read_text().startswith(before)
    assert "openclaw" not in (codex.home / "config.toml").read_text() and not (codex.home / "hooks.json").exists()
