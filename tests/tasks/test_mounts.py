"""From globs to mounts: exact for whole folders, and where they are wider they say so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from openclaw.agents.sandbox import Mount
from openclaw.errors import Refused
from openclaw.tasks import globs, mounts


@pytest.fixture
def work(tmp_path: Path) -> str:
    root = tmp_path.resolve() / "work"
    for path in ("src/a.py", "src/deep/b.py", "src/deep/data", "docs/x.md", "notes.txt", "key"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / "link").symlink_to("key")
    return str(root)


def laid(work: str, read: list[str], write: list[str]) -> tuple[dict[str, str], mounts.Layout]:
    found = mounts.layout(globs.scope(read, work), globs.scope(write, work))
    assert all(os.path.isabs(mount.path) for mount in found.mounts)
    return {os.path.relpath(mount.path, work): mount.kind for mount in found.mounts}, found


def test_whole_folders_are_mounted_as_they_are(work: str) -> None:
    shown, found = laid(work, ["**"], ["src/**"])
    assert shown == {".": "ro", "src": "rw"}
    assert not found.opened and not found.missing
    assert laid(work, ["**"], ["."])[0] == {".": "rw"}
    assert laid(work, ["docs"], [])[0] == {"docs": "ro"}
    assert laid(work, [], [])[0] == {}


def test_a_single_file_opens_its_folder_and_covers_what_is_beside_it(work: str) -> None:
    shown, found = laid(work, ["**"], ["notes.txt"])
    assert shown == {".": "rw", "src": "ro", "docs": "ro", "key": "ro"}
    assert found.opened == (work,)
    assert laid(work, ["src/**"], ["notes.txt"])[0] == {".": "rw", "src": "ro", "docs": "empty", "key": "masked"}


def test_a_file_that_is_not_there_yet_is_the_same(work: str) -> None:
    shown, found = laid(work, [], ["docs/new.md"])
    assert shown == {"docs": "rw", "docs/x.md": "masked"} and found.opened == (f"{work}/docs",)
    assert not found.missing


def test_folders_that_are_not_there_yet_are_made(work: str) -> None:
    shown, found = laid(work, ["**"], ["out/new/**", "one/two/file.txt"])
    assert found.missing == tuple(f"{work}/{path}" for path in ("one", "one/two", "out", "out/new"))
    assert shown == {".": "ro", "out/new": "rw", "one/two": "rw"}
    assert found.opened == (f"{work}/one/two",)
    assert laid(work, ["not/there/**"], [])[1] == mounts.Layout((), (), (), ())


def test_globs_within_a_tree(work: str) -> None:
    shown, found = laid(work, ["**"], ["src/**/*.py"])
    assert shown == {".": "ro", "src": "rw", "src/deep": "rw", "src/deep/data": "ro"} or shown == {
        ".": "ro", "src": "rw", "src/deep/data": "ro",
    }  # fmt: skip
    assert found.opened == (f"{work}/src", f"{work}/src/deep")
    assert laid(work, ["**/*.md", "key"], [])[0] == {"docs/x.md": "ro", "key": "ro"}


def test_links_are_shown_where_nothing_else_is(work: str) -> None:
    assert laid(work, ["link", "k*"], [])[0] == {"key": "ro"}  # `link` is where it leads
    assert laid(work, ["l*"], [])[0] == {"link": "link"}


def test_nested_scopes_in_any_order(work: str) -> None:
    for write in (["src/deep/**", "notes.txt"], ["notes.txt", "src/deep/**"]):
        assert laid(work, ["**"], write)[0] == {".": "rw", "src": "ro", "src/deep": "rw", "docs": "ro", "key": "ro"}


def test_too_fine_a_scope_is_refused_and_single_files_in_a_large_folder_are_changed_in_place(work: str) -> None:
    for number in range(mounts.MAX_MOUNTS + 1):
        Path(work, "docs", f"{number}.md").write_text("")
    shown, found = laid(work, ["**"], ["docs/7.md"])
    assert shown == {".": "ro", "docs/7.md": "rw"} and found.in_place == (f"{work}/docs/7.md",) and not found.opened
    for write in ("docs/x*", "docs/new"):
        with pytest.raises(Refused, match="so fine") as caught:
            laid(work, ["**"], [write])
        assert caught.value.code == "sandbox_scope"


def test_a_mount_is_what_it_says() -> None:
    assert Mount("rw", "/x").kind == "rw"
