"""inbox: what scheduled work has to say."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.errors import BadInput, NotFound
from openclaw.schedule import firing
from openclaw.store import db
from openclaw.store import inbox as rows
from openclaw.units import count_argument


def inbox_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("action", choices=("list", "read"), nargs="?", default="list")
    parser.add_argument("numbers", metavar="N", nargs="*", help="read: these; without any, all that is unread")
    parser.add_argument("--all", dest="everything", action="store_true", help="what was read too")
    parser.add_argument("--limit", metavar="N", type=count_argument("--limit"), default=200, help="so many (200)")
    json_argument(parser)


def inbox(action: str, numbers: list[str], everything: bool, limit: int, json: bool) -> int:
    """`list` shows what nobody has read; `read` shows it whole, and that is noted."""
    fleet = open_fleet()
    firing.catch_up(fleet)
    if numbers and action == "list":
        raise BadInput("list takes no numbers", "openclaw inbox read N")
    found = rows.listed(fleet.store, everything, min(limit, 100_000))
    if numbers:
        known = {number: rows.get(fleet.store, number) for number in map(_number, numbers)}
        if missing := [number for number, note in known.items() if note is None]:
            raise NotFound(f"no entry {missing[0]} in the inbox", "`openclaw inbox list --all` lists them")
        found = [note for note in known.values() if note]
    if json:
        render.document([note.as_json() for note in found])
    elif not found:
        render.out("nothing that was not read" if not everything else "nothing")
    elif action == "list":
        table = [(f"{n.number}", n.at, n.level, n.title, " ".join(n.text.split())) for n in found]
        render.table(("N", "AT", "LEVEL", "FROM", "SAYS"), table, widest="SAYS", right=("N",))
    else:
        for note in found:
            render.out(render.paint(f"{note.number}  {note.at}  {render.clean(note.title)}", "bold"))
            render.out("\n".join(map(render.clean, note.text.splitlines())) + "\n")
    if action == "read":  # after it was shown: what could not be is still unread
        with db.transaction(fleet.store):
            rows.was_read(fleet.store, [note.number for note in found], fleet.now())
    return 0


def _number(word: str) -> int:
    if not word.isdecimal() or len(word) > 15:
        raise BadInput(f"{word[:40]!r} is no number of the inbox", "`openclaw inbox list` shows them")
    return int(word)
