"""The window as a person uses it: what is typed, what is shown, what ends it."""

from __future__ import annotations

import json
import threading

from tests.conftest import until
from tests.local.conftest import Local
from tests.loopback.api import Reply, Tool, Usage


def shows(local: Local, id: str, *texts: str) -> None:
    until(lambda: all(text in local.screen(id) for text in texts), 40, f"{texts} on the screen")


def test_what_is_typed_while_it_works_comes_after_the_turn(local: Local) -> None:
    hold = threading.Event()
    local.api.say(Reply("First.", hold=hold), "Second.", "Third.")
    id = local.spawn("one")["id"]
    until(lambda: len(local.api.turns) == 1, 40)
    local.type(id, "two")
    local.type(id, "three")
    shows(local, id, "queued until the turn ends")
    assert len(local.api.turns) == 1
    hold.set()
    until(lambda: len(local.api.turns) == 3, 40)
    assert [turn.text for turn in local.api.turns[1:]] == ["two", "three"]
    local.until(id, "idle")


def test_ctrl_c_interrupts_the_turn_and_twice_ends_it(local: Local) -> None:
    local.api.say(Reply("Slow.", (Tool("run", {"command": "sleep 300"}),)), "Next.")
    id = local.spawn("one")["id"]
    shows(local, id, "run sleep 300")
    local.press(id, "C-c")
    shows(local, id, "interrupted")
    local.until(id, "idle")
    until(lambda: not any("sleep 300" in command for command in local.box.processes().values()), 40)
    local.type(id, "go on")
    shows(local, id, "Next.")
    local.until(id, "idle")
    local.press(id, "C-c")
    shows(local, id, "Ctrl-C again ends it")
    local.press(id, "C-c")
    local.until(id, "done")


def test_escape_interrupts_while_the_model_is_asked(local: Local) -> None:
    hold = threading.Event()
    local.api.say(Reply("Never.", hold=hold), "Next.")
    id = local.spawn("one")["id"]
    until(lambda: len(local.api.turns) == 1, 40)
    local.press(id, "Escape")
    local.until(id, "idle")
    hold.set()
    local.type(id, "again")
    shows(local, id, "Next.")


def test_the_commands(local: Local) -> None:
    local.api.say(Reply("One.", usage=Usage(1000, 0, 0, 5)), Reply("Two.", usage=Usage(1100, 0, 0, 5)))
    id = local.spawn("the first prompt", "--budget-tokens", "30000")["id"]
    local.until(id, "idle")
    local.type(id, "and the second")
    shows(local, id, "Two.")
    local.type(id, "/status")
    shows(local, id, "model    ollama/qwen2.5:7b at http://127.0.0.1", "window 32,768 tokens", "budget   105 of 30,000")
    local.type(id, "/context")
    shows(local, id, "results of tools" if "results of tools" in local.screen(id) else "the model", "in all")
    local.type(id, "/help")
    shows(local, id, "/compact [what to keep]  make the conversation smaller, now")
    local.type(id, "/undo")
    shows(local, id, "the last prompt is taken back")
    local.type(id, "/model nowhere/x")
    shows(local, id, "✗ no endpoint 'nowhere'")
    local.type(id, "/model llamacpp/tiny")
    shows(local, id, "from now on llamacpp/tiny")
    local.api.say("Three.")
    local.type(id, "third")
    shows(local, id, "Three.")
    last = local.api.turns[-1]
    assert last.body["model"] == "tiny" and last.has("third") and not last.has("and the second")
    assert last.has("One.")
    local.type(id, "/compact")
    shows(local, id, "there is nothing to leave out")


def test_compact_says_what_it_did_and_keeps_what_the_person_wants(local: Local) -> None:
    local.box.write("big.txt", "".join(f"line {n} of a file\n" for n in range(400)))
    reads = [Reply(f"Reading {n}.", (Tool("read", {"path": "big.txt"}),)) for n in range(20)]
    local.api.say(*reads, "Read.")
    id = local.spawn("read it often", "--budget-tokens", "1000000")["id"]
    local.until(id, "idle")
    local.type(id, "/compact the colour is blue")
    shows(local, id, "compacted, for you asked for it")
    local.api.say("Yes.")
    local.type(id, "and?")
    shows(local, id, "Yes.")
    last = local.api.turns[-1]
    assert last.has("Keep in mind from here on: the colour is blue")
    assert len(last.raw) < 0.7 * len(local.api.turns[-2].raw)
    assert "read it often" in json.dumps(last.body)


def test_a_long_paste_is_one_piece_and_arrives_whole(local: Local) -> None:
    local.box.env["OPENCLAW_LOCAL_WINDOW"] = "1000000"
    id = local.spawn("one", "--budget-tokens", "1000000")["id"]
    local.until(id, "idle")
    text = "\n".join(f"line {n} of a long message with ünïcode 漢字" for n in range(3000))
    assert local.box.json("send", id, "-", stdin=text)["verdict"] == "delivered"
    until(lambda: len(local.api.turns) == 2, 40)
    assert local.api.turns[-1].text == text
    shows(local, id, "… 2988 more lines")


def test_what_a_model_says_can_not_touch_the_terminal(local: Local) -> None:
    local.api.say("a\x1b]0;title\x07b\x1b[2Jc\x08\x9b31md\re")
    id = local.spawn("one")["id"]
    local.until(id, "idle")
    shows(local, id, "a]0;titleb[2Jc31mde", "› Task for a sub-agent.")


def test_a_line_under_way_is_seen(local: Local) -> None:
    local.api.say(Reply("A line under way that has no end yet", (Tool("run", {"command": "sleep 300"}),)))
    id = local.spawn("one")["id"]
    shows(local, id, "A line under way that has no end yet", "run sleep 300 (Esc interrupts)")
