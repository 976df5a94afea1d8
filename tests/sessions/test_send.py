"""Messages to what reads lines from its terminal, and what is refused before anything is typed."""

from __future__ import annotations

import pytest

from openclaw.agents import composer, registry
from tests.conftest import Box, until


def test_lines_reach_a_program_that_reads_them_exactly(box: Box) -> None:
    made = box.json("spawn", "while IFS= read -r line; do printf '%s\\n' \"$line\" >> got; done")
    text = "\n".join(("first $(x) `y`", "  two\t!", "/three @four", "ünï 漢字", "\\"))
    assert box.json("send", made["id"], text)["verdict"] == "delivered"
    until(lambda: (box.work / "got").exists() and (box.work / "got").read_text() == text + "\n")


def test_what_nobody_reads_is_not_called_delivered(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    sent = box.json("send", made["id"], "hello", exit=6)
    assert sent["verdict"] == "unconfirmed" and "read" in sent["reason"]


def test_a_line_that_the_terminal_would_cut_is_not_sent(box: Box) -> None:
    made = box.json("spawn", "cat > got")
    sent = box.json("send", made["id"], "x" * 4096, exit=1)
    assert sent["verdict"] == "failed" and "4096 bytes" in sent["reason"]
    assert box.json("send", made["id"], "y" * 4095)["verdict"] == "delivered"
    box.json("send", made["id"], "--key", "Enter", "--key", "C-d")
    until(lambda: box.json("result", made["id"])["status"] == "done")
    assert (box.work / "got").read_text() == "y" * 4095 + "\n\n"


def test_all_of_them_and_the_worst_verdict_is_the_exit(box: Box) -> None:
    for _ in range(2):
        box.json("spawn", 'read -r line; test "$line" = go; sleep 1000')
    assert [each["verdict"] for each in box.json("send", "--all", "go")] == ["delivered", "delivered"]
    box.json("spawn", "sleep 1000")
    assert box.cli("send", "--all", "again", exit=6).stdout.count("unconfirmed") == 3


@pytest.mark.parametrize(
    ("words", "exit", "said"),
    [
        (("{id}",), 2, "one TEXT"),
        (("{id}", "a", "b"), 2, "quote it"),
        (("{id}", "  "), 2, "empty"),
        (("{id}", "a\x1b[201~b"), 2, "ESC"),
        (("{id}", "--key", "Hyper-q"), 2, "no key"),
        (("--all", "--key", "Enter", "text"), 2, "nothing beside"),
        (("nosuch", "text"), 4, "nosuch"),
    ],
)
def test_what_can_not_be_sent_is_refused_in_one_line(box: Box, words: tuple[str, ...], exit: int, said: str) -> None:
    id = box.json("spawn", "sleep 1000")["id"]
    done = box.cli("send", *(word.format(id=id) for word in words), exit=exit)
    assert said in done.stderr and not done.stdout


def test_one_that_ended_gets_nothing(box: Box) -> None:
    done = box.json("spawn", "true", "--wait")
    assert box.json("send", done["id"], "hello", exit=1)["reason"] == "it has ended: done"


@pytest.mark.parametrize("name", ["claude", "codex", "gemini", "opencode"])
@pytest.mark.parametrize("text", ["/x", "!x", "@x", "see @x", "x /y", "x\\", " x", "x ", "a\n@b"])
def test_peers_02_hazards_get_a_plain_line_around_them(name: str, text: str) -> None:
    input = registry.shipped()[name].input
    assert composer.safe(text, input).split("\n")[0] == composer.HEAD
    assert composer.safe("plain text, a/b and name.ext", input) == "plain text, a/b and name.ext"


def test_what_is_dim_was_typed_by_nobody() -> None:
    line = registry.shipped()["codex"].input["line"]
    empty = "\x1b[1m›\x1b[0m\x1b[39m \x1b[2mAsk Codex to do anything\n\x1b[0m\n  model · /w\n"
    assert composer.held(line, empty) == ""
    assert composer.held(line, empty.replace("\x1b[2mAsk Codex to do anything", "mine")) == "mine"
    assert composer.held(line, "no line at all\n") is None
