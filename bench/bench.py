"""`make bench`: one table of ratios, each measured in turn with its reference in this run. Exits 0 even when short.

A benchmark reports, a test asserts: absolute times mean little on shared machines. `bench.py NAME…` runs some lines.
"""

from __future__ import annotations

import json
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import choosing
from lab import EMPTY_PYTHON, HOOK, OPENCLAW, Failed, Figure, Lab, in_turn, until

from openclaw.continuity.restore import restore
from openclaw.continuity.snapshot import take
from openclaw.errors import OpenclawError
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import db
from openclaw.terminal import deliver
from openclaw.terminal.panes import PANE_FORMAT, view
from openclaw.terminal.server import Terminal
from openclaw.terminal.windows import NewWindow, open_windows
from openclaw.usage import imports


class Line(NamedTuple):
    """One line of the table. Without a figure, `share` is what was right, in percent, and has to reach the target."""

    name: str
    target: float
    figure: Figure | None = None
    share: float = 0.0
    n: int = 0
    unit: str = ""  # of the figure: seconds, B for bytes, t for tokens, or regret


def start(lab: Lab) -> Iterator[Line]:
    """--help and --version against an empty Python."""
    empty = lambda: lab.run(EMPTY_PYTHON)  # noqa: E731
    yield Line("openclaw --version / empty Python", 2, in_turn(25, lambda: lab.openclaw("--version"), empty))
    yield Line("openclaw --help / empty Python", 7, in_turn(25, lambda: lab.openclaw("--help"), empty))


def ps(lab: Lab) -> Iterator[Line]:
    """ps --json with 100 live sub-agents against an empty Python."""
    begin(lab, 100)
    live = len(lab.json("ps"))
    if live != 100:
        raise Failed(f"ps --json lists {live} of 100 live sub-agents")
    figure = in_turn(25, lambda: lab.openclaw("ps", "--json"), lambda: lab.run(EMPTY_PYTHON))
    yield Line("ps --json, 100 live / empty Python", 4, figure)


def spawn(lab: Lab) -> Iterator[Line]:
    """One spawn, the whole command, against one raw new-session and an empty Python."""
    lab.raw_server()
    begin(lab, 1)
    flag = lab.root / "flags" / "one"

    def ours() -> None:
        lab.openclaw("spawn", f"touch {flag}; exec sleep 3600")

    def reference() -> None:
        lab.raw_session()
        lab.run(EMPTY_PYTHON)
        flag.touch()

    def between() -> None:  # what the sub-agent does for itself at its start must not slow down what comes next
        until(flag.exists, "the sub-agent begins")
        flag.unlink()

    yield Line("spawn one / new-session + empty Python", 6, in_turn(20, ours, reference, between))


def window(lab: Lab) -> Iterator[Line]:
    """The tmux part of one spawn against one raw new-session."""
    terminal = Terminal(lab.socket)
    server = terminal.ensure()
    lab.raw_server()
    figure = in_turn(30, lambda: open_windows(terminal, [idle_window(lab)], server), lab.raw_session)
    yield Line("tmux part of one spawn / new-session", 1.5, figure)


