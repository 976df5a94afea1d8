"""`python -m openclaw.roles`: the process of one run. A job on stdin, its outcome on stdout, nothing else anywhere."""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import signal
import sys

from openclaw.errors import Unavailable
from openclaw.roles import process
from openclaw.roles.job import Job, Outcome
from openclaw.roles.run import INSTALL
from openclaw.settings import Settings

GONE = 143  # its exit status when it was told to end, or whoever started it is gone


def main() -> int:
    parser = argparse.ArgumentParser(prog="openclaw.roles", description=__doc__)
    parser.add_argument("--lifeline", type=int, help="a pipe whose end means that nobody waits for the answer any more")
    given = parser.parse_args()
    job = process.job(json.load(sys.stdin))
    try:
        found = asyncio.run(_run(job, Settings(), given.lifeline))
    except asyncio.CancelledError:
        return GONE
    finally:
        if job.folder:
            shutil.rmtree(job.folder, ignore_errors=True)  # who made it may be gone
    sys.stdout.write(json.dumps(process.outcome_as_json(found)))
    return 0


async def _run(job: Job, settings: Settings, lifeline: int | None) -> Outcome:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    if lifeline is not None:
        loop.add_reader(lifeline, _gone, loop, lifeline, task)
    try:
        from openclaw.roles import ask  # seconds, in which it can be told to end already
    except ModuleNotFoundError as error:
        return Outcome(None, Unavailable(f"asking a model needs {error.name}", INSTALL, code="no_package"), ())
    return await ask.run(job, settings)


def _gone(loop: asyncio.AbstractEventLoop, lifeline: int, task: asyncio.Task[Outcome]) -> None:
    loop.remove_reader(lifeline)
    task.cancel()


if __name__ == "__main__":
    sys.exit(main())
