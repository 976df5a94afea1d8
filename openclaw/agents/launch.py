"""Task + program → the folder from which a window runs: task.md, task.sh, launch.sh, env, session.json.

launch.sh is all that tmux is told to run, so nothing a person typed ever passes through a command line of tmux or a
shell of ours. `env` holds the values of the environment, mode 0600; the supervisor reads it and removes it at once.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shlex
import shutil
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from openclaw.agents.registry import Agent, Words
from openclaw.agents.reporters import reporter
from openclaw.errors import BadInput, Refused, Unavailable

if TYPE_CHECKING:
    from openclaw.agents.sandbox import Wrap

SUPERVISOR = os.path.join(os.path.dirname(__file__), "supervise.sh")
# What every program may see of the environment of whoever spawns it. Anything else is named by its entry or by --env.
KEPT = (
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "LC_*", "TZ", "TMPDIR", "XDG_*", "EDITOR",
    "VISUAL", "COLORTERM", "NO_COLOR",
    "SSH_AUTH_SOCK", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    "http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY",
    "VIRTUAL_ENV", "PYENV_ROOT", "NVM_DIR", "GOPATH", "CARGO_HOME", "RUSTUP_HOME", "JAVA_HOME",
    "OPENCLAW_CONFIG", "OPENCLAW_WORKSPACE",
)  # fmt: skip


class Launch(NamedTuple):
    """One session: what its window runs, and the files of its folder by name."""

    id: str
    folder: str
    argv: tuple[str, ...]
    files: dict[str, str]


READ_ONLY = ("BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID")
PROMPT_BYTES = 120_000  # Linux takes 131,072 bytes in one argument, with its end
_PROMPT = '"$(<"$dir/task.md")"'


def environment(agent: Agent, environ: Mapping[str, str], wanted: Iterable[str]) -> dict[str, str]:
    """What the program will see: the kept names, those its entry asks for, and --env K=V, or K for yours."""
    patterns = (*KEPT, *agent.env)
    exact = {p for p in patterns if "*" not in p}
    globs = [p for p in patterns if "*" in p]
    chosen = {k: v for k, v in environ.items() if k in exact or any(fnmatch.fnmatchcase(k, g) for g in globs)}
    for item in wanted:
        key, given, value = item.partition("=")
        if key in READ_ONLY:
            raise BadInput(f"--env {key}: bash, which starts every program, does not let go of it", "leave it out")
        if not given and key not in environ:
            raise BadInput(f"--env {key}: there is no {key} in your environment", f"set it, or write --env {key}=VALUE")
        chosen[key] = value if given else environ[key]
    return chosen


def command_line(agent: Agent, values: Mapping[str, str], around: Words = (), prompt: Words | None = None) -> str:
    """The program's words as bash: each quoted, the prompt read from task.md inside the window.

    `around` are the words that decide what it sends beside the prompt; `prompt` are used instead of its entry's.
    """
    words = [shlex.quote(word) for word in agent.command]
    for group, key in (
        (agent.model, "model"),
        (around, ""),
        (agent.conversation, "conversation"),
        (agent.settings, "settings"),
        (agent.sandboxed, "sandboxed"),
        (agent.prompt if prompt is None else prompt, ""),
    ):
        if not key or values.get(key):
            words += _filled(group, values)
    return " ".join(words)


def build(
    agent: Agent,
    *,
    id: str,
    folder: str,
    cwd: str,
    prompt: str,
    task: str,
    limit_s: float | None,
    grace_s: float,
    model: str | None,
    conversation_id: str | None,
    environ: Mapping[str, str],
    writes: Iterable[str],
    record: Mapping[str, Any],
    around: Words = (),
    around_values: Mapping[str, str] | None = None,
    sandbox: Wrap | None = None,
) -> Launch:
    """Everything that the folder of a session holds at its start. Nothing is written yet."""
    settings = reporter(agent.reports).settings(hook_program()) if agent.reports != "none" else ""
    values = {
        "model": model or "",
        "conversation": conversation_id or "",
        "task_file": os.path.join(folder, "task.sh"),
        "prompt_file": os.path.join(folder, "task.md"),
        "settings": settings,
        "sandboxed": "yes" if sandbox else "",
        "settings_file": os.path.join(folder, "settings.json"),
    } | dict(around_values or {})
    facts = {
        "id": id,
        "dir": folder,
        "cwd": cwd,
        "limit": f"{limit_s:g}" if limit_s else "infinity",
        "grace": f"{max(1, round(grace_s))}",
    }
    lines = ["#!/usr/bin/env bash", f"# openclaw sub-agent {id}: generated, this is what its window runs"]
    lines += [f"{key}={shlex.quote(value)}" for key, value in facts.items()]
    lines.append(f"watched=({' '.join(shlex.quote(root) for root in watched(writes))})")
    lines.append(f"missing=({' '.join(map(shlex.quote, sandbox.missing)) if sandbox else ''})")
    before = " ".join(map(shlex.quote, sandbox.argv)) + " " if sandbox else ""
    lines.append(f"command=({before}{command_line(agent, values, around, () if too_long(agent, prompt) else None)})")
    lines.append(f"source {shlex.quote(SUPERVISOR)}")
    private = dict(environ) | {
        "OPENCLAW_TASK_FILE": values["prompt_file"],
        "OPENCLAW_RESULT_FILE": sandbox.result if sandbox else os.path.join(folder, "result.md"),
    }
    files = {
        "task.md": prompt,
        "env": exports(private),
        "session.json": json.dumps(record, indent=1, ensure_ascii=False) + "\n",
        "launch.sh": "\n".join(lines) + "\n",
    }
    if any("{settings_file}" in word for word in agent.settings):
        files["settings.json"] = settings
    if any("{task_file}" in word for word in agent.prompt):
        files["task.sh"] = task + "\n"
    return Launch(id, folder, window_words(id, folder), files)


def window_words(id: str, folder: str) -> tuple[str, ...]:
    """What tmux is told to run for the session of this folder.

    Marked from its first moment, as a variable of its environment: later ones don't show in the process table.
    """
    mark = (f"OPENCLAW_SESSION_ID={id}", f"OPENCLAW_STATE_DIR={os.path.dirname(os.path.dirname(folder))}")
    return ("env", *mark, "bash", os.path.join(folder, "launch.sh"))


def exports(environ: Mapping[str, str]) -> str:
    """The file `env`, which the supervisor reads and removes."""
    return "".join(
        f"export {key}={shlex.quote(value)}\n" for key, value in sorted(environ.items()) if key.isidentifier()
    )


def resuming(agent: Agent, script: str, conversation_id: str) -> str:
    """A launch.sh that goes on with its conversation: the same words, but for those that began it, and its prompt.

    What it was started with stays: model, tools, settings, sandbox. The prompt is read from resume.md from now on.
    """
    files = ("prompt_file", "task_file", "settings_file", "model", "system_prompt")
    values = dict.fromkeys(files, "") | {"conversation": conversation_id}
    began, resume = (" ".join(_filled(group, values)) for group in (agent.conversation, agent.resume))
    head, mark, command = script.partition("\ncommand=(")
    prompted = " ".join(_filled(agent.prompt, values))
    if "/task.md" not in command and "/resume.md" not in command:  # its prompt was too long for an argument
        words, end, rest = command.partition(")\nsource")
        command = f"{words} {prompted}{end}{rest}"
    if began and f" {began} " in command:
        command = command.replace(f" {began} ", f" {resume} ", 1)
    elif f" {resume} " not in command:
        ways = (f"-- {_PROMPT}", prompted, _PROMPT)  # its entry may be another by now
        before, prompt, after = command.rpartition(" " + next((way for way in ways if f" {way}" in command), _PROMPT))
        command = f"{before} {resume}{prompt}{after}"
    return head + mark + command.replace('"$dir/task.md"', '"$dir/resume.md"')


def beginning(agent: Agent, script: str, conversation_id: str, fresh: str | None) -> str:
    """A launch.sh that starts from its task again, in a conversation of its own: a program takes no id twice."""
    head, mark, command = script.partition("\ncommand=(")
    began = " ".join(_filled(agent.conversation, {"conversation": fresh})) if fresh else ""
    for words in (agent.resume, agent.conversation):
        known = " ".join(_filled(words, {"conversation": conversation_id}))
        if known and f" {known} " in command:
            command = command.replace(f" {known} ", f" {began} " if began else " ", 1)
            break
    return head + mark + command.replace('"$dir/resume.md"', '"$dir/task.md"')


def watched(writes: Iterable[str]) -> list[str]:
    """The folders or files below which the patterns may match: the parts before a wildcard, none inside another."""
    roots = set()
    for pattern in writes:
        parts = pattern.split("/")
        wild = next((i for i, part in enumerate(parts) if set(part) & set("*?[{")), len(parts))
        roots.add("/".join(parts[:wild]).rstrip("/") or "/")
    return sorted(r for r in roots if not any(r.startswith(o.rstrip("/") + "/") for o in roots if o != r))


def write(launch: Launch) -> None:
    """Create its files, 0600, in its folder, which is there. One that is already there is an error.

    What is newer than launch.sh was changed by the sub-agent.
    """
    for name, text in launch.files.items():
        fd = os.open(os.path.join(launch.folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(fd, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            file.write(text)


def too_long(agent: Agent, prompt: str) -> bool:
    """Whether the program takes its prompt as an argument and this one does not fit into one."""
    return len(prompt.encode("utf-8", "surrogateescape")) > PROMPT_BYTES and any("{prompt}" in w for w in agent.prompt)


def check_prompt(agent: Agent, prompt: str) -> None:
    """Refused(over_limit) when this prompt is too long to start with and the program can't be sent it afterwards."""
    if too_long(agent, prompt) and ("line" not in agent.input or agent.reports == "none"):
        raise Refused(
            f"the prompt has {len(prompt.encode())} bytes and {agent.name} takes {PROMPT_BYTES} at most as it starts",
            "inject less and let it read the files itself (--read), or name another --agent",
            code="over_limit",
        )


