#!/usr/bin/env bash
# Writes requirements.lock from pyproject.toml: every extra, exact versions, hashes, no addresses, for all Pythons we support.
# Pins that still fit are kept; `scripts/lock.sh --upgrade` takes the newest.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=.make/lock-venv/bin/uv
    if [ ! -x "$uv" ]; then
        .venv/bin/python -m venv .make/lock-venv
        .make/lock-venv/bin/python -m pip install --quiet uv
    fi
fi
"$uv" pip compile pyproject.toml --quiet --no-config --all-extras --universal --python-version 3.11 --generate-hashes \
    --no-annotate --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
    --output-file requirements.lock "$@"
