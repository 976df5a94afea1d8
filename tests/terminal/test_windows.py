"""Windows: opened all or none, nothing lost of what they print, hostile texts as they are, only ours ever touched."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from openclaw.errors import BadInput, NotFound, Unavailable
from openclaw.terminal.server import Server, Terminal
from openclaw.terminal.windows import Pane, capture, close, noticed, open_windows, session_name, set_tags, tags, view
from tests.conftest import Box, until
from tests.terminal.conftest import Make

HOSTILE = [
    "plain",
    "two  words",
    'it\'s "quoted"',
    "a;b ; kill-server ;",
    "$(touch PWNED) `touch PWNED` $HOME",
    "#{pid} #(touch PWNED) ##{pid} #[fg=red] ##[x",
    "back\\slash \\n",
    "%H %% %n",
    "{a,b} ~ *?[x]!",
    "日本語 🙂",
    "-t",
    "new\nline\n  # and\tmore",
    "raw \udcff byte",
]


def log(box: Box, id: str) -> str:
    """What is in a window's log by now."""
    path = box.root / "logs" / id
    return path.read_text() if path.exists() else ""


def shows(box: Box, id: str, lines: list[str]) -> bool:
    return log(box, id).splitlines() == lines


def ended(terminal: Terminal, *ids: str) -> dict[str, Pane]:
    """The panes once all of `ids` have ended."""

    def probe() -> dict[str, Pane]:
        panes = view(terminal).panes
        return panes if all(panes[id].dead for id in ids) else {}

    return until(probe)


def test_open_shows_tags_and_closes(box: Box, terminal: Terminal, make: Make) -> None:
    assert open_windows(terminal, []) == {}
    pane = open_windows(terminal, [make("abc", task="do it", name="n")])["abc"]
    seen = view(terminal)
    assert (seen.presence, seen.problem, seen.server) == ("present", "", terminal.ensure())
    assert seen.panes["abc"]._replace(activity=0) == pane._replace(activity=0)
    assert (pane.id, pane.session_name, pane.dead, pane.attached) == ("abc", "subagent-abc", False, 0)
    assert (pane.dead_status, pane.dead_signal, pane.server) == (None, None, seen.server)
    until(lambda: Path(f"/proc/{pane.pid}/cmdline").read_bytes() == b"sleep\x001000\0", what="no shell in between")
    assert os.readlink(f"/proc/{pane.pid}/cwd") == str(box.work)
    assert box.tmux("display-message", "-p", "-t", pane.pane_id, "#{window_width}x#{window_height}") == "200x50\n"
    assert tags(terminal) == {"abc": {"task": "do it", "name": "n"}}
    close(terminal, [(pane.server, pane.session_id)])
    assert view(terminal).panes == {} and view(terminal).presence == "present"
    until(lambda: not Path(f"/proc/{pane.pid}/fd").exists())
    assert tags(terminal) == {}


def test_how_a_command_ended(terminal: Terminal, make: Make) -> None:
    shot = make("shot", "sh", "-c", "kill -9 $$")
    open_windows(terminal, [make("ok", "true"), make("seven", "sh", "-c", "exit 7"), shot])
    panes = ended(terminal, "ok", "seven", "shot")
    # a tmux built with libutempter may miss the quickest exit: None then, and never a wrong number
    assert panes["ok"].dead_status in (0, None) and panes["seven"].dead_status in (7, None)
    assert panes["shot"].dead_status is None and panes["shot"].dead_signal in (signal.SIGKILL, None)
    panes = noticed(terminal, panes).panes
    assert (panes["ok"].dead_status, panes["seven"].dead_status) == (0, 7)
    assert panes["shot"].dead_signal == signal.SIGKILL


def test_a_command_that_lets_go_of_its_terminal_before_it_ends(terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("late", "bash", "-c", "trap '' HUP; exec <&- >&- 2>&-; sleep 0.5; exit 3")])
    assert ended(terminal, "late")["late"].unexplained
    assert noticed(terminal, ["late"]).panes["late"].dead_status == 3