def send(lab: Lab) -> Iterator[Line]:
    """100 KB into a raw-mode pane, exact to the byte, against raw load-buffer and paste-buffer."""
    terminal, got, text = Terminal(lab.socket), lab.root / "got", "0123456789abcdef\n" * 6024
    quiet = idle_window(lab)._replace(argv=("bash", "-c", 'stty raw -echo; exec cat >"$0"', str(got)), log="/dev/null")
    pane = open_windows(terminal, [quiet], terminal.ensure())[quiet.id]
    until(got.exists, "the reader is there")
    raw = ["tmux", "-S", lab.socket, "load-buffer", "-b", "raw", "-", ";", "paste-buffer", "-d", "-r", "-b", "raw"]
    expected = 0

    def arrived() -> None:
        until(lambda: got.stat().st_size >= expected, "all of it was read")

    def ours() -> None:
        nonlocal expected
        expected += len(text)
        deliver.paste(terminal, pane, text)

    def reference() -> None:
        nonlocal expected
        expected += len(text)
        subprocess.run([*raw, "-t", pane.pane_id], input=text, text=True, check=True, capture_output=True, timeout=60)

    yield Line("100 KB into a pane / raw paste-buffer", 1.5, in_turn(30, ours, reference, arrived))
    if got.read_text() != text * (expected // len(text)):
        raise Failed("what arrived is not what was sent")


def many(lab: Lab) -> Iterator[Line]:
    """100 sub-agents from a file, and the tmux part of that, against 100 raw new-session processes."""
    waiting: list[Path] = []

    def reference() -> None:
        for _ in range(100):
            lab.raw_session()

    def between() -> None:
        until(lambda: all(flag.exists() for flag in waiting), "100 sub-agents begin")
        waiting.clear()
        lab.end_servers()

    def ours() -> None:
        path, flags = lab.idle_tasks(100)
        lab.openclaw("spawn", "--from", str(path))
        waiting.extend(flags)

    def tmux_part() -> None:
        open_windows(Terminal(lab.socket), [idle_window(lab) for _ in range(100)])

    yield Line("tmux part of 100 spawns / 100 new-session", 0.6, in_turn(5, tmux_part, reference, between))
    yield Line("spawn --from, 100 tasks / 100 new-session", 1.5, in_turn(5, ours, reference, between))


def route(lab: Lab) -> Iterator[Line]:
    """Which model a task is given to, with no endpoint at home, against an empty Python."""
    words = ("route", "Fix the bug that makes the login fail", "--json")
    env = lab.env | {"GROQ_API_KEY": "x", "DEEPSEEK_API_KEY": "x"}
    figure = in_turn(20, lambda: lab.run([OPENCLAW, *words], env=env), lambda: lab.run(EMPTY_PYTHON))
    yield Line("route / empty Python", 10, figure)


def ledger(lab: Lab) -> Iterator[Line]:
    """metrics over 100,000 turns, and one more turn read from a transcript, against an empty Python."""
    folder, count = lab.root / "conversations", 100_000
    folder.mkdir()
    text = (
        '{{"type":"assistant","requestId":"r{0}","timestamp":"2026-{1:02}-{2:02}T10:00:00.000Z","message":{{"id":"m{0}",'
        '"model":"{3}","usage":{{"input_tokens":5,"cache_read_input_tokens":900,"output_tokens":7}}}}}}\n'
    )
    names = ("claude-opus-4-6", "claude-sonnet-4-6", "claude-haiku-4-5")

    def line(number: int) -> str:
        day = number * 300 // count  # a conversation of a thousand turns goes on for three days
        return text.format(number, day // 28 % 12 + 1, day % 28 + 1, names[number % 3])

    for file in range(100):
        share = range(file * count // 100, (file + 1) * count // 100)
        (folder / f"c{file}.jsonl").write_text("".join(map(line, share)))
    lab.openclaw("usage", "import", str(folder))
    if sum(row["turns"] for row in lab.json("metrics")["rows"]) != count:
        raise Failed("not every turn was counted")
    empty = lambda: lab.run(EMPTY_PYTHON)  # noqa: E731
    yield Line("metrics, 100,000 turns / empty Python", 12, in_turn(15, lambda: lab.openclaw("metrics"), empty))
    store, number = db.connect(lab.env["OPENCLAW_STATE_DIR"] + "/openclaw.db"), count

    def more() -> None:
        nonlocal number
        number += 1
        with (folder / "c0.jsonl").open("a") as file:
            file.write(line(number))
        if imports.take(store, [str(folder / "c0.jsonl")]).turns != 1:
            raise Failed("the new turn was not counted")

    yield Line("ingest of one more turn / empty Python", 3, in_turn(25, more, empty))


def learning(lab: Lab) -> Iterator[Line]:
    """Regret of choosing models by outcomes, in a simulation, beside greedy and evaporating trails."""
    for world in choosing.WORLDS:
        ours = choosing.regrets(world, choosing.ours)
        for other, target in ((choosing.greedy, 1.0), (choosing.evaporation, 0.3)):
            theirs = choosing.regrets(world, other)
            ratios = sorted(a / max(b, 0.01) for a, b in zip(ours, theirs, strict=True))
            middle = len(ours) // 2
            low, high = ratios[middle // 2], ratios[middle + middle // 2]
            figure = Figure(len(ours), ours[middle], theirs[middle], low, high)
            yield Line(f"regret, {world.name} / {other.__name__}", target, figure, unit="regret")


def refresh(lab: Lab) -> Iterator[Line]:
    """All state of 500 sessions in one look, against raw list-panes with the same fields."""
    terminal = Terminal(lab.socket)
    for _ in range(5):
        open_windows(terminal, [idle_window(lab) for _ in range(100)])
    if len(view(terminal).panes) != 500:
        raise Failed(f"the view has {len(view(terminal).panes)} of 500 sessions")
    raw = ["tmux", "-S", lab.socket, "list-panes", "-a", "-F", PANE_FORMAT]
    figure = in_turn(25, lambda: view(terminal), lambda: lab.run(raw))
    yield Line("refresh, 500 sessions / raw list-panes", 1.3, figure)


def codes(lab: Lab) -> Iterator[Line]:
    """Exit statuses of 200 commands that exit at once."""
    path = lab.root / "codes.yaml"
    codes = {f"code-{i}": random.randrange(256) for i in range(200)}
    path.write_text("".join(f"- {{name: {name}, task: 'exit {code}'}}\n" for name, code in codes.items()))
    lab.openclaw("spawn", "--from", str(path))
    lab.run([OPENCLAW, "wait", *codes, "--timeout", "100s"], ok=(0, 1))
    got = {row["name"]: row["exit_code"] for row in lab.json("ps", "--all")}
    right = sum(got.get(name) == code for name, code in codes.items())
    yield Line("exit codes right, 200 quick exits", 100, share=right / 2, n=200)


def hook(lab: Lab) -> Iterator[Line]:
    """One report of an agent, from a process that starts to a store that is updated, against an empty Python."""
    begin(lab, 1)
    [live] = lab.json("ps")
    report = lab.root / "report.json"
    report.write_text(json.dumps({"hook_event_name": "UserPromptSubmit", "session_id": "x", "prompt": "go on " * 50}))
    env = lab.env | {"OPENCLAW_SESSION_ID": live["id"]}
    empty = ["sh", "-c", f"exec {shlex.join(EMPTY_PYTHON)}"]

    def against(name: str, environ: dict[str, str]) -> Figure:
        words = ["sh", "-c", f"exec {shlex.quote(HOOK)} {name} <{report}"]
        return in_turn(40, lambda: lab.run(words, env=environ), lambda: lab.run(empty))

    yield Line("openclaw-hook, store updated / empty Python", 2.5, against("", env))
    report.write_text(report.read_text()[:-1] + ', "cwd": "/", "context_window": {"used_percentage": 42}}')
    yield Line("openclaw-hook of a main agent / empty Python", 2.5, against("main claude", lab.env))
    yield Line("openclaw-hook statusline / empty Python", 2.5, against("statusline", lab.env))
    if (lab.root / "state" / "hook.log").exists():
        raise Failed("the hook could not store its report")


def prefix(lab: Lab) -> Iterator[Line]:
    """What an agent's first request costs, in bytes, scoped and as a heartbeat, against its default start."""
    from prefix import first_requests  # a server of the tests: only this line needs it

    default, scoped, beat = first_requests(lab)
    for name, target, ours in (("scoped", 0.2, scoped), ("heartbeat", 0.02, beat)):
        ratio = ours / default
        yield Line(f"claude, 1st request, {name} / default", target, Figure(1, ours, default, ratio, ratio), unit="B")


def heartbeat(lab: Lab) -> Iterator[Line]:
    """What heartbeats send, each in a session of its own, against the same ones in the main session."""
    from beats import BEATS, sent  # a server of the tests: only this line needs it

    isolated, together = sent(lab)
    ratio = isolated / together
    yield Line(f"{BEATS} heartbeats, isolated / in the main one", 0.25, Figure(BEATS, isolated, together, ratio, ratio),
               unit="B")  # fmt: skip


def snapshot(lab: Lab) -> Iterator[Line]:
    """A snapshot of 100 live sub-agents, beyond start-up, against raw list-panes with the same fields."""
    begin(lab, 100)
    fleet = Fleet(Settings(lab.env, str(lab.work)))
    items = lab.root / "workspace" / "active-tasks.md"
    count = 0

    def between() -> None:  # the same state is not written twice
        nonlocal count
        count += 1
        items.parent.mkdir(exist_ok=True)
        items.write_text(f"- [ ] item {count}\n")

    def ours() -> None:
        if not take(fleet, "bench").written:
            raise Failed("the snapshot was not written")

    between()
    raw = ["tmux", "-S", lab.socket, "list-panes", "-a", "-F", PANE_FORMAT]
    yield Line("snapshot, 100 live / raw list-panes", 8, in_turn(20, ours, lambda: lab.run(raw), between))


def comeback(lab: Lab) -> Iterator[Line]:
    """20 dead sessions brought back, beyond start-up, against the raw creation of 20 windows in one chain."""
    path, flags = lab.idle_tasks(20)
    lab.openclaw("spawn", "--from", str(path))
    until(lambda: all(flag.exists() for flag in flags), "20 sub-agents begin")
    fleet = Fleet(Settings(lab.env, str(lab.work)))
    take(fleet, "bench")
    chain = "".join(f"new-session -d -s raw{n} -c {lab.work} sleep 3600\n" for n in range(20))
    raw = ["tmux", "-S", lab.raw_socket, "-f", "/dev/null", "start-server", ";", "source-file", "-"]

    def between() -> None:
        if lab.json("ps"):  # ours ran: each has begun, and dies with its server
            until(lambda: all(flag.exists() for flag in flags), "20 sub-agents are back")
            for flag in flags:
                flag.unlink()
        lab.end_servers()
        until(lambda: not lab.json("ps"), "they are found lost")

    def ours() -> None:
        actions = [found.action for found in restore(fleet, rerun=True).found]
        if actions != ["rerun"] * 20:
            raise Failed(f"restore did {sorted(set(actions))}")

    def reference() -> None:
        subprocess.run(raw, input=chain, text=True, check=True, capture_output=True, timeout=60, cwd="/")

    between()
    yield Line("restore, 20 dead / 20 raw windows in a chain", 3, in_turn(7, ours, reference, between))


def compact(lab: Lab) -> Iterator[Line]:
    """A compaction without a model: what it keeps of what is needed later, beside Claude Code's own; its time."""
    import compaction  # only this line needs it

    history = compaction.work()
    figure = in_turn(9, lambda: compaction.compacted(history), lambda: json.dumps(json.loads(history)))
    yield Line("200k tokens compacted / json load + dump", 20, figure)
    if (folder := compaction.data()) is None:
        raise Failed("skipped: no data")
    count, mark = compaction.counter()
    for session, whose, kept in compaction.recalls(folder, count):
        ratio = kept.text / kept.history
        what = f"{whose}, {session}"
        yield Line(f"{what}: text / history{mark}", 0.03, Figure(1, kept.text, kept.history, ratio, ratio), unit="t")
        yield Line(f"{what}: paths used later", 90, share=round(kept.paths, 1), n=1)
        yield Line(f"{what}: identifiers used later", 90, share=round(kept.identifiers, 1), n=1)
    orphans, n = compaction.orphaned(folder)
    yield Line("pairs whole after two compactions", 100, share=100.0 if not orphans else 0.0, n=n)
    later, first, calls = compaction.foreseen(folder)
    yield Line("tokens of a call foreseen, by other conversations and its own first call", 90,
               share=round(100 * (1 - later), 1), n=calls)  # fmt: skip
    yield Line("tokens of a first call foreseen, by other conversations", 90, share=round(100 * (1 - first), 1))


def begin(lab: Lab, count: int) -> None:
    """Spawn sub-agents that do nothing, and wait until they do it."""
    path, flags = lab.idle_tasks(count)
    lab.openclaw("spawn", "--from", str(path))
    until(lambda: all(flag.exists() for flag in flags), f"{count} sub-agents begin")


def idle_window(lab: Lab) -> NewWindow:
    """A window as spawn opens it: logged, and tagged with all that the status line and a lost database need."""
    id = lab.name("w")
    tags = {"name": id, "agent": "shell", "task": "sleep for an hour", "type": "sub-agent", "state": "working"}
    return NewWindow(id, ("sleep", "3600"), str(lab.work), str(lab.root / "logs" / id), 1 << 20, id, tags)


GROUPS: dict[str, Callable[[Lab], Iterator[Line]]] = {
    "start": start, "hook": hook, "ps": ps, "spawn": spawn, "window": window, "send": send, "many": many,
    "route": route, "learning": learning, "ledger": ledger,
    "refresh": refresh, "codes": codes, "prefix": prefix, "heartbeat": heartbeat, "snapshot": snapshot,
    "comeback": comeback, "compact": compact,
}  # fmt: skip
ROW = "{:<44} {:>4} {:>9} {:>9} {:>7} {:>13} {:>8}  {}"


def shown(line: Line) -> str:
    """The line as the table has it."""
    if not (f := line.figure):
        verdict = "ok" if line.share >= line.target else "short"
        return ROW.format(line.name, line.n, "", "", f"{line.share:g}%", "", f"{line.target:g}%", verdict)
    verdict = "ok" if f.ratio <= line.target else "short"
    spread = f"{f.low:.2f}–{f.high:.2f}"
    scale, unit = {"B": (0.001, "kB"), "t": (0.001, "kt"), "regret": (1.0, "")}.get(line.unit, (1000, "ms"))
    sizes = f"{f.ours * scale:.1f} {unit}".rstrip(), f"{f.reference * scale:.1f} {unit}".rstrip()
    digits = 3 if line.target < 0.1 else 2
    return ROW.format(line.name, f.n, *sizes, f"{f.ratio:.{digits}f}", spread, f"≤ {line.target:g}", verdict)


def main(names: list[str]) -> None:
    """Run the named groups, or all."""
    if unknown := [name for name in names if name not in GROUPS]:
        sys.exit(f"no such line: {', '.join(unknown)}; there are {', '.join(GROUPS)}")
    print(ROW.format("what", "n", "ours", "against", "ratio", "middle half", "target", ""))
    for name in names or GROUPS:
        try:
            with Lab() as lab:
                for line in GROUPS[name](lab):
                    print(shown(line), flush=True)
        except (Failed, OpenclawError, subprocess.SubprocessError) as error:
            print(f"{name}: not measured: {error}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
