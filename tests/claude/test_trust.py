"""Trust of a folder: named, accepted only for a person who names the folder, and as the real Claude Code sees it."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from openclaw.agents import claude as program
from openclaw.agents.reporters import TRUST
from openclaw.agents.rewrite import replaced
from openclaw.errors import Unavailable
from tests.claude.conftest import Claude
from tests.conftest import Box
from tests.sessions.repo import Repo

ACCEPTED = {"hasTrustDialogAccepted": True}


def doctor(box: Box, *args: str) -> dict[str, dict[str, str]]:
    return {check["name"]: check for check in box.json("doctor", *args, exit=None)}


def test_a_person_accepts_the_trust_of_a_folder_with_one_command(claude: Claude) -> None:
    box, file = claude.box, claude.config / ".claude.json"
    claude.knows(projects={"/elsewhere": {"allowedTools": ["x"], **ACCEPTED}}, numStartups=3, odd={"ü": [1.5, None]})
    file.chmod(0o640)
    before = json.loads(file.read_text())
    here = doctor(box)["claude here"]
    assert here["level"] == "warn" and f"doctor --fix --trust {box.work}" in here["hint"]
    doctor(box, "--fix")
    assert json.loads(file.read_text()) == before, "never by itself"
    asked = claude.spawn("hello")
    assert f"openclaw doctor --fix --trust {box.work}" in asked["reason"]
    assert f"openclaw doctor --fix --trust {box.work}" in claude.until(asked["id"], "waiting")
    box.cli("kill", asked["id"])
    before = json.loads(file.read_text())  # it counts its starts in there
    checks = doctor(box, "--fix", "--trust", ".")
    assert "is trusted now" in checks["trust claude"]["detail"] and "claude here" not in checks
    after = json.loads(file.read_text())
    assert after["projects"].pop(str(box.work))["hasTrustDialogAccepted"] and after == before | {
        "projects": {k: v for k, v in before["projects"].items() if k != str(box.work)}
    }
    assert file.stat().st_mode & 0o777 == 0o640 and not list(claude.config.glob(".claude.json.*"))
    made = claude.spawn("hello")
    assert made["reason"] == ""
    claude.until(made["id"], "idle")
    (box.work / "sub").mkdir()
    assert "was trusted already" in doctor(box, "--fix", "--trust", "sub")["trust claude"]["detail"]


def test_a_worktree_of_a_trusted_repository_is_not_asked_and_of_another_is(claude: Claude) -> None:
    repo = Repo(claude.box)
    made = claude.spawn("hello", "--worktree")
    assert made["reason"] == ""
    claude.until(made["id"], "idle")
    claude.knows(projects={})
    made = claude.spawn("hello", "--worktree")
    folder = str(claude.box.state / "worktrees")
    for reason in (made["reason"], claude.until(made["id"], "waiting")):
        assert f"doctor --fix --trust {repo.path} or --trust {folder})" in reason, reason
    claude.box.cli("kill", made["id"])
    assert "is trusted now" in doctor(claude.box, "--fix", "--trust", folder)["trust claude"]["detail"]
    made = claude.spawn("hello", "--worktree")
    assert made["reason"] == ""
    claude.until(made["id"], "idle")


@pytest.fixture
def known(tmp_path: Path) -> Path:
    """Its configuration, without the program."""
    (tmp_path / ".claude.json").write_text('{"hasCompletedOnboarding": true}')
    return tmp_path / ".claude.json"


def test_what_is_inherited(known: Path) -> None:
    environ = {"CLAUDE_CONFIG_DIR": str(known.parent), "HOME": "/nowhere"}
    assert program.first_dialog(environ, "/a/b", "/r/one") == TRUST
    assert program.trust(environ, "/r")
    assert program.first_dialog(environ, "/r/one", "") == program.first_dialog(environ, "/r", "/r") == ""
    assert program.first_dialog(environ, "/a/b", "/r/one") == TRUST, "a worktree inherits from its repository alone"
    assert program.trust(environ, "/a") and program.first_dialog(environ, "/a/b", "/r/one") == ""
    assert not program.trust(environ, "/a/b")


def test_what_the_program_writes_at_the_same_time_is_not_lost(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others that take the lock, as it does, and one that writes without it, as it does when it can't get it."""
    environ, rude = {"CLAUDE_CONFIG_DIR": str(known.parent)}, iter(range(3))
    real: Callable[..., bool] = replaced

    def interrupted(path: str, before: bytes, *more: Any) -> bool:
        if (number := next(rude, None)) is not None:
            known.write_text(json.dumps(json.loads(known.read_text()) | {f"rude{number}": True}))
        return real(path, before, *more)

    monkeypatch.setattr(program, "replaced", interrupted)
    threads = [threading.Thread(target=program.trust, args=(environ, f"/many/{n}")) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(40)
    found = json.loads(known.read_text())
    assert set(found["projects"]) == {f"/many/{n}" for n in range(20)}
    assert {f"rude{n}" for n in range(3)} < set(found) and os.listdir(known.parent) == [known.name]


def test_its_lock_is_respected_until_it_is_stale(known: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"CLAUDE_CONFIG_DIR": str(known.parent)}
    monkeypatch.setattr(program, "LOCK_SECONDS", 0.2)
    lock = known.with_name(".claude.json.lock")
    lock.mkdir()
    before = known.read_text()
    with pytest.raises(Unavailable, match="held by another"):
        program.trust(environ, "/x")
    assert known.read_text() == before
    os.utime(lock, (time.time() - 60,) * 2)
    assert program.trust(environ, "/x") and not lock.exists()


def test_a_link_stays_a_link_and_what_is_no_configuration_stays_as_it_is(known: Path) -> None:
    environ, kept = {"CLAUDE_CONFIG_DIR": str(known.parent)}, known.with_name("dotfiles.json")
    known.rename(kept)
    known.symlink_to(kept.name)
    assert program.trust(environ, "/x") and known.is_symlink() and "/x" in kept.read_text()
    for text in ("{", "[]", '{"projects": 3}', '{"projects": {"/y": []}}'):
        kept.write_text(text)
        with pytest.raises(Unavailable, match="can't be changed"):
            program.trust(environ, "/y")
        assert kept.read_text() == text
    kept.unlink()
    with pytest.raises(Unavailable, match="is not there"):
        program.trust(environ, "/y")


def test_the_words(box: Box) -> None:
    assert "--fix" in box.cli("doctor", "--trust", ".", exit=2).stderr
    assert "not a folder" in box.cli("doctor", "--fix", "--trust", "nowhere", exit=2).stderr
    assert "every folder" in box.cli("doctor", "--fix", "--trust", "/", exit=2).stderr
