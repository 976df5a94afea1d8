"""One tmux server on one socket, and every call to it.

We run `tmux` itself. `libtmux` costs nothing per call, but its import alone takes nine times a Python start, which
`openclaw ps` can't afford. Every call goes through `Terminal._call`: environment cleaned, time limited.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from openclaw.errors import BadInput, Unavailable
from openclaw.settings import Settings
from openclaw.terminal.process import ManyOpenFiles, free_files, is_server, listener, wanted_files
from openclaw.terminal.socket import check_folder

SERVER_FORMAT = "#{pid} #{start_time}"
CONFIG = os.path.join(os.path.dirname(__file__), "tmux.conf")
FILES_PER_SESSION = 3  # pty, log pipe, and one in reserve for a person who attaches
POLL = 0.02

# What the server, and so every window, may inherit. All else (tokens, CLAUDE*, TMUX) stays with whoever started it.
KEPT = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR", "TERM")

# What tmux says when there is no server, and when one is just going down.
ABSENT = ("no server running", "No such file or directory", "Connection refused")
GOING_DOWN = ("server exited", "lost server", "no server running", "Connection refused", "Connection reset")


class Reply(NamedTuple):
    """What one tmux process answered: exit status, stdout, stderr."""

    code: int
    out: str
    err: str


class Server(NamedTuple):
    """One life of the server. tmux's ids ($0 @0 %0) start again with the next, so they mean little alone."""

    pid: int
    started: int  # epoch seconds


