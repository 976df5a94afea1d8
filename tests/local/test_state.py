"""The agent `local` among the others: its state, its messages, its result and what it used."""

from __future__ import annotations

import os
import resource
import threading

from tests.conftest import until
from tests.local.conftest import MODEL, Local
from tests.loopback.api import Reply, Tool, Usage


def test_it_works_answers_and_is_idle_with_real_usage(local: Local) -> None:
    local.box.write("note.txt", "the note\n")
    local.api.say(
        Reply("Looking.", (Tool("read", {"path": "note.txt"}),), Usage(1000, 0, 200, 31)),
        Reply("It says:\nthe note", usage=Usage(1300, 0, 0, 5)),
    )
    row = local.spawn("read the note")
    local.until(row["id"], "idle")
    assert local.box.json("result", row["id"])["result"]["output"] == "It says:\nthe note"
    until(lambda: local.figures(row["id"]) == (1231 + 1305, 1300, 100))
    context = local.box.json("context", row["id"])["context"]
    assert (context["limit"], context["percent"]) == (32_768, 4), "its window is the model's, not the default"
    assert local.api.turns[0].body["model"] == "qwen2.5:7b"
    assert local.api.turns[1].has("1\tthe note")
    assert row["model"] == MODEL
    assert "the note" in local.screen(row["id"])


def test_send_is_delivered_exactly_and_waits_while_it_works(local: Local) -> None:
    hold = threading.Event()
    local.api.say("One.", Reply("Two.", hold=hold), "Three.")
    id = local.spawn("one")["id"]
    local.until(id, "idle")
    text = "second\n\n  with tabs\tand ünïcode 漢字 — [brackets] /slash\nlast"
    assert local.box.json("send", id, text)["verdict"] == "delivered"
    local.until(id, "working")
    assert local.box.json("send", id, "third")["verdict"] == "queued"
    hold.set()
    until(lambda: len(local.api.turns) == 3, 40)
    prompts = [e["parts"][0]["text"] for e in local.log(id) if e["type"] == "message" and e["role"] == "user"]
    assert prompts[1:] == [text, "third"]


def test_exit_ends_it_done(local: Local) -> None:
    id = local.spawn("one")["id"]
    local.until(id, "idle")
    local.type(id, "/exit")
    local.until(id, "done")


def test_a_full_disk_ends_it_with_a_clear_message_and_loses_nothing(local: Local) -> None:
    local.api.say("One.")
    id = local.spawn("one")["id"]
    local.until(id, "idle")
    [pid] = [
        p
        for p, c in local.box.processes().items()
        if "-m openclaw.local" in c and "python" in os.readlink(f"/proc/{p}/exe")
    ]
    size = sum(path.stat().st_size for path in local.folder(id).glob("*-*.jsonl"))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 40, size + 40))
    local.type(id, "a prompt that does not fit any more")
    local.until(id, "failed")
    assert "File too large" in local.box.cli("logs", id).stdout
    texts = [e["parts"][0].get("text") for e in local.log(id) if e["type"] == "message"]
    assert texts[-1] == "One."
