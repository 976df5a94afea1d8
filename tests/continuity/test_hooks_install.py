"""`openclaw hooks`: in the settings of a person, and out of them again, to the byte."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Box

HOOK = str(Path(sys.executable).parent / "openclaw-hook")
FILES = [
    b'{\n  // mine\n  "model": "opus",\n  "permissions": {"allow": ["Bash(make:*)"],},\n}\n',
    b'{"hooks":{"Stop":[{"matcher":"","hooks":[{"type":"command","command":"afplay x"}]}]},"env":{"A":"b"}}',
    b'\xef\xbb\xbf{\r\n\t"hooks": {},\r\n\t"name": "\xe6\xbc\xa2\xe5\xad\x97"\r\n}',
    b"{}",
    b"",
    b"\n\n// later\n",
]


@pytest.fixture
def person(box: Box) -> Box:
    """With Claude Code and Codex in use: each has a folder of settings."""
    (box.home / ".claude").mkdir()
    (box.home / ".codex").mkdir()
    return box


def settings_of(box: Box) -> Path:
    return box.home / ".claude/settings.json"


def tree(box: Box) -> dict[str, bytes]:
    """Every file and folder of the person's home."""
    return {str(p): p.read_bytes() if p.is_file() else b"" for p in sorted(box.home.rglob("*"))}


def outcomes(box: Box, *args: str) -> dict[str, str]:
    return {Path(each["path"]).name: each["outcome"] for each in box.json("hooks", *args)}


@pytest.mark.parametrize("before", FILES)
def test_in_once_and_out_as_it_was(person: Box, before: bytes) -> None:
    path = settings_of(person)
    path.write_bytes(before)
    path.chmod(0o640)
    (person.home / ".codex/config.toml").write_text('model = "x" # mine\n\n[a]\nb = 1\n')
    was = tree(person)
    assert outcomes(person, "install") == dict.fromkeys(("settings.json", "hooks.json", "config.toml"), "installed")
    now = tree(person)
    assert now != was and stat.S_IMODE(path.stat().st_mode) == 0o640
    assert set(outcomes(person, "install").values()) == {"unchanged"} and tree(person) == now
    assert set(outcomes(person, "uninstall").values()) == {"removed"} and tree(person) == was
    assert set(outcomes(person, "uninstall").values()) == {"absent"} and tree(person) == was


def test_what_was_made_for_them_is_gone_again(box: Box) -> None:
    assert box.cli("hooks", "install", exit=5).stderr.startswith("openclaw: neither Claude Code nor Codex")
    assert outcomes(box, "install", "--agent", "all")["settings.json"] == "installed"
    assert stat.S_IMODE(settings_of(box).stat().st_mode) == 0o600
    assert set(outcomes(box, "uninstall", "--agent", "all").values()) == {"removed"}
    assert tree(box) == {}
    box.cli("hooks", "install", "--agent", "all")
    (box.home / ".codex/auth.json").write_text("{}")
    box.cli("hooks", "uninstall", "--agent", "all")
    assert list(tree(box)) == [str(box.home / ".codex"), str(box.home / ".codex/auth.json")]


@pytest.mark.parametrize("forgotten", [False, True])
def test_of_a_file_that_was_edited_meanwhile_exactly_ours_goes(person: Box, forgotten: bool) -> None:
    path = settings_of(person)
    path.write_text('{\n  "model": "a" // mine\n}\n')
    person.cli("hooks", "install")
    edited = (
        path.read_text().replace('"a", //', '"b", //').replace('"PreCompact": [', '"PreCompact": [\n{"hooks": []},')
    )
    path.write_text(edited)
    if forgotten:
        subprocess.run(["rm", "-r", person.state / "hooks"], check=True)
    assert outcomes(person, "install")["settings.json"] == "unchanged" and path.read_text() == edited
    person.cli("hooks", "uninstall")
    left = path.read_text()
    assert json.loads(left.replace("// mine", "")) == {"model": "b", "hooks": {"PreCompact": [{"hooks": []}]}}
    assert "// mine" in left and "openclaw" not in left


