"""What can't be meant is refused with words that help, at every door: argv, files, the Python API."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from openclaw import api, render
from openclaw.agents import registry
from openclaw.errors import BadInput
from openclaw.settings import Settings
from openclaw.tasks import templates
from openclaw.tasks.request import Request, check, from_list
from openclaw.terminal.socket import check_folder
from openclaw.units import parse_count
from tests.conftest import OPENCLAW, Box


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings whose user and workspace folders are below tmp_path."""
    (tmp_path / "config" / "templates").mkdir(parents=True)
    environ = {
        "HOME": str(tmp_path), "OPENCLAW_CONFIG": str(tmp_path / "config" / "openclaw.yaml"),
        "OPENCLAW_WORKSPACE": str(tmp_path / "workspace"),
    }  # fmt: skip
    return Settings(environ=environ, cwd=str(tmp_path))


def config(settings: Settings, name: str, text: str) -> None:
    Path(settings.config_dir, name).write_text(text)


# --- words of the call


@pytest.mark.parametrize("verb", ["kill", "result", "logs", "wait"])
def test_a_name_that_is_not_utf8_is_not_found(box: Box, verb: str) -> None:
    done = subprocess.run([OPENCLAW, verb, b"\xff"], cwd=box.work, env=box.env, capture_output=True, timeout=60)
    assert done.returncode == 4 and b"Traceback" not in done.stderr


def test_a_socket_path_that_is_not_utf8(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        check_folder(os.fsdecode(os.fsencode(tmp_path) + b"/\xff/s"), create=True)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("words", [("ps",), ("spawn", "true")])
def test_a_socket_of_the_environment_that_is_not_utf8(box: Box, words: tuple[str, ...]) -> None:
    done = box.cli(*words, env={"OPENCLAW_SHARED_SOCKET": str(box.root) + "/\udcff/s"}, exit=2)
    assert "not UTF-8" in done.stderr


@pytest.mark.parametrize("text", ["9" * 400, "1000000000000001", "9999999999999M"])
def test_a_count_has_a_limit(text: str) -> None:
    with pytest.raises(BadInput, match="out of range"):
        parse_count(text)
    assert parse_count("1000000000000000") == 10**15


def test_what_reorders_a_line_is_shown_as_code() -> None:
    assert render.clean("a\u202eb\u2066c\u2028d\u2029") == r"a\u202eb\u2066c\u2028d\u2029"


# --- files


@pytest.mark.parametrize("word", ["{prompt.foo}", "{prompt[a]}", "{prompt[0]}"])
def test_placeholders_with_attributes(settings: Settings, word: str) -> None:
    config(settings, "agents.yaml", f"x: {{command: [run, '{word}'], prompt: ['{{prompt}}']}}\n")
    with pytest.raises(BadInput, match="unknown placeholder"):
        registry.load(settings)


def test_an_agent_whose_name_is_a_number(settings: Settings) -> None:
    config(settings, "agents.yaml", "1: {command: [run], prompt: ['{prompt}']}\n")
    assert registry.get(registry.load(settings), "1").name == "1"


def test_extends_is_one_name(settings: Settings) -> None:
    config(settings, "templates/t.yaml", "extends: [sub-agent]\n")
    with pytest.raises(BadInput, match="extends"):
        templates.load(settings)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000, "a: " + "[" * 101 + "]" * 101])
def test_yaml_that_is_nested_too_deep(settings: Settings, text: str) -> None:
    with pytest.raises(BadInput, match="deeper than 100"):
        from_list(text, Request(""))
    config(settings, "agents.yaml", text)
    with pytest.raises(BadInput, match="deeper than 100"):
        registry.load(settings)


@pytest.mark.parametrize(("text", "said"), [
    ("limits: 5", "must be a mapping"), ("limits: {live_agent: 5}", "limits.live_agents"), ("agnet: shell", "agent?"),
    ("agents: 5", "must be a mapping"), ("1: 2", "unknown key"), ("timeout: 5\ntimeout: 6", "twice"),
    ("socket: {a: 1}", "single value"),
])  # fmt: skip
def test_openclaw_yaml_with_a_wrong_section(settings: Settings, text: str, said: str) -> None:
    config(settings, "openclaw.yaml", text)
    with pytest.raises(BadInput) as caught:
        settings.get("socket")
    assert said in f"{caught.value.message} {caught.value.hint}"


def test_openclaw_yaml_with_all_kinds_of_keys(settings: Settings) -> None:
    config(
        settings, "openclaw.yaml", "limits: {live_agents: 5}\ntmux:\nagents: {x: {command: a, prompt: b}}\nagent: x\n"
    )
    assert settings.get("limits.live_agents") == 5 and "x" in registry.load(settings)


def test_a_list_with_a_key_twice() -> None:
    with pytest.raises(BadInput, match="line 2: 'task' is given twice"):
        from_list("- task: a\n  task: b\n", Request(""))
    shared = from_list("- &a {task: x, agent: shell}\n- {<<: *a, task: y}\n", Request(""))
    assert [(r.task, r.agent) for r in shared] == [("x", "shell"), ("y", "shell")]


def test_a_variable_without_a_value() -> None:
    with pytest.raises(BadInput, match="env B"):
        from_list("- {task: a, env: {A: 1, B: null}}", Request(""))


def test_a_checklist_after_a_plain_bullet() -> None:
    with pytest.raises(BadInput, match="line 2: a box after a plain bullet"):
        from_list("- plain\n- [ ] box\n", Request(""))


def test_line_ends_of_another_system() -> None:
    assert check(Request("a\r\nb\r\n", cwd="/")).task == "a\nb\n"
    with pytest.raises(BadInput, match="CR"):
        check(Request("a\rb", cwd="/"))


# --- the Python API


@pytest.mark.parametrize("more", [
    {"scope": {"can_read": "src/**"}}, {"scope": {"can_write": "src/**"}}, {"inject": "a.md"}, {"inject": [5]},
    {"inject": 5}, {"name": 5}, {"task": 5}, {"max_inject_tokens": "5"}, {"budget_tokens": True}, {"agent": ["shell"]},
])  # fmt: skip
def test_arguments_of_the_wrong_type(settings: Settings, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        api.sessions_spawn(**dict[str, Any](task="true", settings=settings) | more)


def test_ids_are_a_list(settings: Settings) -> None:
    for verb in (api.sessions_wait, api.sessions_kill):
        with pytest.raises(BadInput, match="not a list"):
            verb("abc", settings=settings)


def test_a_wait_of_no_time(box: Box) -> None:
    id = box.json("spawn", "sleep 1000")["id"]
    [found] = api.sessions_wait([id], timeout=0, settings=Settings(environ=box.env, cwd=str(box.work)))
    assert found.live
