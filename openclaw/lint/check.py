"""All files of a tree that could start agents: which they are, and what is found in them."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from openclaw.errors import NotFound, OpenclawError, Unavailable
from openclaw.git import Git
from openclaw.lint import python, shell, trees
from openclaw.lint.commands import SHELLS
from openclaw.lint.finding import Broken, Finding, Spawn

LARGEST = 2 * 2**20  # bytes: larger ones are data
KINDS = {
    ".py": "python", ".pyw": "python", ".sh": "shell", ".bash": "shell", ".zsh": "shell", ".ksh": "shell",
    ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".json5": "json", ".jsonc": "json",
    ".cron": "crontab", ".crontab": "crontab",
}  # fmt: skip
STARTING = re.compile(rb"sessions_spawn|subprocess|\bos\b|pexpect")  # without one of them, Python starts nothing
TELLING = re.compile(rb"sessions_spawn|openclaw|claude|codex|gemini|opencode|aider|payload|^\s*[-{\[,\s]*\"?task", re.M)
SHEBANG = re.compile(rb"#!\s*\S*?(?:env\s+(?:-S\s+)?)?([a-z]+)[\d.]*(?:\s|$)")
PASSED_OVER = frozenset(("node_modules", "__pycache__"))
ALLOW = b"openclaw: allow"  # on the line of a spawn that is meant so


class Checked(NamedTuple):
    """`spawns` were seen in `files`; `unchecked` are files for which a parser is missing."""

    files: int
    spawns: int
    findings: list[Finding]
    broken: list[tuple[str, int, str]]
    unchecked: list[str]


def check(paths: Sequence[str], environ: Mapping[str, str]) -> Checked:
    """Look through these files and folders. NotFound where there is nothing."""
    files = seen = 0
    findings: list[Finding] = []
    broken: list[tuple[str, int, str]] = []
    unchecked: list[str] = []
    for path in dict.fromkeys(each for given in paths for each in _files(given, environ)):
        kind = _kind(path)
        if not kind:
            continue
        files += 1
        data = _read(path)
        if not TELLING.search(data) or (kind == "python" and not STARTING.search(data)):
            continue
        try:
            found = list(_spawns(kind, path, data))
        except Broken as error:
            broken.append((path, error.line, error.why))
            continue
        except RecursionError:
            broken.append((path, 0, "nested too deeply"))
            continue
        except Unavailable:
            unchecked.append(path)
            continue
        seen += len(found)
        lines = data.split(b"\n")
        findings += [
            Finding(path, spawn.line, spawn.what, spawn.lacks, spawn.mend)
            for spawn in dict.fromkeys(found)
            if spawn.lacks and ALLOW not in b"".join(lines[spawn.line - 1 : spawn.line])
        ]
    return Checked(files, seen, findings, broken, unchecked)


def _spawns(kind: str, path: str, data: bytes) -> Iterable[Spawn]:
    if kind == "python":
        return python.spawns(data)
    text = data.decode("utf-8-sig", "replace")
    if kind == "shell":
        return shell.script(text)
    if kind == "crontab":
        whole = os.path.abspath(path)
        return shell.crontab(text, users=whole == "/etc/crontab" or os.path.dirname(whole).endswith("/cron.d"))
    return trees.spawns(text, kind == "json")


def _kind(path: str) -> str:
    """What a file is: by its name, else by its first line."""
    folder, name = os.path.split(path)
    ending = os.path.splitext(name)[1]
    if ending in KINDS:
        return KINDS[ending]
    if name == "crontab" or os.path.basename(folder) in ("cron.d", "crontabs"):
        return "crontab"
    found = None if ending else SHEBANG.match(_read(path, 256))
    program = found[1].decode() if found else ""
    return "python" if program == "python" else "shell" if program in SHELLS else ""


def _read(path: str, most: int = -1) -> bytes:
    try:
        with open(path, "rb") as file:
            data = file.read(most) if os.fstat(file.fileno()).st_size <= LARGEST else b""
    except OSError:  # gone, or not ours to read
        return b""
    return b"" if b"\0" in data[:1024] else data


def _files(given: str, environ: Mapping[str, str]) -> Iterator[str]:
    """A file itself; below a folder, the plain files that git does not ignore, whether it is a repository or not."""
    if not os.path.lexists(given):
        raise NotFound(f"there is no {given[:200]}", "name a file or a folder", code="no_such_path")
    if not os.path.isdir(given):
        yield given
        return
    for name in _listed(given, environ):
        path = os.path.normpath(os.path.join(given, name))
        if name.endswith("/") and os.path.exists(os.path.join(path, ".git")):
            yield from _files(path, environ)  # a repository in it
        elif os.path.isfile(path) and not os.path.islink(path) and not PASSED_OVER & set(name.split("/")):
            yield path


def _listed(folder: str, environ: Mapping[str, str]) -> list[str]:
    """Names below it, with a / at the end of a repository in it. Who names a folder that is ignored means it."""
    words = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    git = Git(folder, environ)
    try:
        if git.run("check-ignore", "--quiet", ".").code == 1:
            return sorted(set(git.list(*words)))
    except OpenclawError:  # what it says is no list of files
        pass
    try:
        with tempfile.TemporaryDirectory(prefix="openclaw-audit-") as empty:
            Git(empty, environ).out("init", "--quiet", "--bare")
            tree = ("--git-dir", empty, "--work-tree", os.path.abspath(folder))
            return sorted(set(git.list(*tree, *words)))
    except OpenclawError:  # without git nothing is ignored
        walked = (os.path.join(at, name) for at, _, names in os.walk(folder) for name in names)
        return sorted(os.path.relpath(path, folder) for path in walked)
