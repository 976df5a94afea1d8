"""The guard: a tool call is denied exactly when what it names leads out of the scope."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openclaw.tasks import globs, guard


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """cwd is work/, its write scope src/**; outside/ lies beside it, and links lead there and back."""
    root = tmp_path.resolve()
    for path in ("work/src/deep/a.py", "work/b.txt", "outside/secret", "home/.bashrc", "session/task.md"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / "work/src/out").symlink_to(root / "outside")
    (root / "work/src/file").symlink_to("../../outside/secret")
    (root / "work/src/dangling").symlink_to(root / "outside/new")
    (root / "work/src/inner").symlink_to("deep")
    (root / "work/into").symlink_to("src/deep")
    (root / "work/loop").symlink_to("loop")
    monkeypatch.setenv("HOME", str(root / "home"))
    yield root


def judge(tree: Path, tool: str, write: str | None = "src/**", read: str | None = "**", **given: Any) -> str:
    cwd = str(tree / "work")
    scope = {
        "read": list(globs.scope([read] if read else [], cwd)),
        "write": list(globs.scope([write] if write else [], cwd)),
    }
    return guard.judge(tool, given, cwd, scope, str(tree / "session"))


INSIDE = [
    "src/new.py", "src/deep/a.py", "./src//deep/../x", "src", "src/", "src/line\nbreak", "src/sp ace", "src/…/é",
    "src/new/folder/that/is/not/there", "src/inner/x", "into/x", "src/-rf", "src/$(x)", "src/a.py ",
    "src/out/../work/src/x",
]  # fmt: skip
OUTSIDE = [
    "b.txt", "new", "../outside/secret", "src/../b.txt", "src/../../outside/x", "src/out/secret", "src/out/new",
    "src/file", "src/dangling", "SRC/new.py", "Src", "srcx", "src\n/x", "/etc/passwd", "/",
    "", ".", "..", "~", "~/.bashrc", "~/../work", "loop", "loop/x", " src/x", "\tsrc/x", "src\0", "src/\udcff",
    "src/\ud800", "//etc/passwd", "/proc/self/cwd/../outside/secret", "\u00a0/etc/passwd",
]  # fmt: skip


@pytest.mark.parametrize("tool", ["Edit", "MultiEdit", "Write"])
@pytest.mark.parametrize("path", INSIDE)
def test_what_is_inside_may_be_written(tree: Path, tool: str, path: str) -> None:
    assert judge(tree, tool, file_path=path) == ""
    assert judge(tree, tool, file_path=str(tree / "work") + "/" + path) == ""


@pytest.mark.parametrize("path", OUTSIDE)
def test_what_is_outside_may_not(tree: Path, path: str) -> None:
    reason = judge(tree, "Write", file_path=path, content="x")
    assert "outside the write scope" in reason and "src/**" in reason and reason.isprintable()


def test_a_path_with_blanks_around_it_is_judged_as_either(tree: Path) -> None:
    # Claude Code trims a path before it opens it: " /etc/passwd" is no name within the cwd
    assert judge(tree, "Read", file_path=" /etc/passwd") and judge(tree, "Read", file_path="\ufeff/etc/passwd\n")
    assert judge(tree, "Read", file_path=" b.txt ") == ""


def test_dots_are_taken_out_before_symlinks_or_after_and_both_must_be_inside(tree: Path) -> None:
    (tree / "outside/src").mkdir()
    # by its words src/x, by the kernel outside/x
    assert judge(tree, "Write", file_path="src/out/../x")
    # by the kernel src/x, by its words x
    assert judge(tree, "Write", file_path="into/../x")


def test_notebooks_lists_and_nested_paths(tree: Path) -> None:
    assert judge(tree, "NotebookEdit", notebook_path="src/n.ipynb") == ""
    assert judge(tree, "NotebookEdit", notebook_path="n.ipynb")
    assert judge(tree, "MultiEdit", edits=[{"file_path": "src/a"}, {"file_path": "b"}])
    assert judge(tree, "MultiEdit", file_path="src/a", edits=[{"file_path": "src/b"}]) == ""
    assert judge(tree, "mcp__files__write_many", paths=["src/a", "../x"])


@pytest.mark.parametrize(
    "given", [{}, {"content": "x"}, {"file_path": 7}, {"file_path": ["b.txt"]}, {"file_path": None}]
)
def test_a_file_tool_whose_path_can_not_be_seen_is_denied(tree: Path, given: dict[str, Any]) -> None:
    assert judge(tree, "Write", **given) and judge(tree, "Read", read="src/**", **given)


def test_reads_follow_the_read_scope_and_what_may_be_written(tree: Path) -> None:
    for tool, key in (("Read", "file_path"), ("NotebookRead", "notebook_path"), ("LS", "path")):
        assert judge(tree, tool, **{key: "b.txt"}) == ""
        assert "outside the read scope" in judge(tree, tool, **{key: "../outside/secret"})
        assert judge(tree, tool, **{key: "src/out/secret"})
        assert judge(tree, tool, read="*.txt", **{key: "src/deep/a.py"}) == ""
        assert judge(tree, tool, read="*.txt", write=None, **{key: "src/deep/a.py"})
        assert judge(tree, tool, read=None, write=None, **{key: "b.txt"})


def test_its_own_folder_and_what_was_injected_may_be_read_and_its_result_written(tree: Path) -> None:
    folder = str(tree / "session")
    scope: dict[str, Any] = {"read": [], "write": []}
    work, injected = str(tree / "work"), str(tree / "work/b.txt")
    assert guard.judge("Read", {"file_path": folder + "/task.md"}, work, scope, folder) == ""
    assert guard.judge("Write", {"file_path": folder + "/result.md"}, work, scope, folder) == ""
    assert guard.judge("Write", {"file_path": folder + "/settings.json"}, work, scope, folder)
    assert guard.judge("Read", {"file_path": injected}, work, scope, folder)
    assert guard.judge("Read", {"file_path": injected}, work, scope, folder, [injected]) == ""
    assert guard.judge("Read", {"file_path": injected + "x"}, work, scope, folder, [injected])


def test_an_open_scope_restricts_no_writing_but_reading(tree: Path) -> None:
    scope = {"read": list(globs.scope(["**"], str(tree / "work"))), "write": [], "open": True}
    folder = str(tree / "session")
    assert guard.judge("Write", {"file_path": "/etc/x"}, str(tree / "work"), scope, folder) == ""
    assert guard.judge("Read", {"file_path": "/etc/x"}, str(tree / "work"), scope, folder)


def test_a_search_needs_all_that_it_looks_at(tree: Path) -> None:
    assert judge(tree, "Grep", pattern="x") == "" and judge(tree, "Glob", pattern="**/*.py") == ""
    assert judge(tree, "Grep", pattern="x", path="src/out") and judge(tree, "Glob", pattern="*", path="..")
    assert judge(tree, "Glob", pattern="/etc/*") and judge(tree, "Glob", pattern="../*")
    assert judge(tree, "Glob", pattern="src/*/../../../outside/*")
    narrow = "src/**/*.py"
    assert judge(tree, "Grep", write=None, read=narrow, pattern="x", path="src")
    assert judge(tree, "Grep", write=None, read=narrow, pattern="x", path="src", glob="*.py") == ""
    assert judge(tree, "Grep", write=None, read=narrow, pattern="x", path="src/deep/a.py") == ""
    assert judge(tree, "Glob", write=None, read=narrow, pattern="src/**/*.py") == ""
    assert judge(tree, "Glob", write=None, read=narrow, pattern="src/**/*")


