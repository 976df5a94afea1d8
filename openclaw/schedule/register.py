"""Having the machine call `openclaw cron tick` each minute: by a systemd user timer, or a line in the crontab.

Both are marked with the state folder that they serve, so that two installations don't touch each other's.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shlex
import shutil
import subprocess
import sys
from typing import NamedTuple

from openclaw.errors import BadInput, Unavailable
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet
from openclaw.whole import put

WAYS = ("systemd", "crontab")
DAEMONS = ("cron", "crond", "dcron", "fcron")
SECONDS = 20.0  # for a call of either
# no secrets: both files can be read
KEPT = ("PATH", "HOME", "LANG", "OPENCLAW_CONFIG", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")
UNIT = """[Unit]
Description={about}
{more}"""
# KillMode: a tmux server that a tick starts must outlive the tick
SERVICE = """
[Service]
Type=oneshot
KillMode=process
{environment}
ExecStart={command}
"""
TIMER = """
[Timer]
OnCalendar=minutely
AccuracySec=1s

[Install]
WantedBy=timers.target
"""


class Entry(NamedTuple):
    """What is registered: the way, where it stands, what was done (installed, unchanged, removed, absent), and what
    keeps it from firing always."""

    way: str
    place: str
    outcome: str
    note: str = ""


def install(fleet: Fleet, way: str | None) -> Entry:
    """Register it, by `way` or by whichever is there. Unavailable: neither is."""
    with locked(fleet.state_dir, "cron-install"):
        chosen = way or next((each for each in WAYS if _there(fleet, each)), None)
        if chosen is None or not _there(fleet, chosen):
            hint = "`openclaw cron serve` does the same in the foreground; anything may call `openclaw cron tick`"
            which = chosen or "systemd for users or crontab"
            raise Unavailable(f"there is no {which} here that answers", hint, "no_timer")
        for other in WAYS:
            if other != chosen and _there(fleet, other):
                _PARTS[other][1](fleet)
        return _PARTS[chosen][0](fleet)


def uninstall(fleet: Fleet) -> list[Entry]:
    """Take away whatever of it is registered."""
    with locked(fleet.state_dir, "cron-install"):
        left = {"systemd": _unit_files(fleet), "crontab": []}  # of a systemd that does not answer any more
        return [_PARTS[way][1](fleet) for way in WAYS if left[way] or _there(fleet, way)]


def _there(fleet: Fleet, way: str) -> bool:
    program = shutil.which("systemctl" if way == "systemd" else "crontab", path=fleet.settings.environ.get("PATH"))
    if not program:
        return False
    return way == "crontab" or _run(fleet, [program, "--user", "show-environment"]).returncode == 0


def _run(fleet: Fleet, words: list[str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    environ = dict(fleet.settings.environ)
    try:
        return subprocess.run(words, input=stdin, env=environ, capture_output=True, text=True, timeout=SECONDS,
                              errors="surrogateescape", check=False)  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{words[0]} did not answer within {SECONDS:g} s", code="no_timer") from error


def _did(done: subprocess.CompletedProcess[str], what: str) -> None:
    if done.returncode:
        raise Unavailable(f"{what}: {done.stderr.strip()[:300] or f'exit status {done.returncode}'}", code="no_timer")


def _environment(fleet: Fleet) -> dict[str, str]:
    """What a tick needs to find this same fleet, and its programs."""
    environ = fleet.settings.environ
    shared = {k: v for k, v in fleet.shared_environment().items() if k != "OPENCLAW_WORKSPACE"}  # each job has its own
    found = {key: environ[key] for key in KEPT if environ.get(key)} | shared
    if wrong := [key for key, value in found.items() if not value.isprintable()]:
        raise BadInput(f"{wrong[0]} has characters that can't be written down: {found[wrong[0]][:60]!r}")
    return found


def _command() -> list[str]:
    return [sys.executable, "-P", "-m", "openclaw", "cron", "tick"]


def _mark(fleet: Fleet) -> str:
    return hashlib.sha256(os.path.realpath(fleet.state_dir).encode(errors="surrogateescape")).hexdigest()[:8]


# --- crontab


def _crontab_install(fleet: Fleet) -> Entry:
    before = _crontab(fleet)
    assigned = [f"{key}={value}" for key, value in _environment(fleet).items()]
    log = os.path.join(fleet.state_dir, "cron.log")
    words = shlex.join(["env", *assigned, *_command()]) + f" >>{shlex.quote(log)} 2>&1"
    # a script of its own: cron takes no line of more than 1000 characters
    put(_script(fleet), f"exec {words}\n".encode(errors="surrogateescape"))
    called = f"sh {shlex.quote(_script(fleet))}"
    line = "* * * * * " + called.replace("%", "\\%") + f" # openclaw {_mark(fleet)}"  # a bare % would be a line end
    after = [each for each in before if not _is_ours(fleet, each)] + [line]
    if after != before:
        _write_crontab(fleet, after)
    note = "" if _cron_runs() else "no cron runs here, so nothing is called: start it, or use `openclaw cron serve`"
    return Entry("crontab", line, "unchanged" if after == before else "installed", note)


def _crontab_remove(fleet: Fleet) -> Entry:
    before = _crontab(fleet)
    after = [line for line in before if not _is_ours(fleet, line)]
    if after != before:
        _write_crontab(fleet, after)
    if os.path.lexists(_script(fleet)):
        os.unlink(_script(fleet))
    return Entry("crontab", "", "absent" if after == before else "removed")


def _cron_runs() -> bool:
    """Whether there is a daemon that reads crontabs; on macOS launchd starts it when one is written."""
    import psutil  # only here: a person installs once

    return sys.platform == "darwin" or any(p.info["name"] in DAEMONS for p in psutil.process_iter(["name"]))


def _script(fleet: Fleet) -> str:
    return os.path.join(fleet.state_dir, "cron-tick.sh")


def _is_ours(fleet: Fleet, line: str) -> bool:
    return line.endswith(f" # openclaw {_mark(fleet)}")


def _crontab(fleet: Fleet) -> list[str]:
    """Its lines. A person who has none has an empty one; any other failure must not look like that."""
    done = _run(fleet, ["crontab", "-l"])
    if done.returncode and "no crontab" not in done.stderr:
        _did(done, "crontab -l")
    return done.stdout.splitlines() if not done.returncode else []


def _write_crontab(fleet: Fleet, lines: list[str]) -> None:
    if lines:
        _did(_run(fleet, ["crontab", "-"], "\n".join(lines) + "\n"), "crontab -")
    else:
        _did(_run(fleet, ["crontab", "-r"]), "crontab -r")


# --- systemd


def _systemd_install(fleet: Fleet) -> Entry:
    name, folder = f"openclaw-cron-{_mark(fleet)}", _units(fleet)
    environment = "\n".join(f"Environment={_quoted(f'{k}={v}')}" for k, v in _environment(fleet).items())
    command = " ".join(map(_quoted, _command()))
    about = f"openclaw: jobs that are due, of {fleet.state_dir}"
    texts = {
        f"{name}.service": UNIT.format(about=about, more="") + SERVICE.format(environment=environment, command=command),
        f"{name}.timer": UNIT.format(about=about, more="") + TIMER,
    }
    os.makedirs(folder, exist_ok=True)
    paths = {os.path.join(folder, file): text for file, text in texts.items()}
    changed = [path for path, text in paths.items() if _read(path) != text]
    for path in changed:
        put(path, paths[path].encode(errors="surrogateescape"), 0o644)
    if changed:
        _did(_run(fleet, ["systemctl", "--user", "daemon-reload"]), "systemctl daemon-reload")
    _did(_run(fleet, ["systemctl", "--user", "enable", "--now", f"{name}.timer"]), "systemctl enable")
    note = "" if _lingers() else "it stops when you log out: `loginctl enable-linger` lets it go on"
    return Entry("systemd", os.path.join(folder, f"{name}.timer"), "installed" if changed else "unchanged", note)


def _systemd_remove(fleet: Fleet) -> Entry:
    found = _unit_files(fleet)
    if not found:
        return Entry("systemd", "", "absent")
    there = _there(fleet, "systemd")
    if there:
        _run(fleet, ["systemctl", "--user", "disable", "--now", os.path.basename(found[0])])
    for path in filter(os.path.lexists, found):
        os.unlink(path)
    if there:
        _did(_run(fleet, ["systemctl", "--user", "daemon-reload"]), "systemctl daemon-reload")
    return Entry("systemd", found[0], "removed")


def _unit_files(fleet: Fleet) -> list[str]:
    """Those of this installation that are there: the timer, the service, and the link that switches the timer on."""
    name, folder = f"openclaw-cron-{_mark(fleet)}", _units(fleet)
    paths = (f"{name}.timer", f"{name}.service", f"timers.target.wants/{name}.timer")
    return [path for each in paths if os.path.lexists(path := os.path.join(folder, each))]


def _lingers() -> bool:
    """Whether systemd for this user goes on when nobody is logged in."""
    return os.path.exists(f"/var/lib/systemd/linger/{pwd.getpwuid(os.geteuid()).pw_name}")


def _units(fleet: Fleet) -> str:
    base = fleet.settings.environ.get("XDG_CONFIG_HOME") or os.path.join(fleet.settings.home, ".config")
    return os.path.join(base, "systemd", "user")


def _quoted(word: str) -> str:
    """One word of a unit file: nothing in it is expanded."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeError):
        return None


_PARTS = {"crontab": (_crontab_install, _crontab_remove), "systemd": (_systemd_install, _systemd_remove)}
