"""Bytes that heartbeats send to their model: each in a session of its own, and the same ones in the main session."""

from __future__ import annotations

import json
import sys

from lab import Lab, until

from tests.loopback.api import Api, Reply

BEATS = 12  # six hours of them
MODEL = "ollama/bench"
LIST = "# Heartbeat\n- Is the disk of /srv below 90 %?\n- Does the nightly build still pass?\n"


def sent(lab: Lab) -> tuple[int, int]:
    """(isolated, in one session). The main session is the leanest that there is: our
    own agent, that has done nothing else."""
    with Api() as api:
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
        for _ in range(BEATS):
            lab.openclaw("heartbeat", "run")
        isolated = sum(len(turn.raw) for turn in api.turns)
        first = len(api.turns)
        main = lab.json("spawn", LIST, "--agent", "local", "--model", MODEL)["id"]
        until(lambda: len(api.turns) == first + 1, "the first beat")
        for number in range(2, BEATS + 1):
            lab.openclaw("send", main, LIST, "--wait")
            until(lambda count=first + number: len(api.turns) == count, "a beat in the main session")  # type: ignore[misc]
        turns = api.turns[first:]
        lab.end_servers()
    return isolated, sum(len(turn.raw) for turn in turns)
