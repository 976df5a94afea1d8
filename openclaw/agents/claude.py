"""Claude Code, as far as it differs: its hooks, its session file, the dialogs of its first start."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Mapping

from openclaw.agents.reporters import Signal
from openclaw.units import utc

HOOK_SECONDS = 10
# PostToolUse tells when a permission was given; async, for no tool call has to wait until that is written down.
EVENTS = {
    "SessionStart": {}, "SessionEnd": {}, "UserPromptSubmit": {}, "Stop": {}, "StopFailure": {}, "PreToolUse": {},
    "PermissionRequest": {}, "PreCompact": {}, "PostCompact": {},
    "PostToolUse": {"async": True}, "PostToolUseFailure": {"async": True},
}  # fmt: skip
# `status` in its session file. Undocumented: anything else says nothing.
STATUS = {"idle": "idle", "busy": "working", "waiting": "waiting", "shell": "idle"}
FIRST_START = "asks the questions of its first start"
TRUST = "asks whether you trust the folder"
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
    """The file for `--settings`: our hook at every event that changes what is known about it."""
    command = {"type": "command", "command": shlex.quote(hook), "timeout": HOOK_SECONDS}
    hooks = {event: [{"hooks": [command | more]}] for event, more in EVENTS.items()}
    return json.dumps({"hooks": hooks}, indent=1) + "\n"


def first_dialog(environ: Mapping[str, str], cwd: str) -> str:
    """From its own `.claude.json`: onboarding, then trust in the folder or one above it, then the key."""
    try:
        with open(os.path.join(environ.get("CLAUDE_CONFIG_DIR") or environ["HOME"], ".claude.json"), "rb") as file:
            known = json.load(file)
        if not known.get("hasCompletedOnboarding"):
            return FIRST_START
        projects = known.get("projects") or {}
        while not (projects.get(cwd) or {}).get("hasTrustDialogAccepted"):
            if cwd == os.path.dirname(cwd):
                return TRUST
            cwd = os.path.dirname(cwd)
        answered = known.get("customApiKeyResponses") or {}
        key = environ.get("ANTHROPIC_API_KEY", "")[-20:]
        return KEY if key and key not in [*answered.get("approved", []), *answered.get("rejected", [])] else ""
    except FileNotFoundError:
        return FIRST_START
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ""  # not ours to judge: the screen will show it


def look(status_file: str) -> Signal | None:
    """`<config>/sessions/<pid>.json`: the only thing that changes when a person presses Esc."""
    try:
        with open(status_file, encoding="utf-8") as file:
            said = json.load(file)
        state = STATUS[said["status"]]
        why = {"shell": "a command of it still runs in the background", "waiting": str(said.get("waitingFor") or "")}
        return Signal(state, utc(said["statusUpdatedAt"] / 1000), why.get(said["status"], ""))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def dialog(screen: str) -> str:
    """The dialogs that it can open before its first turn, by words of version 2.1."""
    for words, meaning in DIALOGS:
        if all(word in screen for word in words):
            return meaning
    return ""
