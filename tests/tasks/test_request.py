"""Requests: what a task may be, and the files that list many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclaw.errors import BadInput, OpenclawError, Refused
from openclaw.settings import Settings
from openclaw.tasks.request import Request, check, from_list


def wrong(request: Request) -> OpenclawError:
    with pytest.raises(OpenclawError) as caught:
        check(request, Settings(environ={"HOME": "/nowhere", "HERE": "1"}, cwd="/"))
    assert "\n" not in caught.value.message and caught.value.message.isprintable()
    return caught.value


@pytest.mark.parametrize("text", [
    "$(touch /tmp/pwned) `id` ; rm -rf /", "#{pid} #{E:status-left}", "a\tb\nc", "你好 😀", "-rf", "x" * 262_144, '"\\',
])  # fmt: skip
def test_any_printable_text_is_a_task(text: str) -> None:
    assert check(Request(text, cwd="/")).task == text


@pytest.mark.parametrize(("text", "said"), [
    ("", "empty"), (" \n\t ", "empty"), ("ab\0c", "NUL (U+0000) at character 3"),
    ("one\ntwo\x1b[31m", "ESC (U+001B) at character 8 (line 2)"), ("a\rb", "CR"), ("a\x9b", "U+009B"),
    ("\x7f", "DEL"),
    ("\udcff", "not UTF-8 at character 1"),
])  # fmt: skip
def test_what_is_no_task(text: str, said: str) -> None:
    error = wrong(Request(text, cwd="/"))
    assert isinstance(error, BadInput) and said in error.message


def test_a_megabyte_is_refused() -> None:
    error = wrong(Request("x" * 2**20, cwd="/"))
    assert (error.exit_status, error.code) == (3, "over_limit") and len(error.message) < 200
    assert wrong(Request("é" * 140_000, cwd="/")).code == "over_limit"  # bytes, not characters


@given(st.text())
def test_no_text_is_an_accident(text: str) -> None:
    try:
        assert check(Request(text, cwd="/")).task == text.replace("\r\n", "\n")
    except (BadInput, Refused) as error:
        assert error.message.isprintable()


@pytest.mark.parametrize("name", ["a", "A-1_b", "0", "x" * 64])
def test_names(name: str) -> None:
    assert check(Request("t", name=name, cwd="/")).name == name


@pytest.mark.parametrize("name", [
    "", ".", "a.b", "a:b", "#{pid}", "=a", "-a", "_a", "a b", "a\n", "ü", "x" * 65, "x" * 5000, "a/b", "\x1b[31m",
    "$(id)",
])  # fmt: skip
def test_what_is_no_name(name: str) -> None:
    error = wrong(Request("t", name=name, cwd="/"))
    assert error.exit_status == 2 and repr(name[:40]) in error.message and len(error.message) < 120


@pytest.mark.parametrize("env", ["K=V", "K=", "_k9=a=b\nc", "HERE"])
def test_variables(env: str) -> None:
    settings = Settings(environ={"HERE": "1", "HOME": "/"}, cwd="/")
    assert check(Request("t", env=(env,), cwd="/"), settings).env == (env,)


@pytest.mark.parametrize("env", [
    "", "=V", "9K=V", "A B=V", "A-B=V", "OPENCLAW_STATE_DIR=/x", "TMUX=/x", "TMUX_PANE=%1", "K=hidden\0",
    "K=hidden\udcff",
    "NOT_HERE",
])  # fmt: skip
def test_what_is_no_variable(env: str) -> None:
    error = wrong(Request("t", env=(env,), cwd="/"))
    assert error.exit_status == 2 and "hidden" not in error.message + error.hint


@pytest.mark.parametrize("field", ["agent", "model", "template", "type"])
@pytest.mark.parametrize("value", ["", " ", "-x", "a\nb", "\x1b", "x" * 300])
def test_what_is_no_word(field: str, value: str) -> None:
    assert wrong(Request("t", cwd="/")._replace(**{field: value})).exit_status == 2  # type: ignore[arg-type]


def test_numbers_are_more_than_zero() -> None:
    for field in ("timeout", "max_inject_tokens", "budget_tokens"):
        assert wrong(Request("t", cwd="/")._replace(**{field: 0})).exit_status == 2  # type: ignore[arg-type]


def test_cwd_is_resolved(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "file").touch()
    assert check(Request("t", cwd=str(tmp_path / "link"))).cwd == str((tmp_path / "real").resolve())
    assert "does not exist" in wrong(Request("t", cwd=str(tmp_path / "none"))).message
    assert "is not a folder" in wrong(Request("t", cwd=str(tmp_path / "file"))).message
    for cwd in ("", "/tmp\0", "/tmp\n", "/\x1b"):
        assert wrong(Request("t", cwd=cwd)).exit_status == 2


# --- many


BASE = Request("", cwd="/tmp", inject=("a.md",), timeout=60.0)


def bad(text: object) -> str:
    with pytest.raises(BadInput) as caught:
        from_list(text, BASE)
    assert "\n" not in caught.value.message
    return caught.value.message + " | " + caught.value.hint


def test_a_yaml_list_of_texts_and_mappings(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_bytes(b"from\r\na file\n")
    found = from_list(f"""
