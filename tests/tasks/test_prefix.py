"""What a program sends beside the prompt: by type, flag and what the program can be told; rules are not lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from openclaw.agents import registry
from openclaw.errors import BadInput
from openclaw.sessions.prefix import cut
from openclaw.settings import Settings
from openclaw.tasks.prefix import PARTS, decide, rules
from openclaw.tasks.request import Request, check
from tests.conftest import Box

CLAUDE = registry.shipped()["claude"]


def program(box: Box, name: str, **entry: Any) -> None:
    """A program that is there and is never started."""
    (box.root / "bin").mkdir(exist_ok=True)
    (box.root / "bin" / name).write_text("#!/bin/sh\n")
    (box.root / "bin" / name).chmod(0o755)
    box.env["PATH"] = f"{box.root / 'bin'}:{box.env['PATH']}"
    if entry:
        (box.root / "config").mkdir(exist_ok=True)
        (box.root / "config/agents.yaml").write_text(json.dumps({name: entry}))


def dry(box: Box, *args: str) -> Any:
    return box.json("spawn", "look", *args, "--dry-run")


# --- deciding


def test_a_program_that_can_be_told_nothing_starts_as_it_does() -> None:
    found = decide("lean", ("Read",), "", None, "/work", ())
    assert (found.kind, found.wanted, found.tools, found.cut) == ("full", "lean", None, ())


def test_lean_says_what_its_own_system_prompt_said_of_the_folder_and_none_needs_none() -> None:
    assert decide("lean", None, "", None, "/work", PARTS).system_prompt.endswith("directory is /work")
    none = decide("none", ("Read",), "", None, "/work", PARTS)
    assert none.tools == () and "/work" not in none.system_prompt


@pytest.mark.parametrize(
    ("settings", "cut"), [("all", PARTS[:2]), ("files", PARTS[:4]), ("none", PARTS), (None, PARTS[:4])]
)
def test_a_type_says_which_of_its_settings_stay(settings: str | None, cut: tuple[str, ...]) -> None:
    assert decide("lean", None, "", settings, "/work", PARTS).cut == cut


def test_the_words_come_from_the_entry_and_names_with_values_are_variables() -> None:
    lean = cut(CLAUDE, decide("lean", ("Read", "Bash"), "Be short.", "none", "/work", CLAUDE.prefix))
    assert lean.values["tools"] == "Read,Bash" and lean.values["system_prompt"].startswith("Be short.")
    assert lean.words[:2] == ("--tools", "{tools}") and lean.words[-2:] == ("--setting-sources", "")
    assert lean.environ["CLAUDE_CODE_DISABLE_CLAUDE_MDS"] == "1" and not any("=" in word for word in lean.words)
    own = cut(CLAUDE, decide("lean", None, "", None, "/work", CLAUDE.prefix))
    assert own.values["tools"] == "Read,Edit,Write,Bash,Grep,Glob" and "--setting-sources" not in own.words
    full = cut(CLAUDE, decide("full", None, "Be short.", None, "/work", CLAUDE.prefix))
    assert full.words == ("--append-system-prompt", "{system_prompt}") and not full.environ
    assert cut(CLAUDE, decide("full", None, "", None, "/work", CLAUDE.prefix)).words == ()


# --- rules


def test_rules_are_looked_for_up_to_the_top_of_the_repository(tmp_path: Path) -> None:
    inner = tmp_path / "repo/sub/deep"
    inner.mkdir(parents=True)
    for place in (".", "repo", "repo/sub/deep"):
        (tmp_path / place / "CLAUDE.md").write_text(place)
    (tmp_path / "repo/sub/AGENTS.md").write_text("x")
    assert [named.path for named in rules(str(inner))] == [str(inner / "CLAUDE.md")]
    (tmp_path / "repo/.git").write_text("gitdir: elsewhere")  # as in a worktree
    found = [str(Path(named.path).relative_to(tmp_path)) for named in rules(str(inner))]
    assert found == ["repo/CLAUDE.md", "repo/sub/AGENTS.md", "repo/sub/deep/CLAUDE.md"]


def test_rules_are_injected_once_where_the_type_asks_and_the_program_is_kept_from_them(box: Box) -> None:
    program(box, "claude")
    box.write("AGENTS.md", "the rules\n")
    (box.work / "CLAUDE.md").symlink_to("AGENTS.md")
    found = dry(box, "--agent", "claude", "--type", "code-edit")
    assert [item["path"] for item in found["injected"]] == ["AGENTS.md"] and found["prefix"]["unread"] == []
    assert found["tokens"]["total"] > found["injected"][0]["tokens"] > 0
    for other in (("--agent", "claude", "--type", "code-edit", "--prefix", "full"), ("--type", "code-edit")):
        assert dry(box, *other)["injected"] == []


def test_what_nobody_will_read_is_said(box: Box) -> None:
    program(box, "claude")
    box.write("CLAUDE.md", "the rules\n")
    (box.home / ".claude").mkdir()
    (box.home / ".claude/CLAUDE.md").write_text("mine\n")
    both = [str(box.home / ".claude/CLAUDE.md"), str(box.work / "CLAUDE.md")]
    assert dry(box, "--agent", "claude", "--type", "heartbeat")["prefix"]["unread"] == both
    assert dry(box, "--agent", "claude", "--type", "code-edit")["prefix"]["unread"] == both[:1]
    assert dry(box, "--agent", "claude", "--type", "heartbeat", "--inject", "CLAUDE.md")["prefix"]["unread"] == both[:1]
    assert dry(box, "--agent", "claude", "--prefix", "full")["prefix"]["unread"] == []
    shown = box.cli("spawn", "look", "--agent", "claude", "--type", "heartbeat", "--dry-run").stdout
    assert all(f"not loaded, and not injected: {path}" in shown for path in both) and "it has no tools" in shown


def test_rules_that_are_unsafe_are_refused_like_any_file(box: Box) -> None:
    program(box, "claude")
    (box.root / "outside.md").write_text("x")
    (box.work / "CLAUDE.md").symlink_to(box.root / "outside.md")
    assert "leads out of" in box.cli("spawn", "x", "--agent", "claude", "--dry-run", exit=3).stderr


# --- what it costs


def test_the_cost_stands_beside_the_files(box: Box) -> None:
    program(box, "claude")
    box.write("CLAUDE.md", "Keep it simple. " * 400)
    kinds = {kind: dry(box, "--agent", "claude", "--type", "code-edit", "--prefix", kind) for kind in ("full", "lean")}
    tokens = {kind: found["prefix"]["tokens"] for kind, found in kinds.items()}
    assert tokens["full"]["request"] == tokens["full"]["default"]
    rules = kinds["lean"]["injected"][0]["tokens"]
    assert (
        rules > 1000
        and tokens["full"]["prefix"]
        == sum(CLAUDE.prefix_tokens[part] for part in ("base", "system_prompt", "tools", "extras")) + rules
    )
    assert tokens["lean"]["request"] == tokens["lean"]["prefix"] + kinds["lean"]["tokens"]["total"]
    # what is injected instead of being read is not counted twice; the envelope's two lines around it are
    assert 0 <= tokens["lean"]["default"] - tokens["full"]["default"] < 100
    shown = box.cli("spawn", "look", "--agent", "claude", "--type", "code-edit", "--dry-run").stdout
    assert f"≈{tokens['lean']['prefix']}" in shown and f"a default start: ≈{tokens['lean']['default']}" in shown


def test_what_a_program_cannot_be_told_is_said(box: Box) -> None:
    program(box, "gemini")
    found = dry(box, "--agent", "gemini", "--type", "code-edit")["prefix"]
    assert (found["kind"], found["wanted"], found["tokens"]) == ("full", "lean", None)
    assert found["remains"] == ["its other tools", "its own system prompt"]
    shown = box.cli("spawn", "look", "--agent", "gemini", "--type", "code-edit", "--dry-run").stdout
    assert "gemini can't be told to leave out its other tools" in shown and "beside the prompt is not known" in shown
    assert "prefix" not in box.cli("spawn", "ls", "--type", "code-edit", "--dry-run").stdout  # a command line


def test_a_program_of_your_own_may_be_told_some(box: Box) -> None:
    entry = {"command": "mine", "prompt": "{prompt}", "prefix": {"rules": ["--no-rules"]}, "prefix_tokens": {"base": 7}}
    program(box, "mine", **entry)
    box.write("AGENTS.md", "the rules\n")
    found = dry(box, "--agent", "mine", "--type", "code-edit")
    assert found["prefix"]["kind"] == "lean" and [item["path"] for item in found["injected"]] == ["AGENTS.md"]
    left = ["its other tools", "its own system prompt", "its extras (skills and the like)"]
    assert found["prefix"]["remains"] == left
    assert found["prefix"]["tools"] is None


# --- what is wrong


def test_wrong_words(box: Box) -> None:
    with pytest.raises(BadInput, match="full, lean, none"):
        check(Request(task="x", prefix="thin", cwd=str(box.work)), Settings(environ=box.env))
    box.write("tasks.yaml", "- {task: x, prefix: thin}\n")
    assert "full, lean, none" in box.cli("spawn", "--from", "tasks.yaml", exit=2).stderr
    for key, value, said in (
        ("prefix", "thin", "one of full, lean, none"), ("settings", True, "one of all, files, none"),
        ("tools", "Read", "list of texts"), ("tools", ["--x"], "name of a tool"), ("rules", "yes", "true or false"),
    ):  # fmt: skip
        (box.workspace / "templates").mkdir(parents=True, exist_ok=True)
        (box.workspace / "templates/own.yaml").write_text(json.dumps({key: value}))
        assert said in box.cli("spawn", "x", "--dry-run", exit=2).stderr
    (box.workspace / "templates/own.yaml").unlink()
    for entry, said in (
        ({"prefix": {"tool": []}}, "has no 'tool'"), ({"prefix": {"tools": 3}}, "prefix.tools must be a list"),
        ({"prefix": ["x"]}, "type dict"), ({"prefix_tokens": {"base": "many"}}, "type int"),
        ({"prefix": {"tools": "{tolls}"}}, "unknown placeholder"),
    ):  # fmt: skip
        program(box, "claude", **entry)
        assert said in box.cli("spawn", "x", "--dry-run", exit=2).stderr


def test_codex_can_be_told_a_part_and_the_rest_is_said(box: Box) -> None:
    program(box, "codex")
    box.write("AGENTS.md", "the rules\n")
    found = dry(box, "--agent", "codex", "--type", "code-edit")
    assert [item["path"] for item in found["injected"]] == ["AGENTS.md"]
    assert found["prefix"]["remains"] == ["its other tools", "its own system prompt"]
    assert found["prefix"]["tokens"]["request"] < 0.7 * found["prefix"]["tokens"]["default"]
