"""The tools that start something: a command, and a search. Whatever they start is gone when they end."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from openclaw.local.place import Place, ToolError

SEARCH_S = 30.0
GRACE_S = 2.0
OUTPUT_BYTES = 8_388_608  # of a command; it is ended when it has printed more
FOUND_LINES = 400
SEARCHED = 50_000  # files: with more, looking at them costs what a search does
SETTLED_NS = 2 * 10**9  # no file system counts time more coarsely
LOOK_S = 0.05


async def run(place: Place, given: Mapping[str, Any]) -> str:
    """A command line, run by bash: what it printed, and its exit status where that is not 0."""
    seconds = min(float(given.get("seconds") or place.command_s), 3600.0)
    code, text, why = await _run(place, ["bash", "-c", given["command"]], seconds)
    ending = why or (f"exit status {code}" if code else "")
    return "\n".join(filter(None, (text.rstrip("\n"), f"[{ending}]" if ending else ""))) or "[it printed nothing]"


async def search(place: Place, given: Mapping[str, Any]) -> str:
    """Lines that match an extended regular expression, as path:line:text."""
    base = given.get("path") or "."
    pattern, files = given["pattern"], given.get("files")
    real = place.path("Grep", base, **({"glob": files} if files else {}))
    if not os.path.lexists(real):
        raise ToolError(f"there is no {place.shown(real)}")
    more = [f"--include={files}"] if files else []
    words = ["grep", "-rnEI", "--exclude-dir=.git", *more, "-e", pattern, "--", place.shown(real)]
    code, text, why = await _run(place, words, SEARCH_S)
    if why or code > 1:
        raise ToolError(f"{text.strip()[-400:] or 'grep failed'}{f' [{why}]' if why else ''}")
    lines = [line.removeprefix("./")[:400] for line in text.splitlines()]
    left = f"\n[… {len(lines) - FOUND_LINES} more: search for less, or in less]" if len(lines) > FOUND_LINES else ""
    return "\n".join(lines[:FOUND_LINES]) + left if lines else "nothing matches"


def searched(place: Place, given: Mapping[str, Any]) -> Any:
    """What a search looks at: every file below by its place, time, size and number. None for too many, and where one
    has just been changed: in the same moment it could be changed again, and look the same."""
    base = given.get("path") or "."
    top = place.path("Grep", base, **({"glob": given["files"]} if given.get("files") else {}))
    digest, count, newest = hashlib.sha256(), 0, 0
    for at, folders, names in os.walk(top) if os.path.isdir(top) else (("", [], [top]),):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            count += 1
            try:
                found = os.lstat(os.path.join(at, name))
            except OSError:
                return None
            newest = max(newest, found.st_mtime_ns, found.st_ctime_ns)
            digest.update(os.fsencode(os.path.join(at, name)))
            digest.update(b"\0%d %d %d %d\0" % (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino))
    if not count or count > SEARCHED or newest > time.time_ns() - SETTLED_NS:
        return None
    return [place.cwd, top, digest.hexdigest()]


async def _run(place: Place, words: Sequence[str], seconds: float) -> tuple[int, str, str]:
    """(exit status, output, why it was ended). Its process group is ended with it, also when we are cancelled.

    The output goes through a file: a child that keeps a pipe open in the background can't keep us waiting.
    """
    with tempfile.TemporaryFile() as output:
        try:
            process = await asyncio.create_subprocess_exec(
                *words, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, cwd=place.cwd,
                env=dict(place.environ), start_new_session=True,
            )  # fmt: skip
        except (OSError, ValueError) as error:  # ValueError: a NUL in the words
            raise ToolError(f"it can't be started: {error}") from None
        why = ""
        try:
            why = await _watched(process, output.fileno(), seconds)
        finally:
            await asyncio.shield(_end(process))  # whoever cancels twice is not waited for, but what runs is ended
        output.seek(0)
        data = output.read(OUTPUT_BYTES)
        code = process.returncode or 0
        return code if code >= 0 else 128 - code, data.decode("utf-8", "replace"), why


async def _watched(process: asyncio.subprocess.Process, output: int, seconds: float) -> str:
    """Wait for its end; why it has to be ended, empty when it has ended by itself."""
    deadline = asyncio.get_running_loop().time() + seconds
    ended = asyncio.ensure_future(process.wait())
    try:
        while not (await asyncio.wait({ended}, timeout=LOOK_S))[0]:
            if os.fstat(output).st_size > OUTPUT_BYTES:
                return f"ended: it printed more than {OUTPUT_BYTES} bytes"
            if asyncio.get_running_loop().time() > deadline:
                return f"ended: not done within {seconds:g} s"
        return ""
    finally:
        ended.cancel()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Its whole group: asked first, then made to."""
    for number, patience in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        except PermissionError:  # macOS: only zombies are left
            break
        if process.returncode is not None:
            number = signal.SIGKILL  # what it left in the background gets no second word
            continue
        try:
            await asyncio.wait_for(process.wait(), patience)
        except TimeoutError:
            continue
    await process.wait()
