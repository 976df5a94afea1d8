"""What a person's terminal runs to look at sub-agents: one in full, or several as tiles.

Several: a session `view-<pid>` of its own on the same server, in which each tile is a tmux client attached to one
sub-agent. It ends when it is left; the sub-agents don't notice. Keys: the prefix (C-b) belongs to the view, so
`C-b d` leaves it, `C-b` with an arrow chooses a tile, `C-b z` enlarges one and back. `C-b C-b` sends a prefix on into
the tile. All other keys go to the sub-agent in the chosen tile, or nowhere when it is read-only.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from openclaw.errors import BadInput
from openclaw.terminal.server import Terminal
from openclaw.terminal.socket import check_folder

# Each tile's own status line says what the sub-agent does; the border above it says which one it is. Its title comes
# from the tmux inside it, so it follows the tags.
_LOOK = {
    "status-left": " #[bold]#{window_panes} sub-agents ",
    "status-right": " #{prefix} arrow chooses · #{prefix} z enlarges · #{prefix} d leaves ",
    "status-right-length": "80",
    "status-style": "fg=colour231,bg=colour25",
    "set-titles-string": "openclaw: #{window_panes} sub-agents",
}
_WINDOW_LOOK = {
    "remain-on-exit": "off",
    "pane-border-status": "top",
    "pane-border-format": " #{?pane_active,#[fg=colour39 bold],#[fg=colour245]}#{q/h:pane_title}#[default] ",
    "window-status-format": "",
    "window-status-current-format": "",
}


def is_inside(terminal: Terminal, environ: Mapping[str, str]) -> bool:
    """Is the caller in a window of this very server? (In one of another server it is outside.)"""
    socket = environ.get("TMUX", "").rsplit(",", 2)[0]
    return bool(socket) and os.path.realpath(socket) == os.path.realpath(terminal.socket)


def attach_argv(terminal: Terminal, names: Sequence[str], read_only: bool, inside: bool) -> list[str]:
    """The command to exec so that the caller's terminal shows the sessions `names` (`subagent-<id>`).

    `inside`: see `is_inside`; the caller's client is then switched, and comes back with `C-b L`. Elsewhere it attaches,
    also from a window of another tmux. Refused: the socket isn't safe.
    """
    if not names:
        raise BadInput("no sub-agent to attach to", "name one or more")
    check_folder(terminal.socket, create=False)
    # Without TMUX= tmux would refuse in a window of another server; -N: a dead server is not started by attaching.
    tmux = [terminal.tmux, "-u", "-N", "-S", terminal.socket]
    outside = ["env", "TMUX=", *tmux]
    if len(names) == 1 and not (inside and read_only):  # switch-client -r would turn read-only off when it is on
        if inside:
            return [*tmux, "switch-client", "-t", f"={names[0]}"]
        return [*outside, "attach-session", *(["-r"] if read_only else []), "-t", f"={names[0]}"]
    return [*(tmux if inside else outside), *_view(outside, names, read_only, inside)]


def _view(tmux: list[str], names: Sequence[str], read_only: bool, inside: bool) -> list[str]:
    """The commands that make the view: attach first, so that a failure half-way leaves something that can be left."""
    view = f"view-{os.getpid()}"
    here = ["-t", f"={view}:"]
    # not -r: it would also mean ignore-size, and show a clipped piece of a large window
    flags = ["-f", "read-only"] if read_only else []
    tiles = [[*tmux, "attach-session", *flags, "-t", f"={name}"] for name in names]
    detached = ["-d", "-x", "-", "-y", "-"] if inside else []
    commands = [["new-session", *detached, "-s", view, "-n", "view", "--", *tiles[0]]]
    commands.append(["set-option", *here, "@openclaw_view", "on"])  # tmux.conf: it ends when nobody looks at it
    if inside:
        commands.append(["switch-client", "-t", f"={view}"])
    commands += [["set-option", *here, key, value] for key, value in _LOOK.items()]
    commands += [["set-option", "-w", *here, key, value] for key, value in _WINDOW_LOOK.items()]
    for tile in tiles[1:]:
        commands += [["split-window", *here, "--", *tile], ["select-layout", *here, "tiled"]]
    commands.append(["set-hook", "-w", *here, "pane-exited", f"select-layout -t ={view}: tiled"])
    commands.append(["select-pane", "-t", f"={view}:.0"])
    return [word for one in commands for word in (*one, ";")][:-1]
