"""One tmux server on one socket, and every call to it.

We run `tmux` itself. `libtmux` costs nothing per call, but its import alone takes nine times a Python start, which
`openclaw ps` can't afford. Every call goes through `Terminal._call`: environment cleaned, time limited.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from openclaw.errors import BadInput, Unavailable
from openclaw.settings import Settings
from openclaw.terminal.socket import check_folder

SERVER_FORMAT = "#{pid} #{start_time}"
CONFIG = os.path.join(os.path.dirname(__file__), "tmux.conf")
WANTED_FILES = 65536  # open files of the server: it hangs its clients, without a word, when it has none left
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
        """The shared terminal as the settings describe it."""
        return cls(
            settings.get("socket"),
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
        deadline = time.monotonic() + self.timeout
        while True:
            left = max(deadline - time.monotonic(), POLL)
            with _ManyOpenFiles():
                reply = self._call([*self._configs(), "start-server", ";", *args], stdin, left)
            if reply.code == 0 or not _says(reply, GOING_DOWN) or time.monotonic() + POLL > deadline:
                return reply
            time.sleep(POLL)

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
        if not self._is_ours(known.pid):
            return False
        check_folder(self.socket, create=True)
        try:
            os.kill(known.pid, signal.SIGUSR1)
        except ProcessLookupError:
            return False
        if not wait_for(lambda: os.path.lexists(self.socket) or not self._is_ours(known.pid), self.timeout):
            raise Unavailable(
                f"the tmux server {known.pid} lives, but its socket {self.socket} was deleted and it makes no new one",
                f"look at process {known.pid}; ending it ends its sub-agents",
                "tmux_timeout",
            )
        return os.path.lexists(self.socket)

    def room(self, server: Server | None = None) -> int | None:
        """How many more sessions fit into the server's open files; None where /proc doesn't tell."""
        server = server or self.running()
        if server is None:
            return _wanted_limit() // FILES_PER_SESSION
        try:
            used = len(os.listdir(f"/proc/{server.pid}/fd"))
            with open(f"/proc/{server.pid}/limits", encoding="ascii") as file:
                soft = next(line.split()[3] for line in file if line.startswith("Max open files"))
        except (OSError, StopIteration):
            return None
        return max(0, (int(soft) - used) // FILES_PER_SESSION) if soft != "unlimited" else None

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

    def _is_ours(self, pid: int) -> bool:
        """Is that process a tmux server on this socket? Its number may have been given to another program since."""
        try:
            with open(f"/proc/{pid}/comm", "rb") as comm, open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                words = cmdline.read().split(b"\0")
                return comm.read().startswith(b"tmux: server") and os.fsencode(self.socket) in words
        except OSError:
            return False

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


class _ManyOpenFiles:
    """Raise our own soft limit of open files while a server may be started: it inherits it."""

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._set(max(_wanted_limit(), self.before[0]))

    def __exit__(self, *_: object) -> None:
        self._set(self.before[0])

    def _set(self, soft: int) -> None:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, self.before[1]))
        except (OSError, ValueError):
            pass  # macOS refuses what it calls possible: the server then starts with what there was


def _wanted_limit() -> int:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return WANTED_FILES if hard == resource.RLIM_INFINITY else min(hard, WANTED_FILES)


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
