"""From request to task: what wins over what, what is refused, and that following a refusal's hint works."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from openclaw.context.tokens import Counter
from openclaw.errors import OpenclawError
from openclaw.settings import Settings
from openclaw.tasks import globs
from openclaw.tasks.prepare import Task, everything, prepare, recounted
from openclaw.tasks.request import Request


class Place:
    """A working folder, a workspace and a configuration."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.work, self.workspace = self.root / "work", self.root / "space"
        self.work.mkdir()
        self.workspace.mkdir()
        self.environ = {
            "HOME": str(self.root),
            "OPENCLAW_CONFIG": str(self.root / "c" / "o.yaml"),
            "OPENCLAW_WORKSPACE": str(self.workspace),
        }
        self.counter = Counter(str(self.root / "cache"), {}, lambda environ: None)

    @property
    def settings(self) -> Settings:
        return Settings(environ=self.environ, cwd=str(self.work))

    def put(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def prepare(self, task: str = "do it", **flags: Any) -> Task:
        request = Request(task, cwd=str(self.work))._replace(**flags)
        return prepare(request, self.settings, self.counter)

    def wrong(self, task: str = "do it", **flags: Any) -> OpenclawError:
        with pytest.raises(OpenclawError) as caught:
            self.prepare(task, **flags)
        assert "\n" not in caught.value.message + caught.value.hint
        return caught.value


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def words(count: int) -> str:
    return "one word after another\n" * (count // 5)


def test_a_bare_task(place: Place) -> None:
    task = place.prepare()
    assert (task.type, task.template, task.agent) == ("sub-agent", "sub-agent", "shell")
    assert (task.model, task.name) == (None, None)
    assert (task.timeout_s, task.limit, task.budget_tokens, task.exact) == (3600.0, 20_000, None, False)
    assert place.prepare(type="sub-agent").budget_tokens == 30_000  # who names a type asks for its budget
    assert task.scope == ((f"{place.work}/**",), ()) and task.cwd == str(place.work)
    assert (task.injected, task.missing) == ((), ("AGENTS.md",))
    assert task.prompt == "Task for a sub-agent.\ndo it\nEnd of task." and 0 < task.tokens < 20


def test_flags_win_over_template_over_settings(place: Place) -> None:
    place.put("c/o.yaml", "agent: codex\ntimeout: 2h\nlimits: {inject_tokens: 9k}\n")
    place.put("space/templates/own.yaml", "type: review\nagent: gemini\ntimeout: 5m\nread: [docs/]\nwrite: [out.md]\n")
    task = place.prepare()
    assert (task.agent, task.timeout_s, task.limit) == ("codex", 7200.0, 9000)
    task = place.prepare(template="own")
    assert (task.agent, task.timeout_s, task.limit, task.type) == ("gemini", 300.0, 9000, "review")
    assert task.scope == ((f"{place.work}/docs",), (f"{place.work}/out.md",))
    task = place.prepare(
        template="own", agent="claude", timeout=7.0, max_inject_tokens=500, type="test", read=("a",),
        write=("b", "c/*"), budget_tokens=5, model="m", name="n", env=("A=1",),
    )  # fmt: skip
    assert (task.agent, task.timeout_s, task.limit, task.type, task.template) == ("claude", 7.0, 500, "test", "own")
    assert task.scope == ((f"{place.work}/a",), (f"{place.work}/b", f"{place.work}/c/*"))
    assert (task.budget_tokens, task.model, task.name, task.env) == (5, "m", "n", ("A=1",))


def test_each_type_loads_only_its_files(place: Place) -> None:
    for name in ("AGENTS", "HEARTBEAT", "IDENTITY", "USER", "MEMORY", "SOUL", "TOOLS", "active-tasks"):
        place.put(f"space/{name}.md", f"this is {name}\n")
    loaded = {
        kind: [os.path.basename(file.path) for file in place.prepare(type=kind).injected]
        for kind in ("heartbeat", "cron", "research", "code-edit", "review", "test", "sub-agent", "direct-chat")
    }
    assert loaded == {
        "heartbeat": ["HEARTBEAT.md"], "cron": ["active-tasks.md"], "research": ["IDENTITY.md", "USER.md", "MEMORY.md"],
        "code-edit": [], "review": [], "test": [], "sub-agent": ["AGENTS.md"], "direct-chat": ["USER.md",
    "IDENTITY.md"],
    }  # fmt: skip
    found = everything(place.settings, place.counter)
    assert len(found) == 8 and all(tokens > 0 and path.startswith(str(place.workspace)) for path, tokens in found)
    assert everything(Settings(environ={**place.environ, "OPENCLAW_WORKSPACE": "/no"}, cwd="/"), place.counter) == ()


def test_default_files_come_from_the_workspace_then_from_the_cwd(place: Place) -> None:
    place.put("work/HEARTBEAT.md", "of the project\n")
    assert [file.path for file in place.prepare(type="heartbeat").injected] == ["HEARTBEAT.md"]
    place.put("space/HEARTBEAT.md", "of the workspace\n")
    task = place.prepare(type="heartbeat")
    assert [file.text for file in task.injected] == ["of the workspace\n"] and "Change no files." in task.prompt
    place.put("work/AGENTS.md", words(5000))  # a repository's own rules are read by the programs themselves
    assert place.prepare().missing == ("AGENTS.md",)


def test_a_default_file_is_as_safe_as_any_other(place: Place) -> None:
    place.put("elsewhere.md", "x")
    (place.workspace / "AGENTS.md").symlink_to(place.root / "elsewhere.md")
    assert place.wrong().code == "unsafe_file"


def test_a_file_that_is_injected_and_default_counts_once(place: Place) -> None:
    place.put("space/AGENTS.md", "rules\n")
    task = place.prepare(inject=(str(place.workspace / "AGENTS.md"), "../space/*.md"))
    assert len(task.injected) == 1 and task.prompt.count("rules") == 1


def test_scope_is_told_and_absolute(place: Place) -> None:
    (place.work / "real").mkdir()
    (place.work / "link").symlink_to("real")
    task = place.prepare(write=("link/*.py", "{a,b}/**", "../up.md", "."))
    assert task.scope.write == (
        f"{place.work}/real/*.py", f"{place.work}/a/**", f"{place.work}/b/**", f"{place.root}/up.md", f"{place.work}",
    )  # fmt: skip
    assert f"Change only: real/*.py, a/**, b/**, {place.root}/up.md, .\n" in task.prompt
    assert globs.overlaps(task.scope.write, place.prepare(write=("real/x.py",)).scope.write) is not None
    assert place.wrong(write=("a\nb",)).exit_status == 2 and place.wrong(write=("",)).exit_status == 2


# --- the limits


def test_over_the_limit_names_the_largest_and_what_fits(place: Place) -> None:
    for name, size in (("small", 100), ("middle", 400), ("large", 3000)):
        place.put(f"work/{name}.md", words(size))
    error = place.wrong(inject=("*.md",), max_inject_tokens=800)
    assert (error.exit_status, error.code) == (3, "over_token_limit")
    assert re.match(r"about 2\d\d\d tokens to start with, 800 are allowed: ", error.message)
    assert re.findall(r"(\w+)\.md \d+", error.message) == ["large", "middle", "small"]
    fitting = re.findall(r"these fit: ([^;]*);", error.hint)[0].split()
    assert fitting == ["middle.md", "small.md"]
    assert place.prepare(inject=tuple(fitting), max_inject_tokens=800).tokens <= 800
    allowed = int(re.findall(r"--max-inject-tokens (\d+)", error.hint)[0])
    assert place.prepare(inject=("*.md",), max_inject_tokens=allowed).tokens <= allowed


def test_what_fits_counts_the_envelope_too(place: Place) -> None:
    for number in range(8):
        place.put(f"work/{number}.md", words(60))
    error = place.wrong(inject=("*.md",), max_inject_tokens=500)
    fitting = re.findall(r"these fit: ([^;]*);", error.hint)[0].split()
    assert 0 < len(fitting) < 8 and place.prepare(inject=tuple(fitting), max_inject_tokens=500).tokens <= 500


@pytest.mark.parametrize("limit", [120, 300, 1000])
def test_if_no_file_fits_a_range_of_the_largest_does(place: Place, limit: int) -> None:
    place.put("work/large.md", words(9000))
    error = place.wrong(inject=("large.md:11-1700",), max_inject_tokens=limit)
    spec = re.findall(r"what fits of the largest: (\S+);", error.hint)[0]
    assert spec.startswith("large.md:11-")
    task = place.prepare(inject=(spec,), max_inject_tokens=limit)
    assert task.tokens <= limit
    last = int(spec.rpartition("-")[2])
    assert place.wrong(inject=(f"large.md:11-{last + 10}",), max_inject_tokens=limit).code == "over_token_limit"


def test_a_task_that_is_itself_too_long(place: Place) -> None:
    error = place.wrong(words(2000), max_inject_tokens=500)
    assert error.code == "over_token_limit" and "the task has about" in error.message
    allowed = int(re.findall(r"--max-inject-tokens (\d+)", error.hint)[0])
    assert place.prepare(words(2000), max_inject_tokens=allowed).tokens <= allowed


def test_default_files_have_their_own_limit(place: Place) -> None:
    place.put("space/HEARTBEAT.md", words(200))
    error = place.wrong(type="heartbeat")
    assert (error.code, error.exit_status) == ("over_token_limit", 3)
    assert "default files of heartbeat" in error.message and "60 are allowed" in error.message
    assert "HEARTBEAT.md" in error.message
    allowed = int(re.findall(r"--max-inject-tokens (\d+)", error.hint)[0])
    assert place.prepare(type="heartbeat", max_inject_tokens=allowed).limit == allowed


def test_a_model_of_another_family_counts_more(place: Place) -> None:
    place.put("work/a.md", words(1000))
    plain, claude, haiku = (
        place.prepare(inject=("a.md",), **flags).tokens
        for flags in ({}, {"agent": "claude"}, {"agent": "claude", "model": "claude-haiku-4-5"})
    )
    assert abs(claude / plain - 1.18) < 0.01 and abs(haiku / plain - 1.27) < 0.01


def test_the_model_that_was_chosen_counts_it_again(place: Place) -> None:
    place.put("work/a.md", words(1000))
    factor = {"dear": 2.0}
    place.counter = Counter(
        str(place.root / "cache"), {}, lambda environ: None, lambda model: factor.get(model or "", 1.0)
    )
    task = place.prepare(inject=("a.md",))
    dear = recounted(task._replace(model="dear", limit=9000), place.counter)
    assert abs(dear.tokens / task.tokens - 2) < 0.01 and dear.injected[0].tokens == 2 * task.injected[0].tokens
    with pytest.raises(OpenclawError) as caught:
        recounted(task._replace(model="dear", limit=dear.tokens - 1), place.counter)
    assert caught.value.code == "over_token_limit" and "for dear the task has about" in caught.value.message
    [more] = re.findall(r"--max-inject-tokens (\d+)", caught.value.hint)
    assert recounted(task._replace(model="dear", limit=int(more)), place.counter).tokens == dear.tokens


def test_exact_near_the_limit(place: Place) -> None:
    place.counter = Counter(str(place.root / "cache"), {}, lambda environ: len)
    place.put("work/a.md", words(1000))
    guess = Counter(str(place.root / "other"), {}, lambda environ: None)
    near = prepare(Request("t", cwd=str(place.work), inject=("a.md",)), place.settings, guess).tokens
    error = place.wrong(inject=("a.md",), max_inject_tokens=near)  # our stand-in counts every character
    assert "about" not in error.message and error.code == "over_token_limit"


# --- hostile input, each with the contract's exit


HOSTILE = [
    ({"task": "a\0b"}, 2, "usage"), ({"task": "a\x1b[2J"}, 2, "usage"), ({"task": "x" * 2**20}, 3, "over_limit"),
    ({"name": "a.b"}, 2, "usage"), ({"name": "a:b"}, 2, "usage"), ({"name": "#{pid}"}, 2, "usage"),
    ({"name": "=x"}, 2, "usage"),
    ({"name": "x" * 5000}, 2, "usage"), ({"cwd": "/no/such/folder"}, 2, "usage"), ({"template": "nosuch"}, 4,
    "no_such_template"),
    ({"type": "nosuch"}, 4, "no_such_template"), ({"inject": ("none",)}, 2, "usage"), ({"inject": ("folder",)}, 3,
    "unsafe_file"),
    ({"inject": ("binary",)}, 3, "unsafe_file"), ({"inject": ("pipe",)}, 3, "unsafe_file"),
    ({"inject": ("out",)}, 3, "unsafe_file"),
    ({"inject": (".env",)}, 3, "unsafe_file"), ({"inject": ("/dev/zero",)}, 3, "unsafe_file"),
    ({"inject": ("",)}, 2, "usage"),
    ({"write": ("{a,b}" * 20,)}, 2, "usage"), ({"write": ("a\0b",)}, 2, "usage"), ({"env": ("TMUX=x",)}, 2, "usage"),
    ({"max_inject_tokens": 0}, 2, "usage"), ({"timeout": -1.0}, 2, "usage"),
]  # fmt: skip


@pytest.mark.parametrize(("flags", "exit_status", "code"), HOSTILE)
def test_hostile_input_ends_with_one_clear_line(
    place: Place, flags: dict[str, Any], exit_status: int, code: str
) -> None:
    (place.work / "folder").mkdir()
    (place.work / "binary").write_bytes(b"\x7fELF\0\0")
    os.mkfifo(place.work / "pipe")
    place.put("secret.txt", "x")
    (place.work / "out").symlink_to(place.root / "secret.txt")
    place.put("work/.env", "KEY=value\n")
    error = place.wrong(**flags)
    assert (error.exit_status, error.code) == (exit_status, code)
    assert len(error.message) < 300 and error.message.isprintable()


@pytest.mark.parametrize("text", ["$(touch pwned)", "`touch pwned`", "#{pid} #(touch pwned)", "'; touch pwned; '"])
def test_hostile_text_that_is_a_task_stays_as_it_is(place: Place, text: str) -> None:
    task = place.prepare(text)
    assert task.text == text and f"\n{text}\n" in task.prompt and not (place.work / "pwned").exists()
