"""Is the folder of the shared socket safe to use? tmux itself does not ask when it is told `-S`.

Whoever can put a socket where we look for ours can read and run everything we say to "our" server, so the folder
must be ours alone before every use. The check is a handful of `lstat` calls.
"""

from __future__ import annotations

import os
import stat
import sys

from openclaw.errors import BadInput, Refused, Unavailable

LONGEST_PATH = 103 if sys.platform == "darwin" else 107  # bytes of sockaddr_un.sun_path, without the final NUL
_ELSEWHERE = "or set OPENCLAW_SHARED_SOCKET to a socket in a folder of your own"


def check_folder(socket: str, create: bool) -> None:
    """Raise unless `socket` lies in a directory that is ours, mode 0700 (or stricter) and not a symlink.

    The socket itself, when it is there, must be a socket of ours. `create` makes a missing folder, with mode 0700.
    BadInput: the path can't be a socket's. Refused: unsafe. Unavailable (`no_folder`): missing, and not `create`.
    """
    if any("\ud800" <= char <= "\udfff" for char in socket):
        raise BadInput(
            f"the socket path {socket[:60]!r} is not UTF-8", "set OPENCLAW_SHARED_SOCKET to another path", "bad_socket"
        )
    if len(os.fsencode(socket)) > LONGEST_PATH or "\0" in socket or not socket:
        raise BadInput(
            f"the socket path {socket[:60]!r}… has {len(os.fsencode(socket))} bytes; 1 to {LONGEST_PATH} fit",
            "set OPENCLAW_SHARED_SOCKET to a shorter path",
            code="bad_socket",
        )
    folder = os.path.dirname(os.path.abspath(socket))
    if create:
        _make(folder)
    _check_parents(folder)
    try:
        found = os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        raise Unavailable(f"the socket folder {folder} does not exist yet", code="no_folder") from None
    except OSError as error:
        raise _unsafe(f"the socket folder {folder}: {error.strerror}", "mend it") from error
    if stat.S_ISLNK(found.st_mode):
        raise _unsafe(f"the socket folder {folder} is a symlink", f"remove it (rm {folder})")
    if not stat.S_ISDIR(found.st_mode):
        raise _unsafe(f"the socket folder {folder} is not a directory", f"remove it (rm {folder})")
    if found.st_uid != os.geteuid():
        raise _unsafe(f"the socket folder {folder} belongs to user id {found.st_uid}, not to you", "have it removed")
    if found.st_mode & 0o077:
        raise _unsafe(
            f"the socket folder {folder} has mode {stat.S_IMODE(found.st_mode):04o}: others can reach into it",
            f"run chmod 700 {folder}",
        )
    _check_socket(socket)


def _check_socket(socket: str) -> None:
    try:
        found = os.lstat(socket)
    except FileNotFoundError:
        return  # no server yet, or its socket was deleted
    if not stat.S_ISSOCK(found.st_mode):
        kind = "a symlink" if stat.S_ISLNK(found.st_mode) else "not a socket"
        raise _unsafe(f"the socket {socket} is {kind}", f"remove it (rm {socket})")
    if found.st_uid != os.geteuid():
        raise _unsafe(f"the socket {socket} belongs to user id {found.st_uid}, not to you", "have it removed")


def _check_parents(folder: str) -> None:
    """Who may write to a parent could swap the folder under us, unless the sticky bit forbids it (as in /tmp)."""
    parent = os.path.dirname(folder)
    while True:
        try:
            mode = os.stat(parent).st_mode
        except OSError:
            mode = 0  # missing: the folder's own lstat tells
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise _unsafe(f"{parent}, above the socket folder, is writable by everyone", f"run chmod o-w {parent}")
        if parent == os.path.dirname(parent):
            return
        parent = os.path.dirname(parent)


def _make(folder: str) -> None:
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.mkdir(folder, 0o700)
    except FileExistsError:
        pass  # someone was quicker, or it is no directory: lstat tells
    except OSError as error:
        raise Unavailable(
            f"can't make the socket folder {folder}: {error.strerror}",
            "set OPENCLAW_SHARED_SOCKET to a socket in a folder you can write to",
            code="no_folder",
        ) from error


def _unsafe(message: str, remedy: str) -> Refused:
    return Refused(message, f"{remedy}, {_ELSEWHERE}", "unsafe_socket")
