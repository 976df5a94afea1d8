"""The agent `local` under --sandbox: all of it, its commands too, sees and changes only its scope."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import until
from tests.local.conftest import Local
from tests.loopback.api import Reply, Tool, Usage


def test_its_commands_are_bound_and_it_comes_back(local: Local, tmp_path: Path) -> None:
    local.enclose()
    local.box.write("src/a.txt", "a\n")
    local.box.write("other.txt", "other\n")
    command = Tool("run", {"command": "echo b > src/b.txt; echo c > other.txt; cat src/a.txt; ls ~/.ssh"})
    local.api.say(Reply("Try.", (command, Tool("write", {"path": "src/c.txt", "content": "c\n"}))), "Done.")
    id = local.spawn("try it", "--sandbox", "--read", "src/**", "--write", "src/**")["id"]
    local.until(id, "idle")
    assert (local.box.work / "src/b.txt").read_text() == "b\n" and (local.box.work / "src/c.txt").read_text() == "c\n"
    assert (local.box.work / "other.txt").read_text() == "other\n"
    said = [part["result"]["content"] for e in local.log(id) for part in e.get("parts", ()) if "result" in part]
    assert "Read-only file system" in said[0] or "Permission denied" in said[0] or "No such file" in said[0]
    assert local.box.json("send", id, "more")["verdict"] == "delivered"
    local.until(id, "idle")
    until(lambda: local.figures(id)[0] > 0)
    local.box.tmux("kill-server")
    until(lambda: local.status(id)[0] == "lost", 40)
    local.api.say("Back.")
    local.box.cli("restore")
    local.until(id, "idle")
    assert local.api.turns[-1].has("try it") or local.api.turns[-1].has("more")
    assert local.box.json("result", id)["result"]["output"] == "Back."


def test_its_budget_halts_it_in_there_too(local: Local) -> None:
    local.enclose()
    local.box.write("a.txt", "a\n")
    again = Tool("list", {})
    local.api.say(Reply("", (again,), Usage(100, 0, 0, 5)), Reply("", (again,), Usage(1200, 0, 0, 5)))
    id = local.spawn("try it", "--sandbox", "--budget-tokens", "1000")["id"]
    local.until(id, "halted")
    assert (local.folder(id) / "out/summary.md").exists()
