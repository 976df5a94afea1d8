"""Open items are given to sub-agents once, whatever happens in between."""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

from openclaw.continuity import items
from tests.conftest import OPENCLAW, Box, until

FILE = """# Active tasks
- [ ] echo one >>out; exec sleep 600
- [x] echo done >>out
- [ ] echo two >>out;
  exec sleep 600
"""


def tasks(box: Box, text: str = FILE) -> Path:
    box.cli("init")
    path = box.workspace / "active-tasks.md"
    path.write_text(text)
    return path


def given(path: Path) -> list[str]:
    return [item.session for item in items.parse(path.read_text()) if not item.done]


def test_each_open_item_goes_to_one_sub_agent_and_is_marked(box: Box) -> None:
    path = tasks(box)
    assert "command lines" in box.cli("handoff", exit=2).stderr and path.read_text() == FILE
    dry = box.json("handoff", "--agent", "shell", "--type", "command", "--dry-run")
    assert [g["started"] for g in dry] == [False, False] and path.read_text() == FILE
    made = box.json("handoff", "--type", "command")
    ids = [g["session"]["id"] for g in made]
    assert given(path) == ids and all(g["started"] for g in made)
    assert [s["id"] for s in box.json("ps")] == ids
    until(lambda: sorted((box.work / "out").read_text().split()) == ["one", "two"], 40)
    again = box.json("handoff", "--type", "command")
    assert [(g["started"], g["session"]["id"]) for g in again] == [(False, id) for id in ids]
    path.write_text(path.read_text() + "- [ ] echo three >>out\n")
    assert [g["started"] for g in box.json("handoff", "--type", "command")] == [False, False, True]
    box.cli("kill", *ids)
    assert not any(g["started"] for g in box.json("handoff", "--type", "command"))
    brief = box.json("restore")["brief"]
    assert f"{ids[0]} (killed)" in brief and "1 more are checked off" in brief


def test_peers_15_many_at_once_give_nothing_out_twice(box: Box) -> None:
    path = tasks(box, "".join(f"- [ ] echo {n} >>out; exec sleep 600\n" for n in range(4)))
    assert [p.wait(120) for p in [box.popen("handoff", "--type", "command") for _ in range(4)]] == [0] * 4
    assert len(box.json("ps")) == 4 and sorted(given(path)) == sorted(s["id"] for s in box.json("ps"))
    until(lambda: sorted((box.work / "out").read_text().split()) == ["0", "1", "2", "3"], 40)


def test_kill_9_in_the_middle_gives_each_out_once(box: Box) -> None:
    path = tasks(box, "".join(f"- [ ] echo {n} >>out; exec sleep 600\n" for n in range(8)))
    for _ in range(12):
        running = subprocess.Popen(
            [OPENCLAW, "handoff", "--type", "command"], cwd=box.work, env=box.env, stdout=-3, stderr=-3
        )
        time.sleep(random.uniform(0.05, 0.4))  # not to wait for something: the moment of the kill
        running.send_signal(signal.SIGKILL)
        running.wait()
    box.cli("handoff", "--type", "command")
    assert sorted(given(path)) == sorted(s["id"] for s in box.json("ps")) and len(set(given(path))) == 8
    until(lambda: len((box.work / "out").read_text().split()) >= 8, 40)
    assert sorted((box.work / "out").read_text().split()) == [str(n) for n in range(8)]


def test_what_can_t_be_started_is_not_marked_and_the_others_go_on(box: Box) -> None:
    path = tasks(box, "- [ ] " + "x" * 300_000 + "\n- [ ] exec sleep 600\n")
    box.cli("handoff", "--type", "command", exit=3)
    [long, short] = given(path)
    assert not long and short
    box.write("other.md", "- [ ] something\n")
    box.cli("handoff", "other.md", "--agent", "nonsense", exit=4)
    box.cli("handoff", "nowhere.md", exit=2)


def test_another_file(box: Box) -> None:
    path = box.write("todo.md", "* [ ] exec sleep 600\r\n")
    [made] = box.json("handoff", "todo.md", "--type", "command")
    assert path.read_bytes() == f"* [ ] exec sleep 600 <!-- openclaw:{made['session']['id']} -->\r\n".encode()
