#!/usr/bin/env bash
# Installs a program that the tests run, of one version, into .make/NAME, and prints its path: program.sh NAME PACKAGE
# VERSION. Run it at will: what is there is recognised at once, without network. Without npm it says so with exit 5.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

NAME=$1 PACKAGE=$2 VERSION=$3
FOLDER=.make/$NAME/$VERSION
PROGRAM=$FOLDER/node_modules/.bin/$NAME

mkdir -p ".make/$NAME"
if command -v flock >/dev/null; then # test workers ask all at once
    exec 9>".make/$NAME/lock"
    flock 9
fi
if ! [ -f "$FOLDER/.complete" ]; then
    command -v npm >/dev/null || { echo "$NAME: npm is missing, so $PACKAGE can't be installed" >&2 && exit 5; }
    rm -rf "$FOLDER"
    npm install --prefix "$FOLDER" --no-audit --no-fund --no-update-notifier --loglevel error \
        "$PACKAGE@$VERSION" </dev/null >&2
    "$PROGRAM" --version </dev/null >/dev/null
    touch "$FOLDER/.complete"
fi
echo "$PWD/$PROGRAM"
