"""`openclaw compact`: files and pipes, its errors, and that the full history comes back exactly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from openclaw.context.backup import Backup
from openclaw.errors import BadInput, NotFound
from tests.conftest import Box
from tests.context.checks import anthropic_faults, openai_faults


def openai_history(rounds: int = 60) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Mend src/app/parser.py, please. Never touch \ud800 main."},
    ]
    for number in range(rounds):
        given = json.dumps({"command": f"make part_{number}"})
        call = {"id": f"c{number}", "type": "function", "function": {"name": "run", "arguments": given}}
        found.append({"role": "assistant", "content": None, "tool_calls": [call]})
        content = f"part_{number}: 3 passed\n" + "ü " * 1500
        found.append({"role": "tool", "tool_call_id": f"c{number}", "content": content})
    return found


def test_a_file_is_compacted_and_brought_back_exactly(box: Box) -> None:
    path = box.work / "history.json"
    before = json.dumps(openai_history(), indent=1).encode()
    path.write_bytes(before)
    done = json.loads(box.cli("compact", "--in", str(path), "--out", str(path), "--keep-last", "2", "--json").stdout)
    assert done["format"] == done["to"] == "openai"
    assert done["steps"] == ["mask", "reset"] and done["after"] < done["before"] / 4
    after = json.loads(path.read_text())
    assert not openai_faults(after)
    assert after[0] == openai_history()[0] and after[1]["content"] == openai_history()[1]["content"]
    assert after[-2:] == openai_history()[-2:]
    assert done["backup"] in after[2]["content"] and Path(done["backup"]).read_bytes() == before
    told = box.cli("compact", "--in", str(path), "--out", str(path), "--keep-last", "2").stdout
    assert "nothing to do" in told or "summarised" in told
    assert json.loads(path.read_text()) == after  # twice equals once
    box.cli("compact", "--undo", str(path))
    assert json.loads(path.read_text()) == after
    box.cli("compact", "--undo", "history.json")
    assert path.read_bytes() == before
    assert "no compaction of" in box.cli("compact", "--undo", str(path), exit=4).stderr


@pytest.mark.parametrize("to", ["openai", "anthropic", "openclaw"])
def test_in_a_pipe(box: Box, to: str) -> None:
    words = [sys.executable, "-m", "openclaw", "compact", "--in", "-", "--out", "-", "--to", to, "--limit", "20k"]
    given = json.dumps(openai_history()).encode()
    done = subprocess.run(words, input=given, env=box.env, cwd=box.work, capture_output=True, timeout=60, check=True)
    found = json.loads(done.stdout)
    assert done.stderr == b"" and len(found) < 80
    if to == "openai":
        assert not openai_faults(found)
    elif to == "anthropic":
        assert not anthropic_faults(found) and found[0]["content"][0]["text"] == "Be brief."
    else:
        assert found[0] == {"v": 1, "type": "message", "role": "system", "parts": [{"text": "Be brief."}],
                            "extra": {"openai": {"role": "system", "content": "Be brief."}}}  # fmt: skip


def test_a_large_result_lies_where_its_digest_says(box: Box) -> None:
    history = openai_history(20)
    history[3]["content"] = "begin\n" + "long line\n" * 9000
    (box.work / "h.json").write_text(json.dumps(history))
    before = json.loads(box.cli("compact", "--in", "h.json", "--target", "1M", "--json").stdout)["before"]
    words = ["--in", "h.json", "--keep-last", "1", "--target", str(before - 5000), "--json"]
    done = json.loads(box.cli("compact", *words).stdout)
    assert done["steps"] == ["store"] and done["stored"] == 1 and done["reached"]
    digest = done["messages"][3]["content"]
    assert digest.startswith("[stored as /") and "begin" in digest
    assert Path(digest.split()[2].rstrip(":")).read_text() == history[3]["content"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--in", "nothing.json"], "nothing.json: No such file or directory"),
        (["--in", "bad.json"], "bad.json: not JSON at line 1, column 10"),
        (["--in", "good.json", "--json", "--out", "-"], "would both be written to standard output"),
        (["--in", "good.json", "--target", "9k", "--limit", "8k"], "a target of 9000 tokens does not fit a limit of 8"),
        (["--in", "good.json", "--undo", "good.json"], "compact takes one of"),
        ([], "compact takes one of"),
        (["--in", "good.json", "--keep-last", "many"], "--keep-last"),
    ],
)
def test_what_can_not_be_done_is_said_in_one_line(box: Box, words: list[str], says: str) -> None:
    (box.work / "bad.json").write_text('[{"role" ')
    (box.work / "good.json").write_text(json.dumps(openai_history(1)))
    said = box.cli("compact", *words, exit=2).stderr
    assert says in said and len(said.splitlines()) == (1 if "--json" in words else 2)


def test_a_model_without_an_endpoint(box: Box) -> None:
    (box.work / "good.json").write_text(json.dumps(openai_history(1)))
    assert "names no endpoint" in box.cli("compact", "--in", "good.json", "--model", "nosuch", exit=2).stderr


def test_a_backup_that_was_changed_is_not_brought_back(tmp_path: Path) -> None:
    backup, path = Backup(str(tmp_path / "state")), tmp_path / "h"
    before, after = backup.keep(b"long"), backup.keep(b"short")
    path.write_bytes(b"short")
    with pytest.raises(NotFound):
        backup.undo(str(path), "now")
    backup.rewrote("now", str(path), str(path), before, after)
    with open(backup.index, "a") as file:
        file.write('{"type": "rew')  # a crash
    Path(before.path).write_bytes(b"else")
    with pytest.raises(BadInput):
        backup.undo(str(path), "now")
    backup.keep(b"long!")
    Path(before.path).write_bytes(b"long")
    path.write_bytes(b"short, and what came after")
    assert backup.undo(str(path), "now") == b"long" == path.read_bytes()
    kept = [Path(backup.folder, name).read_bytes() for name in os.listdir(backup.folder)]
    assert b"short, and what came after" in kept


def test_a_program_without_such_a_command_is_not_told_to_compact(box: Box) -> None:
    id = box.json("spawn", "sleep 600")["id"]
    said = box.cli("compact", id, exit=5)
    assert "shell has no command that compacts its conversation" in said.stderr
