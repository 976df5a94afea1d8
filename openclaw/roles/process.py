"""A role's run in a process of its own, which is ended with its group at the deadline, and ends itself when we do.

Its job comes on stdin and its outcome goes to stdout, each one JSON document. A pipe that only we hold open tells it
that we are still there: killed, we leave nothing behind.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

from openclaw import errors
from openclaw.errors import OpenclawError, TimedOut, Unavailable
from openclaw.roles.job import Job, Outcome, RoleResult
from openclaw.roles.role import Role
from openclaw.settings import Settings
from openclaw.store.turns import Turn

START_S = 30.0  # its imports, on a machine that is busy: its own clock runs after them
GRACE_S = 2.0


def run(job: Job, settings: Settings) -> Outcome:
    """What came of it. TimedOut when it had to be ended, Unavailable when it broke."""
    lifeline, held = os.pipe()
    environ = dict(settings.environ) | {
        "OPENCLAW_STATE_DIR": settings.state_dir, "OPENCLAW_CONFIG": settings.config_file,
        "OPENCLAW_WORKSPACE": settings.workspace,
    }  # fmt: skip
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "openclaw.roles", "--lifeline", str(lifeline)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=settings.cwd, env=environ,
            start_new_session=True, pass_fds=(lifeline,),
        )  # fmt: skip
    except BaseException:
        os.close(held)
        raise
    finally:
        os.close(lifeline)
    try:
        out, complaint = process.communicate(json.dumps(as_json(job)).encode(), job.timeout_s + START_S)
    except subprocess.TimeoutExpired as error:
        raise TimedOut(f"role {job.role.name}: its process was ended after {error.timeout:g} s") from error
    finally:
        _end(process)
        os.close(held)
    try:
        return outcome(json.loads(out))
    except (ValueError, KeyError, TypeError) as error:
        last = (complaint.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1][:200]
        how = f"was killed by signal {-process.returncode}" if process.returncode < 0 else f"ended: {last}"
        raise Unavailable(f"role {job.role.name}: its process {how}", "try again", code="role_process") from error


def _end(process: subprocess.Popen[bytes]) -> None:
    """The whole group: asked first, so that it ends what it started, then made to."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            break
        os.killpg(process.pid, number)
        try:
            process.wait(GRACE_S if number == signal.SIGTERM else None)
        except subprocess.TimeoutExpired:
            continue
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream:
            stream.close()


# --- as JSON, both ways


def as_json(job: Job) -> dict[str, Any]:
    """A job as a document."""
    return job._asdict() | {"role": job.role._asdict()}


def job(tree: dict[str, Any]) -> Job:
    """The job of a document."""
    role: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in tree["role"].items()}
    return Job(**(tree | {"role": Role(**role)}))


def outcome_as_json(found: Outcome) -> dict[str, Any]:
    """An outcome as a document."""
    error = found.error and found.error.as_dict()["error"] | {"class": type(found.error).__name__}  # type: ignore[operator]
    return {"result": found.result and found.result._asdict(), "error": error, "turns": found.turns}


def outcome(tree: dict[str, Any]) -> Outcome:
    """The outcome of a document."""
    error, result = tree["error"], tree["result"]
    made: OpenclawError | None = None
    if error:
        made = getattr(errors, error["class"])(error["message"], error["hint"], error["code"])
    found = RoleResult(**(result | {"notes": tuple(result["notes"])})) if result else None
    if (found is None) is (made is None):
        raise ValueError("neither a result nor an error")
    return Outcome(found, made, tuple(Turn(*turn) for turn in tree["turns"]))
