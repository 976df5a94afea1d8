"""send: text, or keys on purpose, to running sub-agents."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from openclaw import render
from openclaw.cli.context import complete, json_argument, named
from openclaw.cli.context import fleet as open_fleet
from openclaw.errors import BadInput, NotFound
from openclaw.processes import MARK
from openclaw.sessions import send as sending
from openclaw.sessions.send import Sent
from openclaw.sessions.status import settle
from openclaw.units import duration_argument

STYLES = {"delivered": "done", "pressed": "done", "queued": "working", "failed": "failed"}
WORST = (1, 6, 124)  # of several verdicts, in this order


def send_arguments(parser: ArgumentParser) -> None:
    words = parser.add_argument("words", metavar="ID TEXT|-", nargs="*", help="a sub-agent, and what it is told next")
    words.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks for it
    add = parser.add_argument
    add("--all", dest="everyone", action="store_true", help="to every live sub-agent; then TEXT alone is given")
    add("--key", metavar="KEY", action="append", help="press a key instead: Enter, Esc, C-c, Up, 1 … (repeatable)")
    add("--after-reset", action="store_true", help="type it when the limit has reset at which its subscription stands")
    add("--wait", action="store_true", help="wait until a queued message was taken")
    add("--timeout", metavar="D", type=duration_argument("--timeout"), help="how long --wait waits: 90s, 10m, 2h")
    json_argument(parser)


def send(
    words: list[str],
    everyone: bool,
    key: list[str] | None,
    after_reset: bool,
    wait: bool,
    timeout: float | None,
    json: bool,
) -> int:
    """Delivered means: the program said that it took this text. To a busy one it is queued, and typed when its turn
    ends. Exit: 0 delivered or queued, 1 not delivered, 6 not confirmed, or a person must answer something there first.
    """
    expected = (0 if everyone else 1) + (0 if key else 1)
    if len(words) != expected:
        raise BadInput(f"send takes {_usage(everyone, bool(key))}", "a text of several words is one argument: quote it")
    fleet = open_fleet()
    me = fleet.settings.environ.get(MARK)  # a sub-agent that tells all the others
    ids = [s.id for s in settle(fleet)[0] if s.id != me] if everyone else [named(fleet, words[:1])[0].id]
    if not ids:
        raise NotFound(f"no {'other ' if me else ''}sub-agent is live", "start one with `openclaw spawn`")
    if key:
        sent = [sending.press(fleet, id, key) for id in ids]
        show(sent, everyone, json)
    else:
        text = _stdin() if words[-1] == "-" else words[-1]
        sent = [sending.send(fleet, id, text, tells=True, after_reset=after_reset) for id in ids]
        try:
            if wait:  # all are on their way before any is waited for
                sent = [sending.follow(fleet, each, timeout) for each in sent]
            show(sent, everyone, json)
        finally:
            sending.told(fleet, sent)
    statuses = {each.exit_status for each in sent}
    return next((status for status in WORST if status in statuses), 0)


def show(sent: Sequence[Sent], everyone: bool, json: bool) -> None:
    """The verdict of each; `everyone`: as a list, also of one."""
    if json:
        render.document([each.as_json() for each in sent] if everyone else sent[0].as_json())
    else:
        for each in sent:
            render.out(_line(each))
    sys.stdout.flush()  # said is what has left this process


def _usage(everyone: bool, keys: bool) -> str:
    return " and ".join(part for part in ("" if everyone else "an ID", "" if keys else "one TEXT, or -") if part) or (
        "nothing beside --all and --key"
    )


def _stdin() -> str:
    try:
        return sys.stdin.buffer.read(2 * sending.LARGEST).decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError as error:
        raise BadInput(f"standard input is not UTF-8 at byte {error.start}", "a message must be text") from error


def _line(sent: Sent) -> str:
    called = {"failed": "not delivered", "waiting": "not sent"}.get(sent.verdict, sent.verdict)
    parts = [render.paint(sent.id, "bold"), render.paint(called, STYLES.get(sent.verdict, "waiting"))]
    return "  ".join([*parts, *([render.clean(sent.why)] if sent.why else [])])
