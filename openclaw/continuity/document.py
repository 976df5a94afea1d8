"""A snapshot as markdown: YAML for machines at its head, below it what a person wants to read.

The head is written as JSON values, one line for each sub-agent: that is YAML without the cost of importing it, and a
line that was damaged costs that one sub-agent only. The last line says that the file is whole, and as it was written.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openclaw.continuity import advice

END = "<!-- openclaw: end of the snapshot, sha256 {} -->"
# what YAML takes for no character of a text, or for the end of a line
_UNPRINTABLE = re.compile(
    "[^\\t\\n\\r\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufefe\\uff00-\\ufffd\\U00010000-\\U0010ffff]"
)
_BREAKS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


def digest(tree: Mapping[str, Any]) -> str:
    """What two snapshots of the same state have in common, whenever and why ever they were taken."""
    main = {key: value for key, value in (tree["main"] or {}).items() if key != "seen_at"}
    return hashlib.sha256(json.dumps({**tree, "main": main}, sort_keys=True).encode()).hexdigest()


def render(tree: Mapping[str, Any], created_at: str, reason: str, state: str) -> str:
    """The whole file. `state` is the digest of what was found, of which `tree` may be a part."""
    head = {"openclaw_snapshot": tree["openclaw_snapshot"], "created_at": created_at, "reason": reason}
    head |= {"state": state, **tree}
    lines = ["---", *(line for key, value in head.items() for line in _yaml(key, value)), "---", ""]
    text = "\n".join([*lines, *_body(tree, created_at, reason), ""])
    return text + END.format(hashlib.sha256(text.encode()).hexdigest()) + "\n"


def _yaml(key: str, value: Any) -> Iterable[str]:
    if isinstance(value, list) and value:
        yield f"{key}:"
        yield from (f"- {_json(item)}" for item in value)
    else:
        yield f"{key}: {_json(value)}"


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    # a half of a pair comes from bytes that were no text
    return _UNPRINTABLE.sub(lambda c: "\ufffd" if "\ud800" <= c[0] <= "\udfff" else f"\\u{ord(c[0]):04x}", text)


# --- for people


def _body(tree: Mapping[str, Any], created_at: str, reason: str) -> Iterable[str]:
    sessions: Sequence[Mapping[str, Any]] = tree["sessions"]
    live = [s for s in sessions if s["status"] in advice.LIVE]
    yield f"# Snapshot of {created_at[:19].replace('T', ' ')} UTC: {one_line(reason)}"
    yield ""
    yield f"{len(live)} sub-agents are live, {len(sessions) - len(live)} ended within a day. After a compaction,"
    yield "a crash or a reboot, `openclaw restore` compares this with what is really there and brings back what died."
    yield from ("", "## Main session", "", _main(tree["main"]), "", "## Sub-agents", "")
    if sessions:
        columns = ("id", "name", "state", "agent", "model", "window", "pane", "server", "conversation", "cwd", "branch",
                   "task", "may write", "context", "tokens")  # fmt: skip
        yield f"| {' | '.join(columns)} |"
        yield "|" + "---|" * len(columns)
        yield from (f"| {' | '.join(map(_cell, _row(s)))} |" for s in sessions)
    else:
        yield "None."
    printed = [s for s in sessions if s["last_lines"]]
    if printed:
        yield from ("", "## What they printed last")
        for session in printed:
            text = "\n".join(session["last_lines"])
            fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
            yield from ("", f"{session['id']}:", fence + "text", _printable(text), fence)
    yield from ("", "## Scheduled jobs", "", *(_listed(one_line(str(job)) for job in tree["jobs"])))
    yield from ("", "## Open items of active-tasks.md", "")
    yield from _listed(
        one_line(item["text"]) + (f" → {item['session']} ({item['status'] or 'gone'})" if item["session"] else "")
        for item in tree["items"]
    )
    yield from ("", "## Decisions, preferences and notes", "")
    yield from _listed(
        f"{note['kind']}: {indented(note['text'])} ({note['at'] or note['path']})" for note in tree["notes"]
    )
    yield from ("", "## What to do next", "", *_listed(advice.next_steps(sessions, tree["items"])))
    if tree["left_out"]:
        yield from ("", f"Left out to stay small: {', '.join(tree['left_out'])}.")


def _main(main: Mapping[str, Any] | None) -> str:
    if not main:
        return "None is registered (`openclaw hooks install` does that)."
    context = f"{main['context_tokens']} tokens" if main["context_tokens"] is not None else "not known"
    window = f", pane {main['pane_id']} of {main['socket']}" if main["pane_id"] else ""
    return one_line(
        f"{main['agent']}, conversation {main['conversation_id']}, {main['state']} in {main['cwd']}{window};"
        f" context: {context}; seen {main['seen_at']}"
    )


def _row(session: Mapping[str, Any]) -> tuple[str, ...]:
    tmux = session["tmux"]
    server = f"{tmux['server_pid']}@{tmux['server_started']}" if tmux["server_pid"] else ""
    state = session["status"] + (f" ({session['reason']})" if session["reason"] else "")
    name = "" if session["name"] == session["id"] else session["name"]
    context = session["context_tokens"]
    task = session["task"]
    return (
        session["id"], name, state, session["agent"], session["model"] or "",
        f"{tmux['session_id'] or ''} {tmux['window_id'] or ''}".strip(), tmux["pane_id"] or "", server,
        session["conversation_id"] or "", session["cwd"], session["branch"],
        task if len(task) <= 300 else task[:300] + "…", ", ".join(session["scope"].get("write", [])),
        "" if context is None else str(context), str(session["tokens_used"]),
    )  # fmt: skip


def _cell(text: str) -> str:
    return one_line(text).replace("|", "\\|")


def _listed(lines: Iterable[str]) -> list[str]:
    return [f"- {_printable(line)}" for line in lines] or ["None."]


def one_line(text: str) -> str:
    """One printable line."""
    return _printable(" ".join(_BREAKS.sub(" ", text).split()))


def indented(text: str) -> str:
    """Further lines as the rest of a list item."""
    return text.replace("\n", "\n  ")


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub("\ufffd", text)
