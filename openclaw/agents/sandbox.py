"""Running a program under bubblewrap, so that only its scope is there for it, whatever it is and whatever it starts.

Inside: the system's programs and /etc, read-only; the program's own install and, as its entry declares, its own
folders; its session's folder, of which only `out/` is writable; a private /tmp; /dev with the window's terminal; and
the scope. Not there: the rest of HOME, tmux's socket, the state of other sub-agents. The network stays.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from openclaw.agents.registry import Agent
from openclaw.errors import Unavailable

SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/sys", "/nix", "/gnu", "/snap",
    "/home/linuxbrew/.linuxbrew",
)  # fmt: skip
PRIVATE = ("/tmp", "/var/tmp")
# Readable to root, who runs agents in many containers.
SECRETS = (
    "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers", "/etc/ssl/private",
    "/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_ecdsa_key", "/etc/ssh/ssh_host_ed25519_key",
)  # fmt: skip
# bubblewrap would end at once at these, and all of the program with it, without a moment to clean up.
SIGNALS = "HUP,INT,QUIT,TERM"
ISOLATED = ("--unshare-user", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL", "--die-with-parent")
INSTALL = "install it: apt-get install bubblewrap, or dnf, pacman, apk; macOS has none; or leave --sandbox out"
_VARIABLE = re.compile(r"\$([A-Za-z_][A-Za-z0-9_]*)")


class Mount(NamedTuple):
    """`kind`: rw, ro, empty (a read-only folder of nothing but what is mounted below it), masked (a file that can't be
    opened), private (an empty folder that can be written and is gone afterwards), link (as it is outside). `source` is
    what rw and ro show there, if not what is there outside."""

    kind: str
    path: str
    source: str = ""


class Wrap(NamedTuple):
    """How a program is started in its sandbox: words before its own, folders to make first, where its result goes."""

    argv: tuple[str, ...]
    missing: tuple[str, ...]
    result: str


def find(environ: Mapping[str, str]) -> str:
    """The path of a bubblewrap that works here. Unavailable (`no_sandbox`) with what to install or to allow."""
    path = shutil.which("bwrap", path=environ.get("PATH"))
    if not path:
        raise Unavailable("--sandbox needs bubblewrap (bwrap), which is not on the PATH", INSTALL, code="no_sandbox")
    try:
        done = subprocess.run(
            [*_start(path), "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--", *_inner(), "true"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=20, check=False,
        )  # fmt: skip
        why = done.stderr.strip().split("\n")[-1] if done.returncode else ""
    except (OSError, subprocess.TimeoutExpired) as error:
        why = str(error)
    if why:
        raise Unavailable(
            f"--sandbox: {path} does not work here: {why}",
            "allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces; on Ubuntu "
            "kernel.apparmor_restrict_unprivileged_userns=0; in a container its seccomp profile), or leave --sandbox "
            "out",
            code="no_sandbox",
        )
    return path


def wrap(
    bwrap: str,
    agent: Agent,
    *,
    scope: Iterable[Mount],
    missing: Sequence[str],
    cwd: str,
    folder: str,
    state_dir: str,
    socket: str,
    environ: Mapping[str, str],
) -> Wrap:
    """The words that put `agent` into its sandbox. `folder` is its session's, `scope` what its patterns come to."""
    out = os.path.join(folder, "out")
    mounts = {mount.path: mount for mount in _surroundings(agent, environ)}
    mounts |= {mount.path: mount for mount in _ours(agent, folder, out, state_dir)}
    scoped = list(scope)
    for mount in scoped:
        if mount.kind == "rw" or mount.path not in mounts or mounts[mount.path].kind == "private":
            mounts[mount.path] = mount
    room = os.path.dirname(socket)
    within = any(_below(path, room) for path in (cwd, *(mount.path for mount in scoped)))
    if within or any(_below(room, mount.path) for mount in scoped):
        mounts[socket if within else room] = Mount("masked" if within else "empty", socket if within else room)
    home = environ.get("HOME", "/")
    for place in (os.path.realpath(home), home, cwd):
        if place != "/" and _shown_by(place, mounts) not in ("rw", "ro"):
            mounts.setdefault(place, Mount("empty", place))
    temporary = next((path for path in PRIVATE if mounts[path].kind in ("private", "rw")), "/dev/shm")
    argv = [*_start(bwrap), *_words(list(mounts.values()))]
    for name, value in (("TMPDIR", temporary), ("XDG_CACHE_HOME", f"{temporary}/cache"), ("OPENCLAW_SANDBOX", "1")):
        argv += ["--setenv", name, value]
    return Wrap((*argv, "--chdir", cwd, "--", *_inner()), (*missing, out), os.path.join(out, "result.md"))


def _start(bwrap: str) -> list[str]:
    return ["env", f"--ignore-signal={SIGNALS}", bwrap, *ISOLATED]


def _inner() -> list[str]:
    return ["env", f"--default-signal={SIGNALS}"]