class Terminal:
    """The tmux server on one socket: `run` talks to it, `ensure` starts it. Holds no state, so it can't be stale."""

    def __init__(
        self, socket: str, tmux: str = "tmux", timeout: float = 10.0, config: str = "", size: str = "200x50"
    ) -> None:
        self.socket = os.path.abspath(socket)
        self.tmux = tmux
        self.timeout = timeout
        self.config = config
        columns, _, rows = size.partition("x")
        if not (columns.isdecimal() and rows.isdecimal() and 10 <= int(columns) <= 10_000 and 5 <= int(rows) <= 10_000):
            raise BadInput(f"tmux.size {size[:40]!r} is not a size", "write columns x rows, like 200x50", "bad_config")
        self.columns, self.rows = int(columns), int(rows)

    @classmethod
    def from_settings(cls, settings: Settings) -> Terminal:
        """The shared terminal as the settings describe it. BadInput for a socket that depends on where one stands."""
        socket = settings.get("socket")
        if not os.path.isabs(socket):
            raise BadInput(f"the socket {socket[:80]!r} is not an absolute path", "name it from / on", "bad_config")
        return cls(
            socket,
            settings.get("tmux.command"),
            settings.get("tmux.timeout"),
            settings.get("tmux.config"),
            settings.get("tmux.size"),
        )

    def run(self, *args: str, stdin: str | None = None, timeout: float | None = None) -> Reply:
        """One tmux process; never starts a server. `";"` separates commands, as on tmux's own command line.

        Refused: the socket isn't safe. Unavailable: `no_folder`, `no_tmux`, or `tmux_timeout` after `timeout` seconds.
        """
        check_folder(self.socket, create=False)
        return self._call(["-N", *args], stdin, timeout or self.timeout)

    def start(self, *args: str, stdin: str | None = None, known: Server | None = None) -> Reply:
        """Like `run`, but starts the server when there is none; tries again while an old one is going down.

        `known` is the server last seen here: if its socket file was deleted it is told to make it again, because
        a second server would split the sub-agents in two.
        """
        check_folder(self.socket, create=True)
        if known and not os.path.lexists(self.socket):
            self.revive(known)
        began, prodded = time.monotonic(), False
        while True:
            left = max(began + self.timeout - time.monotonic(), POLL)
            with ManyOpenFiles():
                reply = self._call([*self._configs(), "start-server", ";", *args], stdin, left)
            passed = time.monotonic() - began
            if reply.code == 0 or not _says(reply, GOING_DOWN) or passed + POLL > self.timeout:
                return reply
            if not prodded and passed > self.timeout / 4:
                prodded = True
                self._end_deaf_server()
            time.sleep(POLL)

    def _end_deaf_server(self) -> None:
        """A session made in the very moment of a `kill-server` keeps the server alive, deaf to all, for ever (3.3a).

        Only a server on its way down hangs up on its clients, so TERM asks it for nothing new.
        """
        pid = listener(self.socket)
        if pid and is_server(pid, self.socket):
            try:
                os.kill(pid, signal.SIGTERM)
            except ProcessLookupError:
                pass

    def ensure(self, known: Server | None = None) -> Server:
        """The server, started if there was none. Sixteen callers at once get one server: tmux holds a lock."""
        reply = self.start("display-message", "-p", SERVER_FORMAT, known=known)
        server = parse_server(reply.out)
        if reply.code or server is None:
            raise failed("start the tmux server", reply, self.socket)
        return server

    def running(self) -> Server | None:
        """The server, or None when there surely is none. Unavailable when tmux doesn't say."""
        if not os.path.lexists(self.socket):
            return None
        reply = self.run("display-message", "-p", SERVER_FORMAT)
        if says_absent(reply):
            return None
        server = parse_server(reply.out)
        if server is None:
            raise failed("ask the tmux server who it is", reply, self.socket)
        return server

    def revive(self, known: Server) -> bool:
        """Have `known` make its deleted socket again. False when it isn't alive, or isn't a server of this socket."""
        if not is_server(known.pid, self.socket):
            return False
        check_folder(self.socket, create=True)
        try:
            os.kill(known.pid, signal.SIGUSR1)
        except ProcessLookupError:
            return False
        if not wait_for(lambda: os.path.lexists(self.socket) or not is_server(known.pid, self.socket), self.timeout):
            raise Unavailable(
                f"the tmux server {known.pid} lives, but its socket {self.socket} was deleted and it makes no new one",
                f"look at process {known.pid}; ending it ends its sub-agents",
                "tmux_timeout",
            )
        return os.path.lexists(self.socket)

    def room(self, server: Server | None = None) -> int | None:
        """How many more sessions fit into the server's open files; None where /proc doesn't tell."""
        server = server or self.running()
        free = wanted_files() if server is None else free_files(server.pid)
        return None if free is None else free // FILES_PER_SESSION

    def environment(self) -> dict[str, str]:
        """What a tmux process of ours gets: enough to work, nothing secret."""
        kept = {k: v for k, v in os.environ.items() if k in KEPT or k.startswith("LC_")}
        return {"TERM": "xterm-256color"} | kept

    def _configs(self) -> list[str]:
        """Ours first, then the user's own, so that theirs wins. Read by tmux only when it starts a server."""
        if not self.config:
            return ["-f", CONFIG]
        if not os.access(self.config, os.R_OK):
            raise BadInput(f"tmux.config names {self.config}, which can't be read", "mend the setting", "bad_config")
        return ["-f", CONFIG, "-f", self.config]

    def _call(self, args: list[str], stdin: str | None, timeout: float) -> Reply:
        # -u: without it tmux replaces every character it thinks the terminal can't show, also in what it prints to us
        argv = [self.tmux, "-u", "-S", self.socket, *args]
        try:
            done = subprocess.run(
                argv,
                input=(stdin or "").encode(errors="surrogateescape"),
                capture_output=True,
                timeout=timeout,
                env=self.environment(),
                cwd="/",  # a server started from a folder would hold it for ever
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(
                f"tmux did not answer within {timeout:g} s on {self.socket}",
                "its server may hang: openclaw doctor looks closer",
                "tmux_timeout",
            ) from None
        except OSError as error:
            raise Unavailable(
                f"can't run {self.tmux!r}: {error.strerror}",
                "install tmux 3.2 or later (apt install tmux, brew install tmux)",
                "no_tmux",
            ) from error
        out, err = (stream.decode(errors="replace") for stream in (done.stdout, done.stderr))
        return Reply(done.returncode, out, err.strip())


def parse_server(text: str) -> Server | None:
    """The server from the first line that `SERVER_FORMAT` printed; None when it isn't one."""
    words = text.partition("\n")[0].split(" ")
    return Server(int(words[0]), int(words[1])) if len(words) == 2 and all(w.isdecimal() for w in words) else None


def says_absent(reply: Reply) -> bool:
    """Did tmux say that no server listens? Anything else it says is no proof of that."""
    return reply.code != 0 and _says(reply, ABSENT)


def failed(what: str, reply: Reply, socket: str) -> Unavailable:
    """The error for a tmux call that went wrong, with tmux's own words."""
    said = "; ".join(reply.err.splitlines()[:3]) or f"exit status {reply.code}, no message"
    message = f"could not {what} on {socket}: tmux said: {said[:400]}"
    return Unavailable(message, "openclaw doctor looks closer", "tmux_failed")


def wait_for(probe: Callable[[], bool], seconds: float) -> bool:
    """Wait on a predicate with a deadline; whether it came true."""
    deadline = time.monotonic() + seconds
    while not probe():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _says(reply: Reply, words: tuple[str, ...]) -> bool:
    return any(word in reply.err for word in words)
