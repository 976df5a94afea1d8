"""Snapshots as they are taken, read, compared and pruned, with the real tmux and files."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from openclaw.continuity import reading, snapshot
from openclaw.continuity.document import digest, render
from openclaw.errors import BadInput
from tests.conftest import OPENCLAW, Box, until

SECRET = "-".join(("sk", "ant", "api03", "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1fG3hJ5"))  # in one piece it would look like one


def folder(box: Box) -> Path:
    return box.workspace / "memory" / "snapshots"


def head(path: Path) -> dict[str, Any]:
    """The head as any YAML reader sees it."""
    return dict(yaml.safe_load(path.read_text().split("---\n")[1]))


def tree(**more: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {key: [] for key in ("sessions", "jobs", "items", "notes", "left_out")}
    return {"openclaw_snapshot": 1, "workspace": "/w", "main": None} | empty | more


def session(id: str, **more: Any) -> dict[str, Any]:
    tmux = dict.fromkeys(("socket", "server_pid", "server_started", "session_id", "window_id", "pane_id"))
    texts = {"name": id, "task": "t", "agent": "shell", "status": "working", "reason": "", "cwd": "/", "branch": ""}
    none = {"model": None, "conversation_id": None, "context_tokens": None, "tokens_used": 0}
    return {"id": id, "tmux": tmux, "scope": {"read": [], "write": []}, "last_lines": []} | texts | none | more


def test_it_holds_windows_claims_tasks_output_notes_and_open_items(box: Box) -> None:
    box.cli("init")
    one = box.json("spawn", "echo seen this; exec sleep 600", "--name", "one", "--write", "out/**")
    done = box.json("spawn", "exit 3", "--name", "gone")
    box.cli("wait", done["id"], exit=1)
    box.cli("note", "--decision", "the | parser\nstays `hand` written")
    box.cli("note", "--long-term", "--preference", "漢字 in comments")
    box.cli("note", "--task", "port the parser")
    until(lambda: "seen" in box.cli("logs", one["id"]).stdout)
    made = box.json("snapshot", "--reason", "Before the compaction!")
    path = Path(made["path"])
    assert made["written"] and path.name.endswith("-before-the-compaction.md") and path.parent == folder(box)
    assert (folder(box) / "latest.md").resolve() == path and made["bytes"] == path.stat().st_size
    found = head(path)
    first, second = sorted(found["sessions"], key=lambda s: s["name"], reverse=True)
    ids = box.tmux("list-panes", "-a", "-F", "#{@openclaw_id} #{session_id} #{window_id} #{pane_id} #{pid}").split("\n")
    shown = first["tmux"]
    assert f"{one['id']} {shown['session_id']} {shown['window_id']} {shown['pane_id']} {shown['server_pid']}" in ids
    assert first["scope"]["write"] == [f"{box.work}/out/**"] and first["last_lines"] == ["seen this"]
    assert second["status"] == "failed" and second["exit_code"] == 3
    assert [(n["kind"], n["text"]) for n in found["notes"]] == [
        ("decision", "the | parser\nstays `hand` written"),
        ("preference", "漢字 in comments"),
    ]
    assert [item["text"] for item in found["items"]] == ["port the parser"]
    body = path.read_text()
    for text in ("the | parser\n  stays `hand` written", "漢字 in comments", "port the parser", one["id"], "seen this"):
        assert text in body.split("---\n", 2)[2]
    [day] = (box.workspace / "memory").glob("*.md")
    assert f"snapshot: {path.name}" in day.read_text()
    assert oct(path.stat().st_mode & 0o777) == "0o600"


def test_identical_state_is_not_written_twice(box: Box) -> None:
    one = box.json("spawn", "exec sleep 600")["id"]
    first, again = box.json("snapshot"), box.json("snapshot", "--reason", "other")
    assert (again["written"], again["path"]) == (False, first["path"])
    box.cli("kill", one)
    assert box.json("snapshot")["written"]
    assert len(box.json("snapshots")) == 2


def test_no_secret_reaches_a_snapshot(box: Box) -> None:
    box.env |= {"DEPLOY_TOKEN": "plain-old-value-7"}
    task = f"echo {SECRET}; echo plain-old-value-7; echo 'password=\"xK9fQ2mL7pR4\"'; exec sleep 600"
    id = box.json("spawn", task, "--name", "leaky")["id"]
    until(lambda: "xK9f" in box.cli("logs", id).stdout)
    text = Path(box.json("snapshot")["path"]).read_text()
    for secret in (SECRET, "plain-old-value-7", "xK9fQ2mL7pR4"):
        assert secret not in text
    assert "[an Anthropic key]" in text and "[a secret of the environment]" in text and "[a password or key]" in text
    assert "plain-old-value-7" not in box.cli("snapshot", "--json").stdout
    box.cli("note", f"the key is {SECRET}", exit=3)


def test_hostile_texts_stay_texts(box: Box) -> None:
    box.cli("init")
    text = "---\nstate: \"x\"\n| a | ``` \N{RIGHT-TO-LEFT OVERRIDE} <!-- openclaw: end --> 'quoted' \\u0041 🙂"
    (box.workspace / "active-tasks.md").write_text("- [ ] bell \x07 and \x85 more \u2028 end\n")
    id = box.json("spawn", "printf '```\\n\\033[31mred\\n---\\n'; exec sleep 600 # " + text.replace("\n", " "))["id"]
    until(lambda: "red" in box.cli("logs", id).stdout)
    box.cli("note", text)
    path = Path(box.json("snapshot")["path"])
    found, again = reading.load(str(path)), head(path)
    assert found.condition == "whole" and not found.problems
    assert found.tree["notes"] == again["notes"] and found.tree["notes"][0]["text"] == text
    assert found.tree["sessions"][0]["task"] == again["sessions"][0]["task"]
    assert "\x1b" not in path.read_text() and "\x07" not in path.read_text()


def test_its_size_is_bounded_and_it_says_so(box: Box) -> None:
    box.cli("init")
    items = "".join(f"- [ ] item {n} {'漢字' * 300}\n" for n in range(300))
    (box.workspace / "active-tasks.md").write_text(items)
    for n in range(30):
        box.cli("note", f"{n} " + "x " * 1900)
    made = box.json("snapshot")
    assert made["bytes"] <= 262_144 and any("open items" in said for said in made["left_out"])
    assert "Left out to stay small" in Path(made["path"]).read_text()
    assert not box.json("snapshot")["written"]  # the same state, though what is written is a part of it


def test_even_thousands_fit() -> None:
    many = [session(f"id{n:05}", task="漢字" * 1000, last_lines=["x" * 200] * 5, status="done") for n in range(3000)]
    every = tree(sessions=many, notes=[{"kind": "note", "text": "n" * 4000, "at": "", "path": "p"}] * 60)
    text = snapshot._fitting(every, "2026-01-01T00:00:00.000Z", "r")
    assert len(text.encode()) <= snapshot.LARGEST and "sessions" in text.split("Left out to stay small")[1]


def test_pruned_by_count_and_age_but_never_the_last_good_one(box: Box) -> None:
    box.env |= {"OPENCLAW_SNAPSHOTS_KEEP": "3"}
    for n in range(5):
        box.cli("note", f"note {n}")
        box.cli("snapshot")
    left = [entry["path"] for entry in box.json("snapshots")]
    assert len(left) == 3
    for path in left[:2]:  # the newest are damaged
        Path(path).write_text(Path(path).read_text()[:500])
    box.cli("snapshots", "prune", "--keep", "0")
    assert left[2] in [entry["path"] for entry in box.json("snapshots")]
    Path(left[2]).rename(folder(box) / "2020-01-01T000000.000Z-old.md")
    box.cli("snapshots", "prune", "--older-than", "1d", "--keep", "100")
    assert (folder(box) / "2020-01-01T000000.000Z-old.md").exists()
    box.cli("note", "one more")
    box.cli("snapshot")
    assert not (folder(box) / "2020-01-01T000000.000Z-old.md").exists()


def test_a_damaged_one_names_the_line_and_is_used_as_far_as_it_is_valid(box: Box) -> None:
    box.cli("init")
    for name in ("a", "b"):
        box.cli("spawn", "exec sleep 600", "--name", name)
    path = Path(box.json("snapshot")["path"])
    good = path.read_text()
    lines = good.split("\n")
    number = next(n for n, line in enumerate(lines) if '"name": "a"' in line)
    lines[number] = lines[number].replace('"task":', '"task')
    path.write_text("\n".join(lines))
    done = box.cli("snapshots", "show", "--json")
    shown = json.loads(done.stdout)
    assert f"line {number + 1}" in done.stderr and [s["name"] for s in shown["sessions"]] == ["b"]
    assert shown["condition"] == "edited"
    for length in range(0, len(good), 97):  # half-written
        path.write_text(good[:length])
        read = box_show(path)
        assert "line " in read.message if isinstance(read, BadInput) else read.condition == "cut"
    before = path.read_text()
    box.cli("snapshot")
    assert path.read_text() == before  # a new one beside it


def box_show(path: Path) -> reading.Snapshot | BadInput:
    try:
        return reading.load(str(path))
    except BadInput as error:
        return error


@pytest.mark.parametrize(
    "text", ["", "no head", "---\n---\n", "---\nopenclaw_snapshot: 9\n---\n", "---\n- x\n", "\0\xff"]
)
def test_what_is_no_snapshot_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.md").write_text(text)
    with pytest.raises(BadInput, match=r"line [0-9]+"):
        reading.load(str(tmp_path / "x.md"))


def test_a_hand_edited_one_is_read_as_it_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "x.md"
    text = render(tree(sessions=[session("abc123")]), "2026-01-01T00:00:00.000Z", "r", "s")
    mine = (
        "sessions:\n- id: mine12\n  status: working\n  agent: shell\n  task: 'mine: too'\n  cwd: /\n- {id: ../x}\n- 7"
    )
    path.write_text(text.replace("sessions:", mine))
    found = reading.load(str(path))
    assert [s["id"] for s in found.tree["sessions"]] == ["mine12", "abc123"] and found.condition == "edited"
    assert len(found.problems) == 2 and all("sessions" in problem for problem in found.problems)
    assert found.tree["sessions"][0]["scope"] == {"read": [], "write": []}


def test_an_edited_latest_is_kept(box: Box) -> None:
    box.cli("note", "one")
    box.cli("snapshot")
    latest = folder(box) / "latest.md"
    latest.unlink()
    latest.write_text("mine")
    box.cli("note", "two")
    box.cli("snapshot")
    assert latest.is_symlink() and any(p.read_text() == "mine" for p in folder(box).glob("latest-edited-*"))


def test_kill_9_at_any_moment_leaves_the_last_good_one(box: Box) -> None:
    box.cli("init")
    box.cli("spawn", "exec sleep 600")
    box.cli("snapshot")
    for number in range(15):
        box.cli("note", f"change {number}")
        running = subprocess.Popen([OPENCLAW, "snapshot"], cwd=box.work, env=box.env, stdout=-3, stderr=-3)
        time.sleep(random.uniform(0.02, 0.3))  # not to wait for something: the moment of the kill
        running.send_signal(signal.SIGKILL)
        running.wait()
        assert reading.load(os.path.realpath(folder(box) / "latest.md")).condition == "whole"
        assert all(reading.condition(Path(e["path"]).read_text()) == "whole" for e in box.json("snapshots"))
    box.cli("snapshot")


def test_many_at_once_are_all_whole(box: Box) -> None:
    box.cli("init")
    running = []
    for number in range(6):
        running.append(box.popen("note", f"note {number}"))
        running.append(box.popen("snapshot", "--reason", f"r{number}"))
    assert [p.wait(60) for p in running] == [0] * 12
    assert all(reading.load(e["path"]).condition == "whole" for e in box.json("snapshots"))
    box.cli("snapshot")
    assert len(reading.load(str((folder(box) / "latest.md").resolve())).tree["notes"]) == 6


def test_list_show_diff(box: Box) -> None:
    box.cli("init")
    id = box.json("spawn", "exec sleep 600")["id"]
    box.cli("snapshot", "--reason", "one")
    box.cli("kill", id)
    box.cli("note", "--decision", "yes")
    box.cli("snapshot", "--reason", "two")
    assert [entry["reason"] for entry in box.json("snapshots", "list")] == ["two", "one"]
    assert "# Snapshot of" in box.cli("snapshots", "show", "1").stdout
    changes = box.json("snapshots", "diff", "2")
    assert changes["sessions"]["changed"][id]["status"] == ["working", "killed"] and changes["notes"]["added"] == [
        "yes"
    ]
    assert "working → killed" in box.cli("snapshots", "diff", "2", "1").stdout
    box.cli("snapshots", "show", "2001", exit=4)
    box.cli("snapshots", "diff", exit=2)
    box.cli("snapshots", "list", "--keep", "3", exit=2)


def test_digest_is_of_the_state_alone() -> None:
    main = {"conversation_id": "c", "seen_at": "1"}
    assert digest(tree(main=main)) == digest(tree(main=main | {"seen_at": "2"}))
    assert digest(tree(main=main)) != digest(tree(main=main | {"conversation_id": "d"}))


def test_scheduled_jobs_stand_in_it_with_their_next_time(box: Box) -> None:
    box.cli("cron", "add", "--name", "morning", "--at", "2090-01-01T07:00:00Z", "--agent", "shell", "--message", "true")
    path = box.json("snapshot")["path"]
    assert "- morning: next 2090-01-01T07:00:00.000Z" in Path(path).read_text()
