"""Notes and items, as they are written into files that people edit too."""

from __future__ import annotations

from openclaw.continuity import items, notes
from tests.conftest import Box


def test_a_note_is_read_as_it_was_written() -> None:
    text = "# 2026-01-02\nhello\n- 04:15 decision: one\n  two\n- plain\n\n  not of it\n* Preference: x\n"
    text += "- 2026-01-01 y: z\n"
    found = [(n.kind, n.text, n.at) for n in notes.parse(text, "p", "2026-01-02")]
    assert found == [
        ("decision", "one\ntwo", "2026-01-02 04:15"),
        ("note", "plain", "2026-01-02"),
        ("preference", "x", "2026-01-02"),
        ("note", "y: z", "2026-01-01"),
    ]


def test_the_newest_stands_first_in_the_long_term_memory(box: Box) -> None:
    box.cli("init")
    for text in ("first", "second"):
        box.cli("note", "--long-term", "--decision", text)
    lines = (box.workspace / "MEMORY.md").read_text().splitlines()
    assert lines[0] == "# Long-term memory" and [line[-6:] for line in lines[2:]] == ["second", " first"]


def test_bad_notes_are_refused(box: Box) -> None:
    box.cli("note", " \n ", exit=2)
    box.cli("note", "a\x1b[31m", exit=2)
    box.cli("note", "x" * 5000, exit=2)
    box.cli("note", "a", "--decision", "--task", exit=2)
    assert not (box.workspace / "memory").exists()


def test_many_notes_at_once_are_all_there(box: Box) -> None:
    assert [p.wait(60) for p in [box.popen("note", f"n{i}", "--task") for i in range(8)]] == [0] * 8
    assert len(items.parse((box.workspace / "active-tasks.md").read_text())) == 8
    [day] = (box.workspace / "memory").glob("*.md")
    assert day.read_text().count(" task: n") == 8


def test_a_file_keeps_its_mode_its_link_and_bytes_that_are_no_text(box: Box) -> None:
    box.cli("init")
    real = box.root / "elsewhere.md"
    real.write_bytes(b"# Active \xff\n- [x] old\r\n")
    real.chmod(0o640)
    (box.workspace / "active-tasks.md").unlink()
    (box.workspace / "active-tasks.md").symlink_to(real)
    box.cli("note", "--task", "new")
    assert real.read_bytes() == b"# Active \xff\n- [x] old\r\n- [ ] new\n"
    assert (box.workspace / "active-tasks.md").is_symlink() and real.stat().st_mode & 0o777 == 0o640


def test_items() -> None:
    text = "- [ ] one\n  wrapped\n- [x] two\n```\n- [ ] code\n```\n  * [ ] three <!-- openclaw:abc -->\n- [ ]\nrest\n"
    found = items.parse(text)
    assert [(i.line, i.text, i.done, i.session) for i in found] == [
        (1, "one\nwrapped", False, ""), (3, "two", True, ""), (7, "three", False, "abc"),
    ]  # fmt: skip
    given = items.marked(text, found[0], "k3f9x2")
    assert given.splitlines()[0] == "- [ ] one <!-- openclaw:k3f9x2 -->"
    assert items.marked(given, found[0]._replace(session="k3f9x2"), "") == text
    assert items.marked(text, found[0]._replace(text="other"), "x") == text
