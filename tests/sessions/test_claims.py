"""Write claims: one holder per path, however many ask at once, free as soon as the holder has ended."""

from __future__ import annotations

import json

from tests.conftest import Box, until


def test_a_claimed_path_is_refused_and_nothing_starts(box: Box) -> None:
    holder = box.json("spawn", "sleep 1000", "--write", "src/**", "--name", "holder")
    before = box.tmux("list-sessions")
    refused = box.cli("spawn", "true", "--write", "src/new/file.py", "--json", exit=3)
    error = json.loads(refused.stderr)["error"]
    assert error["code"] == "claim_conflict"
    assert holder["id"] in error["message"] and "sleep 1000" in error["message"]
    assert str(box.work / "src/new/file.py") in error["message"]
    assert box.tmux("list-sessions") == before
    assert [s["id"] for s in box.json("ps", "--all")] == [holder["id"]]
    assert len(list((box.state / "sessions").iterdir())) == 1
    box.json("spawn", "true", "--write", "docs/**", "--wait")


def test_a_claim_falls_when_its_holder_ends_by_itself(box: Box) -> None:
    first = box.json("spawn", "until test -e go; do sleep 0.02; done", "--write", "out/**")
    box.cli("spawn", "true", "--write", "out/a", exit=3)
    box.write("go", "")
    until(lambda: (box.state / "sessions" / first["id"] / "exit").exists())
    box.cli("spawn", "true", "--write", "out/a")  # no other command of ours looked in between


def test_sixteen_at_once_on_one_path_one_wins(box: Box) -> None:
    racers = [box.popen("spawn", "sleep 1000", "--write", "shared.txt", "--json") for _ in range(16)]
    ends = [(*racer.communicate(timeout=120), racer.returncode) for racer in racers]
    assert sorted(code for _, _, code in ends) == [0] + [3] * 15, ends
    assert all(json.loads(err)["error"]["code"] == "claim_conflict" for _, err, code in ends if code)
    assert len(box.json("ps")) == 1
    assert len(box.tmux("list-sessions").splitlines()) == 1
    assert len(list((box.state / "sessions").iterdir())) == 1


def test_a_symlinked_folder_is_the_same_path(box: Box) -> None:
    (box.work / "real").mkdir()
    (box.work / "link").symlink_to("real")
    box.json("spawn", "sleep 1000", "--write", "real/a.txt")
    box.cli("spawn", "true", "--write", "a.txt", cwd=box.work / "link", exit=3)
    box.cli("spawn", "true", "--write", "link/*.txt", exit=3)


def test_many_from_a_file_all_or_none(box: Box) -> None:
    box.write("tasks.yaml", "- {task: echo a, write: [a/**]}\n- {task: echo b, write: [a/b]}\n")
    refused = box.cli("spawn", "--from", "tasks.yaml", exit=3)
    assert "another task of this file" in refused.stderr
    assert box.json("ps", "--all") == [] and not box.socket.exists()
    box.write("tasks.md", "# Plan\n- [ ] echo one\n- [x] echo done before\n- [ ] echo three\n")
    assert [s["task"] for s in box.json("spawn", "--from", "tasks.md")] == ["echo one", "echo three"]


def test_a_hundred_from_a_file_all_right_none_lost(box: Box) -> None:
    tasks = [{"task": f"echo out {i}; exit {i % 7}", "name": f"n{i}", "write": [f"out/{i}/**"]} for i in range(100)]
    box.write("tasks.json", json.dumps(tasks))
    made = box.json("spawn", "--from", "tasks.json")
    assert len({s["id"] for s in made}) == 100
    box.cli("wait", *[s["id"] for s in made], exit=1)
    ended = {s["name"]: s for s in box.json("ps", "--all")}
    assert {n: s["exit_code"] for n, s in ended.items()} == {f"n{i}": i % 7 for i in range(100)}
    for i in (0, 42, 99):
        assert box.json("result", f"n{i}")["result"]["output"] == f"out {i}"