- first
- task: second
  name: two
  inject: [x.py, "y.py:1-3"]
  write: out.md
  scope: {{can_read: ["**"], timeout: 2m}}
  max-inject-tokens: 5k
  env: {{A: 1, B: two}}
  cwd: sub
- {{task_file: {tmp_path}/t.txt, agent: claude, timeout: 90}}
""", BASE)  # fmt: skip
    assert found[0] == BASE._replace(task="first")
    assert found[1] == BASE._replace(
        task="second", name="two", inject=("x.py", "y.py:1-3"), write=("out.md",), read=("**",), timeout=120.0,
        max_inject_tokens=5000, env=("A=1", "B=two"), cwd="/tmp/sub",
    )  # fmt: skip
    assert found[2] == BASE._replace(task="from\na file", agent="claude", timeout=90.0)


def test_json_and_trees() -> None:
    assert from_list('[{"task": "a"}, "b"]', BASE) == from_list([{"task": "a"}, "b"], BASE)


def test_a_checklist() -> None:
    text = "# To do\n\n- [ ] first\n  goes on\n- [x] done\n  and this\n* [ ] second\n\n  - [ ] nested\nprose\n"
    assert [r.task for r in from_list(text, BASE)] == ["first\ngoes on", "second", "nested"]
    assert from_list("+ [ ] a", BASE) == [BASE._replace(task="a")]
    assert "line 2" in bad("- [ ] a\n- [ ]\n")
    assert "checked" in bad("- [x] a\n")


def test_boxes_inside_a_yaml_text_are_text() -> None:
    assert from_list("- task: |\n    do\n    - [ ] a\n    - [ ] b\n", BASE)[0].task == "do\n- [ ] a\n- [ ] b\n"


@pytest.mark.parametrize(("text", "said"), [
    ("", "no list"), ("just text", "no list"), ("a: 1", "no list"), ("[]", "no list"), ("- a\n- b: [\n", "line 3"),
    ("- a\n- 5", "item 2"), ("- {}", "item 1"), ("- task: 5", "'task' must be a text"),
    ("- {task: a, task_file: b}", "one of"),
    ("- {task: a, tsk: b}", "did you mean 'task'"), ("- {task: a, wirte: b}", "did you mean 'write'"),
    ("- {task: a, scope: {can_wirte: [b]}}", "did you mean 'scope.can_write'"), ("- {task: a, scope: [b]}", "mapping"),
    ("- {task: a, write: b, scope: {can_write: [c]}}", "given twice"), ("- {task: a, inject: {b: c}}", "list of texts"),
    ("- {task: a, inject: [1]}", "list of texts"), ("- {task: a, timeout: soon}", "not a duration"),
    ("- {task: a, timeout: true}", "number"), ("- {task: a, budget_tokens: many}", "not a number"),
    ("- {task: a, name: n}\n- {task: b, name: m}\n- {task: c, name: n}", "item 3 has the name of item 1"),
    ("- {task_file: /no/such}", "does not exist"), ("- {task_file: /tmp}", "is a directory"),
    ("- {task_file: /dev/zero}", "is a device"), ("- !!python/object/apply:os.system ['true']", "line 1"),
    ("- \0", "YAML"),
    ("[" * 5000, ""),
])  # fmt: skip
def test_what_is_no_list(text: str, said: str) -> None:
    assert said in bad(text)


def test_a_pipe_for_a_task_file_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is a pipe" in bad([{"task_file": str(tmp_path / "pipe")}])


def test_a_budget_in_dollars_is_an_amount() -> None:
    said = [{"task": "a", "budget_usd": "$2.50"}, {"task": "b", "budget_usd": 3}, "c"]
    assert [request.budget_usd for request in from_list(said, Request(task=""))] == [2.5, 3.0, None]
    with pytest.raises(BadInput, match="item 1: 'budget_usd' 'lots' is no amount of dollars"):
        from_list([{"task": "a", "budget_usd": "lots"}], Request(task=""))
