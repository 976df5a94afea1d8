"""Nothing of the real Codex is left when it ends, and nothing of a Codex around it gets in."""

from __future__ import annotations

import os
from pathlib import Path

from tests.codex.conftest import Codex
from tests.conftest import until
from tests.loopback.api import Reply, Tool

NOT_OURS = {
    "CODEX_CI": "1",
    "CODEX_THREAD_ID": "01a1fc5b-20c5-7d03-a15f-b36f97a13d77",
    "CODEX_SESSION_ID": "01a1fc5b-20c5-7d03-a15f-b36f97a13d77",
    "CODEX_SANDBOX": "seccomp",
    "CODEX_SANDBOX_NETWORK_DISABLED": "1",
    "CODEX_PERMISSION_PROFILE": ":workspace",
}


def test_kill_leaves_no_process_of_it_with_children_that_run(codex: Codex) -> None:
    codex.knows('sandbox_mode = "danger-full-access"', 'approval_policy = "never"')
    codex.model = "gpt-6-sol"  # with a process of its own for the scripts of the model
    run = 'await tools.exec_command({{cmd: "{}", yield_time_ms: 500}});'
    script = run.format("sleep 987") + run.format("setsid sh -c 'trap : TERM; while :; do sleep 1; done' &")
    codex.api.say(Reply("", (Tool("exec", {"input": script}),)), Reply("They run."))
    id = codex.spawn("start them")["id"]
    codex.until(id, "idle")
    running = " ".join(codex.box.processes().values())
    assert "sleep 987" in running and "trap : TERM" in running and "code-mode-host" in running
    others = set(os.listdir("/proc"))
    codex.box.cli("kill", id)
    assert codex.box.processes().keys() <= {codex.box.server_pid()}
    assert not any(_works_in(pid, codex) for pid in others)


def test_it_starts_no_server_that_outlives_it(codex: Codex) -> None:
    id = codex.spawn("hello")["id"]
    codex.until(id, "idle")
    codex.type(id, "/quit")
    codex.until(id, "done")
    until(lambda: not any(_works_in(pid, codex) for pid in os.listdir("/proc")))


def test_started_from_inside_another_codex_it_is_one_of_its_own(codex: Codex) -> None:
    dump = Tool("exec_command", {"cmd": "env > ../seen"})
    codex.knows('sandbox_mode = "danger-full-access"', 'approval_policy = "never"')
    codex.api.say(Reply("", (dump,)), Reply("Done."))
    id = codex.spawn("look", env=NOT_OURS)["id"]
    codex.until(id, "idle")
    seen = dict(line.split("=", 1) for line in (codex.box.root / "seen").read_text().splitlines() if "=" in line)
    assert seen["OPENCLAW_SESSION_ID"] == id and seen["CODEX_HOME"] == str(codex.home)
    assert "CODEX_SANDBOX" not in seen and "CODEX_SANDBOX_NETWORK_DISABLED" not in seen
    own = codex.box.json("result", id)["conversation_id"]
    assert seen["CODEX_THREAD_ID"] == own != NOT_OURS["CODEX_THREAD_ID"]
    assert list(codex.home.glob(f"sessions/**/*-{own}.jsonl"))


def _works_in(pid: str, codex: Codex) -> bool:
    """Whether a process has a file of this Codex's home open, or works in its folder."""
    try:
        names = [f"/proc/{pid}/cwd", *(str(fd) for fd in Path(f"/proc/{pid}/fd").iterdir())]
        return any(os.readlink(name).startswith((str(codex.home), str(codex.box.work))) for name in names)
    except OSError:
        return False
