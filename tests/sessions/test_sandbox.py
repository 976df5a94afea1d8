"""--sandbox with the real bubblewrap: what is outside the scope is not there, can't be changed, and says so."""

from __future__ import annotations

import os
import shutil
import stat
from typing import Any

import pytest

from tests.conftest import Box, until
from tests.sessions.test_life import gone

pytestmark = pytest.mark.skipif(
    not shutil.which("bwrap") and not os.environ.get("CI"), reason="bubblewrap is not installed"
)


def run(box: Box, command: str, *args: str, exit: int | None = 0) -> Any:
    """Run a command line in the sandbox to its end; its result."""
    return box.json("spawn", command, "--sandbox", "--wait", *args, exit=exit)


def ok(box: Box, command: str, *args: str) -> str:
    """What it printed; it must have succeeded."""
    done = run(box, command, *args, exit=None)
    assert done["status"] == "done", done
    return str(done["result"]["output"])


def fails(box: Box, command: str, *args: str) -> str:
    """What it printed; every line of it must have failed by itself."""
    return ok(box, f"! ( {command} )", *args)


@pytest.fixture
def tree(box: Box) -> Box:
    box.write("src/a.py", "old\n")
    box.write("b.txt", "untouched\n")
    box.write("outside.txt", "x")
    os.replace(box.work / "outside.txt", box.root / "outside.txt")
    return box


def test_writing_inside_works_and_outside_fails(tree: Box) -> None:
    done = run(
        tree, "echo new > src/new.py; sed -i s/old/changed/ src/a.py; rm -f gone; exit 7", "--write", "src/**", exit=1
    )
    assert done["exit_code"] == 7 and done["result"]["changed"] == ["src/a.py", "src/new.py"]
    assert (tree.work / "src/a.py").read_text() == "changed\n" and done["scope"]["sandbox"] is True
    for target in (
        "b.txt",
        "new.txt",
        "../outside.txt",
        "../new.txt",
        str(tree.home / "x"),
        "/x",
        "/etc/x",
        "/usr/x",
        ".",
    ):
        assert fails(tree, f"echo pwned > {target}", "--write", "src/**"), target
    assert (tree.work / "b.txt").read_text() == "untouched\n" and (tree.root / "outside.txt").read_text() == "x"
    assert sorted(os.listdir(tree.work)) == ["b.txt", "src"] and not os.listdir(tree.home)


def test_peers_23_no_trick_of_a_shell_writes_outside(tree: Box) -> None:
    tricks = [
        "ln -s ../b.txt src/l && echo pwned > src/l",
        "echo pwned > src/../b.txt",
        "ln b.txt src/hard && echo pwned > src/hard",
        "mv b.txt src/",
        "rm -f b.txt",
        "mv src elsewhere",
        "mount -o remount,rw,bind .",
        "umount b.txt || umount .",
        "unshare -Ur mount -o remount,rw,bind .",
        "chmod 777 .",
        "touch -d 2001-01-01 b.txt",
        "git apply --unsafe-paths <<< $'--- a/b.txt\\n+++ b/b.txt\\n@@ -1 +1 @@\\n-untouched\\n+pwned\\n'",
        f"echo pwned > /proc/1/root{tree.root}/outside.txt",
        f"echo pwned > /proc/self/cwd/../{tree.root.name}/../outside.txt",
        f"tmux -S {tree.socket} run-shell 'echo pwned > {tree.work}/b.txt'",
    ]
    for trick in tricks:
        fails(tree, trick, "--write", "src/**")
        assert (tree.work / "b.txt").read_text() == "untouched\n", trick
        assert (tree.root / "outside.txt").read_text() == "x", trick
        assert "pwned" not in "".join(p.read_text() for p in tree.work.rglob("*") if p.is_file()), trick


def test_reading_outside_the_read_scope_fails(tree: Box) -> None:
    assert ok(tree, "cat src/a.py", "--read", "src/**") == "old"
    (tree.home / ".secret").write_text("s")
    for target in (
        "b.txt",
        "../outside.txt",
        str(tree.home / ".secret"),
        str(tree.state / "openclaw.db"),
        "/etc/shadow",
    ):
        assert "s" not in fails(tree, f"cat {target}", "--read", "src/**").splitlines()
    assert ok(tree, f"ls -A {tree.work} {tree.home}", "--read", "src/**").count("b.txt") == 0
    assert ok(tree, "cat b.txt", "--inject", "b.txt", "--read", "src/**", "--max-inject-tokens", "999") == "untouched"