def test_what_codex_adds_to_its_file_stays(person: Box) -> None:
    config = person.home / ".codex/config.toml"
    person.cli("hooks", "install")
    with config.open("a") as file:
        file.write('[hooks.state."/x"]\ntrusted_hash = "sha256:1"\n')
    person.cli("hooks", "uninstall")
    assert config.read_text() == '[hooks.state."/x"]\ntrusted_hash = "sha256:1"\n'


def test_those_of_another_place_or_version_are_replaced(person: Box) -> None:
    path = settings_of(person)
    path.write_text('{"a": 1}')
    person.cli("hooks", "install", "--agent", "claude")
    path.write_text(path.read_text().replace(HOOK, "/gone/openclaw-hook").replace('"timeout": 30', '"timeout": 3'))
    [shown] = [s for s in person.json("hooks", "show", "--agent", "claude") if s["scope"] == "user"]
    assert "/gone/openclaw-hook is not there" in shown["problem"]
    assert outcomes(person, "install", "--agent", "claude") == {"settings.json": "updated"}
    assert "/gone" not in path.read_text() and path.read_text().count(f"{HOOK} main claude") == 7
    person.cli("hooks", "uninstall")
    assert path.read_text() == '{"a": 1}'


def test_links_of_dotfiles_stay_links(person: Box) -> None:
    real = person.write("dotfiles/claude.json", '{"a": 1}\n')
    settings_of(person).symlink_to(real)
    person.cli("hooks", "install", "--agent", "claude")
    assert settings_of(person).is_symlink() and HOOK in real.read_text()
    person.cli("hooks", "uninstall")
    assert settings_of(person).is_symlink() and real.read_text() == '{"a": 1}\n'


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        (".claude/settings.json", b'{\n  "a": 1\n  "b": 2\n}', "line 3, column 3: a comma"),
        (".claude/settings.json", b'{"a": "\xff"}', "line 1, column 8: not UTF-8"),
        (".claude/settings.json", b'{"hooks": []}', "line 1, column 11: hooks must be an object"),
        (".codex/hooks.json", b"{", "line 1, column 2: } is missing"),
        (".codex/config.toml", b"a = 1\nb =\n", "line 2"),
    ],
)
@pytest.mark.parametrize("action", ["install", "uninstall"])
def test_a_file_that_can_not_be_read_is_named_and_nothing_written(
    person: Box, action: str, name: str, text: bytes, where: str
) -> None:
    (person.home / name).write_bytes(text)
    was = tree(person)
    done = person.cli("hooks", action, exit=None)
    if action == "uninstall" and name.endswith(".toml"):
        return  # whatever it is, ours is not in it
    assert done.returncode == 2 and where in done.stderr and str(person.home / name) in done.stderr
    assert len(done.stderr.splitlines()) == 2 and tree(person) == was


def test_a_status_line_of_the_person_stays(person: Box) -> None:
    own = '{"statusLine": {"type": "command", "command": "mine.sh"}}'
    settings_of(person).write_text(own)
    [done] = person.json("hooks", "install", "--agent", "claude")
    assert f"{HOOK} statusline" in done["remarks"][0] and "mine.sh" in settings_of(person).read_text()
    assert settings_of(person).read_text().count("statusline") == 0
    [done] = person.json("hooks", "install", "--agent", "claude", "--project")
    assert str(settings_of(person)) in done["remarks"][0], "that of a project would hide it"
    assert "statusLine" not in (person.work / ".claude/settings.json").read_text()
    person.cli("hooks", "uninstall")
    assert settings_of(person).read_text() == own


def test_a_project_is_its_repository(person: Box) -> None:
    subprocess.run(["git", "init", "-q", person.work], check=True)
    (person.work / "src").mkdir()
    done = person.json("hooks", "install", "--project", cwd=person.work / "src")
    assert [d["path"] for d in done] == [
        str(person.work / ".claude/settings.json"), str(person.work / ".codex/hooks.json")
    ]  # fmt: skip
    assert any("don't commit" in remark for remark in done[0]["remarks"])
    assert not settings_of(person).exists()
    person.cli("hooks", "uninstall", "--project", cwd=person.work / "src")
    assert sorted(p.name for p in person.work.iterdir()) == [".git", "src"]


