"""The project's own files: the lock, the checks' entry points, and what a release must carry."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import pytest

from openclaw.store import db
from openclaw.store.migrations import MIGRATIONS

ROOT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROJECT = PYPROJECT["project"]
LOCK = (ROOT / "requirements.lock").read_text()
PIN = re.compile(r"^([A-Za-z0-9._-]+)==\S+(?: ; [^\\\n]+?)? \\\n(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+", re.M)


def normal(name: str) -> str:
    """A package name as the index knows it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared() -> set[str]:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    found = re.compile(r"[A-Za-z0-9._-]+")
    names = {normal(m[0]) for line in PROJECT["dependencies"] + extras if (m := found.match(line))}
    return names - {"openclaw"}


@pytest.mark.parametrize("name", sorted(declared()))
def test_lock_pins_every_dependency_with_hashes(name: str) -> None:
    pinned = {normal(match[1]) for match in PIN.finditer(LOCK)}
    assert name in pinned, f"{name} is not pinned with hashes in requirements.lock: run `make lock`"


def test_lock_holds_nothing_but_pins() -> None:
    rest = [line for line in PIN.sub("", LOCK).splitlines() if line.strip() and not line.startswith("#")]
    assert not rest, rest


def test_lock_has_no_address_and_no_path() -> None:
    assert not re.search(r"://|--find-links|--index|--trusted|file:|/(home|root|tmp|Users)/", LOCK)


@pytest.mark.parametrize("path", [".ci/run", *(str(p.relative_to(ROOT)) for p in (ROOT / "scripts").glob("*.sh"))])
def test_scripts_can_be_run(path: str) -> None:
    assert os.access(ROOT / path, os.X_OK), f"{path} is not executable"
    assert "set -euo pipefail" in (ROOT / path).read_text()


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", text, re.M)
    assert phony
    documented = set(re.findall(r"^([a-z-]+):.*## ", text, re.M))
    assert documented == set(phony[1].split())


def test_version_is_in_the_changelog() -> None:
    version = re.search(r'VERSION = "([^"]+)"', (ROOT / "openclaw" / "version.py").read_text())
    assert version
    assert f"## [{version[1]}]" in (ROOT / "CHANGELOG.md").read_text()


def test_files_of_the_sdist_exist() -> None:
    include = PYPROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    missing = [name for name in include if not (ROOT / name).exists()]
    assert not missing


def test_the_database_knows_how_many_steps_it_has() -> None:
    names = [name for name, _ in MIGRATIONS]
    assert db.VERSION == len(names) == len(set(names))
