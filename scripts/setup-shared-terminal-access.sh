#!/usr/bin/env bash
# Prepares the folder of the shared tmux socket and checks tmux. Can be run twice; changes nothing that is right already,
# and nothing at all that is not ours. Exit: 0 ready, 3 the folder is not safe to use, 5 tmux is missing or too old.
set -euo pipefail

SOCKET=${OPENCLAW_SHARED_SOCKET:-/tmp/openclaw-shared-terminals/shared.sock}
FOLDER=$(dirname -- "$SOCKET")
OLDEST=3.2

fail() { # status, what is wrong, what to do
    printf 'error: %s\nhint: %s\n' "$2" "$3" >&2
    exit "$1"
}

OTHER="or name a socket of your own: export OPENCLAW_SHARED_SOCKET=\$HOME/.openclaw-socket/shared.sock"

mode_of() { stat -L -c %a -- "$1" 2>/dev/null || stat -L -f %Mp%Lp -- "$1" | sed 's/^0//'; } # GNU, else BSD

check_parent() { # in a folder that others may write to, only the sticky bit keeps them from swapping ours for theirs
    local parent=$1
    case $(mode_of "$parent") in
    [1357]???) ;;
    *[2367]) fail 3 "$parent can be written by everybody and has no sticky bit" "chmod o-w '$parent', $OTHER" ;;
    esac
}

check_folder() {
    if [ -L "$FOLDER" ]; then
        fail 3 "$FOLDER is a symlink: whoever made it chooses where your terminals are" "remove it, $OTHER"
    fi
    if [ ! -e "$FOLDER" ]; then
        mkdir -p -- "$(dirname -- "$FOLDER")"
        check_parent "$(dirname -- "$FOLDER")"
        mkdir -m 0700 -- "$FOLDER" 2>/dev/null || true # somebody may be quicker: what is there now is checked below
    fi
    check_parent "$(dirname -- "$FOLDER")"
    if [ -L "$FOLDER" ] || [ ! -d "$FOLDER" ]; then
        fail 3 "$FOLDER is not a folder" "remove it, $OTHER"
    fi
    [ -O "$FOLDER" ] || fail 3 "$FOLDER belongs to another user" "$OTHER"
    case $(mode_of "$FOLDER") in
    700) ;;
    *) fail 3 "$FOLDER has mode $(mode_of "$FOLDER"): others may reach your terminals" "chmod 700 '$FOLDER' (and look what is in it), $OTHER" ;;
    esac
}

check_socket() {
    [ -e "$SOCKET" ] || [ -L "$SOCKET" ] || return 0
    if [ -L "$SOCKET" ] || [ ! -S "$SOCKET" ]; then
        fail 3 "$SOCKET is not a socket" "remove it, $OTHER"
    fi
    [ -O "$SOCKET" ] || fail 3 "$SOCKET belongs to another user" "$OTHER"
}

check_tmux() {
    command -v tmux >/dev/null || fail 5 "tmux is missing" "sudo apt-get install tmux   (or: brew install tmux)"
    local version
    version=$(tmux -V | tr -cd '0-9.')
    [ "$(printf '%s\n' "$OLDEST" "$version" | sort -t. -k1,1n -k2,2n | sed -n 1p)" = "$OLDEST" ] ||
        fail 5 "tmux $version is too old, $OLDEST is needed" "install a newer tmux"
    echo "$version"
}

[ "${#SOCKET}" -le 100 ] || fail 2 "the socket's path has ${#SOCKET} characters, 100 is the most that works everywhere" "$OTHER"
case $SOCKET in
/*) ;;
*) fail 2 "OPENCLAW_SHARED_SOCKET must be an absolute path, not '$SOCKET'" "export OPENCLAW_SHARED_SOCKET=$PWD/$SOCKET" ;;
esac
VERSION=$(check_tmux)
check_folder
check_socket
cat <<DONE
ready: $FOLDER (yours alone), tmux $VERSION
next:  openclaw doctor     check everything else
       openclaw spawn 'uname -a' --wait
       openclaw attach     watch your sub-agents
DONE