def test_the_first_line_is_never_lost(box: Box, terminal: Terminal, make: Make) -> None:
    show = ("sh", "-c", 'echo "first $1"; exec sleep 1000', "sh")
    for i in range(20):
        open_windows(terminal, [make(f"one{i}", *show, str(i))])
    open_windows(terminal, [make(f"many{i}", *show, str(i)) for i in range(20)])
    for kind in ("one", "many"):
        for i in range(20):
            until(partial(shows, box, f"{kind}{i}", [f"first {i}"]))


def test_a_hundred_at_once(box: Box, terminal: Terminal, make: Make) -> None:
    windows = [make(f"w{i}", "sh", "-c", f"echo 'I am {i}'; exec sleep 1000", task=f"task {i}") for i in range(100)]
    panes = open_windows(terminal, windows)
    assert list(panes) == [window.id for window in windows]
    assert len({pane.pane_id for pane in panes.values()}) == 100
    for i in range(100):
        until(partial(shows, box, f"w{i}", [f"I am {i}"]))
    assert tags(terminal) == {f"w{i}": {"task": f"task {i}"} for i in range(100)}
    assert set(view(terminal).panes) == set(panes)
    close(terminal, [(pane.server, pane.session_id) for pane in panes.values()])
    assert view(terminal).panes == {}


def test_what_is_written_is_in_the_log_at_once(box: Box, terminal: Terminal, make: Make) -> None:
    """`logs -f` reads it while the command runs: no block of 4 KB may be waited for."""
    script = "echo one; until test -e go; do sleep 0.02; done; echo two; exec sleep 1000"
    open_windows(terminal, [make("a", "sh", "-c", script)])
    until(partial(shows, box, "a", ["one"]))
    box.write("go", "")
    until(partial(shows, box, "a", ["one", "two"]))
    assert (box.root / "logs" / "a").stat().st_mode & 0o777 == 0o600


