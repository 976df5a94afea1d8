"""Our hooks in the settings of the programs that a person talks to: put there, looked at, and taken away again.

The text of a file is changed, not written anew: everything else in it stays to the byte. What was inserted is written
down (where, never what stood around it), so that taking it away leaves the file as it was.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from openclaw.agents import hookfile, jsontext, notifier
from openclaw.agents.hookfile import Ours
from openclaw.agents.jsontext import Malformed
from openclaw.agents.launch import hook_program
from openclaw.continuity import inserted
from openclaw.errors import BadInput, Unavailable
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings

PROGRAMS = ("claude", "codex")
SCOPES = ("user", "project")
LOCK = "hooks"
# Seconds that each event may take; before and after a compaction a snapshot or a brief is made.
CLAUDE = {"SessionStart": 30, "UserPromptSubmit": 10, "Stop": 10, "StopFailure": 10, "PreCompact": 30,
          "PostCompact": 10, "SessionEnd": 10}  # fmt: skip
CODEX = {"SessionStart": 30, "UserPromptSubmit": 10, "Stop": 10, "Interrupt": 3, "PreCompact": 30, "PostCompact": 10,
         "SessionEnd": 3}  # fmt: skip
LINE_SECONDS = 30  # the status line is drawn anew: sub-agents and scheduled jobs go on while the main agent is idle
EVENTS = {"claude": CLAUDE, "codex": CODEX}


class File(NamedTuple):
    """One file of settings. `kind`: hooks, or notify for Codex's config.toml."""

    agent: str
    scope: str
    kind: str
    path: str


class Done(NamedTuple):
    """What became of a file: installed, updated, unchanged, removed, or absent; and what a person should know."""

    file: File
    outcome: str
    remarks: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return self.file._asdict() | {"outcome": self.outcome, "remarks": list(self.remarks)}


def present(settings: Settings) -> list[str]:
    """The programs that are here: on the PATH, or with a folder of settings."""
    import shutil

    path = settings.environ.get("PATH")
    return [p for p in PROGRAMS if shutil.which(p, path=path) or os.path.isdir(_user_folder(settings, p))]


def files(settings: Settings, scopes: Sequence[str], agents: Sequence[str]) -> list[File]:
    """Where each reads its hooks. A project is the repository of the cwd, or the cwd."""
    found = []
    for scope in scopes:
        for agent in agents:
            top = _user_folder(settings, agent) if scope == "user" else os.path.join(_top(settings.cwd), f".{agent}")
            name = {"claude": "settings.json", "codex": "hooks.json"}[agent]
            found.append(File(agent, scope, "hooks", os.path.join(top, name)))
            if agent == "codex" and scope == "user":
                found.append(File(agent, scope, "notify", os.path.join(top, "config.toml")))
    return found


def install(fleet: Fleet, scope: str, agents: Sequence[str]) -> list[Done]:
    """Put our hooks there. BadInput with line and column for a file that can't be read, before any is written."""
    hook = hook_program()
    if not hook.isprintable():
        raise BadInput(f"the path {hook!r} can't stand in a file of settings", "install openclaw somewhere else")
    _ = fleet.store  # a hook makes no database: it is there from now on
    with locked(fleet.state_dir, LOCK):
        places = files(fleet.settings, (scope,), agents)
        for file in places:
            _wanted(fleet.settings, file, hook, text_of(file.path)[1], None)
        made = {file.path: _missing_folders(file.path) for file in places}  # before the first is written
        return [_install(fleet, file, hook, made[file.path]) for file in places]


def uninstall(fleet: Fleet, scope: str, agents: Sequence[str]) -> list[Done]:
    """Take ours away; the file is as it was before, and gone if it was made for them."""
    with locked(fleet.state_dir, LOCK):
        return [_uninstall(fleet, file) for file in files(fleet.settings, (scope,), agents)]


# --- one file


class Wanted(NamedTuple):
    """What a file should be: its text without ours, what goes in (nothing: it is right as it is), and remarks."""

    bare: str
    changes: list[jsontext.Insertion]
    remarks: list[str]


def _wanted(settings: Settings, file: File, hook: str, text: str, bare: str | None) -> Wanted:
    """What to make of the text of a file; `bare` is that without ours, if it is known exactly."""
    try:
        if file.kind == "notify":
            return _wanted_notify(file, hook, text, bare)
        return _wanted_hooks(settings, file, hook, text, bare)
    except Malformed as error:
        raise _bad(file.path, error.line, error.column, str(error)) from None


def _wanted_hooks(settings: Settings, file: File, hook: str, text: str, bare: str | None) -> Wanted:
    command = shlex.join((hook, "main", file.agent))
    kind = {"type": "command"}
    handlers = {event: kind | {"command": command, "timeout": s} for event, s in EVENTS[file.agent].items()}
    expected, line, remarks = {Ours(e, command, s) for e, s in EVENTS[file.agent].items()}, None, []
    if file.agent == "claude":
        words = shlex.join((hook, "statusline"))
        if own := _own_status_line(settings, file, text):
            remarks.append(f"{own} has a status line of its own, which stays; for ours give its input to {words}")
        else:
            line = kind | {"command": words, "refreshInterval": LINE_SECONDS}
            expected.add(Ours("statusLine", words, LINE_SECONDS))
    found = hookfile.ours(text)
    if set(found) == expected and len(found) == len(expected):
        return Wanted(text, [], remarks)
    bare = hookfile.removed(text) if bare is None else bare
    return Wanted(bare, hookfile.added(bare, handlers, line), remarks)