def hook_program() -> str:
    """The absolute path of `openclaw-hook`: beside this Python, else the first on the PATH."""
    beside = os.path.join(os.path.dirname(sys.executable), "openclaw-hook")
    found = beside if os.access(beside, os.X_OK) else shutil.which("openclaw-hook")
    if not found:
        raise Unavailable("openclaw-hook is not installed", "install openclaw again: it comes with it", code="no_hook")
    return os.path.abspath(found)


def check_installed(agent: Agent, environ: Mapping[str, str]) -> str:
    """The path of the program; Unavailable with how to get it when it isn't there."""
    found = shutil.which(agent.command[0], path=environ.get("PATH"))
    if not found:
        raise Unavailable(
            f"agent {agent.name}: {agent.command[0]} is not on the PATH",
            f"install it: {agent.install}" if agent.install else "install it, or name another with --agent",
            code="no_agent",
        )
    if missing := [name for name in agent.packages if not _importable(name)]:
        raise Unavailable(
            f"agent {agent.name} needs {', '.join(missing)}", f"install it: {agent.install}", code="no_agent"
        )
    return found


def _importable(package: str) -> bool:
    from importlib.util import find_spec  # only for programs of our own Python

    return find_spec(package) is not None


def _filled(group: Words, values: Mapping[str, str]) -> list[str]:
    filled = []
    for word in group:
        if word == "{prompt}":
            filled.append(_PROMPT)
        else:
            before, mark, after = word.partition("{prompt}")
            text, rest = before.format(**values), after.format(**values)
            filled.append(shlex.quote(text) + (_PROMPT + (shlex.quote(rest) if rest else "") if mark else ""))
    return filled
