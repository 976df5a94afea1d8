"""Injection: exact text of what was named, and every unsafe thing refused by name."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from openclaw.context.tokens import Counter
from openclaw.errors import BadInput, OpenclawError, Refused
from openclaw.settings import Settings
from openclaw.tasks import files, inject
from openclaw.tasks.inject import Injected, read_all


class Tree:
    """A working folder with files, and the reader on it."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.work = self.root / "work"
        self.work.mkdir()
        self.settings = Settings(environ={"HOME": str(root), "OPENCLAW_LIMITS_FILE_BYTES": "100k"}, cwd=str(self.work))

    def put(self, path: str, data: str | bytes = "text\n") -> Path:
        target = self.work / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data.encode() if isinstance(data, str) else data)
        return target

    def read(self, *specs: str, allow: tuple[str, ...] = ()) -> list[Injected]:
        counter = Counter(str(self.root / "cache"), {}, lambda environ: None)
        return read_all(specs, str(self.work), self.settings, counter, allow_secret=allow)

    def paths(self, *specs: str) -> list[str]:
        return [item.path for item in self.read(*specs)]

    def wrong(self, *specs: str, allow: tuple[str, ...] = ()) -> OpenclawError:
        with pytest.raises(OpenclawError) as caught:
            self.read(*specs, allow=allow)
        assert "\n" not in caught.value.message and caught.value.message.isprintable()
        return caught.value

    def unsafe(self, spec: str, said: str) -> None:
        error = self.wrong(spec)
        assert (error.exit_status, error.code) == (3, "unsafe_file") and said in error.message, error.message


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def test_a_file_is_injected_byte_for_byte(tree: Tree) -> None:
    data = "\ufeffa\r\nb\tü 😀\n\n  no end".encode()
    tree.put("sub/a.txt", data)
    (item,) = tree.read("sub/a.txt")
    assert item.text.encode() == data and item.sha256 == hashlib.sha256(data).hexdigest() and item.bytes == len(data)
    assert (item.path, item.absolute) == ("sub/a.txt", str(tree.work / "sub" / "a.txt"))
    assert (item.first, item.last) == (None, None) and item.tokens > 0
    assert tree.read("empty.txt" if tree.put("empty.txt", "") else "")[0].text == ""


@pytest.mark.parametrize(("spec", "text", "last"), [
    ("a:1", "one\n", 1), ("a:2-3", "two\nthree", 3), ("a:1-2", "one\ntwo\n", 2), ("a:3-99", "three", 3), ("a:1-3",
    "one\ntwo\nthree", 3),
])  # fmt: skip
def test_line_ranges(tree: Tree, spec: str, text: str, last: int) -> None:
    tree.put("a", "one\ntwo\nthree")
    (item,) = tree.read(spec)
    assert (item.text, item.last) == (text, last) and item.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_a_range_of_a_file_with_a_last_line_end(tree: Tree) -> None:
    tree.put("a", "one\r\ntwo\n")
    assert tree.read("a:2-9")[0].text == "two\n" and tree.read("a:1")[0].text == "one\r\n"
    for spec in ("a:3", "a:0-1", "a:2-1"):
        assert tree.wrong(spec).exit_status == 2
    tree.put("empty", "")
    assert tree.wrong("empty:1").exit_status == 2


def test_a_file_that_has_such_a_name_wins(tree: Tree) -> None:
    for name in ("a:3", "b*", "[c]", "{d,e}"):
        tree.put(name)
        assert tree.paths(name) == [name]


def test_the_same_file_counts_once(tree: Tree) -> None:
    tree.put("a.py", "x\ny\n")
    (tree.work / "link.py").symlink_to("a.py")
    assert tree.paths("a.py", "./a.py", "*.py", str(tree.work / "a.py"), "link.py") == ["a.py"]
    assert len(tree.read("a.py:1", "a.py:1-1", "a.py:2", "a.py")) == 3


def test_outside_the_cwd_the_path_is_whole(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tree.root))
    other = tree.root / "other.md"
    other.write_text("x")
    assert tree.paths("../other.md") == tree.paths(str(other)) == tree.paths("~/other.md") == [str(other)]


# --- globs


