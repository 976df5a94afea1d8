"""Whether a tool call keeps to the scope of its task. Pure but for following symlinks, cheap enough for every call.

It judges the tools that name files: Claude Code's own, Codex's apply_patch, and tools of MCP servers that take a path.
What a shell command touches can't be told from its words: that is for the sandbox, and for the look at what changed.
Between this look and the tool's own a symlink may be exchanged: only the sandbox closes that gap.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from openclaw.tasks import globs

WRITERS = ("Edit", "MultiEdit", "Write", "NotebookEdit")
READERS = ("Read", "NotebookRead", "LS", "LSP")
SEARCHERS = ("Grep", "Glob")
PATCHERS = ("apply_patch", "ApplyPatch")
# Take a `path` that is none, or run commands: nothing to judge by name.
OTHERS = ("Bash", "BashOutput", "KillShell", "Task", "Agent", "WebFetch", "WebSearch", "TodoWrite", "Skill")

_FIELDS = ("file_path", "filePath", "notebook_path", "path", "paths")
_MOVED = ("source", "destination")  # of tools that move or copy
_READING = {"read", "get", "list", "search", "find", "grep", "glob", "view", "show", "stat", "tree", "info", "open"}
_CHANGING = {"write", "edit", "create", "update", "delete", "remove", "move", "copy", "rename", "set", "put", "replace"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_HEADER = re.compile(r"^\s*\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+?)\s*$", re.MULTILINE)
# What JavaScript's trim() takes off, as Claude Code does before it opens a path.
_SPACE = "\t\n\v\f\r \xa0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200B)))
_SHOWN = 6  # patterns that a reason names


def judge(
    tool_name: str,
    tool_input: Mapping[str, Any],
    cwd: str,
    scope: Mapping[str, Any],
    folder: str,
    also: Sequence[str] = (),
) -> str:
    """Why this call must be denied, in words that the model can act on; empty when it may go on.

    `scope` is a session's: absolute patterns under `read` and `write`; with `open` true writing is not restricted.
    What may be written may be read. So may the session's `folder` and `also`: absolute paths, with what is below them
    (injected files, and `own` of the hook's payload).
    """
    reads, writes = scope.get("read") or (), scope.get("write") or ()
    place = _Place(cwd, (*reads, *writes), writes, folder, also, bool(scope.get("open")))
    if tool_name in OTHERS:
        return ""
    if tool_name in SEARCHERS:
        return place.search(tool_name, tool_input)
    if tool_name in PATCHERS:
        named: list[Any] = [path for text in _texts(tool_input) for path in _HEADER.findall(text)]
    else:
        moves = _words(tool_name) & {"move", "copy", "rename"}
        named = [path for path in _named(tool_input, (*_FIELDS, *_MOVED) if moves else _FIELDS) if path is not None]
    if not named and tool_name in (*WRITERS, *READERS, *PATCHERS):
        return f"{tool_name} names no file, so it can't be judged by the scope of this task."
    check = place.read if tool_name in READERS else place.write
    if tool_name not in (*WRITERS, *READERS, *PATCHERS) and _only_reads(tool_name):
        check = place.read_if_there
    return next(filter(None, map(check, named)), "")


def reply(reason: str) -> dict[str, Any]:
    """What a PreToolUse hook prints to stop the tool, with skip-permissions too; the model gets the reason."""
    return {
        "hookSpecificOutput": {
            "hookEventName": "PreToolUse",
            "permissionDecision": "deny",
            "permissionDecisionReason": reason,
        }
    }


def own(payload: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where Claude Code keeps what it shows its own conversation: long tool results, output of background shells."""
    transcript = payload.get("transcript_path")
    if not isinstance(transcript, str) or not transcript.endswith(".jsonl"):
        return []
    project = os.path.basename(os.path.dirname(transcript))
    temporary = os.path.realpath(environ.get("CLAUDE_CODE_TMPDIR") or environ.get("TMPDIR") or "/tmp")
    names = ("claude", f"claude-{os.getuid()}")
    return [os.path.realpath(transcript[: -len(".jsonl")]), *(os.path.join(temporary, n, project) for n in names)]


def readings(path: str, cwd: str) -> list[str]:
    """The files that a program may take a path for: with its outer blanks or without, `..` before symlinks or after.

    ValueError for what no program can open as written: a NUL, halves of characters.
    """
    path.encode()
    found: dict[str, None] = {}
    for text in (path, path.strip(_SPACE)):
        whole = os.path.join(cwd, os.path.expanduser("~") + text[1:] if text == "~" or text[:2] == "~/" else text)
        for reading in (whole, os.path.normpath(whole)):
            found[os.path.realpath(reading)] = None
    return list(found)


class _Place:
    """Where the call is made: its folder, and what may be touched from there."""

    def __init__(
        self, cwd: str, reads: Sequence[str], writes: Sequence[str], folder: str, also: Sequence[str], free: bool
    ) -> None:
        self.cwd, self.reads, self.writes, self.free = cwd, reads, writes, free
        self.below = (os.path.realpath(folder), *also)
        self.results = tuple(os.path.join(self.below[0], name) for name in ("result.md", "out"))

    def write(self, path: Any) -> str:
        if self.free or self._all(path, lambda real: _held(self.writes, real) or _is_below(real, self.results)):
            return ""
        if not self.writes:
            return f"{self._shown(path)}: this task changes no files. Report what you would change instead."
        return (
            f"{self._shown(path)} is outside the write scope of this task, which may change "
            f"{self._patterns(self.writes)}. Leave it as it is; if it has to change, say so in your result."
        )

    def read(self, path: Any) -> str:
        if self._all(path, lambda real: _held(self.reads, real) or _is_below(real, self.below)):
            return ""
        return (
            f"{self._shown(path)} is outside the read scope of this task, which may read {self._patterns(self.reads)}. "
            "Work with that; if something is missing, say so in your result."
        )

    def read_if_there(self, path: Any) -> str:
        """For tools we don't know, whose path may be that of a web page: what is not there can't be read."""
        there = isinstance(path, str) and not self._all(path, lambda real: not os.path.lexists(real))
        return self.read(path) if there else ""

    def search(self, tool: str, tool_input: Mapping[str, Any]) -> str:
        base = tool_input.get("path") or self.cwd
        if tool == "Glob":
            start, rest = _start(str(tool_input.get("pattern") or ""))
            base = os.path.join(base, start) if isinstance(base, str) else base
        else:
            rest = str(tool_input.get("glob") or "")
            rest = f"**/{rest}" if rest and "/" not in rest else rest
        if ".." not in rest.split("/") and self._all(base, lambda real: self._searchable(real, rest)):
            return ""
        return (
            f"searching {self._shown(base)} would look at files outside the read scope of this task, which may read "
            f"{self._patterns(self.reads)}. Search within that."
        )

    def _searchable(self, real: str, rest: str) -> bool:
        if _is_below(real, self.below) or any(globs.covers(pattern, real) for pattern in self.reads):
            return True
        if not os.path.isdir(real):
            return _held(self.reads, real)
        return bool(rest) and f"{globs.quote_path(real).rstrip('/')}/{rest}" in self.reads

    def _all(self, path: Any, allowed: Any) -> bool:
        try:
            return isinstance(path, str) and all(map(allowed, readings(path, self.cwd)))
        except ValueError:
            return False

    def _shown(self, path: Any) -> str:
        if not isinstance(path, str):
            return f"{path!r:.80}"
        text = path if path.isprintable() and path == path.strip() else repr(path)
        try:
            real = readings(path, self.cwd)[-1]
        except ValueError:
            return text[:400]
        plain = os.path.normpath(os.path.join(self.cwd, path))
        leads = f" (which is {self._relative(real)})" if real != plain and real.isprintable() else ""
        return text[:400] + leads[:400]

    def _patterns(self, patterns: Sequence[str]) -> str:
        shown = [self._relative(pattern) for pattern in dict.fromkeys(patterns)]
        more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
        return (", ".join(shown[:_SHOWN]) or "nothing but what was injected") + more

    def _relative(self, path: str) -> str:
        return path.removeprefix(self.cwd.rstrip("/") + "/")


def _held(patterns: Iterable[str], real: str) -> bool:
    return any(globs.matches(pattern, real) for pattern in patterns)


def _is_below(real: str, folders: Iterable[str]) -> bool:
    return any(real == folder or real.startswith(folder.rstrip("/") + "/") for folder in folders)


def _start(pattern: str) -> tuple[str, str]:
    """The folder at the start of a glob, and the rest; a glob without wildcards is all start."""
    parts = pattern.split("/")
    wild = next((at for at, part in enumerate(parts) if set(part) & set("*?[{(!")), len(parts))
    return "/".join(parts[:wild]) or ("/" if pattern.startswith("/") else ""), "/".join(parts[wild:])


def _named(value: Any, fields: Sequence[str]) -> Iterator[Any]:
    """Every path under these fields, however deep."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in fields:
                yield from inner if isinstance(inner, list) else (inner,)
            else:
                yield from _named(inner, fields)
    elif isinstance(value, list):
        for inner in value:
            yield from _named(inner, fields)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, list)):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(inner)


def _words(tool_name: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(tool_name.rpartition("__")[2])}


def _only_reads(tool_name: str) -> bool:
    words = _words(tool_name)
    return bool(words & _READING) and not words & _CHANGING
