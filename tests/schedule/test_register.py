"""The entry that has the machine call tick: really in a crontab, really fired by cron, really removed."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from tests.conftest import OPENCLAW, Box, until
from tests.schedule.conftest import Cron

OTHERS = "# mine\n5 4 * * * echo '50%'\n"


class Machine:
    """The box with a cron of its own: its spool and its pid file are in a mount namespace that only it sees."""

    def __init__(self, box: Box) -> None:
        if os.geteuid() or not all(map(shutil.which, ("cron", "crontab", "unshare", "nsenter"))):
            pytest.skip("it takes root, cron and namespaces")
        self.box = box
        script = "cd /var/spool && mount -t tmpfs none cron && mkdir -m 1730 cron/crontabs && mount -t tmpfs none /run"
        self.holder = subprocess.Popen(["unshare", "-m", "sh", "-c", f"{script} && echo ready && exec sleep 7777"],
                                       env=box.env, stdout=subprocess.PIPE, text=True)  # fmt: skip
        assert self.holder.stdout
        if self.holder.stdout.readline() != "ready\n":
            pytest.skip("no mount namespaces here")

    def run(self, *words: str, stdin: str = "") -> str:
        inside = ["nsenter", "-m", "-t", str(self.holder.pid), f"--wd={self.box.work}", "--", *words]
        done = subprocess.run(inside, env=self.box.env, text=True, input=stdin, capture_output=True, timeout=60)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["nsenter", "-m", "-t", str(self.holder.pid), "--", *words], env=self.box.env)


def test_a_crontab_entry_is_installed_fires_and_is_removed(cron: Cron) -> None:
    box = cron.box
    machine = Machine(box)
    box.env["PATH"] = f"{box.root}/it's 100% odd:{box.env['PATH']}"
    machine.run("crontab", "-", stdin=OTHERS)
    machine.run(OPENCLAW, "cron", "install", "--by", "crontab")
    machine.run(OPENCLAW, "cron", "install", "--by", "crontab")
    lines = machine.run("crontab", "-l")
    assert lines.startswith(OTHERS) and lines.count("cron-tick.sh") == 1
    cron.add("job", "echo fired", every="1s")
    daemon = machine.start("cron", "-f")
    try:
        until(lambda: any("fired" in run["result"] for run in cron.runs()), 150, "cron calls tick")
    finally:
        daemon.kill()
        daemon.wait()
    assert machine.run(OPENCLAW, "cron", "uninstall").startswith("crontab  removed")
    assert machine.run("crontab", "-l") == OTHERS
    assert "absent" in machine.run(OPENCLAW, "cron", "uninstall")
    machine.run("crontab", "-r")
    machine.run(OPENCLAW, "cron", "install", "--by", "crontab")
    machine.run(OPENCLAW, "cron", "uninstall")
    left = subprocess.run(["nsenter", "-m", "-t", str(machine.holder.pid), "--", "crontab", "-l"], env=box.env,
                          capture_output=True, text=True, check=False)  # fmt: skip
    assert "no crontab" in left.stderr
    machine.holder.kill()
    machine.holder.wait()


def test_a_systemd_timer_is_installed_fires_and_is_removed(cron: Cron) -> None:
    box = cron.box
    bus = {key: os.environ[key] for key in ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS") if key in os.environ}
    asked = ["systemctl", "--user", "show-environment"]
    if not shutil.which("systemctl") or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("no systemd for users here")
    box.env |= bus | {"HOME": os.environ["HOME"]}  # its units are read from there
    try:
        assert "systemd  installed" in box.cli("cron", "install", "--by", "systemd").stdout
        assert "unchanged" in box.cli("cron", "install").stdout
        cron.add("job", "echo fired", every="1s")
        until(lambda: any("fired" in run["result"] for run in cron.runs()), 150, "systemd calls tick")
    finally:
        assert "systemd  removed" in box.cli("cron", "uninstall").stdout
    timers = subprocess.run(["systemctl", "--user", "list-timers", "--all"], capture_output=True, text=True, check=True)
    assert "openclaw-cron" not in timers.stdout


def test_units_are_what_systemd_reads(box: Box) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze here")
    from openclaw.schedule import register

    about = "openclaw: jobs"
    service = box.root / "x.service"
    variable = "Environment=" + register._quoted("A=it's 100% $odd \"q\"")
    what = register.SERVICE.format(environment=variable, command='"/bin/true"')
    service.write_text(register.UNIT.format(about=about, more="") + what)
    timer = box.root / "x.timer"
    timer.write_text(register.UNIT.format(about=about, more="") + register.TIMER)
    done = subprocess.run(["systemd-analyze", "verify", str(service), str(timer)], capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0 and "x.service" not in done.stderr, done.stderr


def test_where_there_is_neither_it_says_what_to_do(box: Box) -> None:
    done = box.cli("cron", "install", env={"PATH": str(box.root)}, exit=5)
    assert "cron serve" in done.stderr
    assert "neither" in box.cli("cron", "uninstall", env={"PATH": str(box.root)}).stdout
