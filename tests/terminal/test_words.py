"""Any text survives the way into tmux unchanged, and nothing in it is expanded or run."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openclaw.errors import BadInput
from openclaw.terminal.process import is_server
from openclaw.terminal.server import Terminal
from openclaw.terminal.words import command, literal, one_line, quote
from tests.conftest import Box, until

HOSTILE = [
    "",
    "-t",
    ";",
    "a ; kill-server",
    "~/x",
    "}{",
    "%if 1",
    "#comment",
    "#{pid}",
    "##{pid}",
    "#[fg=red]x#[default]",
    "##[x",
    "#(touch PWNED)",
    "$(touch PWNED) `touch PWNED` $HOME ${HOME}",
    "'\"\\",
    "back\\slash\\n\\u0041\\101",
    "line one\n  # two\n\tthree\r\n",
    "\x01\x07\x1b[31m\x7f",
    "日本語 é 🙂 \u202e \x9b",
    "%H:%M %%",
    "\udcff raw byte",
]
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200) | st.text(
    "\\\"'$~#{}[]();%,: \n\t\r=-*?!&|<>@aeénx017\x1b\x7f", max_size=60
)


@pytest.fixture(scope="module")
def server() -> Iterator[Terminal]:
    """One server for all examples of this module."""
    with tempfile.TemporaryDirectory(prefix="oc-", dir="/tmp") as root:
        terminal = Terminal(f"{root}/sock/s")
        pid = terminal.ensure().pid
        try:
            yield terminal
        finally:
            terminal.run("kill-server")
            until(lambda: not os.path.exists(f"/proc/{pid}") or not is_server(pid, terminal.socket))


def raw(terminal: Terminal, script: str) -> str:
    """What tmux prints, undamaged: `Terminal.run` replaces bytes that are no UTF-8."""
    argv = [terminal.tmux, "-u", "-S", terminal.socket, "-N", "source-file", "-"]
    done = subprocess.run(argv, input=script.encode(), capture_output=True, check=True, timeout=20)
    return done.stdout.decode(errors="surrogateescape")


@settings(max_examples=150, deadline=None)
@given(texts)
@example("x" * 200_000)
def test_any_text_round_trips_through_an_option(server: Terminal, text: str) -> None:
    script = command("set-option", "-g", "--", "@x", text) + " ; " + command("show-options", "-gv", "@x") + "\n"
    assert raw(server, script) == text + "\n"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_round_trip(server: Terminal, text: str) -> None:
    script = command("set-option", "-g", "--", "@x", text) + " ; " + command("show-options", "-gv", "@x") + "\n"
    assert raw(server, script) == text + "\n"


@settings(max_examples=150, deadline=None)
@given(texts)
@example("#[fg=red]##[x]#{pid}#(ls)#")
def test_any_text_round_trips_through_a_format(server: Terminal, text: str) -> None:
    script = command("display-message", "-p", "--", literal(text).replace("%", "%%")) + "\n"
    assert raw(server, script) == text + "\n"


def test_a_refused_text_says_why() -> None:
    for text in ("nul\0", "half a pair \ud800"):
        with pytest.raises(BadInput):
            quote(text)


def test_one_line_has_nothing_a_terminal_obeys() -> None:
    assert one_line("a\n\tb\x1b]0;x\x07 \x9b31m\u202ec  d") == "a b ]0;x 31m c d"
    assert one_line("é" * 5000, 50) == "é" * 49 + "…"


def test_a_value_is_not_expanded_when_it_is_shown(box: Box, server: Terminal) -> None:
    """What `tmux.conf` relies on: formats insert an option's text, they don't expand it again."""
    text = f"#{{pid}} #(touch {box.root}/PWNED) #[fg=red] %H"
    script = command("set-option", "-g", "@x", text) + " ; " + command("display-message", "-p", "#{@x}") + "\n"
    assert raw(server, script) == text + "\n"
    assert not (box.root / "PWNED").exists()
