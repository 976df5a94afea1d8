"""The tools: what they do, what they refuse, and how much they say."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from openclaw.context.history import Call
from openclaw.local import commands, tools
from openclaw.local.place import Place, ToolError
from openclaw.results import Results
from openclaw.settings import Settings
from openclaw.store import cache_uses, db
from tests.conftest import until


class Bench:
    """A folder with a scope, and a way to call tools in it."""

    def __init__(self, root: Path, read: str = "**", write: str | None = "src/**", **more: Any) -> None:
        self.cwd = root / "work"
        self.cwd.mkdir()
        scope = {"read": [f"{self.cwd}/{read}"], "write": [f"{self.cwd}/{write}"] if write else []}
        environ = {"PATH": os.environ["PATH"], "HOME": str(root)}
        self.place = Place(str(self.cwd), scope, str(root / "session"), str(root / "results"), environ=environ, **more)

    def put(self, name: str, text: str = "text\n") -> Path:
        path = self.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def call(self, name: str, **given: Any) -> str:
        return asyncio.run(tools.call(tools.TOOLS, Call("1", name, json.dumps(given)), self.place))

    def refused(self, name: str, **given: Any) -> str:
        with pytest.raises(ToolError) as error:
            self.call(name, **given)
        return str(error.value)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_read_numbers_lines_and_says_what_is_left(bench: Bench) -> None:
    bench.put("a.txt", "".join(f"line {n}\n" for n in range(1, 31)))
    assert bench.call("read", path="a.txt", line=3, lines=2) == "3\tline 3\n4\tline 4\n[26 more lines, from line 5]"
    assert bench.call("read", path="a.txt", line="30") == "30\tline 30"
    assert bench.call("read", path=str(bench.cwd / "a.txt"), line=31) == "it has only 30 lines"
    assert "no file b.txt" in bench.refused("read", path="b.txt")
    assert "is a folder" in bench.refused("read", path=".")
    (bench.cwd / "bin").write_bytes(b"\0\1\2")
    assert "no text" in bench.refused("read", path="bin")


def test_edit_takes_one_place_and_keeps_the_mode(bench: Bench) -> None:
    path = bench.put("src/a.py", "x = 1\ny = 1\n")
    path.chmod(0o754)
    assert bench.call("edit", path="src/a.py", old="x = 1", new="x = 2") == "changed src/a.py at line 1"
    assert path.read_text() == "x = 2\ny = 1\n"
    assert path.stat().st_mode & 0o777 == 0o754
    assert "not in src/a.py" in bench.refused("edit", path="src/a.py", old="z", new="y")
    path.write_text("a\na\n")
    assert "2 times" in bench.refused("edit", path="src/a.py", old="a", new="b")
    bench.call("edit", path="src/a.py", old="a", new="b", all=True)
    assert path.read_text() == "b\nb\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.py"]


def test_write_makes_folders_within_the_scope(bench: Bench) -> None:
    assert bench.call("write", path="src/new/b.py", content="1\n2\n") == "made src/new/b.py: 2 lines"
    assert (bench.cwd / "src/new/b.py").read_text() == "1\n2\n"
    assert bench.call("write", path="src/new/b.py", content="3") == "replaced src/new/b.py: 1 lines"


def test_nothing_leaves_the_scope(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("secret\n")
    bench.put("src/a.py")
    (bench.cwd / "src/link").symlink_to(outside)
    (bench.cwd / "src/up").symlink_to(tmp_path)
    bench.put("other.txt")
    for path in ("other.txt", "../outside.txt", str(outside), "src/link", "src/up/outside.txt", "src/../../outside.txt",
                 "src/../other.txt", "~/outside.txt"):  # fmt: skip
        for name, given in (("write", {"content": ""}), ("edit", {"old": "e", "new": ""})):
            assert "Not allowed by openclaw: " in bench.refused(name, path=path, **given), path
    for path in ("../outside.txt", str(outside), "src/link", "src/up/outside.txt", "/etc/passwd", "~/outside.txt"):
        assert "outside the read scope" in bench.refused("read", path=path)
    for path in ("..", "/", "src/up", "~"):
        assert "outside the read scope" in bench.refused("list", path=path)
        assert "outside the read scope" in bench.refused("list", path=path, pattern="**/*")
        assert "outside the read scope" in bench.refused("search", path=path, pattern="secret")
    assert "secret" not in bench.call("search", pattern="secret")
    assert outside.read_text() == "secret\n" and (bench.cwd / "other.txt").read_text() == "text\n"


def test_without_a_write_scope_nothing_is_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path, write=None)
    bench.put("a.txt")
    assert "this task changes no files" in bench.refused("write", path="a.txt", content="")
    assert "this task changes no files" in bench.refused("edit", path="a.txt", old="text", new="")


def test_a_read_scope_binds_list_and_search(tmp_path: Path) -> None:
    bench = Bench(tmp_path, read="docs/**", write=None)
    bench.put("docs/a.md", "word\n")
    bench.put("secret.txt", "word\n")
    assert bench.call("list", path="docs") == "a.md"
    assert bench.call("search", pattern="word", path="docs") == "docs/a.md:1:word"
    assert "outside the read scope" in bench.refused("list")
    assert "outside the read scope" in bench.refused("search", pattern="word")
    assert "outside the read scope" in bench.refused("read", path="secret.txt")


def test_list_and_search_find_what_is_there(bench: Bench) -> None:
    bench.put("src/a.py", "def alpha(): pass\n")
    bench.put("src/deep/b.py", "alpha()\n")
    bench.put("README.md", "alpha\n")
    bench.put(".git/config", "alpha\n")
    assert bench.call("list") == ".git/\nREADME.md\nsrc/"
    assert bench.call("list", pattern="**/*.py") == "src/a.py\nsrc/deep/b.py"
    assert bench.call("list", path="src", pattern="*.py") == "src/a.py"
    assert sorted(bench.call("search", pattern="alpha", files="*.py").splitlines()) == [
        "src/a.py:1:def alpha(): pass", "src/deep/b.py:1:alpha()",
    ]  # fmt: skip
    assert bench.call("search", pattern="beta") == "nothing matches"
    assert "grep" in bench.refused("search", pattern="(")
    assert bench.call("search", pattern="-e alpha") == "nothing matches"


def test_a_command_says_what_it_printed_and_how_it_ended(bench: Bench) -> None:
    assert bench.call("run", command="echo out; echo err >&2") == "out\nerr"
    assert bench.call("run", command="echo no; exit 3") == "no\n[exit status 3]"
    assert bench.call("run", command="true") == "[it printed nothing]"
    assert bench.call("run", command="kill -9 $$") == "[exit status 137]"
    assert bench.call("run", command="cat") == "[it printed nothing]"  # nobody answers
    assert bench.call("run", command="pwd") == str(bench.cwd)


def alive(mark: str) -> bool:
    return any(mark.encode() in read(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdigit())


def read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def test_a_command_that_takes_too_long_is_ended_with_all_it_started(bench: Bench, tmp_path: Path) -> None:
    mark = f"sleep 31{os.getpid()}"
    said = bench.call("run", command=f"{mark} & {mark} & echo begun; trap '' TERM; wait; {mark}", seconds=0.5)
    assert said == "begun\n[ended: not done within 0.5 s]"
    until(lambda: not alive(mark.replace(" ", "\0")), 20)


def test_what_a_command_leaves_in_the_background_keeps_nobody_waiting(bench: Bench) -> None:
    mark = f"sleep 32{os.getpid()}"
    began = time.monotonic()
    assert bench.call("run", command=f"{mark} & echo done") == "done"
    assert time.monotonic() < began + 20  # it would be as many seconds as the number has
    until(lambda: not alive(mark.replace(" ", "\0")), 20)


def test_a_command_that_prints_without_end_is_ended(bench: Bench) -> None:
    said = bench.call("run", command="yes")
    assert "it printed more than" in said and len(said) < 3 * bench.place.chars


def test_a_long_result_is_kept_aside_and_can_be_read_back(bench: Bench) -> None:
    said = bench.call("run", command="seq 1 20000")
    assert said.startswith("1\n2\n") and said.endswith("\n20000") and len(said) < bench.place.chars + 400
    [id] = re.findall('read_result with id "(r[0-9a-f]{8})"', said)
    assert bench.call("run", command="seq 1 20000") == said
    assert bench.call("read_result", id=id, line=10_000, lines=2).startswith("10000\t10000\n10001\t10001\n")
    assert "no stored result" in bench.refused("read_result", id=f"../results/{id}")
    assert "no stored result" in bench.refused("read_result", id="r2")


def test_keys_are_hidden_from_commands(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "secret")
    assert "secret" not in bench.call("run", command="env")


def test_a_task_type_names_its_tools_as_claude_code_does() -> None:
    assert [t.name for t in tools.chosen(["Read", "Grep", "Glob"])] == ["read", "list", "search", "read_result"]
    assert [t.name for t in tools.chosen(["Bash"])] == ["run"]
    assert tools.chosen([]) == ()
    assert len(tools.chosen(None)) == 7


def test_a_search_is_pure_while_its_files_are_the_same(tmp_path: Path) -> None:
    known = Results(Settings({"OPENCLAW_STATE_DIR": str(tmp_path / "state")}, cwd=str(tmp_path)))
    bench = Bench(tmp_path, known=known)

    def settled(name: str, text: str) -> None:
        path = bench.put(name, text)
        os.utime(path, (1_700_000_000, 1_700_000_000))

    def computed() -> list[tuple[int, int]]:
        store = db.connect(str(tmp_path / "state/openclaw.db"))
        return [(each.hits, each.misses) for each in cache_uses.uses(store)]

    settled("src/a.py", "one = 1\n")
    assert bench.call("search", pattern="one") == "src/a.py:1:one = 1"
    assert computed() == [], "what has just been changed can change again in the same moment"
    until(lambda: bench.call("search", pattern="one") and computed())
    for _ in range(2):
        assert bench.call("search", pattern="one", path="src") == "src/a.py:1:one = 1"
    assert computed() == [(1, 2)] and bench.call("search", pattern="two") == "nothing matches"
    settled("src/a.py", "one = 2\n")  # as long, and with the time that it had
    assert bench.call("search", pattern="one") == "src/a.py:1:one = 2"
    (bench.cwd / "src/b.py").symlink_to("a.py")
    bench.call("search", pattern="one")
    narrow = bench.place._replace(scope={"read": [f"{bench.cwd}/docs/**"], "write": []})
    with pytest.raises(ToolError):
        asyncio.run(tools.call(tools.TOOLS, Call("1", "search", '{"pattern": "one", "path": "src"}'), narrow))
    assert bench.call("read", path="src/a.py") == "1\tone = 2"


def test_two_searches_at_once_are_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = Results(Settings({"OPENCLAW_STATE_DIR": str(tmp_path / "state")}, cwd=str(tmp_path)))
    bench = Bench(tmp_path, known=known)
    bench.put("a", "one\n")
    monkeypatch.setattr(commands, "SETTLED_NS", 0)
    call = Call("1", "search", '{"pattern": "one"}')

    async def both() -> list[str]:
        return await asyncio.gather(*(tools.call(tools.TOOLS, call, bench.place) for _ in range(5)))

    assert asyncio.run(both()) == ["a:1:one"] * 5
    [uses] = cache_uses.uses(db.connect(str(tmp_path / "state/openclaw.db")))
    assert (uses.hits, uses.misses) == (4, 1)
