"""The brief: what an agent needs to go on after a compaction, a crash or a reboot, in at most so many tokens.

Decisions and preferences stand first, word for word; then what needs a person, what runs and in which window, what
finished, what was lost, what is to be done. When it is too long, tasks are cut first, then whole lines are left out,
the least important first, and it says how many.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.context.tokens import estimate, family_factor
from openclaw.continuity import advice
from openclaw.continuity.document import indented, one_line
from openclaw.continuity.restore import Found, Restored, restore
from openclaw.continuity.state import kept
from openclaw.sessions.fleet import Fleet

TOKENS = 1500
ASSUMED = family_factor("claude")
WIDTHS = (160, 80, 40)  # characters of a task, tried in this order
DID = {"resumed": ", brought back", "rerun": ", run again", "corrected": ", has new ids"}
FINISHED = ("done", "failed", "timeout", "halted")


class Line(NamedTuple):
    """`rank` says how soon it is left out: the highest first. `section` is the headline under which it stands."""

    section: str
    text: str
    rank: int


HEADLINES = {
    "keep": "Decisions and preferences, word for word:",
    "person": "Needs a person:",
    "live": "Sub-agents that are live (do not start their work again):",
    "lost": "Lost, not started again:",
    "ended": "Finished:",
    "items": "Open items of active-tasks.md:",
    "notes": "Notes:",
    "next": "Next:",
}
LOOK = (
    "Look at one: `openclaw logs ID -n 20`. Tell it something: `openclaw send ID TEXT`. Its window: `openclaw attach"
    " ID`. Its result: `openclaw result ID`. All of them: `openclaw ps`."
)


def count(text: str, factor: float = ASSUMED) -> int:
    """Tokens, as many as any family of models would count at most on the average."""
    return round(estimate(text) * factor)


def factor(fleet: Fleet) -> float:
    """What a count is multiplied with here: what was learned of the family that counts most."""
    from openclaw.usage import calibrations  # only where a brief is made

    return calibrations.known(fleet.store, "claude").factor


def now(fleet: Fleet, limit: int = TOKENS) -> str:
    """The brief of this moment: nothing is brought back, what could be is named."""
    return render(restore(fleet, dry_run=True), kept(fleet), limit, factor(fleet))


def render(restored: Restored, tree: Mapping[str, Any], limit: int = TOKENS, factor: float = ASSUMED) -> str:
    """The brief as markdown. `tree` is what `state.kept` gives."""
    head = _head(restored)
    for width in WIDTHS:
        lines = _lines(restored.found, tree, width)
        text = _text(head, lines, 0)
        if count(text, factor) <= limit:
            return text
    ranked = sorted(range(len(lines)), key=lambda n: lines[n].rank)  # of the same rank the later goes first
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        fits = count(_some(head, lines, ranked, middle), factor) <= limit
        low, high = (middle, high) if fits else (low, middle - 1)
    return _some(head, lines, ranked, low)


def _some(head: str, lines: Sequence[Line], ranked: Sequence[int], kept: int) -> str:
    chosen = set(ranked[:kept])
    return _text(head, [line for n, line in enumerate(lines) if n in chosen], len(lines) - kept)


def _text(head: str, lines: Sequence[Line], left_out: int) -> str:
    parts = [head]
    for section, headline in HEADLINES.items():
        if body := [line.text for line in lines if line.section == section]:
            parts += ["", headline, *body]
            if section == "live":
                parts.append(LOOK)
    if left_out:
        parts += ["", f"{left_out} lines were left out: `openclaw ps --all` and the snapshot have them."]
    return "\n".join(parts) + "\n"


def _head(restored: Restored) -> str:
    snapshot = restored.snapshot
    if not snapshot:
        return "# Where you were\nThere was no snapshot: this is from the store and from the tags of the tmux windows."
    source = f"the snapshot {snapshot.path} ({one_line(snapshot.reason)})"
    return f"# Where you were\nFrom {source}, compared with what is there now."


def _lines(found: Sequence[Found], tree: Mapping[str, Any], width: int) -> list[Line]:
    """All lines in the order of the brief."""
    lines = [Line("keep", f"- {n['kind']}: {indented(n['text'])}", 0) for n in _of(tree, "decision", "preference")]
    rows = [f.session.as_json() | ({"status": "gone"} if f.action == "lost" else {}) for f in found]
    lines += [Line("person", f"- {_cut(text, 200)} → `openclaw attach {id}`", 1) for id, text in _waiting(found)]
    for each in found:
        session = each.session
        named = session.id if session.name == session.id else f"{session.id} {session.name}"
        task = _cut(session.task, width)
        if session.live:
            window = f"window {session.window_id} pane {session.pane_id}" if session.window_id else "no window yet"
            state = f"{session.agent}, {session.status}{DID.get(each.action, '')}"
            lines.append(Line("live", f"- {named} ({state}), {window}: {task} → `openclaw logs {session.id}`", 3))
        elif each.action in ("lost", "refused") or session.status == "lost":
            would = " would be brought back" if each.action in ("resumed", "rerun") else ""
            lines.append(Line("lost", f"- {named} ({session.agent}){would}: {task}; {_cut(each.detail, 160)}", 4))
        else:
            outcome = _cut(each.output, width) or _cut(session.reason, width)
            said = f"; it says: {outcome}" if outcome else ""
            text = f"- {named} ({session.agent}, {session.status}): {task}{said} → `openclaw result {session.id}`"
            lines.append(Line("ended", text, 6 if session.status in FINISHED else 7))
    for item in tree["items"]:
        given = f" → {item['session']} ({item['status'] or 'gone'})" if item["session"] else ""
        lines.append(Line("items", f"- [ ] {_cut(item['text'], 2 * width)}{given}", 5))
    if tree.get("items_done"):
        lines.append(Line("items", f"- {tree['items_done']} more are checked off", 9))
    lines += [Line("notes", f"- {indented(note['text'])}", 8) for note in _of(tree, "note")]
    lines += [Line("next", f"- {step}", 2) for step in advice.next_steps(rows, tree["items"])]
    return lines


def _of(tree: Mapping[str, Any], *kinds: str) -> list[Mapping[str, Any]]:
    return [note for note in tree["notes"] if note["kind"] in kinds]


def _waiting(found: Iterable[Found]) -> Iterable[tuple[str, str]]:
    for each in found:
        if each.session.status == "waiting":
            yield each.session.id, f"{each.session.id} {each.session.reason.partition(' (answer in')[0] or 'waits'}"
        elif each.error:
            yield each.session.id, f"{each.session.id} could not be brought back: {each.detail}"


def _cut(text: str, width: int) -> str:
    text = one_line(text)
    return text if len(text) <= width else text[: width - 1] + "…"