def _wanted_notify(file: File, hook: str, text: str, bare: str | None) -> Wanted:
    words = [hook, "main", "codex-notify"]
    if notifier.ours(text) == words:
        return Wanted(text, [], [])
    bare = notifier.removed(text) if bare is None else bare
    changes = notifier.added(bare, words)
    other = f"{file.path} has a notify of its own, which stays: what Codex does is told by its hooks alone"
    return Wanted(bare, changes, [] if changes else [other])


def _install(fleet: Fleet, file: File, hook: str, missing: Sequence[str]) -> Done:
    path = os.path.realpath(file.path)
    while True:
        before, text = text_of(path)
        record, last = (inserted.known(fleet.state_dir, path, data) for data in (before or b"", None))
        wanted = _wanted(fleet.settings, file, hook, text, record.bare(text) if record else None)
        if not wanted.changes:
            return Done(file, "unchanged", tuple(wanted.remarks))
        new, spans = jsontext.inserted(wanted.bare, wanted.changes)
        ours = before is None or bool(last and last.created)
        made = last.made if last and last.created else missing
        inserted.remember(fleet.state_dir, path, new.encode(), spans, created=ours, made=made)
        if inserted.write(path, before, new.encode(), 0o600 if file.scope == "user" else 0o666):
            outcome = "updated" if wanted.bare != text else "installed"
            return Done(file, outcome, (*wanted.remarks, *_remarks(file)))


def _uninstall(fleet: Fleet, file: File) -> Done:
    path = os.path.realpath(file.path)
    while True:
        before, text = text_of(path)
        if before is None:
            return Done(file, "absent")
        record = inserted.known(fleet.state_dir, path, before)
        try:
            new = record.bare(text) if record else _removed(file, text)
        except Malformed as error:
            raise _bad(file.path, error.line, error.column, str(error)) from None
        if new == text:
            return Done(file, "absent")
        created = record or inserted.known(fleet.state_dir, path, None)
        if created and created.created and new.split() in ([], ["{}"], ["{", "}"]):
            if inserted.delete(path, before, created.made):
                inserted.forget(fleet.state_dir, path)
                return Done(file, "removed", (f"{file.path} was made for them and is gone",))
        elif inserted.write(path, before, new.encode(), 0o600):
            inserted.forget(fleet.state_dir, path)
            return Done(file, "removed")


def _removed(file: File, text: str) -> str:
    return hookfile.removed(text) if file.kind == "hooks" else notifier.removed(text)


def text_of(path: str) -> tuple[bytes | None, str]:
    """The file as it is, and as text; None and empty when there is none."""
    try:
        with open(path, "rb") as file:
            data = file.read()
        return data, data.decode()
    except FileNotFoundError:
        return None, ""
    except UnicodeDecodeError as error:
        head = data[: error.start]
        column = error.start - head.rfind(b"\n")
        raise _bad(path, head.count(b"\n") + 1, column, "not UTF-8") from None
    except OSError as error:
        raise Unavailable(f"{path}: {error.strerror}", "it must be a file that can be read", code="settings") from error


def _bad(path: str, line: int, column: int, what: str) -> BadInput:
    return BadInput(
        f"{path}, line {line}, column {column}: {what}", "nothing was written: mend it, then try again", "bad_settings"
    )


def _remarks(file: File) -> list[str]:
    remarks = []
    if file.agent == "codex":
        remarks.append("Codex asks you to review them when it starts next (Hooks need review), and runs none before")
    if file.scope == "project":
        remarks.append(f"{file.path} names the openclaw-hook of this machine: don't commit it for others")
    return remarks


def _own_status_line(settings: Settings, file: File, text: str) -> str:
    """The file with a status line of the person's own that is in force, or would be hidden by ours; empty for none."""
    if hookfile.other_status_line(text):
        return file.path
    for other in files(settings, SCOPES, ("claude",)):
        local = os.path.join(os.path.dirname(other.path), "settings.local.json")
        for path in (other.path, local) if other.scope == "project" else (other.path,):
            try:
                if path != file.path and hookfile.other_status_line(text_of(path)[1]):
                    return path
            except (Malformed, BadInput, Unavailable):
                continue  # not what was asked about
    return ""


def _user_folder(settings: Settings, agent: str) -> str:
    name = {"claude": "CLAUDE_CONFIG_DIR", "codex": "CODEX_HOME"}[agent]
    return os.path.abspath(settings.environ.get(name) or os.path.join(settings.home, f".{agent}"))


def _top(cwd: str) -> str:
    """The top of the repository that the folder is in, else the folder."""
    folder = cwd
    while not os.path.lexists(os.path.join(folder, ".git")):
        if folder == os.path.dirname(folder):
            return cwd
        folder = os.path.dirname(folder)
    return folder


def _missing_folders(path: str) -> list[str]:
    """Those that must be made for it, outermost first."""
    found, folder = [], os.path.dirname(os.path.realpath(path))
    while not os.path.isdir(folder) and folder != os.path.dirname(folder):
        found.append(folder)
        folder = os.path.dirname(folder)
    return found[::-1]