def test_the_log_is_limited_and_the_command_goes_on(box: Box, terminal: Terminal, make: Make) -> None:
    line = "x" * 99
    open_windows(terminal, [make("a", "sh", "-c", f"yes {line} | head -n 20000; touch finished", log_bytes=100_000)])
    until((box.work / "finished").exists)
    until(lambda: (box.root / "logs" / "a").stat().st_size == 100_000 // 512 * 512)
    assert list(view(terminal).panes) == ["a"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_texts_everywhere(box: Box, terminal: Terminal, make: Make, text: str) -> None:
    Path("/PWNED").unlink(missing_ok=True)  # the server's own folder: of an earlier failure
    folder = box.work / text
    folder.mkdir(parents=True, exist_ok=True)
    logs = box.root / "logs" / text
    logs.mkdir(parents=True, exist_ok=True)
    window = make("a", "pwd", text, title=text, cwd=str(folder), log=str(logs / text), task=text, name=text)
    window = window._replace(argv=("sh", "-c", 'printf %s "$1" >arg; pwd -P; exec sleep 1000', "sh", text))
    (logs / text).parent.mkdir(parents=True, exist_ok=True)
    server = open_windows(terminal, [window])["a"].server
    until(lambda: (logs / text).exists() and (logs / text).read_bytes().endswith(b"\n"))
    printed = (logs / text).read_bytes().replace(b"\r\n", b"\n")
    assert printed == os.fsencode(folder) + b"\n"
    assert (folder / "arg").read_bytes() == os.fsencode(text)
    if "\udcff" not in text:  # replies are text: a broken byte is shown as U+FFFD
        assert tags(terminal)["a"] == {"task": text, "name": text}
    set_tags(terminal, {"a": {"task": "now " + text}})
    assert list(view(terminal).panes) == ["a"] and terminal.ensure() == server
    for row in box.tmux("list-windows", "-a", "-F", "#{T:status-left}#{T:set-titles-string}").splitlines():
        assert row.replace("#[", "").isprintable()
    assert not list(box.root.rglob("PWNED")), "something in a text was run"
    assert not Path("/PWNED").exists()


def test_a_long_text_arrives_whole(box: Box, terminal: Terminal, make: Make) -> None:
    text = "é#{pid}'" * 5000
    windows = [make("a", "sh", "-c", 'printf %s "$1" >arg', "sh", text, title=text, name=text, task=text)]
    open_windows(terminal, windows)
    until(lambda: (box.work / "arg").exists() and (box.work / "arg").read_text() == text)
    assert tags(terminal)["a"] == {"task": text, "name": text}
    assert len(box.tmux("display-message", "-p", "-t", "=subagent-a:", "#{window_name}")) == 81


def test_a_single_word_is_a_program_and_no_shell_line(box: Box, terminal: Terminal, make: Make) -> None:
    script = box.write("my program; touch PWNED", "#!/bin/sh\ntouch ran\nexec sleep 1000\n")
    script.chmod(0o755)
    open_windows(terminal, [make("a", str(script))])
    until((box.work / "ran").exists)
    assert not list(box.root.rglob("PWNED"))


@pytest.mark.parametrize("id", ["", "a.b", "a:b", "#{pid}", "=a", "-a", "a b", "a\n", "é", "x" * 65, "$1", "a*"])
def test_an_id_tmux_would_change_is_refused(terminal: Terminal, make: Make, id: str) -> None:
    with pytest.raises(BadInput):
        session_name(id)
    with pytest.raises(BadInput):
        open_windows(terminal, [make("good"), make("x")._replace(id=id)])
    assert view(terminal).presence == "absent", "nothing was started"


def test_what_cannot_be_opened_starts_nothing(box: Box, terminal: Terminal, make: Make) -> None:
    good = make("good")
    for bad in (
        good._replace(cwd=str(box.work / "missing")),
        good._replace(log=str(box.root / "missing" / "log")),
        good._replace(argv=()),
        good._replace(tags={"Bad Key": "x"}),
        good._replace(tags={"session": "other"}),
        good._replace(tags={"task": "nul\0"}),
        good._replace(argv=("echo", "nul\0")),
        good._replace(tags={"task": "\ud800"}),
    ):
        with pytest.raises(BadInput):
            open_windows(terminal, [good, bad._replace(id="bad")])
    assert view(terminal).presence == "absent"


def test_all_or_none_and_the_one_that_was_there_stays(box: Box, terminal: Terminal, make: Make) -> None:
    there = open_windows(terminal, [make("there", task="mine")])["there"]
    with pytest.raises(Unavailable) as caught:
        open_windows(terminal, [make("a"), make("there", task="other"), make("b")])
    assert caught.value.code == "tmux_failed" and "duplicate session" in caught.value.message
    assert "there" in caught.value.message
    assert view(terminal).panes == {"there": view(terminal).panes["there"]}
    assert view(terminal).panes["there"].pid == there.pid
    assert tags(terminal) == {"there": {"task": "mine"}}


def test_a_session_of_that_name_that_is_not_ours_is_not_touched(box: Box, terminal: Terminal, make: Make) -> None:
    terminal.ensure()
    box.tmux("new-session", "-d", "-s", "subagent-x", "sleep 1000")
    with pytest.raises(Unavailable, match="duplicate"):
        open_windows(terminal, [make("x", task="t")])
    assert box.tmux("show-options", "-t", "=subagent-x:") == ""
    assert view(terminal).panes == {}


def test_peers_10_only_what_carries_our_tag_is_listed_or_closed(box: Box, terminal: Terminal, make: Make) -> None:
    pane = open_windows(terminal, [make("mine")])["mine"]
    box.tmux("new-session", "-d", "-s", "theirs", "sleep 1000")
    box.tmux("new-session", "-d", "-s", "subagent-lookalike", "sleep 1000")
    box.tmux("new-session", "-d", "-s", "odd name", "sleep 1000")
    box.tmux("set-option", "-p", "-t", "=odd name:", "@openclaw_id", "two words \n x")
    assert list(view(terminal).panes) == ["mine"] and list(tags(terminal)) == ["mine"]
    foreign = box.tmux("display-message", "-p", "-t", "=theirs:", "#{session_id}").strip()
    close(terminal, [(pane.server, foreign), (pane.server, "subagent-lookalike"), (pane.server, "subagent-mine")])
    set_tags(terminal, {"lookalike": {"state": "done"}})
    left = box.tmux("list-sessions", "-F", "#{session_name}|#{@openclaw_state}").split("\n")
    assert left == ["odd name|", "subagent-lookalike|", "theirs|", ""]
    with pytest.raises(BadInput):
        close(terminal, [(pane.server, "theirs")])


def test_a_name_that_begins_like_another_is_another(terminal: Terminal, make: Make) -> None:
    pane = open_windows(terminal, [make("abc"), make("abcd")])["abc"]
    close(terminal, [(pane.server, "subagent-ab"), (pane.server, "$99")])
    set_tags(terminal, {"ab": {"state": "x"}})
    assert set(view(terminal).panes) == {"abc", "abcd"} and tags(terminal) == {"abc": {}, "abcd": {}}
    close(terminal, [(pane.server, "subagent-ab"), (pane.server, "subagent-abc")])
    assert set(view(terminal).panes) == {"abcd"}
    close(terminal, [(pane.server, "subagent-ab")])  # tmux takes a beginning that fits only one
    set_tags(terminal, {"ab": {"state": "x"}})
    assert set(view(terminal).panes) == {"abcd"} and tags(terminal) == {"abcd": {}}


def test_another_life_of_the_server_is_not_touched(terminal: Terminal, make: Make) -> None:
    pane = open_windows(terminal, [make("a")])["a"]
    close(terminal, [(Server(pane.server.pid, 1), "$0"), (Server(1, pane.server.started), "subagent-a")])
    assert list(view(terminal).panes) == ["a"]


def test_closing_and_tagging_without_a_server_is_fine(box: Box, terminal: Terminal) -> None:
    close(terminal, [(Server(1, 1), "$0")])
    close(terminal, [])
    set_tags(terminal, {"a": {"state": "done"}})
    assert tags(terminal) == {} and not box.socket.parent.exists()


def test_a_pane_split_off_by_a_person_is_not_the_agents(box: Box, terminal: Terminal, make: Make) -> None:
    pane = open_windows(terminal, [make("a", task="t")])["a"]
    box.tmux("split-window", "-t", "=subagent-a:", "sleep 1000")
    box.tmux("new-window", "-t", "=subagent-a:", "sleep 1000")
    box.tmux("rename-session", "-t", "=subagent-a", "a new name")
    assert view(terminal).panes["a"].pane_id == pane.pane_id
    assert view(terminal).panes["a"].session_name == "a new name"
    assert tags(terminal) == {"a": {"task": "t"}}
    close(terminal, [(pane.server, pane.session_id)])
    assert view(terminal).panes == {}


def test_tags_change(terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a", state="working"), make("b", state="working")])
    set_tags(terminal, {"a": {"state": "done", "cost": "1"}, "b": {"state": "failed"}, "gone": {"state": "done"}})
    assert tags(terminal) == {"a": {"state": "done", "cost": "1"}, "b": {"state": "failed"}}


def test_capture_joins_wrapped_lines_and_cuts_blanks(terminal: Terminal, make: Make) -> None:
    script = "printf '%0300d\\n' 7; printf 'x   \\n\\033[31mred\\033[0m\\n'; echo end; exec sleep 1000"
    pane = open_windows(terminal, [make("a", "sh", "-c", script)])["a"]
    until(lambda: capture(terminal, pane.pane_id).endswith("end\n"))
    assert capture(terminal, pane.pane_id) == "0" * 299 + "7\nx\nred\nend\n"
    assert "\x1b[31mred" in capture(terminal, pane.pane_id, ansi=True)


def test_capture_goes_as_far_back_as_asked(terminal: Terminal, make: Make) -> None:
    pane = open_windows(terminal, [make("a", "sh", "-c", "seq 1000; exec sleep 1000")])["a"]
    until(lambda: capture(terminal, pane.pane_id).endswith("1000\n"))
    everything = capture(terminal, pane.pane_id, lines=None).split()
    assert everything == [str(i) for i in range(1, 1001)]
    assert len(capture(terminal, pane.pane_id).split()) == 49
    assert len(capture(terminal, pane.pane_id, lines=100).split()) == 149


def test_the_output_of_an_ended_command_stays_as_it_was(terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a", "sh", "-c", "echo last words; sleep 0.1")])
    pane = ended(terminal, "a")["a"]
    until(lambda: capture(terminal, pane.pane_id, lines=None) == "last words\n")


def test_capture_of_what_is_gone(terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a")])
    with pytest.raises(NotFound):
        capture(terminal, "%99")
    terminal.run("kill-server")
    until(lambda: view(terminal).presence == "absent")
    with pytest.raises(NotFound):
        capture(terminal, "%0")
