"""The life of a sub-agent, as a person types it: spawn, ps, logs, wait, result, kill."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time

from tests.conftest import Box, until


def gone(box: Box, id: str) -> bool:
    mark = f"OPENCLAW_SESSION_ID={id}".encode()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if mark in file.read().split(b"\0"):
                    return False
        except OSError:
            continue
    return True


def test_a_command_line_runs_in_its_window_and_its_result_is_told(box: Box) -> None:
    made = box.json("spawn", "echo out; echo err >&2; exit 3", "--name", "first")
    assert made["status"] == "working" and made["agent"] == "shell" and made["type"] == "command"
    assert made["tmux"]["session_id"] and made["tmux"]["server_pid"] == box.server_pid()
    assert f"subagent-{made['id']}" in box.tmux("list-sessions", "-F", "#{session_name}").split()
    assert box.cli("wait", "first", exit=1).stdout.startswith("first" if False else made["id"])
    result = box.json("result", made["id"][:4])
    assert (result["status"], result["exit_code"], result["result"]["output"]) == ("failed", 3, "out\nerr")
    assert box.json("ps") == []
    assert [s["id"] for s in box.json("ps", "--all")] == [made["id"]]
    assert result["ended_at"] >= result["created_at"]


def test_the_task_file_holds_exactly_what_was_injected(box: Box) -> None:
    box.write("notes.txt", "alpha\nbeta\ngamma\n")
    done = box.json("spawn", 'cat "$OPENCLAW_TASK_FILE"', "--inject", "notes.txt:2-3", "--wait")
    folder = box.state / "sessions" / done["id"]
    task = (folder / "task.md").read_text()
    assert "beta\ngamma\n" in task and "alpha" not in task
    assert box.cli("logs", done["id"]).stdout.strip() == task.strip()
    [injected] = done["injected"]
    assert injected["path"] == "notes.txt" and injected["tokens"] > 0 and len(injected["sha256"]) == 64


def test_result_file_and_changed_files(box: Box) -> None:
    box.write("src/old.py", "old\n")
    box.write("src/same.py", "same\n")
    done = box.json(
        "spawn",
        "echo new > src/new.py; echo x >> src/old.py; echo y > elsewhere; echo '# Done' > $OPENCLAW_RESULT_FILE",
        "--write", "src/**", "--wait",
    )  # fmt: skip
    assert done["result"] == {"output": "# Done", "changed": ["src/new.py", "src/old.py"]}


def test_changed_files_are_told_while_it_runs(box: Box) -> None:
    box.write("a.txt", "a")
    made = box.json("spawn", "echo b > b.txt; sleep 60", "--write", "*.txt")
    until(lambda: box.json("result", made["id"])["result"]["changed"] == ["b.txt"])


def test_dry_run_starts_nothing(box: Box) -> None:
    box.write("a.txt", "hello\n")
    shown = box.cli("spawn", "true", "--inject", "a.txt", "--write", "out/**", "--dry-run").stdout
    assert "a.txt" in shown and "nothing was started" in shown
    data = box.json("spawn", "true", "--inject", "a.txt", "--dry-run")
    assert data["injected"][0]["path"] == "a.txt" and data["tokens"]["total"] > 0
    assert not box.socket.exists() and box.json("ps", "--all") == []


def test_time_limit_ends_the_whole_tree_with_no_command_of_ours_running(box: Box) -> None:
    box.write("deaf.sh", "trap '' TERM HUP\necho $$ > deaf.pid\nwhile :; do sleep 0.05; done\n")
    made = box.json(
        "spawn", "setsid bash deaf.sh & (setsid setsid sleep 1000 &) ; sleep 1000", "--timeout", "1s",
        env={"OPENCLAW_KILL_GRACE": "1s"},
    )  # fmt: skip
    until(lambda: (box.work / "deaf.pid").exists(), what="the deaf child started")
    folder = box.state / "sessions" / made["id"]
    until((folder / "exit").exists, 30, "the supervisor recorded the end")
    until(lambda: gone(box, made["id"]), what="the supervisor, which recorded it last, is gone too")
    assert (folder / "exit").read_text().split()[:2] == ["124", "timeout"]
    assert box.cli("wait", made["id"], exit=124)
    assert box.json("result", made["id"])["status"] == "timeout"


def test_what_a_program_leaves_behind_ends_with_it(box: Box) -> None:
    done = box.json("spawn", "nohup setsid sleep 1000 >/dev/null 2>&1 & exit 0", "--wait")
    assert done["status"] == "done" and gone(box, done["id"])


def test_peers_09_kill_leaves_no_process_of_it(box: Box) -> None:
    box.write("deaf.sh", "trap '' TERM HUP INT\necho up > deaf.up\nwhile :; do sleep 0.05; done\n")
    env = {"OPENCLAW_KILL_GRACE": "1s"}
    made = box.json("spawn", "(setsid bash deaf.sh &); nohup sleep 1000 & cat", "--write", "x", env=env)
    other = box.json("spawn", "sleep 1000")
    until((box.work / "deaf.up").exists)
    box.cli("kill", made["id"], env=env)
    assert gone(box, made["id"]) and not gone(box, other["id"])
    assert box.json("result", made["id"])["status"] == "killed"
    assert f"subagent-{made['id']}" not in box.tmux("list-sessions")
    assert [s["id"] for s in box.json("ps")] == [other["id"]]
    box.json("spawn", "true", "--write", "x", "--wait")  # the claim is free


def test_kill_finished_closes_windows_and_keeps_history(box: Box) -> None:
    done = box.json("spawn", "echo kept", "--wait")
    live = box.json("spawn", "sleep 1000")
    box.cli("kill", "--finished")
    assert box.tmux("list-sessions", "-F", "#{session_name}").split() == [f"subagent-{live['id']}"]
    assert box.json("result", done["id"])["result"]["output"] == "kept"
    box.cli("kill", "--all")
    assert box.json("ps") == []
    box.cli("kill", exit=2)


def test_ctrl_c_in_the_window_reaches_the_program_and_its_code_is_right(box: Box) -> None:
    made = box.json("spawn", "trap 'echo caught; exit 7' INT; echo ready; while :; do sleep 0.05; done")
    until(lambda: "ready" in box.cli("logs", made["id"], exit=None).stdout)
    box.tmux("send-keys", "-t", made["tmux"]["pane_id"], "C-c")
    box.cli("wait", made["id"], exit=1)
    assert box.json("result", made["id"])["exit_code"] == 7


def test_the_program_owns_the_terminal(box: Box) -> None:
    made = box.json("spawn", "test -t 0 && test -t 1 && read -r line && echo got:$line")
    until(lambda: box.tmux("list-panes", "-a", "-F", "#{pane_pid}"))
    box.tmux("send-keys", "-t", made["tmux"]["pane_id"], "typed", "Enter")
    box.cli("wait", made["id"])
    assert "got:typed" in box.cli("logs", made["id"]).stdout


def test_wait_any_and_its_own_limit(box: Box) -> None:
    slow = box.json("spawn", "sleep 1000")
    quick = box.json("spawn", "exit 0")
    box.cli("wait", "--any", slow["id"], quick["id"], exit=0)
    box.cli("wait", slow["id"], "--timeout", "1s", exit=124)
    box.cli("wait", "nobody", exit=4)


def test_wait_notices_a_window_that_vanishes(box: Box) -> None:
    made = box.json("spawn", "sleep 1000")
    waiting = box.popen("wait", made["id"], "--json")
    time.sleep(0.3)  # not a synchronisation: wait must be right whenever the window goes
    box.tmux("kill-session", "-t", f"=subagent-{made['id']}")
    out, _ = waiting.communicate(timeout=30)
    assert waiting.returncode == 1 and json.loads(out)[0]["status"] == "lost"
    assert gone(box, made["id"])


def test_logs_follow_until_the_end(box: Box) -> None:
    made = box.json("spawn", "for i in 1 2 3; do echo line $i; sleep 0.2; done")
    following = box.popen("logs", "-f", made["id"])
    out, _ = following.communicate(timeout=30)
    assert out.split("\n")[:3] == ["line 1", "line 2", "line 3"]
    assert box.cli("logs", made["id"], "-n", "1").stdout == "line 3\n"


def test_logs_are_plain_text_and_raw_on_request(box: Box) -> None:
    done = box.json("spawn", r"printf '\033[31mred\033[0m\n10%%\r100%%\nab\bc\n\033]0;title\007end\n'", "--wait")
    assert box.cli("logs", done["id"]).stdout == "red\n100%\nac\nend\n"
    assert "\x1b[31mred" in box.cli("logs", done["id"], "--raw").stdout


def test_a_name_is_as_good_as_an_id_and_taken_once(box: Box) -> None:
    made = box.json("spawn", "sleep 1000", "--name", "api")
    assert "taken" in box.cli("spawn", "true", "--name", "api", exit=3).stderr
    assert box.json("result", "api")["id"] == made["id"]
    box.cli("kill", "api")
    box.json("spawn", "true", "--name", "api", "--wait")


def test_an_ambiguous_or_unknown_id_is_said(box: Box) -> None:
    ids = [box.json("spawn", "sleep 1000")["id"] for _ in range(3)]
    assert "nobody" in box.cli("result", "nobody", exit=4).stderr
    box.cli("result", "%", exit=4)
    box.cli("result", "", exit=4)
    assert box.json("result", f"subagent-{ids[0]}")["id"] == ids[0]


def test_errors_are_json_on_stderr_with_json(box: Box) -> None:
    done = box.cli("result", "nobody", "--json", exit=4)
    assert done.stdout == ""
    assert set(json.loads(done.stderr)["error"]) == {"code", "message", "hint"}


def test_the_window_shows_which_sub_agent_and_task_it_is(box: Box) -> None:
    made = box.json("spawn", "sleep 1000", "--name", "watcher")
    typescript = box.root / "typescript"
    attach = f"stty cols 120 rows 30; tmux -S {box.socket} attach -r -t =subagent-{made['id']}"
    nowhere = subprocess.DEVNULL
    client = subprocess.Popen(
        ["script", "-qfc", attach, str(typescript)], env=box.env, stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere
    )

    def seen() -> str:
        text = typescript.read_text(errors="replace") if typescript.exists() else ""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)

    try:
        until(lambda: "watcher" in seen() and made["id"] in seen() and "sleep 1000" in seen())
    finally:
        client.send_signal(signal.SIGKILL)
        client.wait()
