"""Processes that work beside the commands, one of a kind for the fleet: started when there is work, gone when not.

They are no daemons: what they do is a row before it is done, so that one that was killed loses nothing, and the next
command starts another.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys

from openclaw.processes import MARK
from openclaw.sessions.fleet import Fleet


def ensure(fleet: Fleet, name: str) -> None:
    """Have `openclaw.sessions.<name>` run, if it doesn't. What it complains of is in `<state>/<name>.log`."""
    if (held := lock(fleet, name)) is None:
        return
    os.close(held)
    environ = {k: v for k, v in fleet.settings.environ.items() if k != MARK}  # it is no process of the sub-agent's
    with open(os.path.join(fleet.state_dir, f"{name}.log"), "ab") as log:
        subprocess.Popen(
            [sys.executable, "-m", f"openclaw.sessions.{name}"],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
            env=environ | fleet.shared_environment(),
        )  # fmt: skip


def lock(fleet: Fleet, name: str) -> int | None:
    """The lock that the one which works holds; None while another has it."""
    fd = os.open(os.path.join(fleet.state_dir, f"{name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return fd
    except BlockingIOError:
        os.close(fd)
        return None
