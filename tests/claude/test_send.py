"""Messages to the real Claude Code: each verdict is judged by what the API received."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db, events, sends
from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool

TOUCH = Tool("Bash", {"command": "touch ../outside", "description": "make a file"})
LINES = (
    "$(rm -rf /nope) `touch ../ran` \"dq\" 'sq' \\back\\slash \\n", "!touch ../ran", "# hash", "@/etc/hostname at",
    "ünïcödé 漢字 🙂", "- bullet; & | > < * ? ~ %", "$HOME ${x} {a,b} ;", "/etc/hosts is a path", "", "  indented",
)  # fmt: skip
NASTY = "\n".join(("/clear", "!touch ../ran", *LINES * 20, "/exit", "ends with a backslash \\"))


@pytest.fixture
def idle(claude: Claude) -> str:
    """A sub-agent that has done its first turn."""
    id: str = claude.spawn("begin")["id"]
    claude.until(id, "idle")
    return id


def send(claude: Claude, id: str, text: str, *more: str, exit: int | None = 0) -> dict[str, Any]:
    return dict(claude.box.json("send", id, text, *more, exit=exit))


def state(fleet: Fleet, number: int) -> tuple[str, str]:
    """Who answers for a message, and what became of it."""
    found = sends.get(fleet.store, number)
    assert found
    return found.sender, found.state


def received(claude: Claude, text: str) -> int:
    """In how many turns this text is the prompt, alone or between the plain lines that are put around it."""
    framed = f"Message to a sub-agent:\n{text}\nEnd of message."
    last = [turn.body["messages"][-1]["content"] for turn in claude.api.turns]
    prompts = [[block["text"] for block in content if block.get("type") == "text"] for content in last]
    return sum(text in texts or framed in texts for texts in prompts)


def test_peers_01_a_message_of_200_lines_arrives_exact_and_runs_nothing(claude: Claude, idle: str) -> None:
    assert send(claude, idle, NASTY)["verdict"] == "delivered"
    claude.until(idle, "idle")
    assert received(claude, NASTY) == 1
    assert not (claude.box.root / "ran").exists()


@pytest.mark.parametrize("text", ["!touch ../ran", "/exit", "see @conf", "a\n\n\tb", "  blanks  ", "1", "x" * 44_000])
def test_peers_02_no_first_or_last_word_is_a_command_or_a_menu(claude: Claude, idle: str, text: str) -> None:
    assert send(claude, idle, text)["verdict"] == "delivered"
    claude.until(idle, "idle")
    assert received(claude, text.replace("\t", "    ")) == 1 and not (claude.box.root / "ran").exists()


def test_44_kb_from_standard_input(claude: Claude, idle: str) -> None:
    text = "\n".join(f"{n} some words in a line of a long text" for n in range(1200))
    assert len(text) > 44_000
    done = claude.box.cli("send", idle, "-", stdin=text + "\n")
    assert "delivered" in done.stdout
    claude.until(idle, "idle")
    assert received(claude, text) == 1


def test_peers_03_a_busy_one_is_not_disturbed_and_takes_it_afterwards(claude: Claude, idle: str) -> None:
    gate = threading.Event()
    claude.api.say(Reply("First.", hold=gate))
    assert send(claude, idle, "work on one")["verdict"] == "delivered"
    for text in ("then two", "then three"):
        sent = send(claude, idle, text)
        assert (sent["verdict"], sent["reason"]) == ("queued", "it is working")
    assert claude.box.cli("send", idle, "and four", "--wait", "--timeout", "1s", exit=124).stdout
    gate.set()
    assert send(claude, idle, "then five", "--wait")["verdict"] == "delivered"
    claude.until(idle, "idle")
    wanted = ["work on one", "then two", "then three", "and four", "then five"]
    assert [t.text.strip() for t in claude.api.turns[1:]] == wanted
    until(lambda: not [c for c in claude.box.processes().values() if "courier" in c], what="the courier is gone")


def test_peers_04_a_draft_is_put_aside_and_comes_back(claude: Claude, idle: str) -> None:
    claude.box.tmux("send-keys", "-t", f"=subagent-{idle}:", "-l", "half a thought")
    until(lambda: "half a thought" in claude.screen(idle))
    assert send(claude, idle, "a message")["verdict"] == "delivered"
    until(lambda: received(claude, "a message") == 1)
    claude.until(idle, "idle")
    until(lambda: "half a thought" in claude.screen(idle))
    assert send(claude, idle, "another")["verdict"] == "delivered"
    until(lambda: received(claude, "another") == 1)


def test_after_esc_the_old_prompt_is_a_draft_and_not_joined(claude: Claude, idle: str) -> None:
    gate = threading.Event()
    claude.api.say(Reply("never", hold=gate))
    send(claude, idle, "think long")
    until(lambda: len(claude.api.turns) == 2)
    claude.box.cli("send", idle, "--key", "Esc")
    claude.until(idle, "idle")
    gate.set()
    assert send(claude, idle, "something else")["verdict"] == "delivered"
    until(lambda: received(claude, "something else") == 1)


def test_an_open_dialog_takes_no_message_and_keys_only_on_purpose(claude: Claude) -> None:
    claude.api.say(Reply("", (TOUCH,)))
    id = claude.spawn("touch it", "--prefix", "full")["id"]
    claude.until(id, "waiting")
    sent = send(claude, id, "yes, go on", exit=6)
    assert sent["verdict"] == "waiting" and "touch ../outside" in sent["reason"]
    assert not (claude.box.root / "outside").exists() and claude.status(id)[0] == "waiting"
    assert claude.box.json("send", id, "--key", "esc")["verdict"] == "pressed"
    claude.until(id, "idle")
    assert not (claude.box.root / "outside").exists()
    assert received(claude, "yes, go on") == 0


def test_to_one_that_is_just_starting_it_is_queued_and_arrives(claude: Claude) -> None:
    id = claude.spawn("begin")["id"]
    assert send(claude, id, "next")["verdict"] == "queued"
    until(lambda: received(claude, "next") == 1)
    claude.until(id, "idle")
    assert [t.text.strip().endswith("next") for t in claude.api.turns] == [False, True]


def test_something_that_covers_the_input_line_takes_no_message(claude: Claude, idle: str) -> None:
    claude.type(idle, "/help")
    until(lambda: "Esc to cancel" in claude.screen(idle))
    assert send(claude, idle, "hello", exit=6)["verdict"] == "waiting"
    claude.press(idle, "Escape")
    until(lambda: "Esc to cancel" not in claude.screen(idle))
    assert send(claude, idle, "hello")["verdict"] == "delivered"


def test_a_killed_sender_is_finished_and_a_retry_sends_nothing_twice(claude: Claude, idle: str) -> None:
    delays = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
    unheard = []
    for delay in delays:
        sender = claude.box.popen("send", idle, f"message {delay}")
        try:
            sender.wait(timeout=delay)
        except subprocess.TimeoutExpired:
            sender.kill()
        if not sender.communicate()[0]:  # it may have been killed after it had told
            unheard.append(delay)
        assert send(claude, idle, f"message {delay}", "--wait")["verdict"] == "delivered"
        claude.until(idle, "idle")
    assert unheard and [received(claude, f"message {delay}") for delay in unheard] == [1] * len(unheard)


def test_a_message_is_not_typed_again_while_the_report_of_it_is_on_its_way(claude: Claude, idle: str) -> None:
    fleet = Fleet(Settings(claude.box.env))
    with db.transaction(fleet.store):  # its sender died after Enter, and nothing has been reported yet
        number = sends.add(fleet.store, idle, "only once", "999999:1", fleet.now())
        sends.change(fleet.store, number, fleet.now(), "typing", after_event=events.newest(fleet.store, idle))
    sender = claude.box.popen("send", idle, "only once")
    until(lambda: state(fleet, number)[0] != "999999:1", what="taken over")
    with suppress(subprocess.TimeoutExpired):  # it waits for that report
        sender.wait(timeout=2)
    claude.type(idle, "only once")
    assert sender.wait(timeout=40) == 0
    assert send(claude, idle, "after", "--wait")["verdict"] == "delivered"  # what was typed before is done
    claude.until(idle, "idle")
    assert received(claude, "only once") == 1 and state(fleet, number) == ("", "delivered")


def test_a_killed_courier_loses_nothing(claude: Claude, idle: str) -> None:
    gate = threading.Event()
    claude.api.say(Reply("First.", hold=gate))
    send(claude, idle, "one")
    send(claude, idle, "two")
    [courier] = until(lambda: [p for p, c in claude.box.processes().items() if "sessions.courier" in c])
    os.kill(courier, signal.SIGKILL)
    send(claude, idle, "three")
    gate.set()
    until(lambda: received(claude, "three") == 1)
    assert received(claude, "two") == 1


def test_ended_ones_get_nothing(claude: Claude, idle: str) -> None:
    claude.box.cli("kill", idle)
    sent = send(claude, idle, "hello", exit=1)
    assert (sent["verdict"], sent["reason"]) == ("failed", "it has ended: killed")


def test_a_hundred_messages_to_five_at_once(claude: Claude) -> None:
    """Some busy, one with a draft, some just starting: each arrives once, and alone."""
    claude.api.otherwise = lambda request: Reply("Done.", delay_s=0.05)
    first = [claude.spawn(f"begin {n}")["id"] for n in range(3)]
    for id in first:
        claude.until(id, "idle")
    claude.box.tmux("send-keys", "-t", f"=subagent-{first[0]}:", "-l", "draft")
    ids = [*first, *(claude.spawn(f"begin {n}")["id"] for n in (3, 4))]
    texts = {(id, n): f"number {n} for {id}" for n in range(20) for id in ids}
    with ThreadPoolExecutor(10) as pool:
        jobs = {key: pool.submit(send, claude, key[0], text, exit=None) for key, text in texts.items()}
    verdicts = {key: job.result()["verdict"] for key, job in jobs.items()}
    assert set(verdicts.values()) <= {"delivered", "queued"}
    until(lambda: sum(received(claude, text) for text in texts.values()) >= 100, seconds=240)
    for id in ids:
        claude.until(id, "idle")
    assert all(received(claude, text) == 1 for text in texts.values())
