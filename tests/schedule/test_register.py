"""The entry that has the machine call tick: really in a crontab, really fired by cron, really removed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator

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
        assert "no cron runs" not in machine.run(OPENCLAW, "cron", "install", "--by", "crontab")
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


class Manager:
    """systemd for users, booted for the box: its /run and its control group are in namespaces that only it sees."""

    def __init__(self, box: Box) -> None:
        program = next(filter(os.path.exists, ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")), "")
        if os.geteuid() or not program or not all(map(shutil.which, ("systemctl", "unshare", "nsenter"))):
            pytest.skip("it takes root, systemd and namespaces")
        self.box, self.group = box, f"/sys/fs/cgroup/{box.root.name}"
        box.env["XDG_RUNTIME_DIR"] = str(box.root / "run")
        (box.root / "run").mkdir(mode=0o700)
        log = box.root / "systemd.log"
        groups = "mount -t cgroup2 none /sys/fs/cgroup"
        begin = f"mount -t tmpfs none /run && mkdir -p /run/systemd/system && mount -t tmpfs none /var/lib && {groups}"
        enter = f"mkdir {self.group} && echo $$ >{self.group}/cgroup.procs"
        inner = f"umount /sys/fs/cgroup && {groups} && exec {program} --user --unit=timers.target --log-target=console"
        with open(log, "w") as said:
            self.process = subprocess.Popen(
                ["unshare", "-m", "sh", "-c", f'{begin} && {enter} && exec unshare -C sh -c "$0"', inner],
                env=box.env, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            )  # fmt: skip
        asked = ("systemctl", "--user", "show-environment")
        until(lambda: self.process.poll() is not None or not self.call(*asked).returncode, 40, "systemd answers")
        if self.process.poll() is not None:
            self.end()
            pytest.skip(f"systemd does not run here: {log.read_text()[-300:]}")

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        inside = ["nsenter", "-m", "-t", str(self.process.pid), f"--wd={self.box.work}", "--", *words]
        return subprocess.run(inside, env=self.box.env, text=True, capture_output=True, timeout=60, check=False)

    def run(self, *words: str) -> str:
        done = self.call(*words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def end(self) -> None:
        """It, what it started, and its control group."""
        self.process.kill()
        self.process.wait()
        subprocess.run(["tmux", "-S", str(self.box.socket), "kill-server"], capture_output=True, check=False)
        there = f"[ ! -d {self.group} ]"
        script = f"mount -t cgroup2 none /sys/fs/cgroup; {there} || find {self.group} -depth -type d -delete"
        gone = ["unshare", "-m", "sh", "-c", script]
        until(lambda: not subprocess.run(gone, capture_output=True, check=False).returncode, 40, "its group is gone")


@pytest.fixture
def manager(cron: Cron) -> Iterator[Manager]:
    made = Manager(cron.box)
    yield made
    made.end()


def test_a_systemd_timer_is_installed_fires_and_is_removed(cron: Cron, manager: Manager) -> None:
    box, units = cron.box, cron.box.home / ".config/systemd/user"
    box.env["PATH"] = f"{box.root}/it's 100% $odd:{box.env['PATH']}"
    said = manager.run(OPENCLAW, "cron", "install")  # by itself it takes systemd where both are
    assert "systemd  installed" in said and "loginctl enable-linger" in said
    manager.run("sh", "-c", 'mkdir -p /var/lib/systemd/linger && : >"/var/lib/systemd/linger/$(id -un)"')
    again = manager.run(OPENCLAW, "cron", "install")
    assert "systemd  unchanged" in again and "linger" not in again
    assert "openclaw-cron" in manager.run("systemctl", "--user", "list-timers")
    cron.add("job", "echo fired", every="1s")
    until(lambda: any("fired" in run["result"] for run in cron.runs()), 150, "systemd calls tick")
    server = box.server_pid()
    service = next(units.glob("openclaw-cron-*.service")).name
    until(lambda: "inactive" in manager.call("systemctl", "--user", "is-active", service).stdout, 40)
    assert box.server_pid() == server  # that the tick is over does not end what it began
    assert "Result=success" in manager.run("systemctl", "--user", "show", "-p", "Result", service)
    assert manager.run(OPENCLAW, "cron", "uninstall").startswith("systemd  removed")
    assert "openclaw-cron" not in manager.run("systemctl", "--user", "list-timers", "--all")
    assert "openclaw-cron" not in manager.run("systemctl", "--user", "list-unit-files")
    assert [path for path in box.home.rglob("*") if "openclaw-cron" in path.name] == []
    assert "systemd  absent" in manager.run(OPENCLAW, "cron", "uninstall")


def test_a_timer_is_removed_though_systemd_is_gone(cron: Cron, manager: Manager) -> None:
    manager.run(OPENCLAW, "cron", "install", "--by", "systemd")
    units = cron.box.home / ".config/systemd/user"
    assert len(list(units.rglob("openclaw-cron*"))) == 3  # and the link that switches it on
    manager.end()
    assert "systemd  removed" in cron.box.cli("cron", "uninstall").stdout
    assert list(units.rglob("openclaw-cron*")) == []


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
