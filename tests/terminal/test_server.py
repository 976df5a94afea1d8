"""The server: one, clean, found again when its socket is gone, and never able to hang us."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import IO

import pytest

from openclaw.errors import BadInput, Unavailable
from openclaw.settings import Settings
from openclaw.terminal.process import is_server
from openclaw.terminal.server import KEPT, Server, Terminal
from openclaw.terminal.windows import close, open_windows, view
from tests.conftest import Box, until
from tests.terminal.conftest import Make

ENSURE = "import sys; from openclaw.terminal.server import Terminal; print(*Terminal(sys.argv[1]).ensure())"


def servers(box: Box) -> list[int]:
    """The tmux servers, without what one has forked and not yet made into a command."""
    parents: dict[int, int] = {}
    for pid in box.processes():
        try:
            words = Path(f"/proc/{pid}/stat").read_text()
        except OSError:
            continue
        if "(tmux: server)" in words:
            parents[pid] = int(words.rpartition(")")[2].split()[1])
    return [pid for pid, parent in parents.items() if parent not in parents]


def unread(pipe: IO[bytes] | None) -> int:
    """Bytes in a pipe that its reader has not taken yet."""
    assert pipe
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def die(server: Server) -> None:
    os.kill(server.pid, signal.SIGKILL)
    until(lambda: not Path(f"/proc/{server.pid}/fd").exists() or not os.listdir(f"/proc/{server.pid}/fd"))


def test_settings_reach_the_terminal(box: Box) -> None:
    environ = box.env | {"OPENCLAW_TMUX_SIZE": "120x40", "OPENCLAW_TMUX_TIMEOUT": "3s"}
    terminal = Terminal.from_settings(Settings(environ, cwd=str(box.work)))
    assert (terminal.socket, terminal.timeout) == (str(box.socket), 3.0)
    assert (terminal.columns, terminal.rows) == (120, 40)


@pytest.mark.parametrize("size", ["", "200", "200x", "x50", "-1x50", "200x50x2", "9x9", "99999x50", "²00x50", "#{pid}"])
def test_a_size_that_is_none(size: str) -> None:
    with pytest.raises(BadInput, match=r"tmux\.size"):
        Terminal("/tmp/x/s", size=size)


def test_ensure_starts_one_and_finds_it_again(box: Box, terminal: Terminal) -> None:
    assert terminal.running() is None
    server = terminal.ensure()
    assert terminal.ensure() == server == terminal.running()
    assert servers(box) == [server.pid]
    assert os.readlink(f"/proc/{server.pid}/cwd") == "/"


def test_sixteen_at_once_start_one_server(box: Box, terminal: Terminal) -> None:
    env = box.env | {"PYTHONPATH": str(Path(__file__).parents[2])}
    argv = [sys.executable, "-c", ENSURE, terminal.socket]
    racers = [subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, text=True) for _ in range(16)]
    assert len({racer.communicate(timeout=60)[0] for racer in racers}) == 1
    assert [racer.returncode for racer in racers] == [0] * 16
    assert len(servers(box)) == 1


def test_nothing_secret_reaches_the_server_or_a_later_window(
    box: Box, terminal: Terminal, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("MY_API_KEY", "CLAUDECODE", "CLAUDE_TOKEN", "SSH_AUTH_SOCK", "DISPLAY"):
        monkeypatch.setenv(name, "s3cret")
    monkeypatch.setenv("TMUX", "/tmp/other/tmux,1,0")
    monkeypatch.setenv("LC_TIME", "C")
    server = terminal.ensure()
    later = box.root / "logs" / "later"
    pane = open_windows(terminal, [make("later", "sh", "-c", "env; exec sleep 1000")])["later"]
    until(lambda: os.path.exists(later) and "TMUX_PANE" in later.read_text())
    seen = [
        box.tmux("show-environment", "-g"),
        box.tmux("show-environment", "-t", "=subagent-later:"),
        later.read_text(),
        Path(f"/proc/{server.pid}/environ").read_text(),
        Path(f"/proc/{pane.pid}/environ").read_text(),
    ]
    assert not any("s3cret" in text or "/tmp/other" in text for text in seen)
    names = {entry.partition("=")[0] for entry in seen[3].split("\0") if entry}
    assert {"PATH", "HOME", "LC_TIME"} <= names
    assert all(name in KEPT or name.startswith("LC_") for name in names)


def test_attaching_brings_no_environment_into_a_session(box: Box, terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a")])
    outer = ["tmux", "-f", "/dev/null", "-S", str(box.root / "outer")]
    inner = f"SSH_AUTH_SOCK=s3cret TMUX= tmux -N -S {box.socket} attach -t =subagent-a"
    subprocess.run([*outer, "new-session", "-d", inner], env=box.env, check=True, timeout=20)
    try:
        until(lambda: view(terminal).panes["a"].attached == 1)
        assert "s3cret" not in box.tmux("show-environment", "-t", "=subagent-a:")
    finally:
        subprocess.run([*outer, "kill-server"], env=box.env, check=True, timeout=20)


def test_our_configuration_then_the_users(box: Box, terminal: Terminal, make: Make) -> None:
    config = box.write("a folder/my ; own.conf", "set -g status-left mine\nset -g @own yes\nset -g no-such-option x\n")
    open_windows(Terminal(terminal.socket, config=str(config)), [make("a")])
    assert box.tmux("show-options", "-gv", "history-limit") == "50000\n"
    assert box.tmux("show-options", "-gv", "status-left") == "mine\n"
    assert box.tmux("show-options", "-gv", "@own") == "yes\n"
    with pytest.raises(BadInput, match="missing"):
        Terminal(terminal.socket, config="/tmp/missing").ensure()


def test_our_configuration_has_no_errors(box: Box, terminal: Terminal) -> None:
    terminal.ensure()
    conf = str(Path(__file__).parents[2] / "openclaw" / "terminal" / "tmux.conf")
    assert terminal.run("source-file", conf) == (0, "", "")
    # what can crash the server stays off: tmux#5022, tmux#5497
    assert box.tmux("show-options", "-sv", "focus-events") == "off\n"
    assert box.tmux("show-options", "-gv", "destroy-unattached") == "off\n"


def test_a_hung_server_is_unknown_and_hangs_nobody(terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a")])
    server = terminal.ensure()
    quick = Terminal(terminal.socket, timeout=0.5)
    os.kill(server.pid, signal.SIGSTOP)
    try:
        seen = view(quick)
        assert (seen.presence, seen.panes) == ("unknown", {}) and "did not answer" in seen.problem
        for call in (quick.ensure, quick.running, lambda: close(quick, [(server, "$0")])):
            with pytest.raises(Unavailable) as caught:
                call()
            assert caught.value.code == "tmux_timeout" and caught.value.exit_status == 5
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert list(view(terminal).panes) == ["a"]


def test_peers_08_a_hiccup_is_not_all_dead(box: Box, make: Make) -> None:
    terminal = Terminal(str(box.socket))
    open_windows(terminal, [make("a")])
    broken = box.write("bin/tmux", "#!/bin/sh\necho 'out of memory' >&2\nexit 1\n")
    broken.chmod(0o755)
    assert view(Terminal(str(box.socket), tmux=str(broken))).presence == "unknown"
    broken.write_text("#!/bin/sh\nexit 0\n")
    assert view(Terminal(str(box.socket), tmux=str(broken))).presence == "unknown"
    assert view(Terminal(str(box.socket), tmux="/no/such/tmux")).presence == "unknown"


def test_peers_21_unreadable_is_not_dead(terminal: Terminal, make: Make) -> None:
    open_windows(terminal, [make("a")])
    os.chmod(terminal.socket, 0o000)
    presence = view(terminal).presence
    assert presence in ("present", "unknown")  # root may still connect


def test_no_tmux_says_how_to_get_it(box: Box) -> None:
    with pytest.raises(Unavailable) as caught:
        Terminal(str(box.socket), tmux="/no/such/tmux").ensure()
    assert caught.value.code == "no_tmux" and "install tmux" in caught.value.hint


def test_a_killed_server_is_absent_and_the_next_start_works(box: Box, terminal: Terminal, make: Make) -> None:
    before = open_windows(terminal, [make("a")])["a"]
    die(before.server)
    assert box.socket.exists(), "the stale socket is what this is about"
    assert view(terminal, known=before.server).presence == "absent"
    assert terminal.running() is None
    after = open_windows(terminal, [make("a"), make("b")], known=before.server)
    assert after["a"].server != before.server
    assert (after["a"].session_id, after["a"].pane_id) == (before.session_id, before.pane_id), "ids start again"
    close(terminal, [(before.server, before.session_id)])
    assert set(view(terminal).panes) == {"a", "b"}, "the id of another life names nobody in this one"


def test_absent_without_folder_or_socket_and_view_starts_nothing(box: Box, terminal: Terminal) -> None:
    assert view(terminal) == ("absent", None, {}, "")
    assert not box.socket.parent.exists()
    box.socket.parent.mkdir(mode=0o700)
    assert view(terminal) == ("absent", None, {}, "")
    terminal.run("new-session", "-d")
    assert list(box.socket.parent.iterdir()) == [] and servers(box) == []


@pytest.mark.parametrize("gone", ["socket", "folder"])
@pytest.mark.parametrize("way", ["view", "ensure", "open"])
def test_a_deleted_socket_is_made_again_by_its_server(
    box: Box, terminal: Terminal, make: Make, gone: str, way: str
) -> None:
    server = open_windows(terminal, [make("a")])["a"].server
    for path in box.socket.parent.iterdir():
        path.unlink()
    if gone == "folder":
        box.socket.parent.rmdir()
    if way == "view":
        assert set(view(terminal, known=server).panes) == {"a"}
    elif way == "ensure":
        assert terminal.ensure(known=server) == server
    else:
        open_windows(terminal, [make("b")], known=server)
        assert set(view(terminal).panes) == {"a", "b"}
    assert servers(box) == [server.pid]


def test_only_our_own_server_is_signalled(box: Box, terminal: Terminal, make: Make) -> None:
    """The number of a dead server may belong to any program by now, also to the server of another socket."""
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)", terminal.socket])
    other = Terminal(str(box.root / "other" / "shared.sock"))
    try:
        for known in (Server(bystander.pid, 1), other.ensure()):
            assert not terminal.revive(known)
            assert view(terminal, known=known).presence == "absent"
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        other.run("kill-server")


def test_a_hung_server_without_socket_gets_no_rival(box: Box, terminal: Terminal) -> None:
    server = terminal.ensure()
    os.kill(server.pid, signal.SIGSTOP)
    box.socket.unlink()
    quick = Terminal(terminal.socket, timeout=0.3)
    try:
        with pytest.raises(Unavailable):
            quick.ensure(known=server)
        assert view(quick, known=server).presence == "unknown"
        assert servers(box) == [server.pid]
    finally:
        os.kill(server.pid, signal.SIGCONT)
        until(box.socket.exists)


def test_opening_while_the_old_server_goes_down(box: Box, terminal: Terminal, make: Make) -> None:
    for round in range(3):
        open_windows(terminal, [make(f"old{round}-{i}") for i in range(10)])
        terminal.run("kill-server")
        open_windows(terminal, [make(f"new{round}")])
        assert set(view(terminal).panes) == {f"new{round}"}


def test_a_server_that_went_deaf_is_ended(box: Box, terminal: Terminal, make: Make) -> None:
    """A session made while the server goes down keeps it alive for ever, and it hangs up on everybody."""
    terminal.timeout = 4
    deaf = terminal.ensure()
    argv = ["tmux", "-S", terminal.socket, "-N", "source-file", "-"]
    with subprocess.Popen(argv, env=box.env, stdin=subprocess.PIPE) as late:
        assert late.stdin
        late.stdin.write(b"new-session -d sleep 1000\n")
        late.stdin.flush()
        until(lambda: unread(late.stdin) == 0)
        terminal.run("kill-server")
        until(lambda: "server exited" in terminal.run("list-sessions").err)
        late.stdin.close()
    assert view(terminal).presence == "unknown" and is_server(deaf.pid, terminal.socket)
    pane = open_windows(terminal, [make("a")])["a"]
    assert pane.server != deaf and servers(box) == [pane.server.pid]


def test_the_server_may_open_many_files_and_knows_its_room(terminal: Terminal, make: Make) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(before[0], 300), before[1]))
    try:
        server = terminal.ensure()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(before[0], 300), "ours is as before"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    limits = Path(f"/proc/{server.pid}/limits").read_text()
    soft = int(next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files")))
    assert soft == min(before[1], 65536)
    room = terminal.room(server)
    assert room is not None and soft / 3 - 20 < room < soft / 3
    open_windows(terminal, [make(f"w{i}") for i in range(12)])
    less = terminal.room()
    assert less is not None and room - 12 <= less < room - 4


def test_room_without_a_server_is_what_one_would_have(terminal: Terminal) -> None:
    room = terminal.room()
    assert room is not None and room > 50
