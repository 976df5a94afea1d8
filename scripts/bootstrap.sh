#!/usr/bin/env bash
# Sets everything up: a virtual environment with exactly what requirements.lock names, this project in it (editable),
# and tmux from the system's packages where that is allowed. Run it at will: a complete set-up is recognised at once,
# without network; a set-up that was killed half way is mended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VENV=.venv
PY=$VENV/bin/python
PACKAGES_STAMP=$VENV/.packages # what the packages were installed from; written last, so an unfinished set-up has none
PROJECT_STAMP=$VENV/.project   # the same for this project's own entry points

say() { printf '%s\n' "bootstrap: $*" >&2; }
die() {
    say "$1"
    exit "${2:-1}"
}

# --- the caller's environment must not steer what gets installed where

unset PYTHONHOME PYTHONPATH PYTHONSTARTUP PYTHONUSERBASE PYTHONPLATLIBDIR PYTHONDONTWRITEBYTECODE PYTHONPYCACHEPREFIX
unset PYTHONSAFEPATH PYTHONWARNINGS PYTHONOPTIMIZE VIRTUAL_ENV CONDA_PREFIX __PYVENV_LAUNCHER__
while read -r name; do
    case $name in # how to reach the index stays the caller's business
    PIP_INDEX_URL | PIP_EXTRA_INDEX_URL | PIP_FIND_LINKS | PIP_NO_INDEX | PIP_TRUSTED_HOST | PIP_PROXY | PIP_CERT) ;;
    PIP_CLIENT_CERT | PIP_CACHE_DIR | PIP_CONFIG_FILE | PIP_RETRIES | PIP_TIMEOUT | PIP_DEFAULT_TIMEOUT) ;;
    PIP_KEYRING_PROVIDER) ;;
    *) unset "$name" ;;
    esac
done < <(compgen -e | grep '^PIP_' || true)
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_USER=0 PIP_ROOT_USER_ACTION=ignore

# --- system packages

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

apt_install() { # the lists may be missing or old, so update only when the first try fails
    command -v apt-get >/dev/null && as_root true || return 1
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 install -y -qq --no-install-recommends "$@")
    say "installing $* with apt-get"
    as_root "${install[@]}" </dev/null >/dev/null 2>&1 && return
    as_root apt-get update -qq </dev/null >/dev/null 2>&1 || true
    as_root "${install[@]}" </dev/null >&2
}

need_tmux() {
    command -v tmux >/dev/null && return
    apt_install tmux && return
    if command -v brew >/dev/null; then
        say "installing tmux with brew"
        brew install --quiet tmux </dev/null >&2 && return
    fi
    die "tmux is missing and can't be installed from here. Type: sudo apt-get install tmux   (or: brew install tmux)" 5
}

want_bubblewrap() { # for `spawn --sandbox` alone, so its absence is no failure
    [ "$(uname -s)" != Linux ] || command -v bwrap >/dev/null && return
    apt_install bubblewrap && return
    say "bubblewrap is missing and can't be installed from here: spawn --sandbox needs it (sudo apt-get install bubblewrap)"
}

# --- the virtual environment

runs() { "$1" -Ic "$2" >/dev/null 2>&1 </dev/null; } # a name on PATH may be a shim that only complains: try it

find_python() {
    local name found=""
    for name in python3.13 python3.12 python3.11 python3 python; do
        command -v "$name" >/dev/null || continue
        runs "$name" 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
        runs "$name" 'import ensurepip, venv' && { echo "$name" && return; }
        found=${found:-$name}
    done
    echo "$found" # without ensurepip, if anything at all
}

need_python() {
    PYTHON=$(find_python)
    if [ -z "$PYTHON" ]; then
        apt_install python3 python3-venv || true
        PYTHON=$(find_python)
    fi
    [ -n "$PYTHON" ] || die "no Python 3.11 or newer on PATH. Type: sudo apt-get install python3 python3-venv" 5
    runs "$PYTHON" 'import ensurepip, venv' && return
    local version # Debian splits venv off, one package for each version
    version=$("$PYTHON" -Ic 'import sys; print("%d.%d" % sys.version_info[:2])')
    apt_install "python$version-venv" || apt_install python3-venv || true
    runs "$PYTHON" 'import ensurepip, venv' ||
        die "$PYTHON can't make virtual environments. Type: sudo apt-get install python$version-venv" 5
}

packages_key() { printf '%s\n' "$PWD" && cat requirements.lock; } # scripts in a venv hold its path: a moved one is stale
project_key() { printf '%s\n' "$PWD" && cat pyproject.toml; }
stamped() { [ -f "$1" ] && "$2" | cmp -s - "$1"; }
stamp() { "$2" >"$1.new" && mv "$1.new" "$1"; }

install_packages() {
    need_python
    say "making $VENV with $("$PYTHON" -V) and the packages of requirements.lock"
    rm -rf "$VENV" # whatever is there was made from something else, or was never finished
    "$PYTHON" -I -m venv "$VENV"
    "$PY" -I -m pip install -qq --no-deps --require-hashes -r requirements.lock ||
        die "the packages could not be installed (see above). The first set-up needs a Python package index; run it again when one can be reached."
    "$PY" -I -m pip uninstall -qq -y setuptools # Python 3.11 brings it; its .pth file runs at every start
    stamp "$PACKAGES_STAMP" packages_key
}

install_project() {
    rm -rf "$VENV"/lib/python*/site-packages/openclaw-*.dist-info # half of one would stop pip
    "$PY" -I -m pip install -qq --no-index --no-deps --no-build-isolation --editable .
    stamp "$PROJECT_STAMP" project_key
}

mkdir -p .make
if command -v flock >/dev/null; then # two at once: the second waits, then finds everything done
    exec 9>.make/bootstrap.lock
    flock 9
fi
if ! stamped "$PACKAGES_STAMP" packages_key || ! runs "$PY" pass; then # its Python may have been removed since
    install_packages
fi
stamped "$PROJECT_STAMP" project_key || install_project
need_tmux
want_bubblewrap
"$PY" -I -m compileall -q openclaw # so that the first start is quick, also where Python may write no bytecode