PATCH = "*** Begin Patch\n*** Update File: src/a.py\n@@\n-x\n+*** Add File: /etc/added\n{}\n*** End Patch\n"


@pytest.mark.parametrize("header", ["Add File: b", "Delete File: b.txt", "Update File: ../outside/x", "Move to: b"])
def test_every_file_of_a_patch_is_judged(tree: Path, header: str) -> None:
    assert judge(tree, "apply_patch", input=PATCH.format("")) == ""
    assert judge(tree, "apply_patch", input=PATCH.format(f"*** {header}"))
    assert judge(tree, "apply_patch", command=["apply_patch", PATCH.format(f"  *** {header}  ")])
    assert judge(tree, "apply_patch", input="nothing")


def test_tools_of_others_are_judged_by_their_path(tree: Path) -> None:
    assert judge(tree, "mcp__fs__write_file", path="b.txt") and judge(tree, "mcp__fs__write_file", path="src/b") == ""
    assert judge(tree, "mcp__fs__move_file", source="src/a", destination="b")
    assert judge(tree, "mcp__fs__read_text_file", path=str(tree / "outside/secret"))
    assert judge(tree, "mcp__fs__get_and_delete", path="b.txt")
    assert judge(tree, "mcp__web__get", path="/users/7") == ""  # no file: nothing that could be read
    assert judge(tree, "mcp__web__fetch_nothing", url="x") == ""
    assert judge(tree, "Bash", command="rm -rf /", path="/") == ""


