"""Where roles are found: in the workspace, in Claude Code's folders of the project and the person, in our own; shipped.

The first of a name wins. A file that can't be read as a role stands for its name too: what it would have hidden is not
run in its place.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterator
from typing import NamedTuple

from openclaw.errors import BadInput, NotFound
from openclaw.roles.role import Role, parse
from openclaw.settings import Settings
from openclaw.tasks.files import Unreadable, read_plain

SHIPPED = os.path.join(os.path.dirname(__file__), "shipped")
ROLE_BYTES = 262_144
FILES = 500  # of one place; a folder that holds more is none of roles


class Broken(NamedTuple):
    """A file that is no role, by the name that it would have."""

    name: str
    path: str
    error: BadInput


class Library(NamedTuple):
    """All roles by name, best place first, and the files that are broken."""

    roles: dict[str, Role]
    broken: list[Broken]


def load(settings: Settings) -> Library:
    """Every role that can be had from here."""
    roles: dict[str, Role] = {}
    broken: list[Broken] = []
    seen: dict[str, str] = {}
    for place, folder in places(settings):
        if seen.setdefault(os.path.realpath(folder), folder) is not folder:
            continue  # the person's own folder, who works right above it
        for path in _files(folder):
            stem = os.path.splitext(os.path.basename(path))[0]
            try:
                found = read(path, place)
            except BadInput as error:
                broken.append(Broken(stem, path, error))
                continue
            if known := roles.get(found.name):
                roles[found.name] = known._replace(hides=(*known.hides, path))
            elif found.name not in {each.name for each in broken}:
                roles[found.name] = found
    return Library(roles, broken)


def find(name: str, settings: Settings) -> Role:
    """The role of this name. NotFound with the nearest; BadInput when its file is broken."""
    library = load(settings)
    if name in library.roles:
        return library.roles[name]
    for each in library.broken:
        if each.name == name:
            raise each.error
    near = difflib.get_close_matches(name.lower(), library.roles, n=3, cutoff=0.5)
    hint = "did you mean " + " or ".join(near) + "?" if near else "there are " + ", ".join(sorted(library.roles))
    raise NotFound(f"no role {name[:40]!r}", hint, code="no_such_role")


def shipped(name: str) -> Role:
    """One of ours, whatever else has its name."""
    return read(os.path.join(SHIPPED, f"{name}.md"), "openclaw")


def read(path: str, place: str) -> Role:
    """The role in a file. BadInput names the file and the line."""
    try:
        text = read_plain(os.path.realpath(path), ROLE_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise BadInput(f"{path}, line {line}: not UTF-8", "save it as UTF-8", code="bad_role") from error
    except Unreadable as error:
        raise BadInput(f"{path} {error}", "it must be a readable text file", code="bad_role") from error
    return parse(text, path, os.path.splitext(os.path.basename(path))[0], place)


def places(settings: Settings) -> Iterator[tuple[str, str]]:
    """(whose, folder), best first; the folders need not be there."""
    yield "workspace", os.path.join(settings.workspace, "roles")
    for folder in _upward(settings.cwd):
        yield "project", os.path.join(folder, ".claude", "agents")
    claude = settings.environ.get("CLAUDE_CONFIG_DIR") or os.path.join(settings.home, ".claude")
    yield "user, for Claude Code", os.path.join(claude, "agents")
    yield "user", os.path.join(settings.config_dir, "roles")
    yield "openclaw", SHIPPED


def _upward(cwd: str) -> list[str]:
    """The folder and those above it up to the top of its repository; without one only the folder itself."""
    folders = [os.path.abspath(cwd)]
    while not os.path.lexists(os.path.join(folders[-1], ".git")):
        if folders[-1] == os.path.dirname(folders[-1]):
            return folders[:1]
        folders.append(os.path.dirname(folders[-1]))
    return folders


def _files(folder: str) -> list[str]:
    """Its markdown files, those in folders below it too, as Claude Code has them; what explains them is none."""
    found: list[str] = []
    for base, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(base, name)
            for name in sorted(names)
            if name.endswith(".md") and not name.startswith(".") and name.lower() != "readme.md"
        ]
        if len(found) > FILES:
            break
    return found[:FILES]