def test_globs_are_sorted_files_only(tree: Tree) -> None:
    for name in ("b.md", "a.md", ".hidden.md", "sub/c.md", "sub/deep/d.md", ".git/e.md", "sub/x.py", "folder.md/f.py"):
        tree.put(name)
    (tree.work / "loop").symlink_to(".")
    assert tree.paths("*.md") == [".hidden.md", "a.md", "b.md"]
    assert tree.paths("**/*.md") == [".hidden.md", "a.md", "b.md", "sub/c.md", "sub/deep/d.md"]
    assert tree.paths("sub/**") == ["sub/c.md", "sub/deep/d.md", "sub/x.py"] == tree.paths("s?b/")
    assert tree.paths("{a,b}.md") == ["a.md", "b.md"] and tree.paths("[!b].md") == ["a.md"]
    assert tree.paths("**/**/**/d.md") == ["sub/deep/d.md"] and tree.paths(str(tree.work / "a*")) == ["a.md"]


def test_a_cwd_that_looks_like_a_glob(tmp_path: Path) -> None:
    (tmp_path / "[a]*").mkdir()
    odd = Tree(tmp_path / "[a]*")
    odd.put("x.md")
    assert odd.paths("*.md") == ["x.md"]


def test_globs_that_match_nothing_or_too_much(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("a.md")
    for spec in ("*.rst", "{a.md,b.md}", "no/*/such"):
        assert isinstance(tree.wrong(spec), BadInput)
    monkeypatch.setattr(inject, "MAX_FILES", 3)
    for name in "bcd":
        tree.put(f"{name}.md")
    assert tree.wrong("*.md").code == "over_limit"
    monkeypatch.setattr(inject, "MAX_FILES", 1000)
    monkeypatch.setattr(inject, "MAX_LOOKS", 3)
    assert tree.wrong("**/x").code == "over_limit"


def test_globs_refuse_what_is_unsafe_by_name(tree: Tree) -> None:
    tree.put("a.txt")
    tree.put(".env", "X=1")
    tree.unsafe("*", ".env")
    tree.put("z.bin", b"\0")
    tree.unsafe("*.*n", "z.bin")
    os.mkfifo(tree.work / "pipe.x")
    tree.unsafe("*.x", "pipe.x is a pipe")


# --- what is refused


def test_what_is_not_there(tree: Tree) -> None:
    (tree.work / "dangling").symlink_to("nothing")
    (tree.work / "round").symlink_to("round")
    tree.put("file")
    for spec in ("none", "none:1-2", "dangling", "file/below", "", "a\0b", "a\nb", "\x1b[0m", "\udcff", "x" * 5000):
        assert tree.wrong(spec).exit_status == 2, spec
    assert tree.wrong("round").exit_status in (2, 3)


def test_what_is_no_plain_file(tree: Tree) -> None:
    (tree.work / "folder").mkdir()
    os.mkfifo(tree.work / "pipe")  # a reader that opened it plainly would wait for ever
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(tree.work)  # a socket's path is short
        try:
            server.bind("sock")
        finally:
            os.chdir(here)
        for name, said in (("folder", "is a directory"), ("pipe", "is a pipe"), ("sock", "is a socket")):
            tree.unsafe(name, f"{name} {said}")
    tree.unsafe("/dev/zero", "is a device")
    tree.unsafe(".", "is a directory")


def test_a_pipe_put_there_after_the_first_look_does_not_hang(tree: Tree) -> None:
    os.mkfifo(tree.work / "pipe")
    code = "import sys; from openclaw.tasks import files; files._read(sys.argv[1], 10)"
    done = subprocess.run(
        [sys.executable, "-c", code, str(tree.work / "pipe")], capture_output=True, text=True, timeout=30, check=False
    )
    assert "Unreadable: is a pipe" in done.stderr


def test_what_is_no_text(tree: Tree) -> None:
    tree.put("nul", b"text\0more")
    tree.put("late", b"x" * 9000 + b"\0")
    tree.put("latin", "naïve".encode("latin-1"))
    tree.unsafe("nul", "binary (a NUL at byte 4)")
    tree.unsafe("late", "binary")
    tree.unsafe("latin", "not UTF-8 text (byte 2)")


def test_what_is_too_large(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("large", "x" * 100_001)
    tree.put("just", "x" * 100_000)
    tree.unsafe("large", "has 100001 bytes, 100000 are allowed")
    assert tree.read("just")[0].bytes == 100_000
    monkeypatch.setattr(inject, "MAX_BYTES", 150_000)
    tree.put("more", "x" * 100_000)
    assert tree.wrong("just", "more").code == "over_limit"


def test_links_that_lead_out(tree: Tree) -> None:
    outside = tree.root / "outside"
    outside.mkdir()
    (outside / "a.md").write_text("x")
    tree.put("inside/a.md")
    (tree.work / "file").symlink_to(outside / "a.md")
    (tree.work / "folder").symlink_to(outside)
    (tree.work / "good").symlink_to("inside")
    tree.unsafe("file", "leads out")
    tree.unsafe("folder/a.md", "leads out")
    tree.unsafe("folder/../outside/a.md", "leads out")
    tree.unsafe("f*", "leads out")
    assert tree.paths("good/a.md") == ["inside/a.md"]
    (outside / "link").symlink_to("/etc/hostname")
    tree.unsafe("../outside/link", "leads out")  # named outside: it may not lead out of its own folder


def test_an_unreadable_file(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.put("shut").chmod(0)
    if os.geteuid() == 0:  # root may read anything: let the system call say what it says to others

        def refuse(*args: object) -> int:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), *args[:1])

        monkeypatch.setattr(os, "open", refuse)
    tree.unsafe("shut", "can't be read: Permission denied")


def test_secrets_and_the_way_to_let_one_through(tree: Tree) -> None:
    value = "aB3dE5gH7jK9mN1pQ3sT5vX7zA9cE1fG3hJ5"
    tree.put("sub/.env", "A=1\n")
    tree.put(".env", "A=1\n")
    tree.put("conf.py", f"x = 1\nAPI_KEY = '{value}'\n")
    tree.put("fine.py", "x = 1\n")
    (tree.work / "notes.txt").symlink_to(".env")
    tree.unsafe(".env", "by its name")
    tree.unsafe("notes.txt", "by its name")
    tree.unsafe("conf.py", "a password or key in line 2")
    tree.unsafe("conf.py:2", "in line 2")
    assert value not in tree.wrong("conf.py").message + tree.wrong("conf.py").hint
    assert "--allow-secret conf.py" in tree.wrong("conf.py").hint
    assert tree.read("conf.py:1")[0].text == "x = 1\n"
    assert len(tree.read(".env", "conf.py", "fine.py", allow=("./.env", "conf.py"))) == 3
    assert tree.wrong("sub/.env", allow=(".env",)).code == "unsafe_file"  # exactly those
    assert tree.wrong("conf.py", allow=("*",)).code == "unsafe_file"


# --- files that change


def test_a_file_that_changes_meanwhile_is_read_again(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tree.put("a", "old")
    pull, changes = files._pull, iter(["newer", "newest", "newest."])

    def changing(handle: int, limit: int) -> bytes:
        data = pull(handle, limit)
        if text := next(changes, None):
            path.write_text(text)
        return data

    monkeypatch.setattr(files, "_pull", changing)
    assert tree.read("a")[0].text == "newest."


def test_a_file_that_never_rests_is_refused(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    path, pull, writes = tree.put("a", ""), files._pull, []

    def changing(handle: int, limit: int) -> bytes:
        writes.append(1)
        path.write_text("x" * len(writes))
        return pull(handle, limit)

    monkeypatch.setattr(files, "_pull", changing)
    tree.unsafe("a", "keeps changing")


def test_a_file_written_just_now_is_left_to_settle(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    pull, ages = files._pull, []

    def measuring(handle: int, limit: int) -> bytes:
        ages.append(time.time_ns() - os.fstat(handle).st_mtime_ns)
        return pull(handle, limit)

    monkeypatch.setattr(files, "_pull", measuring)
    tree.put("a", "new")
    assert tree.read("a")[0].text == "new"
    assert ages[0] >= files.TICK_NS  # a write in the same tick would have left the time stamp as it was
    os.utime(tree.work / "a", (2e9 + 2e9, 2e9 + 2e9))
    assert tree.read("a")[0].text == "new"  # a time stamp from the future is never waited for


WRITER = """
import os, sys, time
handle = os.open(sys.argv[1], os.O_WRONLY)
while True:
    for letter in (b"a", b"b"):
        os.pwrite(handle, letter * 90_000, 0)  # in place and of one size: only the time stamp tells
        time.sleep(0.03)
"""


def test_no_half_of_two_versions_is_ever_read(tree: Tree) -> None:
    path = tree.put("a", "a" * 90_000)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)])
    try:
        for _ in range(30):
            try:
                assert len(set(tree.read("a")[0].text)) == 1
            except Refused as error:
                assert "keeps changing" in error.message
    finally:
        writer.kill()
        writer.wait()