def test_peers_23_the_reason_tells_the_model_what_it_may_do(tree: Path) -> None:
    reason = judge(tree, "Edit", file_path="src/out/x")
    assert "src/**" in reason and str(tree / "outside/x") in reason and "say so in your result" in reason
    assert "changes no files" in judge(tree, "Edit", write=None, file_path="b.txt")
    assert len(judge(tree, "Edit", file_path="x" * 100_000)) < 2000


def test_the_reply_is_the_hook_s_form() -> None:
    assert json.loads(json.dumps(guard.reply("no"))) == {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": "no",
        }
    }


def test_claude_s_own_files_of_the_conversation(tree: Path) -> None:
    transcript = str(tree / "home/.claude/projects/-work/1234.jsonl")
    found = guard.own({"transcript_path": transcript}, {"TMPDIR": str(tree)})
    assert found[0] == transcript[:-6] and f"{tree}/claude-{os.getuid()}/-work" in found
    assert guard.own({}) == [] and guard.own({"transcript_path": "/etc/passwd"}) == []


def test_it_is_cheap_to_import() -> None:
    heavy = (
        "{'yaml', 'typer', 'pathlib', 'dataclasses', 'subprocess', 'inspect', 'psutil', 'logging'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-Ic", f"import sys, openclaw.tasks.guard; print({heavy})"], capture_output=True, text=True
    )
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


# --- any tree of links, any path: denied exactly when the file that it leads to is outside

NAMES = st.sampled_from(["a", "b", "link", "up", "..", ".", "new", "a\nb", "A", ""])
PLACES = st.sampled_from(["w/a/link", "w/link", "w/b/up", "w/a/up"])


@settings(max_examples=300, deadline=None)
@given(
    links=st.lists(st.tuples(PLACES, st.lists(NAMES, max_size=4)), max_size=4),
    path=st.lists(NAMES, min_size=1, max_size=6),
    absolute=st.booleans(),
    pattern=st.sampled_from(["a", "a/**", "**/b/*", "*/new", "a/[!n]*", "**"]),
)  # fmt: skip
def test_denied_exactly_when_the_real_file_is_outside(
    links: list[tuple[str, list[str]]], path: list[str], absolute: bool, pattern: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="oc-guard-") as folder:
        root = os.path.realpath(folder)
        for name in ("w/a/b", "w/b", "x/a"):
            os.makedirs(f"{root}/{name}")
        for where, to in links:
            if not os.path.lexists(f"{root}/{where}"):
                os.symlink("/".join(to) or ".", f"{root}/{where}")
        cwd = f"{root}/w"
        scope = {"read": [], "write": list(globs.scope([pattern], cwd))}
        text = f"{cwd}/" * absolute + "/".join(path)
        meant = {os.path.realpath(os.path.join(cwd, text)), os.path.realpath(os.path.normpath(os.path.join(cwd, text)))}
        allowed = all(any(globs.matches(each, real) for each in scope["write"]) for real in meant)
        assert (guard.judge("Write", {"file_path": text}, cwd, scope, f"{root}/session") == "") == allowed
        if allowed and os.path.isdir(os.path.dirname(os.path.join(cwd, text))) and not text.endswith(("/", ".")):
            try:
                with open(os.path.join(cwd, text), "w"):
                    pass
            except OSError:
                return
            assert os.path.realpath(os.path.join(cwd, text)) in meant  # where the kernel put it
