"""Reports that could not be stored: the database was locked for too long, out of reach, or of an older version.

Each waits as a file of its own in <state>/spool, in the order of their names. Whoever opens the store next, a hook or
any command, takes them in: each once, for its name is written down in the same transaction, and forgotten when its file
is gone. The hook imports this when there is one to leave or to take: only what it has anyway.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time

TYPE_CHECKING = False  # type checkers take it as true
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

FOLDER = "spool"
MOST = 2000  # wait at once: a store that stays out of reach must not fill the disk
AT_ONCE = 200  # taken in by one transaction
NONSENSE = (ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError,
            sqlite3.InterfaceError, sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.DataError)  # fmt: skip


def waiting(state_dir: str) -> list[str]:
    """Their names, oldest first; mostly there are none."""
    try:
        return sorted(name for name in os.listdir(os.path.join(state_dir, FOLDER)) if name.endswith(".json"))
    except OSError:
        return []


def leave(state_dir: str, report: dict[str, Any], began: float) -> None:
    """Put one there, whole or not at all. `began` is its time in epoch seconds. OSError when that can't be done.

    The state folder is not made: where it is gone, nobody waits for a report.
    """
    folder = os.path.join(state_dir, FOLDER)
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:
        if len(os.listdir(folder)) >= MOST:
            raise OSError(f"{MOST} reports wait in {folder} already") from None
    name = f"{int(began * 1000):014d}-{os.getpid()}-{time.monotonic_ns()}"
    path = os.path.join(folder, name)
    try:
        with open(os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(report, file)
            file.flush()
            os.fsync(file.fileno())
        os.rename(f"{path}.new", f"{path}.json")
    except BaseException:
        if os.path.lexists(f"{path}.new"):
            os.unlink(f"{path}.new")
        raise


def take_in(
    store: sqlite3.Connection, state_dir: str, take: Callable[[sqlite3.Connection, dict[str, Any], str], object]
) -> list[str]:
    """Have `take` record those that wait, oldest first, each with its time. The caller holds the transaction, and when
    that is done calls `forget` with the names."""
    names = waiting(state_dir)
    known = {name for (name,) in store.execute("SELECT name FROM taken_reports")}
    gone = known.difference(names)
    taken = []
    if gone:
        store.executemany("DELETE FROM taken_reports WHERE name = ?", [(name,) for name in gone])
    for name in names[:AT_ONCE]:
        if name not in known:
            try:
                with open(os.path.join(state_dir, FOLDER, name), encoding="utf-8") as file:
                    report = json.load(file)
                take(store, report, _time(name))
            except OSError:
                continue  # another time
            except NONSENSE:
                pass  # no report, and it will never be one
            store.execute("INSERT INTO taken_reports VALUES (?)", (name,))
        taken.append(name)
    return taken


def forget(state_dir: str, names: list[str]) -> None:
    """Remove what has been taken in."""
    for name in names:
        try:
            os.unlink(os.path.join(state_dir, FOLDER, name))
        except OSError:
            pass  # another did, or it can't be: its name is known, so it is not taken twice


def _time(name: str) -> str:
    """ISO 8601 UTC with milliseconds, from a name."""
    milliseconds = int(name.partition("-")[0])
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(milliseconds // 1000))}.{milliseconds % 1000:03d}Z"
