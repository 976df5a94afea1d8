"""Files as conversations name them: absolute, from the folder of a project, from one above it, in any script."""

from __future__ import annotations

import json

import pytest

from openclaw.context.compact import compact
from openclaw.context.history import Call, Message, Result, Text
from openclaw.context.ledger import reading, words
from openclaw.context.ledger.facts import Facts, gather
from openclaw.context.policy import Policy
from openclaw.context.repair import UNANSWERED
from openclaw.context.tokens import estimate
from openclaw.context.units import units


def history(*calls: tuple[str, dict[str, str], str]) -> list[Message]:
    found = [Message("user", (Text("Mend it."),))]
    for number, (name, given, result) in enumerate(calls):
        found.append(Message("assistant", (Call(str(number), name, json.dumps(given)),)))
        found.append(Message("tool", (Result(str(number), result),)))
    return found


def facts(*calls: tuple[str, dict[str, str], str]) -> Facts:
    return gather(Facts(), units(history(*calls)))


def read(path: str) -> tuple[str, dict[str, str], str]:
    return "Read", {"file_path": path}, "some text"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see src/módulo/año.py and docs/оглавление/глава.md", ["src/módulo/año.py", "docs/оглавление/глава.md"]),
        ("请看src/main/app.py文件", ["src/main/app.py"]),
        ("it is in C:\\Users\\me\\proj\\Main.cs now", ["C:/Users/me/proj/Main.cs"]),
        (r'{"path": "C:\\Users\\me\\Main.cs"}', ["C:/Users/me/Main.cs"]),
        (r"one\n/home/me/a/b.c\nsrc/app/x.ts:3", ["/home/me/a/b.c", "src/app/x.ts"]),
        (r"a pattern \d+\.\w{3}, a http://x.org/a/b.html and error:\nfoo\bar.c", []),
        ("./a/b.c ../c/d.e ~/x/y.z", ["a/b.c", "../c/d.e", "~/x/y.z"]),
    ],
)
def test_paths_of_a_text(text: str, found: list[str]) -> None:
    assert list(words.paths(text)) == found


def test_text_that_is_full_of_escapes_takes_no_longer() -> None:
    assert list(words.paths("C:\\" + "\\nfoo bar" * 50_000)) == []


def test_no_file_stands_without_its_folder() -> None:
    """Work in one deep folder: what is named there is still named as others would name it."""
    top = "/home/me/proj/cmd/tool/tests"
    found = facts(read(f"{top}/a_test.go"), read(f"{top}/b_test.go"), read(f"{top}/c_test.go"), read("/etc/x/y.conf"))
    assert found.root == "/home/me/proj/cmd/tool"
    assert set(found.files) == {"tests/a_test.go", "tests/b_test.go", "tests/c_test.go", "/etc/x/y.conf"}
    above = facts(read("/home/me/proj/a/x.py"), read("/home/me/proj/setup.py"), read("/home/me/proj/b/y.py"))
    assert above.root == "/home/me/proj", "but nobody's home is the root"


def test_a_file_has_one_name_however_it_is_written() -> None:
    top = "/home/me/proj/cmd/tool"
    grep = ("Grep", {"pattern": "x"}, "cmd/tool/cli/a.go:3: x\ntool/cli/b.go:4: x\n/home/me/proj/cmd/tool/cli/c.go: x")
    found = facts(read(f"{top}/cli/a.go"), read(f"{top}/cli/b.go"), read(f"{top}/lib/c.go"), grep)
    assert set(found.files) == {"cli/a.go", "cli/b.go", "lib/c.go", "cli/c.go"}
    assert found.files["cli/a.go"].seen == 2


def test_files_of_windows_are_grouped_like_others() -> None:
    found = facts(read("C:\\work\\proj\\app\\src\\a.cs"), read("C:\\work\\proj\\app\\src\\b.cs"))
    assert found.root == "C:/work/proj/app" and set(found.files) == {"src/a.cs", "src/b.cs"}


def test_what_was_printed_often_beats_one_of_hundreds() -> None:
    listing = "\n".join(f"data/part{n}/rows{n}.csv" for n in range(300))
    calls = [("Bash", {"command": "find ."}, listing)]
    calls += [("Grep", {"pattern": "x"}, f"src/core/engine.py:{n}: x") for n in range(6)]
    done = compact(history(*calls, *[("Bash", {"command": f"make {n}"}, "no rule " * 400) for n in range(9)]),
                   Policy(keep_last=0), count=estimate)  # fmt: skip
    [text] = [m.text for m in done.messages if reading.stands_for(m.text)]
    assert "core/engine.py" in text and text.count("rows") < 300


def test_a_call_without_a_result_is_no_report() -> None:
    said = Message("assistant", (Text(UNANSWERED.format(name="Grep", arguments='{"pattern": "x"}')),))
    before = Message("assistant", (Text("The parser drops the last row."),))
    found = gather(Facts(), units([Message("user", (Text("Mend it."),)), before, said]))
    assert found.status == "The parser drops the last row."
