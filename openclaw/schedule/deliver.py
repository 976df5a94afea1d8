"""Errands: what is to go elsewhere beside the inbox, taken there once, by whoever looks next."""

from __future__ import annotations

import json
import os
import subprocess

from openclaw import processes
from openclaw.errors import OpenclawError
from openclaw.schedule import desktop, main_window
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, inbox, news
from openclaw.store.inbox import Errand
from openclaw.terminal.words import literal, one_line
from openclaw.whole import put

TRIES = 5
COMMAND_SECONDS = 60.0
SCREEN_SECONDS = 10.0  # how long a line stands on a screen
WIDEST = 200


def errands(fleet: Fleet) -> list[str]:
    """Do those that wait; what went wrong with any, a line each."""
    me, problems = processes.identity(os.getpid()), []
    for errand in inbox.errands(fleet.store):
        if errand.holder and errand.holder != me and processes.alive(errand.holder):
            continue
        with db.transaction(fleet.store):
            if not inbox.claim(fleet.store, errand, me, fleet.now()):
                continue
        state, why = _do(fleet, errand)
        if state == "failed" and errand.way != "main" and errand.attempts + 1 < TRIES:
            state = "waiting"
        if why and errand.way != "main":
            problems.append(f"{errand.way} {errand.target}: {why}")
        with db.transaction(fleet.store):
            inbox.decide(fleet.store, errand.number, state, why, fleet.now())
            if state == "failed" and errand.way == "main":
                news.again(fleet.store, errand.run)  # its next prompt brings it
    return problems


def _do(fleet: Fleet, errand: Errand) -> tuple[str, str]:
    """delivered, failed or waiting (another time), and why."""
    try:
        if errand.way == "file":
            os.makedirs(os.path.dirname(errand.target) or ".", exist_ok=True)
            put(errand.target, (errand.text.rstrip("\n") + "\n").encode("utf-8", "backslashreplace"), 0o666)
        elif errand.way == "command":
            return _command(fleet, errand)
        elif errand.way == "main":
            return main_window.tell(fleet, errand)
        else:
            _screens(fleet, errand)
    except OSError as error:
        return "failed", error.strerror or str(error)
    except OpenclawError as error:
        return "failed", error.message
    return "delivered", ""


def _command(fleet: Fleet, errand: Errand) -> tuple[str, str]:
    """The result on its standard input; no shell reads it."""
    words = json.loads(errand.target)
    environ = dict(fleet.settings.environ) | {"OPENCLAW_RUN": str(errand.run)}
    try:
        done = subprocess.run(
            words, input=errand.text.encode(), env=environ, timeout=COMMAND_SECONDS, check=False,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return "failed", f"it took more than {COMMAND_SECONDS:g} s"
    if not done.returncode:
        return "delivered", ""
    said = done.stderr.decode(errors="replace").strip().splitlines()[-1:]
    return "failed", f"exit status {done.returncode} {''.join(said)[:200]}".strip()


def _screens(fleet: Fleet, errand: Errand) -> None:
    """A line on the status line of whoever looks at the shared terminal or the main session, and on the desktop.

    Best effort: that nobody looks is no failure, for the inbox has it."""
    line = one_line(f"{errand.target}: {errand.text}", WIDEST).replace("#[", "# [")  # a message line has styles too
    for terminal, target in main_window.screens(fleet, errand.workspace):
        words = ["-d", str(int(SCREEN_SECONDS * 1000)), literal(line)]
        terminal.run("display-message", *(["-t", target] if target else []), *words)
    if fleet.settings.get("cron.desktop"):
        desktop.show(fleet.settings.environ, errand.target, errand.text)
