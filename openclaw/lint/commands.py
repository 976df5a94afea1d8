"""Commands as lists of words: which of them start an agent, and what those don't say."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from openclaw.lint.finding import INJECT, ISOLATION, MANY, SCOPE, Spawn


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What hands a command on: the first word that is none of their own is what they start.
WRAPPERS = _words(
    "env sudo doas nohup time exec command builtin setsid stdbuf nice ionice chrt timeout gtimeout xargs caffeinate"
    " unbuffer npx bunx pnpm yarn uv uvx pipx poetry systemd-run chronic"
)
OWN = re.compile(r"-.*|[A-Za-z_]\w*=.*|[\d.]+[smhd]?|run|dlx|tool|x")  # options, variables, times, verbs
SHELLS = _words("sh bash dash zsh ksh")
QUOTED = _words("tmux screen ssh eval script watch flock parallel")  # these take a whole command as one word, too
NAMING = _words("-u -t -n -s -g -L -S --user --group")  # what follows is a user, a target, a name
PYTHON = re.compile(r"python(3(\.\d+)?)?|pypy3?")
PACKAGES = {"@anthropic-ai/claude-code": "claude", "@openai/codex": "codex", "@google/gemini-cli": "gemini"}
ASKING = frozenset(("-h", "--help", "-v", "-V", "--version"))


class Program(NamedTuple):
    """An agent's own program: the options and verbs with which it works on a prompt, and verbs that are none of that.

    `prompt`: a bare word is a prompt too.
    """

    options: frozenset[str]
    verbs: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    prompt: bool = True


PROGRAMS = {
    "claude": Program(
        _words("-p --print --dangerously-skip-permissions --bg"), frozenset(),
        _words("mcp config doctor update install migrate-installer setup-token plugin auth agents attach logs"),
    ),
    "codex": Program(
        _words("--full-auto --yolo --dangerously-bypass-approvals-and-sandbox"), _words("exec e review"),
        _words("login logout mcp mcp-server app-server completion sandbox debug apply a cloud features resume fork"),
    ),
    "gemini": Program(_words("-p --prompt -i --prompt-interactive -y --yolo"), frozenset(), _words("mcp extensions")),
    "opencode": Program(_words("-p --prompt"), _words("run"), prompt=False),
    "aider": Program(_words("-m --message --msg -f --message-file"), prompt=False),
}  # fmt: skip

Parse = Callable[[str], list[list[str]]]  # a text as shell → its commands


def spawns(words: list[str], line: int, shell: Parse) -> Iterator[Spawn]:
    """The agents that this command starts. Words may hold UNKNOWN or be MANY."""
    words = words[:]
    while words and re.match(r"[A-Za-z_]\w*\+?=", words[0]):
        words.pop(0)
    if not words:
        return
    name = _name(words[0])
    if name == "openclaw":
        yield from _ours(words[1:], line)
    elif name in PROGRAMS:
        yield from _theirs(name, words[1:], line)
    elif PYTHON.fullmatch(name):
        if "-m" in words and words[words.index("-m") + 1 :][:1] == ["openclaw"]:
            yield from _ours(words[words.index("-m") + 2 :], line)
    elif name in SHELLS:
        text = next((words[at + 1] for at, word in enumerate(words[:-1]) if re.fullmatch(r"-[a-z]*c", word)), "")
        for command in shell(text) if text else ():
            yield from spawns(command, line, shell)
    elif name in WRAPPERS or name in QUOTED:
        yield from _handed_on(name, words, line, shell)


def _handed_on(name: str, words: list[str], line: int, shell: Parse) -> Iterator[Spawn]:
    for at, word in enumerate(words[1:], 1):
        after_option = words[at - 1].startswith("-")
        if name in QUOTED and any(char.isspace() for char in word):
            for command in shell(word):
                yield from spawns(command, line, shell)
        elif _starts(word) and not (after_option and words[at - 1] in NAMING):
            yield from spawns(words[at:], line, shell)
            return
        elif name in WRAPPERS and not after_option and not OWN.fullmatch(word):
            return  # another program


def _starts(word: str) -> bool:
    name = _name(word)
    return name == "openclaw" or name in PROGRAMS or name in SHELLS or name in WRAPPERS or bool(PYTHON.fullmatch(name))


def _name(word: str) -> str:
    word = re.sub(r"(?<=.)@[\w.-]+$", "", word)  # a package's version
    return PACKAGES.get(word) or os.path.basename(word)


def _ours(words: list[str], line: int) -> Iterator[Spawn]:
    while words and words[0].startswith("--workspace"):
        words = words[1 if "=" in words[0] else 2 :]
    mends: dict[str, str] = {}
    if words[:1] == ["spawn"]:
        given, many = _options(words[1:])
        if not many and not {"--template", "--type", "--from", "--role"} & set(given):
            if not {"--read", "--write"} & set(given):
                mends[SCOPE] = "--read GLOB and --write GLOB"
            if "--inject" not in given and given.get("--agent") != "shell":
                mends[INJECT] = "--inject PATH"
                if "--agent" not in given:
                    mends[INJECT] += " (or --agent shell, if it is a command line)"
    elif words[:2] == ["cron", "add"]:
        given, many = _options(words[2:])
        if given.get("--session") == "main":
            mends[ISOLATION] = "--session isolated"
        elif not many and not {"--inject-only", "--type"} & set(given):
            mends[INJECT] = "--inject-only FILE"
    else:
        return
    if not {"--dry-run", *ASKING} & set(given):
        what = "openclaw spawn" if words[0] == "spawn" else "openclaw cron add"
        yield Spawn(line, what, tuple(mends), f"say {', '.join(mends.values())}" if mends else "")


def _options(words: Sequence[str]) -> tuple[dict[str, str], bool]:
    """Options with what follows them; whether there may be others that are only known when it runs."""
    given: dict[str, str] = {}
    for at, word in enumerate(words):
        if word == "--":
            break
        if word.startswith("-"):
            name, sign, value = word.partition("=")
            given[name] = value if sign else "".join(words[at + 1 : at + 2])
    return given, MANY in words


def _theirs(name: str, words: Sequence[str], line: int) -> Iterator[Spawn]:
    program = PROGRAMS[name]
    words = [word for word in words if word != MANY]
    bare = [word for at, word in enumerate(words) if not word.startswith("-") and not (at and words[at - 1][:1] == "-")]
    texts = [word for word in words if any(char.isspace() for char in word.strip()) and not word.startswith("-")]
    if ASKING & set(words) or (bare and bare[0] in program.others):
        return
    asked = any(word.partition("=")[0] in program.options for word in words)
    if asked or (bare and bare[0] in program.verbs) or (program.prompt and (texts or bare)):
        mend = f"openclaw spawn --agent {name} --read GLOB --write GLOB --inject PATH TASK"
        yield Spawn(line, f"{name}, started by itself", (SCOPE, INJECT, ISOLATION), mend)
