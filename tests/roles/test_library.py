"""Where roles are found, which one wins, and what Claude Code's own files mean here."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from openclaw.errors import BadInput
from openclaw.roles import library
from openclaw.roles.role import Role, parse
from openclaw.settings import Settings
from tests.conftest import Box


def put(folder: Path, name: str, front: str = "", text: str = "Do it.") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.md"
    path.write_text(f"---\nname: {name}\n{front}---\n{text}\n")
    return path


def role(front: str, text: str = "Do it.") -> Role:
    return parse(f"---\n{front}\n---\n{text}\n", "/r/reviewer.md", "reviewer")


def test_the_first_place_wins_and_show_says_which(box: Box) -> None:
    subprocess.run(["git", "init", "-q"], cwd=box.work, check=True)
    inner = box.work / "src/deep"
    inner.mkdir(parents=True)
    places = {
        "workspace": box.workspace / "roles",
        "project": inner / ".claude/agents",
        "above": box.work / ".claude/agents",
        "user, for Claude Code": box.home / ".claude/agents",
        "user": box.root / "config/roles",
    }
    files = {name: put(folder, "summarizer", f"description: {name}\n") for name, folder in places.items()}
    for name, path in files.items():
        found = box.json("roles", "show", "summarizer", cwd=inner)
        assert (found["description"], found["path"]) == (name, str(path))
        assert found["place"] == ("project" if name == "above" else name)
        assert len(found["hides"]) == 5 - list(files).index(name)
        path.unlink()
    assert box.json("roles", "show", "summarizer", cwd=inner)["place"] == "openclaw"


def test_what_lies_above_a_repository_is_somebody_elses(box: Box) -> None:
    put(box.root / ".claude/agents", "stray")
    box.cli("roles", "show", "stray", exit=4)
    subprocess.run(["git", "init", "-q"], cwd=box.work, check=True)
    box.cli("roles", "show", "stray", exit=4)


def test_claude_codes_folder_is_where_its_variable_says(box: Box) -> None:
    put(box.root / "elsewhere/agents/team", "reviewer")
    env = {"CLAUDE_CONFIG_DIR": str(box.root / "elsewhere")}
    assert box.json("roles", "show", "reviewer", env=env)["place"] == "user, for Claude Code"
    box.cli("roles", "show", "reviewer", exit=4)


def test_a_broken_file_is_one_line_and_the_others_still_work(box: Box) -> None:
    path = put(box.workspace / "roles", "summarizer", "budget: much\n")
    put(box.workspace / "roles", "fine", "description: it works\n")
    (box.workspace / "roles/README.md").write_text("what these are\n")
    listed = box.cli("roles", "list")
    assert "it works" in listed.stdout and "summarizer" not in listed.stdout
    assert listed.stderr == f"warning: {path}, line 3: budget 'much' is not a number\n"
    told = box.cli("roles", "show", "summarizer", exit=2).stderr
    assert told.startswith(f"openclaw: {path}, line 3: budget"), "what it hides must not be run in its place"
    assert box.json("roles", "show", "fine")["name"] == "fine"


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("no front matter", 1, "does not begin with ---"),
        ("---\nname: x\n", 1, "no end"),
        ("---\nname: x\n---\n \n", 3, "no text"),
        ("---\nname: x\ntools: [Read\n---\ny", 3, "expected ',' or ']'"),
        ("---\nname: x\nname: y\n---\nz", 3, "given twice"),
        ("---\n- name\n---\ny", 2, "no mapping"),
        ("---\nname: a/b\n---\ny", 2, "can't be the name"),
        ("---\nname: x\npure: maybe\n---\ny", 3, "pure must be true or false"),
        ("---\nname: x\n\ntools: {Read: true}\n---\ny", 4, "tools must be names"),
        ("---\nname: x\ntools: Read, --danger\n---\ny", 3, "not the name of a tool"),
        ("---\nname: x\nmodel: [a]\n---\ny", 3, "model must be a text"),
        ("---\nname: x\nbudget: 0\n---\ny", 3, "budget must be a number"),
        ("---\nname: x\ntimeout: soon\n---\ny", 3, "timeout 'soon' is not a duration"),
    ],
)
def test_what_is_wrong_and_where(text: str, line: int, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse(text, "/r/x.md", "x")
    assert caught.value.message.startswith(f"/r/x.md, line {line}: ") and said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_pipe_and_bytes_that_are_no_text_are_broken_files(box: Box) -> None:
    import os

    folder = box.workspace / "roles"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "pipe.md")
    (folder / "bytes.md").write_bytes(b"---\nname: bytes\n---\n\xff\n")
    library_ = library.load(Settings(box.env, cwd=str(box.work)))
    assert {each.name: each.error.message for each in library_.broken} == {
        "bytes": f"{folder}/bytes.md, line 4: not UTF-8",
        "pipe": f"{folder}/pipe.md is a pipe",
    }


# --- the form


@pytest.mark.parametrize(
    "tools", ["Read, Grep,Glob", "[Read, Grep, Glob]", "\n  - Read\n  - Grep\n  - Glob", "'Read,Grep, Glob'"]
)
def test_tools_are_a_text_or_a_list(tools: str) -> None:
    assert role(f"tools: {tools}").tools == ("Read", "Grep", "Glob")


def test_no_tools_are_named_all_are_and_none_are() -> None:
    assert role("name: x").tools is None and role("tools: '*'").tools is None
    assert role("tools: []").tools == ()


def test_tools_for_some_uses_are_not_given_whole() -> None:
    found = role("tools: Read, Bash(git diff:*, git log:*), Write\ndisallowedTools: Write")
    assert (found.tools, found.partly) == (("Read",), ("Bash(git diff:*, git log:*)",))


def test_a_model_is_inherited_or_named() -> None:
    assert role("model: inherit").model is None and role("name: x").model is None
    assert role("model: sonnet").model == "sonnet"


def test_a_description_as_claude_code_writes_it_is_no_yaml_and_is_read_all_the_same() -> None:
    """Its own `/agents` writes them so: colons, quotes, and line ends as two characters."""
    text = r"Use this agent when code was written. Examples: <example>user: \"it's done\" <note>Note: x # y</note>"
    found = role(f"name: code-reviewer\ndescription: {text}\ntools: Glob, Grep\nmodel: opus\ncolor: red")
    assert found.description == text
    assert (found.name, found.tools, found.model, found.unused) == (
        "code-reviewer",
        ("Glob", "Grep"),
        "opus",
        ("color",),
    )


def test_a_file_from_windows_with_a_mark_is_read() -> None:
    found = parse("\ufeff---\r\nname: x\r\n---\r\none\r\ntwo\r\n", "/r/x.md", "x")
    assert found.prompt == "one\ntwo"


def test_the_shipped_ones_are_in_order(box: Box) -> None:
    found = library.load(Settings(box.env, cwd=str(box.work)))
    assert not found.broken
    assert set(found.roles) == {"summarizer", "code-auditor", "security-guard"}
    assert all(r.description and len(r.prompt) < 3000 and not r.unused for r in found.roles.values())
    assert found.roles["code-auditor"].tools == ("Read", "Grep", "Glob"), "an auditor changes nothing"
