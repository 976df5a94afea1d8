"""Claude Code, as far as it differs: its hooks, its session file, the dialogs of its first start."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from openclaw.agents.reporters import TRUST, Signal
from openclaw.agents.rewrite import replaced
from openclaw.errors import Unavailable
from openclaw.units import utc

HOOK_SECONDS = 10
# It locks its configuration by making a folder beside it, and takes one this old for left behind.
STALE_SECONDS, LOCK_SECONDS = 10.0, 20.0
# PostToolUse tells when a permission was given; async, for no tool call has to wait until that is written down.
EVENTS = {
    "SessionStart": {}, "SessionEnd": {}, "UserPromptSubmit": {}, "Stop": {}, "StopFailure": {}, "PreToolUse": {},
    "PermissionRequest": {}, "PreCompact": {}, "PostCompact": {},
    "PostToolUse": {"async": True}, "PostToolUseFailure": {"async": True},
}  # fmt: skip
# `status` in its session file. Undocumented: anything else says nothing.
STATUS = {"idle": "idle", "busy": "working", "waiting": "waiting", "shell": "idle"}
FIRST_START = "asks the questions of its first start"
KEY = "asks whether to use the API key of the environment"
DIALOGS = (  # all of the words are on the screen; what to say then
    (("Yes, I trust this folder",), TRUST),
    (("Do you want to use this API key?",), KEY),
    (("Bypass Permissions mode", "Yes, I accept"), "asks you to accept running without permissions"),
    (("Select login method",), "asks you to log in"),
    (("Choose the text style",), FIRST_START),
    (("Let's get started",), FIRST_START),
    (("Press Enter to continue", "Security notes"), FIRST_START),
)


def settings(hook: str) -> str:
    """The file for `--settings`: our hook at every event that changes what is known about it, and as its status line,
    for nothing else is told how much of a subscription is used."""
    command = {"type": "command", "command": shlex.quote(hook), "timeout": HOOK_SECONDS}
    hooks = {event: [{"hooks": [command | more]}] for event, more in EVENTS.items()}
    line = {"type": "command", "command": shlex.join((hook, "statusline"))}
    return json.dumps({"hooks": hooks, "statusLine": line}, indent=1) + "\n"


def first_dialog(environ: Mapping[str, str], cwd: str, repository: str = "") -> str:
    """From its own `.claude.json`: onboarding; trust in the folder, one above it or the repository; then the key."""
    try:
        with open(_config(environ), "rb") as file:
            known = json.load(file)
        if not known.get("hasCompletedOnboarding"):
            return FIRST_START
        if not _trusts(known, cwd) and not _accepted(known, repository):
            return TRUST
        answered = known.get("customApiKeyResponses") or {}
        key = environ.get("ANTHROPIC_API_KEY", "")[-20:]
        return KEY if key and key not in [*answered.get("approved", []), *answered.get("rejected", [])] else ""
    except FileNotFoundError:
        return FIRST_START
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""  # not ours to judge: the screen will show it


def trust(environ: Mapping[str, str], folder: str) -> bool:
    """`projects.<folder>.hasTrustDialogAccepted` in its `.claude.json`; all else in there stays as it is.

    Its own lock is held, and if it writes all the same, what it wrote is read again: the file is only replaced while
    it still holds what was read.
    """
    path = os.path.realpath(_config(environ))
    hint = "start it once by hand: it makes that file"
    try:
        with _locked(path):
            while True:
                with open(path, "rb") as file:
                    before, kept = file.read(), os.fstat(file.fileno())
                known = json.loads(before)
                if _trusts(known, folder):
                    return False
                project = known.setdefault("projects", {}).setdefault(folder, {})
                project["hasTrustDialogAccepted"] = True
                if replaced(path, before, json.dumps(known, indent=2, allow_nan=False).encode(), kept):
                    return True
    except FileNotFoundError:
        raise Unavailable(f"{path} is not there", hint) from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Unavailable(f"{path} can't be changed: {error}", "accept it in the program's own dialog") from error


def _config(environ: Mapping[str, str]) -> str:
    return os.path.join(environ.get("CLAUDE_CONFIG_DIR") or environ["HOME"], ".claude.json")


def _accepted(known: Mapping[str, Any], folder: str) -> bool:
    return bool(((known.get("projects") or {}).get(folder) or {}).get("hasTrustDialogAccepted"))


def _trusts(known: Mapping[str, Any], folder: str) -> bool:
    """Whether the folder or one above it is accepted."""
    while not _accepted(known, folder):
        if folder == os.path.dirname(folder):
            return False
        folder = os.path.dirname(folder)
    return True


@contextmanager
def _locked(path: str) -> Iterator[None]:
    lock, deadline = f"{path}.lock", time.monotonic() + LOCK_SECONDS
    while True:
        try:
            os.mkdir(lock)
            break
        except FileExistsError:
            if time.monotonic() > deadline:
                raise Unavailable(f"{lock} is held by another process", "try again when it is done") from None
        try:
            if time.time() - os.stat(lock).st_mtime > STALE_SECONDS:
                os.rmdir(lock)
        except FileNotFoundError:
            continue  # it was given back just now
        time.sleep(0.02)  # between two tries
    try:
        yield
    finally:
        try:
            os.rmdir(lock)
        except OSError:
            pass  # we were so slow that it was taken for left behind: the comparison decides


def look(status_file: str, conversation: str = "") -> Signal | None:
    """`<config>/sessions/<pid>.json`: the only thing that changes when a person presses Esc.

    In sandboxes two of them may have the same pid, and so one file: it speaks for the conversation that it names.
    """
    try:
        with open(status_file, encoding="utf-8") as file:
            said = json.load(file)
        if conversation and said.get("sessionId", conversation) != conversation:
            return None
        state = STATUS[said["status"]]
        why = {"shell": "a command of it still runs in the background", "waiting": str(said.get("waitingFor") or "")}
        return Signal(state, utc(said["statusUpdatedAt"] / 1000), why.get(said["status"], ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def dialog(screen: str) -> str:
    """The dialogs that it can open before its first turn, by words of version 2.1."""
    for words, meaning in DIALOGS:
        if all(word in screen for word in words):
            return meaning
    return ""
