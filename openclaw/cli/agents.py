"""ps, attach, logs, wait, result, kill: looking at sub-agents and ending them."""

from __future__ import annotations

import os
from argparse import ArgumentParser
from typing import Any

from openclaw import render
from openclaw.cli import polled
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import id_arguments, json_argument, line, named
from openclaw.errors import BadInput, NotFound
from openclaw.sessions import end, output
from openclaw.sessions.status import settle
from openclaw.sessions.violations import relative
from openclaw.sessions.wait import verdict
from openclaw.sessions.wait import wait as wait_for
from openclaw.store import sessions
from openclaw.terminal.attach import attach_argv, is_inside
from openclaw.units import count_argument, duration_argument


def ps_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("-a", "--all", dest="everything", action="store_true", help="those that ended too")
    json_argument(parser)


def ps(everything: bool, json: bool) -> int:
    """States: starting working waiting idle, then done failed killed timeout halted lost."""
    return polled.ps(everything, json, open_fleet())


def attach_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser, "*")
    parser.add_argument("-r", "--read-only", action="store_true", help="watch without typing")


def attach(ids: list[str], read_only: bool) -> None:
    """One ID fills the terminal, several share it in tiles, none means all live ones. Leave with prefix, d."""
    fleet = open_fleet()
    rows, seen = settle(fleet)
    chosen = named(fleet, ids) if ids else rows
    if not chosen:
        raise NotFound("no sub-agent is live", "start one with `openclaw spawn`")
    gone = [s.id for s in chosen if s.id not in seen.panes]
    if gone:
        raise NotFound(f"session {gone[0]} has no window any more", f"`openclaw logs {gone[0]}` shows what it printed")
    names = [seen.panes[s.id].session_name for s in chosen]
    argv = attach_argv(fleet.terminal, names, read_only, is_inside(fleet.terminal, os.environ))
    os.execvp(argv[0], argv)


def logs_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser, "1")
    parser.add_argument("-n", "--lines", metavar="N", type=count_argument("--lines"), help="only the last N lines")
    parser.add_argument("-f", "--follow", action="store_true", help="go on as it prints, until it ends")
    parser.add_argument("--raw", action="store_true", help="the bytes that the terminal got, colours and all")


def logs(id: str, lines: int | None, follow: bool, raw: bool) -> None:
    """Clean text by default. What a program draws (claude, codex) is read from its window."""
    fleet = open_fleet()
    [session] = named(fleet, [id])
    if follow:
        chunks = output.follow(fleet, session, lines)
        for data in chunks if raw else (text.encode() for text in output.follow_text(chunks)):
            render.raw(data)
    elif raw:
        render.raw(output.raw(fleet, session))
    else:
        text = output.logs(fleet, session, lines)
        if text:
            render.out(text)


def wait_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser)
    parser.add_argument("--any", dest="any_one", action="store_true", help="return when one of them has")
    parser.add_argument(
        "--timeout", metavar="D", type=duration_argument("--timeout"), help="give up after 90s, 10m, 2h"
    )
    json_argument(parser)


def wait(ids: list[str], any_one: bool, timeout: float | None, json: bool) -> int:
    """Exit: 0 all done, 1 one failed, 6 one needs a person, 124 this wait or the sub-agent ran out of time."""
    fleet = open_fleet()
    chosen = named(fleet, ids)
    found, timed_out = wait_for(fleet, [s.id for s in chosen], any_one, timeout)
    if json:
        render.document([s.as_json() for s in found])
    else:
        for session in found:
            render.out(line(session))
    return verdict(fleet, found, timed_out, any_one)


def result_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser, "1")
    parser.add_argument(
        "-n", "--lines", metavar="N", type=count_argument("--lines"), default=20, help="of its last output (20)"
    )
    verdicts = parser.add_mutually_exclusive_group()
    verdicts.add_argument("--good", action="store_true", help="its work was good: the routing learns from that")
    verdicts.add_argument("--bad", action="store_true", help="its work was not")
    parser.add_argument("--by", choices=("person", "check", "validator"), default="person", help="who says so")
    json_argument(parser)


def result(id: str, lines: int, good: bool, bad: bool, by: str, json: bool) -> int:
    """State, exit status, tokens, changed files and last output; while it runs, what there is so far."""
    fleet = open_fleet()
    [session] = named(fleet, [id])
    settle(fleet)
    [session] = sessions.by_ids(fleet.store, [session.id])
    from openclaw.sessions import judging  # YAML, and `ps` passes by this module

    if good or bad:
        judging.judge(fleet, session, good, by)
    found, said = output.result(fleet, session, lines), judging.told(fleet, session)
    if json:
        render.document(found.as_json() | said)
        return 0
    render.out(line(session))
    _told(said)
    if found.changed:
        render.out(
            "changed: "
            + ", ".join(render.clean(p) for p in found.changed[:20])
            + (f" and {len(found.changed) - 20} more" if len(found.changed) > 20 else "")
        )
    if outside := relative(session):
        render.out(
            render.paint("changed outside its write scope while it ran: ", "warn")
            + ", ".join(render.clean(p) for p in outside[:20])
            + (f" and {len(outside) - 20} more" if len(outside) > 20 else "")
        )
    for call in found.denied:
        render.out(f"not allowed: {render.clean(call)}")
    if found.output:
        render.out()
        render.out(found.output)
    return 0


def _told(said: dict[str, Any]) -> None:
    """How its model was chosen, what followed it, and how its work is."""
    if routed := said["routed"]:
        render.out(render.paint(f"model {routed['model']}: {render.clean(routed['why'])}", "dim"))
    for hop in said["hops"]:
        render.out(f"went on with {hop['to']}: {render.clean(hop['why'])}")
    if check := said["check"]:
        how = {True: "passed", False: "failed"}.get(check["good"], "waits" if not check["ended_at"] else "did not end")
        more = f" ({render.clean(check['said'])}; see check.log)" if check["said"] else ""
        render.out(f"check `{render.clean(check['command'])}`: {how}{more}")
    if verdict := said["verdict"]:
        good = "good" if verdict["good"] else "bad"
        render.out(f"its work is {good}, by {verdict['by']}; it counts for {verdict['model'] or 'no model'}")


def kill_arguments(parser: ArgumentParser) -> None:
    id_arguments(parser, "*")
    parser.add_argument("--finished", action="store_true", help="close the windows of those that ended")
    parser.add_argument("--all", dest="everything", action="store_true", help="all of them, live and ended")
    json_argument(parser)


def kill(ids: list[str], finished: bool, everything: bool, json: bool) -> int:
    """TERM to every process of theirs, KILL after kill.grace, claims freed, window closed. Logs and results stay."""
    if bool(ids) + finished + everything != 1:
        raise BadInput("say which: ids, or --finished, or --all")
    fleet = open_fleet()
    if ids:
        settle(fleet)
        chosen = named(fleet, ids)
    else:
        chosen = end.finished(fleet)
        if everything:
            chosen = sessions.live(fleet.store) + chosen
    ended = end.kill(fleet, chosen)
    if json:
        render.document([s.as_json() for s in ended])
    else:
        for session in ended:
            render.out(line(session))
        if not ended:
            render.out("nothing to end")
    return 0