def _words(mounts: list[Mount]) -> Iterator[str]:
    """Parents before what is mounted in them; then the folders that only lead somewhere are closed."""
    paths = {mount.path for mount in mounts}
    private = [mount.path for mount in mounts if mount.kind == "private"]
    for path in list(paths):
        for above in private:
            if _below(path, above) and path != above:  # what leads there through /tmp must not look writable
                first = os.path.join(above, path[len(above) + 1 :].split("/")[0])
                if first not in paths:
                    paths.add(first)
                    mounts.append(Mount("empty", first))
    shown = {mount.path: mount for mount in mounts if mount.kind != "link"}
    mounts = [mount for mount in mounts if mount.kind != "link" or _shown_by(mount.path, shown) not in ("rw", "ro")]
    mounts.sort(key=lambda mount: mount.path.rstrip("/").count("/"))
    for kind, path, source in mounts:
        if kind in ("rw", "ro"):
            yield from ("--bind" if kind == "rw" else "--ro-bind", source or path, path)
        elif kind in ("empty", "private"):
            yield from ("--tmpfs", path)
        elif kind == "masked":
            yield from ("--ro-bind", "/dev/null", path)
        elif kind == "link":
            yield from ("--symlink", os.readlink(path), path)
        if path == "/":
            yield from ("--proc", "/proc", "--dev", "/dev")
    if "/" not in paths:
        yield from ("--proc", "/proc", "--dev", "/dev")
    for mount in mounts:
        if mount.kind == "empty":
            yield from ("--remount-ro", mount.path)
    if not any(mount.path == "/" for mount in mounts):
        yield from ("--remount-ro", "/")


# --- what is there beside the scope


def _surroundings(agent: Agent, environ: Mapping[str, str]) -> Iterator[Mount]:
    """The system, a place for temporary files, the programs of the PATH, and what the program's entry declares."""
    for path in SYSTEM:
        if os.path.islink(path):
            yield Mount("link", path)
        elif os.path.isdir(path):
            yield Mount("ro", path)
    for path in PRIVATE:
        yield Mount("private", path)
    for path in SECRETS:
        if os.access(path, os.R_OK):
            yield Mount("empty" if os.path.isdir(path) else "masked", path)
    resolver = os.path.realpath("/etc/resolv.conf")
    if not resolver.startswith("/etc/") and os.path.isfile(resolver):
        yield Mount("ro", resolver)
    home = os.path.realpath(environ.get("HOME", "/"))
    for path in _programs(agent, environ):
        if os.path.isabs(path) and os.path.exists(path) and not _below(home, os.path.realpath(path)):
            yield from _seen("ro", path)
    for kind, words in (("rw", agent.needs), ("ro", agent.reads)):
        for word in words:
            path = expand(word, environ)
            if path and os.path.exists(path):
                yield from _seen(kind, path)


def _seen(kind: str, path: str) -> Iterator[Mount]:
    """A path where it really is, and under the name that it is known by when that leads there through symlinks."""
    real = os.path.realpath(path)
    if not any(_below(real, system) for system in SYSTEM if kind == "ro" and not os.path.islink(system)):
        yield Mount(kind, real)
    if real != path and not any(_below(path, system) for system in SYSTEM):
        yield Mount("link" if os.path.islink(path) else kind, path)


def _ours(agent: Agent, folder: str, out: str, state_dir: str) -> Iterator[Mount]:
    """Its own session, and of ours only what its hooks need: the database, and this program."""
    hooked = "hooks" in agent.state
    yield Mount("rw" if hooked else "empty", state_dir)
    if hooked:
        yield Mount("empty", os.path.dirname(folder))
        for path in (sys.prefix, sys.base_prefix, os.path.dirname(os.path.dirname(__file__))):
            yield from _seen("ro", path)
    yield Mount("ro", folder)
    yield Mount("rw", out)


def _shown_by(path: str, mounts: Mapping[str, Mount]) -> str:
    """The kind of the mount through which a path is seen, '' for none."""
    while path not in mounts and path != "/":
        path = os.path.dirname(path)
    return mounts[path].kind if path in mounts else ""


def expand(word: str, environ: Mapping[str, str]) -> str:
    """`~/x`, `$NAME/x`, or alternatives with `|`, of which the first counts whose variables are set. '' for none."""
    for choice in word.split("|"):
        home = environ.get("HOME", "/")
        path = home + choice[1:] if choice == "~" or choice.startswith("~/") else choice
        if all(environ.get(name) for name in _VARIABLE.findall(path)):
            return os.path.normpath(_VARIABLE.sub(lambda found: environ[found[1]], path))
    return ""


def _programs(agent: Agent, environ: Mapping[str, str]) -> Iterator[str]:
    """The folders of the PATH, and where the program and what interprets it are installed."""
    path = environ.get("PATH", "")
    for folder in filter(None, path.split(os.pathsep)):
        yield os.path.dirname(folder) if os.path.basename(folder) == "shims" else _install_of(os.path.join(folder, "x"))
    yield from filter(None, map(environ.get, ("RUSTUP_HOME", "NVM_DIR", "VOLTA_HOME", "PYENV_ROOT", "JAVA_HOME")))
    yield os.path.join(environ.get("HOME", "/"), ".rustup")  # what ~/.cargo/bin stands for
    program = shutil.which(agent.command[0], path=path)
    for _ in range(3):  # a script, its interpreter, and that one's own wrapper
        if not program:
            return
        yield os.path.dirname(program)
        real = os.path.realpath(program)
        yield _install_of(real)
        try:
            with open(real, "rb") as file:
                line = file.readline(4096)
        except OSError:
            return
        words = line[2:].decode("utf-8", "replace").split() if line.startswith(b"#!") else []
        if words and os.path.basename(words[0]) == "env":
            words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        program = shutil.which(words[0], path=path) if words else None


def _install_of(program: str) -> str:
    """The folder that an executable needs: its node_modules, its prefix if that is an install, else its own folder."""
    folder = os.path.dirname(program)
    head, modules, _ = program.partition("/node_modules/")
    if modules:
        return head + "/node_modules"
    prefix = os.path.dirname(folder)
    installed = any(os.path.exists(os.path.join(prefix, mark)) for mark in ("pyvenv.cfg", "lib/node_modules"))
    python = os.path.basename(program).startswith("python") and os.path.isdir(os.path.join(prefix, "lib"))
    return prefix if os.path.basename(folder) == "bin" and (installed or python) else folder


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(folder.rstrip("/") + "/")
