"""Bytes that heartbeats send to their model: each in a session of its own, and the same ones in the main session."""

from __future__ import annotations

import json
import sys

from lab import Lab, until
from prefix import claude

from openclaw.schedule.heartbeat import MESSAGE
from tests.loopback.api import Api, Reply

BEATS = 12  # six hours of them
WEEK = 336
IN_CLAUDE = 12  # so many are measured in a real main session; from there on it grows as it has grown
MODEL = "ollama/bench"
LIST = "# Heartbeat\n- Is the disk of /srv below 90 %?\n- Does the nightly build still pass?\n"


def isolated(lab: Lab, count: int) -> list[int]:
    """What each of so many sends."""
    with Api() as api:
        _local(lab, api)
        for _ in range(count):
            lab.openclaw("heartbeat", "run")
        lab.end_servers()
        return [len(turn.raw) for turn in api.turns]


def in_one_local(lab: Lab, count: int) -> list[int]:
    """The same ones in the leanest main session there is: our own agent, that has done nothing else."""
    with Api() as api:
        _local(lab, api)
        main = lab.json("spawn", LIST, "--agent", "local", "--model", MODEL)["id"]
        until(lambda: len(api.turns) == 1, "the first beat")
        for number in range(2, count + 1):
            lab.openclaw("send", main, LIST, "--wait")
            until(lambda number=number: len(api.turns) == number, "a beat in the main session")  # type: ignore[misc]
        lab.end_servers()
        return [len(turn.raw) for turn in api.turns]


def in_claude(lab: Lab, count: int) -> list[int]:
    """The same ones as scheduled messages to Claude Code, the main session of this workspace."""
    with Api() as api:
        program = claude(lab, api)
        api.otherwise = Reply("HEARTBEAT_OK")
        lab.openclaw("init")
        lab.openclaw("hooks", "install", "--user", "--agent", "claude")
        lab.raw("new-session", "-d", "-s", "main", "-x", "160", "-y", "50", "-c", str(lab.work), program)
        until(lambda: "❯" in lab.raw("capture-pane", "-p", "-t", "main"), "Claude Code is there")
        words = ("--every", "366d", "--session", "main", "--message", f"{LIST}\n{MESSAGE}")
        lab.openclaw("cron", "add", "--name", "beat", *words)
        for number in range(1, count + 1):
            lab.openclaw("cron", "run", "beat", "--wait")
            until(lambda number=number: len(api.turns) == number, "a beat in the main session")  # type: ignore[misc]
        lab.end_servers()
        return [len(turn.raw) for turn in api.turns]


def whole(sizes: list[int], count: int) -> float:
    """What so many send, if each grows by what those that were measured grew by on average."""
    step = (sizes[-1] - sizes[0]) / (len(sizes) - 1)
    return sum(sizes) + sum(sizes[-1] + step * (number + 1) for number in range(count - len(sizes)))


def _local(lab: Lab, api: Api) -> None:
    """Our own agent, asking there, with HEARTBEAT.md in its workspace."""
    program = lab.root / "local"
    program.write_text(api.place.wrap(sys.executable))
    program.chmod(0o755)
    entry = {"local": {"command": [str(program), "-P", "-m", "openclaw.local"]}}
    (lab.root / "agents.yaml").write_text(json.dumps(entry))
    lab.env |= api.place.env | {"OPENCLAW_LOCAL_URL": f"{api.url}/v1"}
    api.otherwise = Reply("HEARTBEAT_OK")
    lab.openclaw("init")
    (lab.root / "workspace/HEARTBEAT.md").write_text(LIST)
    lab.openclaw("heartbeat", "install", "--model", MODEL)