def test_many_at_once_install_once(person: Box) -> None:
    path = settings_of(person)
    path.write_text('{"a": 1}\n')
    running = [person.popen("hooks", "install", "--json") for _ in range(8)]
    done = [json.loads(p.communicate(timeout=120)[0]) for p in running]
    first = [d[0]["outcome"] for d in done]
    assert sorted(first) == ["installed"] + ["unchanged"] * 7
    assert path.read_text().count(f"{HOOK} main claude") == 7
    running = [person.popen("hooks", "uninstall", "--json") for _ in range(8)]
    assert all(p.communicate(timeout=120) and p.returncode == 0 for p in running)
    assert path.read_text() == '{"a": 1}\n'


def test_show_says_what_is_installed_where(person: Box) -> None:
    person.cli("hooks", "install")
    found: dict[Any, Any] = {(s["agent"], s["scope"], s["kind"]): s for s in person.json("hooks")}
    claude = found["claude", "user", "hooks"]
    assert set(claude["events"]) == {
        "SessionStart", "UserPromptSubmit", "Stop", "StopFailure", "PreCompact", "PostCompact", "SessionEnd"
    }  # fmt: skip
    assert claude["program"] == HOOK and claude["version"].startswith("openclaw-hook ") and claude["problem"] == ""
    assert claude["status_line"] == "ours" and found["codex", "user", "notify"]["events"] == ["notify"]
    assert not found["claude", "project", "hooks"]["exists"]
    text = person.cli("hooks").stdout
    assert "7 events" in text and "no file" in text
    settings_of(person).write_text("{")
    assert "line 1, column 2" in person.cli("hooks", "show").stdout
    assert person.cli("hooks", "instal", exit=2) and person.cli("hooks", "install", "--user", "--project", exit=2)


def test_doctor_says_whether_they_would_run(person: Box) -> None:
    def line() -> str:
        said = person.cli("doctor", exit=None).stdout.splitlines()
        return next(line for line in said if "main agents" in line)

    assert line().startswith("ok") and "adds them for claude, codex" in line()
    person.cli("hooks", "install", "--agent", "claude")
    assert "in the settings of claude; " in line()
    settings_of(person).write_text(settings_of(person).read_text().replace(HOOK, "/gone/openclaw-hook"))
    assert line().startswith("warn") and "/gone/openclaw-hook is not there" in line()


def test_looking_runs_nothing_that_a_project_names(person: Box) -> None:
    evil = person.write("openclaw-hook", f"#!/bin/sh\ntouch {person.home}/ran\n")
    evil.chmod(0o755)
    handler = {"type": "command", "command": f"{evil} main claude"}
    person.write(".claude/settings.json", json.dumps({"hooks": {"Stop": [{"hooks": [handler]}]}}))
    [shown] = person.json("hooks", "show", "--project", "--agent", "claude")
    assert shown["program"] == str(evil) and shown["version"] == "" and not (person.home / "ran").exists()


def test_a_path_with_blanks_and_quotes_is_called(person: Box) -> None:
    """The command that stands in the settings, as the programs run it: by a shell."""
    from openclaw.agents import hookfile, jsontext

    folder = person.root / "it's a (very) $HOME place"
    folder.mkdir()
    program = folder / "openclaw-hook"
    program.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@"\n')
    program.chmod(0o755)
    command = shlex.join((str(program), "main", "claude"))
    text = jsontext.inserted("", hookfile.added("", {"Stop": {"type": "command", "command": command}}, None))[0]
    [ours] = hookfile.ours(text)
    done = subprocess.run(["sh", "-c", ours.command], capture_output=True, text=True, check=True)
    assert done.stdout == f"{program}|main|claude|"


def test_a_folder_that_can_not_be_written_is_one_line(person: Box) -> None:
    if os.geteuid() == 0:
        settings_of(person).mkdir()  # nobody can write there, not even root
    else:
        (person.home / ".claude").chmod(0o500)
    done = person.cli("hooks", "install", "--agent", "claude", exit=5)
    assert str(settings_of(person)) in done.stderr and len(done.stderr.splitlines()) == 2
    (person.home / ".claude").chmod(0o700)
