"""Codex, as far as it differs: its hooks, its rollout, the dialogs of its first start. By words of version 0.169.

It asks a person to review every hook that is new, and remembers by its hash which ones were. Ours come with the command
line, where the answer for one session can stand too: by their hashes we vouch for exactly what we add ourselves, for
that session alone. Whatever else has hooks there, the user or the project, is still reviewed.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from collections.abc import Mapping
from typing import Any

from openclaw.agents.reporters import TRUST, Signal
from openclaw.agents.rewrite import replaced
from openclaw.errors import Unavailable

# Seconds for each; those of an end it cuts to 3. PostToolUse tells when a permission was given: no tool call has to
# wait until that is written down.
EVENTS = {
    "SessionStart": 10, "SessionEnd": 3, "UserPromptSubmit": 10, "Stop": 10, "Interrupt": 3, "PreToolUse": 10,
    "PermissionRequest": 10, "PostToolUse": 10, "PreCompact": 10, "PostCompact": 10,
}  # fmt: skip
UNAWAITED = ("PostToolUse",)
HERE = "/<session-flags>/config.toml"  # how it calls the command line as a place of hooks
TAIL_BYTES = 65_536  # the end of a turn is the last line of a rollout, or nearly
ENDS = {"task_started": "working", "task_complete": "idle", "turn_aborted": "idle"}
LOGIN = "asks you to log in"
DIALOGS = (  # all of the words are on the screen; what to say then
    (("Trust this folder?",), TRUST),
    (("Choose how you want to use Codex",), LOGIN),
    (("Finish signing in",), LOGIN),
    (("Hooks need review",), "asks you to review hooks that are new"),
    (("Try new model", "Use existing model"), "asks whether to use a newer model"),
    (("Update available", "Skip"), "asks whether to update itself"),
)


def settings(hook: str) -> str:
    """The value for `-c`: our hook at every event that changes what is known about it, each with its hash."""
    command = shlex.join((hook, "codex-hooks"))
    groups, known = [], []
    for event, seconds in EVENTS.items():
        label = "".join(f"_{c.lower()}" if c.isupper() else c for c in event)[1:]
        handler = {"type": "command", "command": command, "timeout": seconds, "async": event in UNAWAITED}
        identity = {"event_name": label, "hooks": [handler]}
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest = hashlib.sha256(text.encode()).hexdigest()
        groups.append(f"{event}=[{{hooks=[{_toml(handler)}]}}]")
        known.append(f'"{HERE}:{label}:0:0"={{trusted_hash="sha256:{digest}"}}')
    return f"hooks={{{','.join(groups)},state={{{','.join(known)}}}}}"


def first_dialog(environ: Mapping[str, str], cwd: str, repository: str = "") -> str:
    """From its `config.toml` and `auth.json`: the login, then trust, for a repository or a folder with settings."""
    import tomllib  # 10 ms, and only for this

    home = _home(environ)
    try:
        with open(os.path.join(home, "config.toml"), "rb") as file:
            config = tomllib.load(file)
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError):
        return ""  # not ours to judge: the screen will show it
    try:
        provider = config.get("model_providers", {}).get(config.get("model_provider", "openai"))
        own = provider is not None and not provider.get("requires_openai_auth")
        kept = config.get("cli_auth_credentials_store", "file") == "file"
        if not own and kept and not os.path.exists(os.path.join(home, "auth.json")):
            return LOGIN
        places = [*_places(cwd), *filter(None, [repository])]
        asks = any(os.path.lexists(os.path.join(place, name)) for place in places for name in (".git", ".codex"))
        known = config.get("projects", {})
        return TRUST if asks and not any(known.get(place, {}).get("trust_level") for place in places) else ""
    except AttributeError:  # a table that is none
        return ""


def trust(environ: Mapping[str, str], folder: str) -> bool:
    """A table `projects.<folder>` at the end of its `config.toml`; it holds for that folder, and for the repository."""
    import tomllib  # as above

    path = os.path.realpath(os.path.join(_home(environ), "config.toml"))
    try:
        while True:
            with open(path, "rb") as file:
                before, kept = file.read(), os.fstat(file.fileno())
            if tomllib.loads(before.decode()).get("projects", {}).get(folder, {}).get("trust_level") == "trusted":
                return False
            table = f'\n[projects.{json.dumps(folder, ensure_ascii=False)}]\ntrust_level = "trusted"\n'
            after = before.rstrip(b"\n") + b"\n" + table.encode()
            tomllib.loads(after.decode())  # a second table of that name is an error: it says otherwise
            if replaced(path, before, after, kept):
                return True
    except (OSError, ValueError, AttributeError) as error:
        raise Unavailable(f"{path} can't be changed: {error}", "accept it in the program's own dialog") from error


def look(status_file: str, conversation: str = "") -> Signal | None:
    """The last line of the rollout that begins or ends a turn: an error ends one without a hook."""
    if not status_file.endswith(f"{conversation}.jsonl"):
        return None
    for line in reversed(_tail(status_file)):
        if b'"event_msg"' in line and any(f'"{name}"'.encode() in line for name in ENDS):
            try:
                entry = json.loads(line)
                said = entry["payload"]
                if said["type"] in ENDS:
                    return Signal(ENDS[said["type"]], str(entry["timestamp"]), failure(said))
            except (ValueError, KeyError, TypeError):
                continue
    return None


def failure(said: Mapping[str, Any]) -> str:
    """Why a turn failed, from the line that ends it; empty when it did not. What the API said is JSON in a string."""
    error = said.get("error")
    text = str(error.get("message") or "the turn failed") if isinstance(error, dict) else ""
    try:
        found = json.loads(text)["error"]
        return f"{found['code']} {found['message']}" if found.get("code") else str(found["message"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return text


def limited(said: Mapping[str, Any]) -> bool:
    """Whether a turn failed at a limit of the subscription, from the line that ends it."""
    error = said.get("error")
    return isinstance(error, dict) and error.get("codex_error_info") == "usage_limit_exceeded"


def dialog(screen: str) -> str:
    """The dialogs that it can open before its first turn."""
    for words, meaning in DIALOGS:
        if all(word in screen for word in words):
            return meaning
    return ""


def _home(environ: Mapping[str, str]) -> str:
    return environ.get("CODEX_HOME") or os.path.join(environ.get("HOME", "/"), ".codex")


def _toml(table: Mapping[str, object]) -> str:
    """An inline table of strings, numbers and booleans: as in JSON, but for the sign between key and value."""
    return "{" + ",".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in table.items()) + "}"


def _places(cwd: str) -> list[str]:
    """The folder and those above it, to the top of its repository, and that of the repository it is a worktree of."""
    folder, found = cwd, [cwd]
    while not os.path.lexists(os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return [cwd]
        folder = os.path.dirname(folder)
        found.append(folder)
    try:
        with open(os.path.join(folder, ".git"), encoding="utf-8") as file:
            found.append(os.path.realpath(file.read(4096).partition("gitdir:")[2].strip()).partition("/.git/")[0])
    except (OSError, UnicodeError):
        pass  # a plain repository: a folder
    return found


def _tail(path: str) -> list[bytes]:
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(0, size - TAIL_BYTES))
            return file.read().split(b"\n")
    except OSError:
        return []