def test_one_file_can_be_changed_replaced_and_made_but_not_its_neighbours(tree: Box) -> None:
    ok(tree, "echo 1 > new.txt && echo 2 > other && mv other new.txt", "--write", "new.txt")
    assert (tree.work / "new.txt").read_text() == "2\n"
    for trick in (
        "echo pwned > b.txt",
        "rm b.txt",
        "mv new.txt b.txt",
        "rm -r src",
        "mv src s",
        "echo pwned > src/a.py",
    ):
        fails(tree, trick, "--write", "new.txt")
    assert (tree.work / "b.txt").read_text() == "untouched\n" and (tree.work / "src/a.py").read_text() == "old\n"
    assert fails(tree, "cat b.txt", "--write", "new.txt", "--read", "src/**")  # hidden, although its folder is open


def test_folders_that_are_missing_are_made_and_go_when_they_were_not_needed(tree: Box) -> None:
    ok(tree, "echo x > out/a/file && ! touch out/b", "--write", "out/a/**")
    assert (tree.work / "out/a/file").read_text() == "x\n"
    ok(tree, "true", "--write", "more/a/**")
    assert not (tree.work / "more").exists()


def test_its_result_file_and_a_private_tmp(tree: Box) -> None:
    done = run(tree, 'echo "# Done" > "$OPENCLAW_RESULT_FILE"; touch /tmp/private /var/tmp/x "$TMPDIR/y"; mktemp')
    assert done["result"]["output"] == "# Done"
    assert not os.path.exists("/tmp/private")
    folder = tree.state / "sessions" / done["id"]
    for name in ("launch.sh", "exit", "task.md", "new", "session.json"):
        fails(tree, f'echo pwned > "$(dirname "$OPENCLAW_TASK_FILE")/{name}"')
    # a link in the one folder that it can write leads nobody else out of it
    (tree.root / "secret").write_text("secret")
    done = run(tree, f'ln -s {tree.root}/secret "$OPENCLAW_RESULT_FILE"')
    assert "secret" not in done["result"]["output"]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_exit_codes_and_signals_are_the_program_s(tree: Box) -> None:
    for code in (0, 1, 77, 126, 255):
        assert run(tree, f"exit {code}", exit=None)["exit_code"] == code
    assert run(tree, "kill -KILL $$", exit=1)["exit_code"] == 137
    assert run(tree, "kill -TERM $$", exit=1)["exit_code"] == 143


def test_term_reaches_the_program_which_can_still_clean_up(tree: Box) -> None:
    made = tree.json("spawn", "trap 'echo bye > src/bye; exit' TERM; echo up > src/up; while :; do sleep 0.05; done",
                     "--sandbox", "--write", "src/**")  # fmt: skip
    until((tree.work / "src/up").exists)
    tree.cli("kill", made["id"])
    assert (tree.work / "src/bye").read_text() == "bye\n" and gone(tree, made["id"])


def test_kill_and_time_limits_end_all_that_it_started(tree: Box) -> None:
    env = {"OPENCLAW_KILL_GRACE": "1s"}
    tree.write("deaf.sh", "trap '' TERM HUP INT\necho up > src/deaf\nwhile :; do sleep 0.05; done\n")
    run_it = "(setsid env -i PATH=$PATH bash deaf.sh &) ; setsid nohup sleep 1000 & cat"
    made = tree.json("spawn", run_it, "--sandbox", "--write", "src/**", env=env)
    until((tree.work / "src/deaf").exists)
    tree.cli("kill", made["id"], env=env)
    assert gone(tree, made["id"]) and not running_in(tree)
    made = tree.json("spawn", run_it, "--sandbox", "--write", "src/**", "--timeout", "1s", env=env)
    tree.cli("wait", made["id"], exit=124)
    assert tree.json("result", made["id"])["status"] == "timeout" and gone(tree, made["id"])
    assert not running_in(tree)


