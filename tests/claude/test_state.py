"""The state of the real Claude Code, as `ps` tells it: from its hooks, its own file, its first dialogs."""

from __future__ import annotations

import threading
import time

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool

TOUCH = Tool("Bash", {"command": "touch ../outside", "description": "make a file"})


def test_from_starting_to_working_to_idle_to_done(claude: Claude) -> None:
    gate = threading.Event()
    claude.api.say(Reply("Hello.", hold=gate))
    id = claude.spawn("say hello")["id"]
    assert claude.status(id)[0] == "starting"
    claude.until(id, "working")
    until(lambda: claude.api.turns)
    assert claude.status(id)[0] == "working"
    gate.set()
    assert claude.until(id, "idle") == ""
    assert claude.box.cli("wait", id).returncode == 0
    claude.type(id, "/exit")
    claude.until(id, "done")
    assert claude.box.json("result", id)["exit_code"] == 0


def test_the_window_shows_the_state_while_nobody_asks(claude: Claude) -> None:
    gate = threading.Event()
    claude.api.say(Reply("Hello.", hold=gate))
    id = claude.spawn("say hello")["id"]

    def shown() -> str:
        return claude.box.tmux("show-options", "-v", "-t", f"=subagent-{id}:", "@openclaw_state").strip()

    until(lambda: shown() == "working")
    gate.set()
    until(lambda: shown() == "idle")
    assert shown() == claude.status(id)[0] == "idle"
    claude.api.say(Reply("never", hold=threading.Event()))
    claude.type(id, "think")
    until(lambda: shown() == "working")
    [own] = (claude.config / "sessions").glob("*.json")
    until(lambda: '"busy"' in own.read_text())  # it may come after its hook
    claude.press(id, "Escape")
    until(lambda: '"idle"' in own.read_text() and time.time() - own.stat().st_mtime > 1)
    assert claude.status(id)[0] == shown() == "idle"  # nobody looked between: what the hook showed is taken back


def test_the_first_request_holds_exactly_what_was_injected(claude: Claude) -> None:
    one, two = "first $(x) `y`\n\tand \\ more\n", "zweite ünïcode 漢字\nno line end"
    claude.box.write("one.txt", one)
    claude.box.write("two.txt", two)
    made = claude.spawn("use both", "--inject", "one.txt", "--inject", "two.txt", "--write", "src/**")
    claude.until(made["id"], "idle")
    prompt = (claude.box.state / "sessions" / made["id"] / "task.md").read_text()
    assert one in prompt and two in prompt
    [turn] = claude.api.turns
    assert turn.has(prompt), turn.text


def test_a_permission_dialog_waits_and_esc_is_idle(claude: Claude) -> None:
    claude.api.say(Reply("", (TOUCH,)))
    id = claude.spawn("touch it")["id"]
    claude.until(id, "waiting")
    until(lambda: "touch ../outside" in claude.status(id)[1])
    assert f"openclaw attach {id}" in claude.status(id)[1]
    claude.box.cli("wait", id, exit=6)
    assert f"{id} waits: " in claude.box.cli("ps").stdout
    claude.press(id, "Escape")
    claude.until(id, "idle")
    assert not (claude.box.root / "outside").exists()


def test_an_answered_permission_dialog_is_working_again(claude: Claude) -> None:
    slow = Tool("Bash", {"command": "until test -e ../go; do sleep 0.1; done; touch ../gone", "description": "wait"})
    claude.api.say(Reply("", (slow,)), Reply("Done."))
    id = claude.spawn("wait for it")["id"]
    claude.until(id, "waiting")
    claude.answer(id, "1. Yes")
    claude.until(id, "working")  # while the tool still runs
    (claude.box.root / "go").touch()
    claude.until(id, "idle")
    assert (claude.box.root / "gone").exists()


def test_esc_in_a_turn_is_idle(claude: Claude) -> None:
    gate = threading.Event()
    claude.api.say(Reply("never", hold=gate))
    id = claude.spawn("think")["id"]
    until(lambda: claude.api.turns)
    claude.until(id, "working")
    claude.press(id, "Escape")
    claude.until(id, "idle")
    gate.set()


def test_an_api_error_is_idle_with_the_error(claude: Claude) -> None:
    claude.api.say(Reply("no such thing", status=400))
    id = claude.spawn("fail")["id"]
    claude.until(id, "idle")
    until(lambda: "400 no such thing" in claude.status(id)[1])
    claude.api.say("Better.")
    claude.type(id, "again")
    until(lambda: len(claude.api.turns) == 2)
    until(lambda: claude.status(id) == ("idle", ""))


def test_a_shell_in_the_background_is_idle_and_says_so(claude: Claude) -> None:
    sleep = Tool("Bash", {"command": "sleep 60", "description": "wait", "run_in_background": True})
    claude.api.say(Reply("", (sleep,)), Reply("It runs."))
    id = claude.spawn("start it")["id"]
    until(lambda: claude.status(id) == ("idle", "a command of it still runs in the background"))


def test_first_dialogs_are_named(claude: Claude) -> None:
    claude.knows(projects={})
    made = claude.spawn("hello")
    id = made["id"]
    assert made["status"] == "starting" and "trust" in made["reason"]
    assert "trust" in claude.until(id, "waiting")
    claude.box.cli("wait", id, exit=6)
    claude.answer(id, "Yes, I trust this folder")
    claude.until(id, "idle")
    assert claude.spawn("hello again")["reason"] == ""


def test_the_key_dialog_is_named(claude: Claude) -> None:
    claude.knows(customApiKeyResponses={})
    assert "API key" in claude.until(claude.spawn("hello")["id"], "waiting")


def test_a_new_conversation_keeps_its_state_and_its_id(claude: Claude) -> None:
    made = claude.spawn("hello")
    claude.until(made["id"], "idle")
    claude.type(made["id"], "/clear")
    now = until(lambda: claude.box.json("result", made["id"])["conversation_id"] != made["conversation_id"])
    assert now and claude.status(made["id"])[0] == "idle"


def test_a_prompt_that_is_too_long_for_an_argument_is_sent_when_it_is_ready(claude: Claude) -> None:
    claude.box.write("long.txt", "".join(f"{n} words in a line\n" for n in range(9_000)))
    made = claude.spawn("read", "--inject", "long.txt", "--max-inject-tokens", "200k")
    claude.box.cli("wait", made["id"], "--timeout", "60s")
    prompt = (claude.box.state / "sessions" / made["id"] / "task.md").read_text()
    assert len(prompt) > 120_000
    [turn] = claude.api.turns
    assert turn.has(prompt.strip())


def test_started_from_inside_another_claude_it_still_reports_and_writes_its_transcript(claude: Claude) -> None:
    inside = {"CLAUDECODE": "1", "CLAUDE_CODE_CHILD_SESSION": "1", "CLAUDE_CODE_ENTRYPOINT": "cli"}
    made = claude.spawn("hello", env=inside)
    claude.until(made["id"], "idle")
    assert list(claude.config.glob(f"projects/*/{made['conversation_id']}.jsonl"))
