#!/usr/bin/env bash
# Installs the Claude Code that the tests run, into .make/claude, and prints its path. Run it at will: what is there
# is recognised at once, without network. Without npm it says so with exit 5.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VERSION=2.1.197 # what the tests were written against; a newer one may draw, name and report differently
HOME_OF_IT=.make/claude/$VERSION
PROGRAM=$HOME_OF_IT/node_modules/.bin/claude

mkdir -p .make/claude
if command -v flock >/dev/null; then # test workers ask all at once
    exec 9>.make/claude/lock
    flock 9
fi
if ! [ -f "$HOME_OF_IT/.complete" ]; then
    command -v npm >/dev/null || { echo "claude-code: npm is missing, so Claude Code can't be installed" >&2 && exit 5; }
    rm -rf "$HOME_OF_IT"
    npm install --prefix "$HOME_OF_IT" --no-audit --no-fund --no-update-notifier --loglevel error \
        "@anthropic-ai/claude-code@$VERSION" </dev/null >&2
    "$PROGRAM" --version >/dev/null
    touch "$HOME_OF_IT/.complete"
fi
echo "$PWD/$PROGRAM"
