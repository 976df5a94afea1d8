"""What a person sees: one sub-agent or a wall of them, from anywhere, and nothing of it disturbs the sub-agents."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator

import pytest

from openclaw.errors import BadInput, Unavailable
from openclaw.terminal.attach import attach_argv, is_inside
from openclaw.terminal.server import Terminal
from openclaw.terminal.windows import capture, close, open_windows, set_tags, tags, view
from tests.conftest import Box, until
from tests.terminal.conftest import Make


class Person:
    """A terminal of 160x45 that a person sits at: a tmux of its own that shows what ours draws."""

    def __init__(self, box: Box) -> None:
        self.box, self.socket = box, str(box.root / "person")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "45", "exec sh")
        self.tmux("set-option", "-g", "status", "off")

    def tmux(self, *args: str) -> str:
        argv = ["tmux", "-u", "-S", self.socket, *args]
        return subprocess.run(argv, env=self.box.env, capture_output=True, text=True, check=True, timeout=20).stdout

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def execute(self, argv: list[str]) -> None:
        self.box.tmux("set-option", "-g", "assume-paste-time", "0")  # we type faster than people: no paste
        self.type("-l", "clear; " + shlex.join(argv) + "; echo LE''FT")
        self.type("Enter")

    def screen(self, ansi: bool = False) -> str:
        return self.tmux("capture-pane", "-p", *(["-e"] if ansi else []))

    def sees(self, *texts: str) -> str:
        def probe() -> bool:
            return all(text in self.screen() for text in texts)

        until(probe, what=f"{texts} on the screen")
        return self.screen()


@pytest.fixture
def person(box: Box) -> Iterator[Person]:
    sitting = Person(box)
    try:
        yield sitting
    finally:
        subprocess.run(["tmux", "-S", sitting.socket, "kill-server"], capture_output=True, timeout=20, check=False)


def sizes(box: Box) -> set[str]:
    return set(box.tmux("list-windows", "-a", "-F", "#{window_width}x#{window_height}").split())


def widths(box: Box) -> list[int]:
    """Of the tiles of the one view there is."""
    rows = box.tmux("list-panes", "-a", "-F", "#{session_name} #{pane_width}").splitlines()
    return [int(row.split()[1]) for row in rows if row.startswith("view-")]


def sessions(box: Box) -> set[str]:
    return set(box.tmux("list-sessions", "-F", "#{session_name}").split())


def four(terminal: Terminal, make: Make) -> list[str]:
    show = ("sh", "-c", 'echo "$1 at work"; exec sleep 1000', "sh")
    ids = ["k3f9a2", "p8d1c0", "w2x7e5", "z0b4h8"]
    windows = [make(id, *show, id, title=f"name-{id}", task=f"task #[x] of {id}", state="working") for id in ids]
    open_windows(terminal, windows)
    return [f"subagent-{id}" for id in ids]


def test_the_status_line_says_who_and_what(box: Box, terminal: Terminal, make: Make, person: Person) -> None:
    task = f"Fix #{{pid}} #[fg=red]x\n#(touch {box.root}/PWNED)"
    open_windows(terminal, [make("k3f9a2", name="parser", agent="claude", state="working", task=task)])
    person.execute(attach_argv(terminal, ["subagent-k3f9a2"], False, False))
    person.sees(" working  k3f9a2  parser claude  Fix #{pid} #[fg=red]x #(touch", "C-b d leaves")
    set_tags(terminal, {"k3f9a2": {"state": "waiting", "task": "another task"}})
    person.sees(" waiting  k3f9a2  parser claude  another task")
    person.type("C-b", "d")
    person.sees("LEFT")
    assert not (box.root / "PWNED").exists()


def test_an_ended_command_shows_how_it_ended(terminal: Terminal, make: Make, person: Person) -> None:
    open_windows(terminal, [make("a", "sh", "-c", "echo last words; sleep 0.1; exit 3", state="working")])
    person.execute(attach_argv(terminal, ["subagent-a"], False, False))
    person.sees("last words", "openclaw logs a")
    terminal.run("run-shell", "true")  # a tmux built with libutempter may have missed the exit: now it has to look
    person.sees(" exit 3 ")
    set_tags(terminal, {"a": {"state": "timeout"}})
    person.sees(" timeout ")


def test_a_window_gets_its_size_back_when_nobody_looks(
    box: Box, terminal: Terminal, make: Make, person: Person
) -> None:
    names = four(terminal, make)
    for argv in (attach_argv(terminal, names[:1], False, False), attach_argv(terminal, names, False, False)):
        assert sizes(box) == {"200x50"}
        person.execute(argv)
        person.sees("C-b d leaves", "at work")
        until(lambda: sizes(box) != {"200x50"})
        person.type("C-b", "d")
        person.sees("LEFT")
        until(lambda: sizes(box) == {"200x50"})
    assert box.tmux("show-options", "-w", "-t", "=subagent-k3f9a2:", "window-size") == ""


@pytest.mark.parametrize("read_only", [False, True])
def test_several_as_tiles(box: Box, terminal: Terminal, make: Make, person: Person, read_only: bool) -> None:
    names = four(terminal, make)
    before = view(terminal)
    person.execute(attach_argv(terminal, names, read_only, False))
    for name in names:
        id = name.removeprefix("subagent-")
        person.sees(f"{id}  name-{id}  task #[x] of {id}", f"{id} at work")
    person.sees("4 sub-agents")
    assert len(sessions(box)) == 5
    seen = view(terminal)
    assert set(seen.panes) == set(before.panes) and all(pane.attached == 1 for pane in seen.panes.values())
    person.type("hello")
    if not read_only:
        person.sees("hello")
    typed = capture(terminal, seen.panes["k3f9a2"].pane_id)
    assert ("hello" in typed) == (not read_only)
    close(terminal, [(seen.panes["k3f9a2"].server, names[0])])
    person.sees("3 sub-agents")
    until(lambda: sorted(widths(box)) == [79, 80, 160], what="the tiles share the room again")
    person.type("C-b", "d")
    person.sees("LEFT")
    until(lambda: sessions(box) == set(names[1:]))
    left = view(terminal).panes
    assert [pane.pid for pane in left.values()] == [before.panes[id].pid for id in left], "the others never noticed"


def test_nine_fit_and_each_has_its_tile(terminal: Terminal, make: Make, person: Person) -> None:
    ids = [f"agent{i}" for i in range(9)]
    open_windows(terminal, [make(id, "sh", "-c", f"echo {id} at work; exec sleep 1000", task="t") for id in ids])
    person.execute(attach_argv(terminal, [f"subagent-{id}" for id in ids], True, False))
    person.sees("9 sub-agents", *(f"{id} at work" for id in ids))


def test_a_view_ends_with_its_last_tile(box: Box, terminal: Terminal, make: Make, person: Person) -> None:
    names = four(terminal, make)
    server = terminal.ensure()
    person.execute(attach_argv(terminal, names, False, False))
    person.sees("4 sub-agents")
    close(terminal, [(server, name) for name in names])
    person.sees("LEFT")
    assert view(terminal).presence == "present" and view(terminal).panes == {}


def test_closing_what_a_person_looks_at_does_not_kill_the_server(
    box: Box, terminal: Terminal, make: Make, person: Person
) -> None:
    """With focus-events on, tmux crashed in a third of these rounds and took every sub-agent with it."""
    server = terminal.ensure()
    for round in range(8):
        names = four(terminal, make)
        person.execute(attach_argv(terminal, names, False, False))
        person.sees("4 sub-agents")
        close(terminal, [(server, name) for name in names])
        person.sees("LEFT")
        assert terminal.running() == server, f"gone in round {round}"


def test_a_view_ends_when_the_terminal_of_its_person_is_killed(
    box: Box, terminal: Terminal, make: Make, person: Person
) -> None:
    names = four(terminal, make)
    person.execute(attach_argv(terminal, names, False, False))
    person.sees("4 sub-agents")
    os.kill(int(person.tmux("display-message", "-p", "#{pid}")), signal.SIGKILL)
    until(lambda: sessions(box) == set(names))


def test_a_view_is_no_sub_agent(terminal: Terminal, make: Make, person: Person) -> None:
    names = four(terminal, make)
    person.execute(attach_argv(terminal, names[:2], False, False))
    person.sees("2 sub-agents")
    assert len(view(terminal).panes) == 4 and len(tags(terminal)) == 4


def test_read_only_takes_no_keys(terminal: Terminal, make: Make, person: Person) -> None:
    open_windows(terminal, [make("a", "cat")])
    person.execute(attach_argv(terminal, ["subagent-a"], True, False))
    person.sees("C-b d leaves")
    person.type("typed")
    person.type("C-b", "d")
    assert "typed" not in person.sees("LEFT")
    person.execute(attach_argv(terminal, ["subagent-a"], False, False))
    person.sees("C-b d leaves")
    assert "typed" not in person.screen()


def test_from_inside_the_same_server(box: Box, terminal: Terminal, make: Make, person: Person) -> None:
    """The client moves to the other session, or to a view; it is not nested into itself."""
    open_windows(terminal, [make("mine", "sh"), make("other", "sh", "-c", "echo over here; exec sleep 1000")])
    person.execute(attach_argv(terminal, ["subagent-mine"], False, False))
    person.sees(" mine ")
    person.execute(attach_argv(terminal, ["subagent-other"], False, True))
    person.sees(" other ", "over here")
    person.type("C-b", "L")
    person.sees(" mine ", "LEFT")
    person.execute(attach_argv(terminal, ["subagent-other"], True, True))
    person.sees("1 sub-agents", "over here")
    person.type("C-b", "L")
    person.sees(" mine ")
    until(lambda: sessions(box) == {"subagent-mine", "subagent-other"})


def test_a_terminal_that_has_the_number_of_an_ended_one(box: Box, terminal: Terminal, make: Make) -> None:
    """tmux takes it for the window of the ended sub-agent, and refuses to nest, unless TMUX is empty."""
    open_windows(terminal, [make("live", "sh", "-c", "echo still here; exec sleep 1000")])
    open_windows(terminal, [make(f"ended{i}", "true") for i in range(10)])
    until(lambda: sum(pane.dead for pane in view(terminal).panes.values()) == 10)
    newcomer = Person(box)
    try:
        newcomer.execute(attach_argv(terminal, ["subagent-live"], False, False))
        newcomer.sees("still here")
    finally:
        newcomer.tmux("kill-server")


def test_who_is_inside(box: Box, terminal: Terminal) -> None:
    assert is_inside(terminal, {"TMUX": f"{terminal.socket},123,0"})
    assert not is_inside(terminal, {"TMUX": "/tmp/tmux-0/default,123,0"})
    assert not is_inside(terminal, {}) and not is_inside(terminal, {"TMUX": ""})
    comma = Terminal(str(box.root / "a,b"))
    assert is_inside(comma, {"TMUX": f"{comma.socket},123,0"})


def test_attaching_to_a_dead_server_does_not_start_one(box: Box, terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a")])
    argv = attach_argv(terminal, ["subagent-a"], False, False)
    terminal.run("kill-server")
    until(lambda: view(terminal).presence == "absent")
    for names in (["subagent-a"], ["subagent-a", "subagent-b"]):
        argv = attach_argv(terminal, names, False, False)
        done = subprocess.run(argv, env=os.environ | box.env, capture_output=True, text=True, timeout=20)
        assert done.returncode and re.search("no server|error connecting", done.stderr)
    assert view(terminal).presence == "absent"


def test_attach_needs_a_name_and_a_safe_folder(terminal: Terminal) -> None:
    with pytest.raises(BadInput):
        attach_argv(terminal, [], False, False)
    with pytest.raises(Unavailable):
        attach_argv(terminal, ["subagent-a"], False, False)
