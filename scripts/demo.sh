#!/usr/bin/env bash
# Three sub-agents do real work on this project's own files, in windows that can be watched; a fourth wants a file that is
# taken and is refused. Own state, own socket: nothing of yours is touched. `demo.sh clean` removes what the last one left.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

OUT=.make/demo

clean() { # ends only what the last demo started: its folder is noted in $OUT
    if [ -r $OUT/root ]; then
        local root
        root=$(<$OUT/root)
        $OUT/openclaw kill --all >/dev/null 2>&1 || true
        tmux -S "$root/sock/shared.sock" kill-server 2>/dev/null || true
        [[ $root == */openclaw-demo.* ]] && rm -rf "$root"
    fi
    rm -rf $OUT
}

show() { # the command line as one would type it
    local word line="openclaw"
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./:=,@%+-]+$ ]] || word="'${word//\'/\'\\\'\'}'"
        line+=" $word"
    done
    printf '\n%s$ %s%s\n' "$BOLD" "$line" "$PLAIN"
}

run() {
    show "$@"
    $OUT/openclaw "$@"
}

clean
[ "${1-}" != clean ] || exit 0

BOLD='' PLAIN=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then BOLD=$'\e[1m' PLAIN=$'\e[0m'; fi

mkdir -p $OUT
ROOT=$(mktemp -d "${TMPDIR:-/tmp}/openclaw-demo.XXXXXX")
echo "$ROOT" >$OUT/root
mkdir -m 0700 "$ROOT/sock"
cat >$OUT/openclaw <<WRAPPER
#!/usr/bin/env bash
# openclaw with the demo's own state and socket
root=$(printf %q "$ROOT")
export OPENCLAW_STATE_DIR="\$root/state" OPENCLAW_SHARED_SOCKET="\$root/sock/shared.sock"
export OPENCLAW_CONFIG="\$root/openclaw.yaml" OPENCLAW_WORKSPACE="\$root/workspace"
exec $(printf %q "$PWD")/.venv/bin/openclaw "\$@"
WRAPPER
chmod +x $OUT/openclaw
echo "Three sub-agents work on this project. Their state and socket: $ROOT"

PYTHON=".venv/bin/python -B"
run spawn "$PYTHON scripts/demo_work.py review openclaw | tee $OUT/review.md && .venv/bin/mypy --cache-dir /dev/null openclaw" \
    --name review --type review --inject scripts/demo_work.py --inject openclaw/errors.py --write $OUT/review.md --timeout 2m
run spawn "set -o pipefail; $PYTHON -m pytest -q -p no:cacheprovider tests/tasks tests/context/test_tokens.py | tee $OUT/tests.txt" \
    --name tests --type test --inject openclaw/tasks/globs.py:1-40 --inject pyproject.toml --write $OUT/tests.txt --timeout 5m \
    --env "HYPOTHESIS_STORAGE_DIRECTORY=$ROOT/hypothesis"
run spawn "$PYTHON scripts/demo_work.py index openclaw > $OUT/MODULES.md && tail -n 4 $OUT/MODULES.md" \
    --name index --type code-edit --inject scripts/demo_work.py --inject openclaw/settings.py:1-40 --write $OUT/MODULES.md --timeout 2m

printf '\n%s\n' "A fourth wants a file that \`tests\` has claimed:"
status=0
run spawn "date > $OUT/tests.txt" --name late --write "$OUT/*.txt" || status=$?
echo "exit $status"
[ $status = 3 ] || { echo "expected exit 3" >&2 && exit 1; }

run ps
failed=0
run wait review tests index --timeout 5m || failed=$?
for name in review tests index; do run result $name; done
run ps --all

cat <<DONE

Written by the sub-agents:    $(cd $OUT && echo *.md *.txt) in $OUT/
Their windows are still open: $OUT/openclaw attach tests      (Ctrl-b d leaves it)
Look around:                  $OUT/openclaw ps --all
Remove all of it:             make clean
DONE
exit $failed
