#!/usr/bin/env bash
# For `make test-llama`: llama.cpp with its server, and what writes its models, in an environment of its own.
# Prints the path of its Python; a complete one is recognised at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

home=$PWD/.make/llama
packages=(xllamacpp==2026.10.11549 gguf==0.19.0 numpy==2.4.6)
mkdir -p .make
exec 9>.make/llama.lock
command -v flock >/dev/null && flock 9
if [ "$(cat "$home/.packages" 2>/dev/null)" != "${packages[*]}" ]; then
    rm -rf "$home"
    .venv/bin/python -m venv "$home"
    "$home/bin/python" -m pip install --quiet "${packages[@]}" >&2
    printf '%s\n' "${packages[*]}" >"$home/.packages"
fi
printf '%s\n' "$home/bin/python"
