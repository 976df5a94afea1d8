"""What we inserted into files of others: written down by its place, so that it can be cut out again exactly.

A record holds no text of the file, for that may hold secrets: only the hash of the whole and the spans that are ours.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from typing import NamedTuple

from openclaw.agents.jsontext import cut
from openclaw.agents.rewrite import created as create
from openclaw.agents.rewrite import replaced
from openclaw.continuity import files
from openclaw.errors import Unavailable


class Record(NamedTuple):
    """`created`: the file was made by us, `made` are the folders that were made for it, outermost first."""

    spans: tuple[tuple[int, int], ...]
    created: bool
    made: tuple[str, ...]

    def bare(self, text: str) -> str:
        """The text without what is ours: as it was before."""
        return cut(text, self.spans)


def known(state_dir: str, path: str, data: bytes | None) -> Record | None:
    """The record of a file that is as we left it; for `data` None that of whatever it is by now."""
    try:
        with open(_place(state_dir, path), encoding="utf-8") as file:
            found = json.load(file)
        if found["path"] != path or (data is not None and found["sha256"] != hashlib.sha256(data).hexdigest()):
            return None
        spans = tuple((int(start), int(end)) for start, end in found["spans"])
        return Record(spans, bool(found["created"]), tuple(map(str, found["made"])))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # without it ours are found by what they are


def remember(
    state_dir: str, path: str, data: bytes, spans: Sequence[tuple[int, int]], *, created: bool, made: Sequence[str]
) -> None:
    """Write down what a file is going to be. That comes first: one that was not changed after all has another hash."""
    place = _place(state_dir, path)
    os.makedirs(os.path.dirname(place), mode=0o700, exist_ok=True)
    record = {"path": path, "sha256": hashlib.sha256(data).hexdigest(), "spans": spans, "created": created}
    files.write(place, json.dumps(record | {"made": list(made)}))


def forget(state_dir: str, path: str) -> None:
    try:
        os.unlink(_place(state_dir, path))
    except FileNotFoundError:
        pass


def write(path: str, before: bytes | None, after: bytes, mode: int) -> bool:
    """Put the new text in the place of what was read; False when the file is another by now. `mode` is of a new one."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if before is None:
            return create(path, after, mode)
        return replaced(path, before, after, os.stat(path))
    except FileNotFoundError:
        return False  # it was there just now
    except OSError as error:
        raise Unavailable(
            f"{path} can't be changed: {error.strerror}", "check its owner and mode", "settings"
        ) from error


def delete(path: str, before: bytes, made: Sequence[str]) -> bool:
    """Remove a file that we made, and the folders we made for it that are empty. False when it is another by now."""
    try:
        with open(path, "rb") as file:
            if file.read() != before:
                return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise Unavailable(f"{path} can't be removed: {error.strerror}", "check its folder", "settings") from error
    for folder in reversed(made):
        try:
            os.rmdir(folder)
        except OSError:
            break  # somebody uses it
    return True


def _place(state_dir: str, path: str) -> str:
    name = hashlib.sha256(os.fsencode(path)).hexdigest()[:32]
    return os.path.join(state_dir, "hooks", f"{name}.json")
