"""compact: a history in a file made small, and brought back; or a live sub-agent told to compact its own."""

from __future__ import annotations

import json as jsons
import os
import sys
from argparse import ArgumentParser
from typing import TYPE_CHECKING, Any

from openclaw import render
from openclaw.cli.context import complete, json_argument, named
from openclaw.cli.context import fleet as open_fleet
from openclaw.errors import BadInput, Unavailable
from openclaw.settings import Settings
from openclaw.units import parse_count

if TYPE_CHECKING:
    from openclaw.roles.summarize import Summarizer

FORMATS = ("auto", "openai", "anthropic", "claude-code", "openclaw")
TARGETS = ("openai", "anthropic", "openclaw")
LARGEST = 1 << 30  # bytes


def compact_arguments(parser: ArgumentParser) -> None:
    words = parser.add_argument("words", metavar="ID [KEEP]", nargs="*", help="a live sub-agent, and what it must keep")
    words.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks for it
    add = parser.add_argument
    add("--in", dest="source", metavar="FILE", help="a history; - is standard input")
    add("--out", dest="output", metavar="FILE", help="where the messages for the next call go; - is standard output")
    add("--format", dest="form", choices=FORMATS, default="auto", help="the form of --in")
    add("--to", choices=TARGETS, help="the form of --out; otherwise the API's that the input was made for")
    add("--limit", metavar="N", type=_tokens("--limit"), help="the window; half of it is the target")
    add("--target", metavar="N", type=_tokens("--target"), help="tokens to get down to; otherwise as few as possible")
    add("--keep-last", metavar="N", type=_tokens("--keep-last"), default=10, help="exchanges that stay as they are: 10")
    add(
        "--model",
        metavar="M",
        default="none",
        help="who writes the summary; auto: whom the routing chooses; none: nobody",
    )
    add("--undo", metavar="FILE", help="bring back what FILE held before it was compacted")
    json_argument(parser)


def compact(
    words: list[str], source: str | None, output: str | None, form: str, to: str | None, limit: int | None,
    target: int | None, keep_last: int, model: str, undo: str | None, json: bool,
) -> int:  # fmt: skip
    """System prompts, what the user said, decisions and the last exchanges stay word for word; the rest becomes a short
    text of what was done. The full history is kept first, and --undo FILE brings it back. With --json but no --out, the
    messages are in the document. An ID instead of --in has a live sub-agent's program compact its own conversation, at
    once or when its turn ends; its task is told it again. Exit: as for send.
    """
    if sum((bool(words), source is not None, undo is not None)) != 1:
        raise BadInput("compact takes one of --in FILE, --undo FILE and the ID of a sub-agent", "see --help")
    if undo is not None:
        return _undo(undo, json)
    if words:
        return _live(words, json)
    if json and output == "-":
        raise BadInput("--json and --out - would both be written to standard output", "give --out a file")
    assert source is not None
    return _file(source, output, form, to, _policy(limit, target, keep_last), model, json)


def _tokens(option: str) -> Any:
    def read(text: str) -> int:
        return parse_count(text, option)

    return read


