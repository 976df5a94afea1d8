# Runs one sub-agent in its window and records how it ended. Sourced by the session's launch.sh, which sets:
#   id dir cwd limit (seconds, or infinity) grace (seconds) command (array) watched (array of folders)
#   missing (array of folders that must be there while it runs, parents first)
# Written for bash; needs no process of ours to be running: the time limit and the clean-up live here.
#
# Two processes: this shell waits for the program in the foreground, so that the program owns the terminal; `guard`,
# in the background, ends everything when the time is up or the terminal goes away. A process belongs to the sub-agent
# when OPENCLAW_SESSION_ID says so in its environment, or when it is in this terminal's session.

if [[ -z ${OPENCLAW_CLEAN-} ]]; then # somebody else started this server: only our mark and the terminal's own go on
  exec env -i OPENCLAW_CLEAN=1 OPENCLAW_SESSION_ID="$id" OPENCLAW_STATE_DIR="${dir%/sessions/*}" PATH="$PATH" \
    HOME="$HOME" TERM="$TERM" TMUX="${TMUX-}" TMUX_PANE="${TMUX_PANE-}" bash "$0"
fi
unset OPENCLAW_CLEAN

members() { # pids of the sub-agent's processes: marked, in this terminal's session, or descending from one that is
  if [[ -d /proc/self ]]; then
    local marked
    marked=$(grep -lszxF "OPENCLAW_SESSION_ID=$id" /proc/[0-9]*/environ | cut -d/ -f3)
    # cat, for awk gives up at a process that is gone meanwhile
    cat /proc/[0-9]*/stat | awk -v sid="$$" -v marked="$marked" '
      { pid = $1; sub(/.*\) /, ""); if ($1 == "Z") next; parent[pid] = $2; if ($4 == sid) mine[pid] }
      END {
        for (n = split(marked, list); n; n--) mine[list[n]]
        do { grew = 0; for (p in parent) if (!(p in mine) && (parent[p] in mine)) { mine[p]; grew = 1 } } while (grew)
        for (p in mine) print p
      }'
  else
    ps -A -o pid=,ppid= | awk -v top="$$" '{ parent[$1] = $2 }
      END { for (p in parent) for (q = p; q in parent; q = parent[q]) if (parent[q] == top) { print p; break } }'
  fi 2>/dev/null
}

reap() { # TERM, after the grace KILL, until nobody is left; those who are born meanwhile too
  local me=$BASHPID signal=TERM deadline=$((SECONDS + grace)) pid left=()
  while :; do
    # once ours, ours for good: what has lost its parent is found no more
    for pid in $(printf '%s\n' "${left[@]}" $(members) | sort -u); do
      [[ $pid != "$$" && $pid != "$me" ]] && kill -"$signal" "$pid" && printf '%s\n' "$pid"
    done >"$dir/left" 2>/dev/null
    mapfile -t left <"$dir/left"
    ((${#left[@]})) || break
    kill -CONT "${left[@]}" 2>/dev/null
    signal=0
    ((SECONDS > deadline)) && signal=KILL
    ((SECONDS > deadline + 10)) && break # stuck in the kernel: no signal helps
    sleep 0.05
  done
  rm -f "$dir/left"
}

record() { # code, how: the one truth about the end, there as a whole or not at all
  printf '%s %s %s\n' "$1" "$2" "${EPOCHREALTIME-$(date +%s)}" >"$dir/exit.new" || return # a full disk
  sync "$dir/exit.new"
  mv -f "$dir/exit.new" "$dir/exit"
} 2>/dev/null

guard() {
  trap 'printf hangup >"$dir/ending"; reap; record 129 hangup; exit' HUP
  trap 'kill -KILL $! 2>/dev/null; exit' USR1 # it may have ended by itself
  trap '' INT QUIT TSTP TERM
  sleep "$limit" &
  wait $!
  [[ -s $dir/ending ]] && return # it is being ended by openclaw, and our sleep with it
  printf timeout >"$dir/ending"
  reap
}

changed() { # which files below the watched folders were written since the start: the result, and what was out of scope
  ((${#watched[@]})) || return
  local within=()
  command -v timeout >/dev/null && within=(timeout 5) # a tree may be endless; what was found by then counts
  "${within[@]}" find "${watched[@]}" -xdev -name .git -prune -o ! -type d -cnewer "$dir/launch.sh" -print0 \
    >"$dir/changed.new" 2>/dev/null
  mv -f "$dir/changed.new" "$dir/changed"
}

trap : INT QUIT TERM # Ctrl-C is for the program; who ends us ends it too, and its end is what we wait for
trap '' TSTP    # there is no shell to come back to
private=''
[[ -r $dir/env ]] && private=$(<"$dir/env") && rm -f "$dir/env" # values of secrets leave the disk here
begin() ( # in a process of its own: nothing of its environment may reach this one
  unset command watched missing # arrays stay arrays, and those are not passed on
  eval "$private"
  exec "$@"
)
guard &
guard=$!
((${#missing[@]})) && mkdir -p -m 700 -- "${missing[@]}"
if cd -- "$cwd"; then
  begin "${command[@]}"
  code=$?
else
  code=126
fi
[[ -s $dir/ending ]] && how=$(<"$dir/ending") || how=exit
# our own agent says so itself, in a sandbox where it can
[[ $how == exit && -f $dir/out/ending && $(head -c 16 "$dir/out/ending") == halted ]] && how=halted
[[ $how == timeout ]] && code=124
{ kill -USR1 "$guard" && wait "$guard"; } 2>/dev/null # bash would report its end in the window
reap
for ((i = ${#missing[@]} - 1; i >= 0; i--)); do rmdir -- "${missing[i]}" 2>/dev/null; done # those it made no use of
changed
record "$code" "$how"
exit "$code"
