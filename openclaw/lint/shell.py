"""Shell scripts and crontabs: every command in them, as the parser of tree-sitter sees them, never by their text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from openclaw.errors import Unavailable
from openclaw.lint import commands
from openclaw.lint.finding import MANY, UNKNOWN, Spawn

INSTALL = "install it: pip install 'openclaw[audit]'"
_CRON = re.compile(r"\s*(?:@\w+|(?:[\d*/,A-Za-z~-]+\s+){4}[\d*/,A-Za-z~-]+)\s+(.+)")


@lru_cache(1)
def _parser() -> Any:
    try:
        import tree_sitter_bash  # few trees need it, and it is an extra
        from tree_sitter import Language, Parser
    except ModuleNotFoundError as error:
        raise Unavailable("looking into shell scripts needs tree-sitter-bash", INSTALL, code="no_package") from error
    return Parser(Language(tree_sitter_bash.language()))


def script(text: str) -> Iterator[Spawn]:
    """The spawns of a script. What the parser can't make out is passed over, the rest of it is not."""
    for line, words in _commands(text):
        yield from commands.spawns(words, line, inner)


def crontab(text: str, users: bool) -> Iterator[Spawn]:
    """The spawns of a crontab; with `users`, a user stands before each command, as in /etc/cron.d."""
    for number, row in enumerate(text.splitlines(), 1):
        if not row.lstrip().startswith("#") and (found := _CRON.fullmatch(row)):
            command = found[1].partition(" ")[2] if users else found[1]
            for spawn in script(re.split(r"(?<!\\)%", command)[0]):
                yield spawn._replace(line=number)


def inner(text: str) -> list[list[str]]:
    """The commands of a text that is given to a shell."""
    return [words for _, words in _commands(text)]


def _commands(text: str) -> Iterator[tuple[int, list[str]]]:
    nodes = [_parser().parse(text.encode("utf-8", "replace")).root_node]
    while nodes:
        node = nodes.pop()
        if node.type == "command":
            words = [word for child in node.children if (word := _word(child)) is not None]
            yield node.start_point[0] + 1, words
        nodes += reversed(node.children)


def _word(node: Any) -> str | None:
    """A word as the shell would have it; None for what is none, such as a redirection."""
    text: str = node.text.decode("utf-8", "replace")
    if node.type in ("word", "number"):
        word = re.sub(r"\\(?:\n|(.))", lambda found: found[1] or "", text)
        return MANY if word == UNKNOWN else word  # a piece of a text of Python's may have been any words
    if node.type == "raw_string":
        return text[1:-1]
    if node.type == "ansi_c_string":
        return text[2:-1]
    if node.type == "string":
        if any(each in text for each in ("$@", "[@]")):
            return MANY
        return "".join(_inside(child) for child in node.children[1:-1])
    if node.type in ("command_name", "concatenation"):
        parts = [_word(child) or "" for child in node.children]
        return parts[0] if len(parts) == 1 else "".join(parts).replace(MANY, UNKNOWN)
    if node.type in (
        "simple_expansion",
        "expansion",
        "command_substitution",
        "process_substitution",
        "arithmetic_expansion",
    ):
        return MANY
    return text if node.type == "variable_assignment" else None


def _inside(node: Any) -> str:
    """A piece of what stands between double quotes."""
    return str(node.text, "utf-8", "replace") if node.type == "string_content" else UNKNOWN
