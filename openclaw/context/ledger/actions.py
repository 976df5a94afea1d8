"""What a tool call did, whatever the tools are called: a file changed or read, a command run. Pure."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from openclaw.context.history import Call, Result
from openclaw.context.ledger.words import slashed

PATH_KEYS = ("file_path", "path", "notebook_path", "filename", "file", "filepath", "target_file", "file_name")
COMMAND_KEYS = ("command", "cmd", "script", "code", "input")
CHANGES = re.compile(r"edit|write|create|insert|replace|patch|update|delete|remove|append|rename|move", re.I)
COMMANDS = re.compile(r"bash|shell|run|exec|command|terminal|python|process", re.I)
LOOKS = re.compile(r"glob|grep|search|find|list|^ls$|todo|plan|tree", re.I)
READS = re.compile(r"read|open|view|cat|show|fetch|goto|scroll", re.I)
PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (\S+)|^\+\+\+ (?:b/)?(\S+)", re.M)
LOOKING = ("ls", "cat", "head", "tail", "find", "grep", "rg", "wc", "pwd", "tree", "sed -n", "git status", "git log",
           "git diff", "git show", "echo", "which", "stat", "file", "du", "cd")  # fmt: skip
# the parts of a command line that say nothing of what was done
NOISE = re.compile(
    r"\s+2>(?:&1|/dev/null)|\s*\|\s*(?:tail|head)(?:\s+-\S+)*(?:\s+\d+)?\s*(?=$|&&|;)|^(?:cd \S+ *(?:&&|;) *)+"
)
COMMITS = re.compile(r"(?:git add [^\n;|]*?(?:&&|;)\s*)?git commit\b")
EXIT = re.compile(r"(?:Exit code|exit status|exited with(?: code)?):? (\d+)", re.I)
TALLY = re.compile(
    r"^.*\b\d+ (?:passed|failed|errors?|failures?|tests?|examples?|skipped|warnings?|files? changed|issues?)\b.*$",
    re.M | re.I,
)
TROUBLE = re.compile(
    r"^.*?(?:(?:Error|Exception)\b|\berror(?:\[\w+\])?:|\bfatal:|\bpanic:|\bundefined\b|\bFAILED\b|Traceback"
    r"|not found\b|No such file|denied|cannot |can't ).*$",
    re.M,
)
COMMIT = re.compile(r"^\[([\w./-]+)(?: \([\w-]+\))? ([0-9a-f]{7,40})\] (.+)$", re.M)
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Action(NamedTuple):
    """One call. `kind` is change, read, run, look or other; `target` a path, a command line or what was asked."""

    kind: str
    target: str
    given: dict[str, Any]
    more: tuple[str, ...] = ()  # further paths of a patch


def action(call: Call) -> Action:
    """What a call is about."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        given = {"": call.arguments} if call.arguments else {}
    path = slashed(next((given[key] for key in PATH_KEYS if isinstance(given.get(key), str) and given[key]), ""))
    command = next((given[key] for key in COMMAND_KEYS if isinstance(given.get(key), str | list) and given[key]), "")
    command = " ".join(map(str, command)) if isinstance(command, list) else command
    if command and (COMMANDS.search(call.name) or not path):
        patched = tuple(a or b for a, b in PATCHED.findall(command)) if "*** " in command or "+++ " in command else ()
        if patched:
            return Action("change", patched[0], given, patched[1:])
        return Action("run", shortened(command), given)
    if path and CHANGES.search(call.name):
        return Action("change", path, given)
    if path and READS.search(call.name) and not path.endswith("/"):
        return Action("read", path, given)
    return Action("look" if LOOKS.search(call.name) else "other", asked(call.name, given), given)


def words_of(given: Any) -> str:
    """All that the arguments say: their names and values, as they are meant and not as JSON escapes them."""
    if isinstance(given, dict):
        return "\n".join(f"{key}\n{words_of(value)}" for key, value in given.items())
    if isinstance(given, list):
        return "\n".join(map(words_of, given))
    return given if isinstance(given, str) else ""


def shortened(command: str, most: int = 70) -> str:
    """A command line without what only concerns its output, its first line where it has several."""
    text = NOISE.sub("", command.strip())
    if COMMITS.match(text):  # what was committed is told by the commit
        return "git commit"
    first, _, rest = text.partition("\n")
    first = " ".join(first.split())
    return first[: most - 1] + "…" if len(first) > most else first + (" …" if rest.strip() else "")


def looks_only(command: str) -> bool:
    """Whether a command changes nothing and proves nothing."""
    return command.startswith(tuple(f"{word} " for word in LOOKING)) or command in LOOKING


def asked(name: str, given: dict[str, Any], most: int = 80) -> str:
    """A call in one line: its name with its short values."""
    shown = [f"{key}={value}" if not isinstance(value, dict | list) else f"{key}=…" for key, value in given.items()]
    text = " ".join(f"{name}({', '.join(' '.join(each.split())[:60] for each in shown)})".split())
    return text if len(text) <= most else text[: most - 1] + "…"


def outcome(result: Result) -> tuple[bool, str]:
    """(whether it failed, the line of the result that says most)."""
    text = ANSI.sub("", result.content) if "\x1b" in result.content else result.content
    status = EXIT.match(text)
    failed = result.error or (status is not None and status[1] != "0")
    window = text if len(text) <= 20_000 else text[:10_000] + "\n" + text[-10_000:]
    line = ""
    if failed and (trouble := TROUBLE.search(window)):
        line = trouble[0]
    elif tallies := TALLY.findall(window):
        line = tallies[-1]
    elif failed:
        line = next((row for row in window.splitlines() if row.strip() and not EXIT.match(row)), "")
    return failed, clipped(line, 100 if failed else 60)


def clipped(text: str, most: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1] + "…"