def _policy(limit: int | None, target: int | None, keep_last: int) -> Any:
    from openclaw.context.policy import Policy

    if limit is not None and target is not None and target >= limit:
        raise BadInput(f"a target of {target} tokens does not fit a limit of {limit}", "give a smaller --target")
    return Policy(target=target if target is not None else (limit or 0) // 2, keep_last=keep_last)


def _summarizer(model: str, settings: Settings) -> Summarizer | None:
    """Who writes the summary. BadInput, NotFound: there is no such name; one that can't be reached is told later."""
    if model == "none":
        return None
    from openclaw.models import targets
    from openclaw.roles.run import AUTO
    from openclaw.roles.summarize import Summarizer

    if model == AUTO:
        return Summarizer(settings, model)
    try:
        targets.target(model, settings)
    except Unavailable:
        pass
    return Summarizer(settings, model)


def _file(source: str, output: str | None, form: str, to: str | None, policy: Any, model: str, json: bool) -> int:
    from openclaw.context.backup import Backup
    from openclaw.context.compact import compact as run
    from openclaw.context.forms import files
    from openclaw.context.tokens import estimate
    from openclaw.usage import calibrations
    from openclaw.whole import put

    fleet = open_fleet()
    summarizer = _summarizer(model, fleet.settings)
    data = _bytes(source)
    name = "standard input" if source == "-" else source
    found = files.read(data, form, name)
    backup = Backup(fleet.state_dir)
    kept = backup.keep(data)
    reader = files.model_of(found) or (model if model != "none" else "")
    factor = calibrations.at(fleet.settings, reader).factor
    done = run(
        found.messages, policy, count=lambda text: round(factor * estimate(text)), store=backup.store,
        summarize=summarizer, where=kept.path,
    )  # fmt: skip
    to = to or files.API_OF[found.form]
    messages = files.listed(done.messages, to)
    text = jsons.dumps(messages) + "\n"  # ASCII: half of a surrogate pair can't be written otherwise
    counted = {"model": reader or None, "factor": round(factor, 3)}
    report = {"format": found.form, "to": to, "backup": kept.path, "counted": counted, **done.report.as_json()}
    if summarizer:
        report["summary"] = summarizer.notes
        for note in [] if json else summarizer.notes:
            (render.progress if summarizer.done else render.warn)(note)
    if output is None and json:
        render.document(report | {"messages": messages})
        return 0
    if output in (None, "-"):
        render.raw(text.encode())
        return 0
    assert output is not None
    path = os.path.realpath(output)
    origin = os.path.realpath(source) if source != "-" else "-"
    backup.rewrote(fleet.now(), origin, path, kept, backup.keep(text.encode()))
    put(path, text.encode())
    if json:
        render.document(report)
    else:
        _tell(report)
    return 0


def _tell(report: dict[str, Any]) -> None:
    parts = [f"{report[name]} {said}" for name, said in _COUNTED if report[name]]
    model = report["counted"]["model"]
    as_counted = f" of {render.clean(model)}" if model else ""
    render.out(f"≈{report['before']} → ≈{report['after']} tokens{as_counted}: {report['why']}")
    if parts:
        render.out(", ".join(parts))
    mended = {name: count for name, count in report["repaired"].items() if count}
    if mended:
        render.out("mended: " + ", ".join(f"{count} {_MENDED[name]}" for name, count in mended.items()))
    render.out(render.paint(f"the full history: {render.clean(report['backup'])}", "dim"))
    if report["target"] and not report["reached"]:
        render.warn(f"still above the target of {report['target']} tokens; a smaller --keep-last makes it less")


_COUNTED = (
    ("stored", "results stored"), ("masked", "results left out"), ("summarised", "messages summarised"),
    ("dropped", "of small talk dropped"), ("kept", "messages of the last exchanges kept"),
)  # fmt: skip
_MENDED = {"moved": "results moved to their calls", "unanswered": "calls without a result",
           "unasked": "results without a call left out"}  # fmt: skip


def _undo(path: str, json: bool) -> int:
    from openclaw.context.backup import Backup

    if path == "-":
        raise BadInput("what was written to standard output can't be taken back", "the backups are files")
    fleet = open_fleet()
    data = Backup(fleet.state_dir).undo(path, fleet.now())
    if json:
        render.document({"file": os.path.realpath(path), "bytes": len(data)})
    else:
        render.out(f"{render.clean(path)} is as it was before: {len(data)} bytes")
    return 0


def _live(words: list[str], json: bool) -> int:
    from openclaw.cli.send import show
    from openclaw.sessions import compaction, send

    fleet = open_fleet()
    sent = compaction.ask(fleet, named(fleet, words[:1])[0], " ".join(words[1:]))
    show([sent], False, json)
    send.told(fleet, [sent])
    return sent.exit_status


def _bytes(source: str) -> bytes:
    if source == "-":
        data = sys.stdin.buffer.read(LARGEST + 1)
    else:
        try:
            with open(source, "rb") as file:
                data = file.read(LARGEST + 1)
        except OSError as error:
            raise BadInput(f"{source}: {error.strerror}", "--in takes a file with a history, or -") from error
    if len(data) > LARGEST:
        raise BadInput(f"{source}: more than {LARGEST} bytes", "that is no history of a conversation")
    return data