def running_in(box: Box) -> list[str]:
    """The pids of all that works in the box's folder, whatever is left of its environment."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd") == str(box.work):
                found.append(pid)
        except OSError:
            continue
    return found


def test_ctrl_c_is_for_the_program(tree: Box) -> None:
    made = tree.json("spawn", "trap 'exit 7' INT; echo ready; while :; do sleep 0.05; done", "--sandbox")
    until(lambda: "ready" in tree.cli("logs", made["id"], exit=None).stdout)
    tree.tmux("send-keys", "-t", made["tmux"]["pane_id"], "C-c")
    tree.cli("wait", made["id"], exit=1)
    assert tree.json("result", made["id"])["exit_code"] == 7


def test_it_has_its_terminal_and_other_processes_are_not_there(tree: Box) -> None:
    assert "0" in ok(tree, "test -t 0 && test -t 1 && : < /dev/tty && stty size | grep -c '50 200' && echo 0")
    assert int(ok(tree, "ls -d /proc/[0-9]* | wc -l")) < 10
    assert fails(tree, f"kill -0 {os.getpid()}")


def test_programs_of_the_path_run_and_names_may_be_odd(tree: Box) -> None:
    name = "a b'$(touch PWNED)\"é"
    tree.write(f"{name}/x", "x")
    ok(tree, "python3 -c pass && git --version && env bash -c :", "--write", "src/**")
    ok(tree, "echo y > */x", "--write", name.replace("$", "?") + "/**")
    assert (tree.work / name / "x").read_text() == "y\n" and not list(tree.root.rglob("PWNED"))


def test_a_home_and_programs_behind_links_are_found_by_either_name(tree: Box) -> None:
    (tree.root / "real/home/.tool").mkdir(parents=True)
    (tree.root / "real/home/.tool/settings").write_text("mine")
    (tree.root / "alias").symlink_to(tree.root / "real")
    (tree.root / "config").mkdir()
    (tree.root / "config/agents.yaml").write_text("shell:\n  needs: ['~/.tool']\n")
    env = {"HOME": str(tree.root / "alias/home")}
    command = "cat ~/.tool/settings && echo x > ~/.tool/new && cd ~ && ! echo x > y"
    done = tree.json("spawn", command, "--sandbox", "--wait", env=env)
    assert done["result"]["output"].startswith("mine")
    assert (tree.root / "real/home/.tool/new").exists() and not (tree.root / "real/home/y").exists()


def test_the_whole_cwd_and_a_home_as_cwd(tree: Box) -> None:
    ok(tree, "touch x && rm x b.txt", "--write", "**")
    assert not (tree.work / "b.txt").exists()
    done = tree.cli("spawn", "echo x > mine && ! cat sock/x", "--sandbox", "--write", "**", "--wait", cwd=tree.root)
    assert (tree.root / "mine").exists(), done.stdout
    # even then the state of others and tmux's socket are not there
    for path in ("state/openclaw.db", "sock/shared.sock"):
        tree.cli(
            "spawn", f"! test -s {path} && ! test -S {path}", "--sandbox", "--write", "**", "--wait", cwd=tree.root
        )


def test_without_bubblewrap_nothing_is_started(tree: Box) -> None:
    tools = tree.root / "bin"
    tools.mkdir()
    for name in ("bash", "tmux", "env", "sh", "true"):
        (tools / name).symlink_to(str(shutil.which(name)))
    env = {"PATH": str(tools)}
    error = tree.cli("spawn", "true", "--sandbox", exit=5, env=env).stderr
    assert "bwrap" in error and "apt-get install bubblewrap" in error
    (tools / "bwrap").write_text("#!/bin/sh\necho 'bwrap: No permissions to create a new namespace' >&2; exit 1\n")
    (tools / "bwrap").chmod(0o755)
    error = tree.cli("spawn", "true", "--sandbox", exit=5, env=env).stderr
    assert "No permissions" in error and "namespaces" in error
    assert tree.json("ps", "--all") == []


def test_many_from_a_file_say_it_each(tree: Box) -> None:
    tree.write("tasks.yaml", "- task: touch b\n  sandbox: true\n- task: touch c\n")
    done = tree.json("spawn", "--from", "tasks.yaml", "--wait", exit=1)
    assert [d["status"] for d in done] == ["failed", "done"] and not (tree.work / "b").exists()
    tree.write("tasks.yaml", "- task: touch b\n  sandbox: maybe\n")
    assert "true or false" in tree.cli("spawn", "--from", "tasks.yaml", exit=2).stderr


def test_the_dry_run_says_what_is_enforced(tree: Box) -> None:
    shown = tree.cli("spawn", "true", "--sandbox", "--write", "new.txt", "--write", "src/**", "--dry-run").stdout
    assert "enforced by the sandbox for shell" in shown and f"wider in {tree.work}:" in shown and "src" in shown
    assert "only asked" not in shown
    shown = tree.cli("spawn", "true", "--write", "src/**", "--dry-run").stdout
    assert "only asked of shell, not enforced" in shown and "--sandbox enforces" in shown
    assert tree.json("spawn", "true", "--sandbox", "--dry-run")["scope"]["sandbox"] is True
    assert "may write anything" in tree.cli("spawn", "true", "--dry-run").stdout
