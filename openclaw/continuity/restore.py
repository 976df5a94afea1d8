"""The way back: a snapshot against what is really there, and what died started again in its own conversation.

The truth is the store's and tmux's, brought up to date first; the snapshot says what there should be. A window is the
one with our tag on this life of the server: the ids of an earlier life mean nothing, somebody else has them by now.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from openclaw.agents import registry
from openclaw.continuity import rebuild
from openclaw.continuity import snapshot as snapshots
from openclaw.continuity.reading import Snapshot, load
from openclaw.continuity.rebuild import COMES_BACK
from openclaw.errors import BadInput, OpenclawError, Unavailable
from openclaw.sessions import revive
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import sessions, turns
from openclaw.store.sessions import Session
from openclaw.tasks.secrets import redact, values
from openclaw.terminal.windows import View
from openclaw.units import utc

LOST_SECONDS = 86_400.0  # without a snapshot: those that were found lost within a day
NEWER = 50  # of those that ended since the snapshot
RESULTS, OUTPUT = 20, 400  # so many results are read, and so many characters of the end of each
BROUGHT_BACK = ("resumed", "rerun")


class Found(NamedTuple):
    """One session of the snapshot, or one that is newer, and what is or was done about it.

    `action`: confirmed, corrected (its ids are others now), resumed, rerun, finished, lost (stays so), refused (could
    not be brought back), elsewhere (on another socket). With --dry-run, resumed and rerun are what would be done.
    `was` is the snapshot's tmux, `detail` says why, `output` is the end of what a finished one has to say.
    """

    session: Session
    action: str
    detail: str
    was: dict[str, Any] | None
    error: OpenclawError | None = None
    output: str = ""

    def as_json(self) -> dict[str, Any]:
        more = {"action": self.action, "detail": self.detail, "was": self.was, "output": self.output}
        return self.session.as_json() | more | (self.error.as_dict() if self.error else {})


class Restored(NamedTuple):
    """What came of it. `snapshot` is None when there was none that could be used; `warnings` are for people."""

    snapshot: Snapshot | None
    found: tuple[Found, ...]
    warnings: tuple[str, ...]
    dry_run: bool

    @property
    def exit_status(self) -> int:
        """That of the first that could not be brought back, else 0."""
        return next((found.error.exit_status for found in self.found if found.error), 0)


def restore(fleet: Fleet, word: str | None = None, dry_run: bool = False, rerun: bool = False) -> Restored:
    """Reconcile and bring back. However often or concurrently it runs, each session comes back once.

    NotFound or BadInput for a named snapshot that can't be used; Unavailable when tmux does not say what is alive.
    """
    chosen, warnings = _chosen(fleet, word)
    rows, seen = settle(fleet)
    if seen.presence == "unknown":
        raise Unavailable(seen.problem or "tmux does not answer", "nothing was changed: try again", code="tmux_failed")
    if rebuild.adopt_windows(fleet, seen, dry_run):
        rows, seen = settle(fleet)
    entries = {entry["id"]: entry for entry in chosen.tree["sessions"]} if chosen else {}
    if not dry_run:
        rebuild.rows(fleet, entries)
    every = _every(fleet, rows, entries, chosen)
    plans = _plan(fleet, every, seen, entries, rerun)
    if not dry_run:
        plans = _carry_out(fleet, plans)
    plans = _with_results(fleet, plans)
    hidden = values(fleet.settings.environ)
    plans = [p._replace(session=p.session._replace(task=redact(p.session.task, hidden))) for p in plans]
    return Restored(chosen, tuple(plans), tuple(warnings), dry_run)


def _chosen(fleet: Fleet, word: str | None) -> tuple[Snapshot | None, list[str]]:
    """The named snapshot, or the newest of which something can be used, with what is wrong with it."""
    if word:
        named = load(snapshots.find(fleet, word))
        return named, [f"{os.path.basename(named.path)}, {problem}; used without it" for problem in named.problems]
    warnings: list[str] = []
    for entry in snapshots.entries(fleet):
        try:
            found = load(entry.path)
        except OpenclawError as error:
            warnings.append(f"{error.message}; an earlier one is used, if there is one")
            continue
        warnings += [f"{entry.name}, {problem}; used without it" for problem in found.problems]
        if found.condition == "cut" and not found.problems:
            warnings.append(f"{entry.name} has lost its end; its head is whole")
        return found, warnings
    return None, [*warnings, "there is no snapshot: what follows comes from the store and from the tags in tmux"]


def _every(
    fleet: Fleet, rows: Sequence[Session], entries: Mapping[str, Mapping[str, Any]], chosen: Snapshot | None
) -> list[Session]:
    """Those of the snapshot in its order, then what is newer: lost or ended since it was taken, or alive."""
    since = chosen.created_at if chosen and chosen.created_at else utc(fleet.clock() - LOST_SECONDS)
    newer = [*sessions.lost_since(fleet.store, since), *sessions.ended_since(fleet.store, since, NEWER), *rows]
    known = {s.id: s for s in [*sessions.by_ids(fleet.store, list(entries)), *newer]}
    now = fleet.now()
    for id, entry in entries.items():  # ended in the snapshot and forgotten, or only planned with --dry-run
        if id not in known:
            known[id] = rebuild.row(fleet, entry, now)._replace(
                status="lost" if entry["status"] in COMES_BACK else entry["status"], reason=entry["reason"]
            )
    return [known[id] for id in dict.fromkeys([*entries, *(s.id for s in newer)])]


def _plan(
    fleet: Fleet, every: Iterable[Session], seen: View, entries: Mapping[str, Mapping[str, Any]], rerun: bool
) -> list[Found]:
    agents = registry.load(fleet.settings)
    every = list(every)
    paths = _transcripts(fleet, every, entries)
    return [_judge(fleet, s, seen, entries.get(s.id), agents, paths.get(s.id, ""), rerun) for s in every]


def _judge(
    fleet: Fleet,
    session: Session,
    seen: View,
    entry: Mapping[str, Any] | None,
    agents: Mapping[str, registry.Agent],
    transcript: str,
    rerun: bool,
) -> Found:
    was = dict(entry["tmux"]) if entry else None
    if session.live and session.socket != fleet.terminal.socket:
        return Found(session, "elsewhere", f"its window is on the socket {session.socket}", was)
    if session.live:
        same = not was or _ids(was) == _ids(session.as_json()["tmux"] | {"server_started": session.server_started})
        detail = "" if was else "newer than the snapshot"
        return Found(session, "confirmed" if same else "corrected", detail if same else _moved(was or {}, session), was)
    if session.status != "lost":
        return Found(session, "finished", session.reason, was)
    if entry and entry["status"] not in COMES_BACK:
        return Found(session, "finished", session.reason, was)
    why = revive.why_not(fleet, agents, session, transcript)
    if not why:
        return Found(session, "resumed", f"in its conversation {session.conversation_id}", was)
    if rerun and session.agent in agents:
        return Found(session, "rerun", f"from its beginning, for {why}", was)
    return Found(session, "lost", f"{why}; --rerun starts it again from its beginning", was)


def _ids(tmux: Mapping[str, Any]) -> tuple[Any, ...]:
    """A window's identity: an id means nothing without the life of the server that gave it."""
    return tuple(tmux.get(key) for key in ("server_pid", "server_started", "session_id", "window_id", "pane_id"))


def _moved(was: Mapping[str, Any], session: Session) -> str:
    old = f"{was.get('window_id')} {was.get('pane_id')} of server {was.get('server_pid')}"
    return f"was {old}, is {session.window_id} {session.pane_id} of server {session.server_pid}"


def _transcripts(fleet: Fleet, every: Sequence[Session], entries: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """The file of each one's own conversation: with its id in the name, so never that of another in the same folder."""
    conversations = {s.id: s.conversation_id for s in every if s.conversation_id}
    known = [(t.session_id, t.path) for t in turns.transcripts(fleet.store, list(conversations))]
    known += [(id, entry["transcript"]) for id, entry in entries.items()]
    return {id: path for id, path in known if id in conversations and str(conversations[id]) in os.path.basename(path)}


# --- bringing back


def _carry_out(fleet: Fleet, plans: list[Found]) -> list[Found]:
    wishes = [
        revive.Wish(plan.session, go_on(fleet, plan.session) if plan.action == "resumed" else "")
        for plan in plans
        if plan.action in BROUGHT_BACK
    ]
    outcomes = {outcome.session.id: outcome for outcome in revive.revive(fleet, wishes)} if wishes else {}
    return [_outcome(plan, outcomes.get(plan.session.id)) for plan in plans]


def _outcome(plan: Found, outcome: revive.Outcome | None) -> Found:
    if not outcome:
        return plan
    if outcome.error:
        return plan._replace(
            session=outcome.session, action="refused", detail=outcome.error.message, error=outcome.error
        )
    if not outcome.ours:
        return plan._replace(session=outcome.session, action="confirmed", detail="brought back by another command")
    return plan._replace(session=outcome.session)


def _with_results(fleet: Fleet, plans: list[Found]) -> list[Found]:
    """With what those that ended have to say, of the newest."""
    newest = sorted((p.session.ended_at or "" for p in plans if p.action == "finished"), reverse=True)[:RESULTS]
    if not newest:
        return plans
    from openclaw.sessions.output import result  # the readers of results: only where something has ended

    return [
        plan._replace(output=redact(result(fleet, plan.session, lines=3).output[-OUTPUT:], hidden))
        if plan.action == "finished" and (plan.session.ended_at or "") >= newest[-1]
        else plan
        for hidden in [values(fleet.settings.environ)]
        for plan in plans
    ]


def go_on(fleet: Fleet, session: Session) -> str:
    """What a program is told that comes back: plain lines, the first and the last of them without anything special."""
    missing = [name for name in session.env_names if name not in fleet.settings.environ]
    lines = [
        "Your terminal was closed while you worked, and this is the same conversation in a new one.",
        f"The working folder is {session.cwd}; files are as you and others left them, what you had running has ended.",
        f"You had begun at {session.created_at} and were found gone at {session.ended_at or fleet.now()};"
        f" it is {fleet.now()} now.",
    ]
    if session.reported_state == "idle":
        lines.append("You had just finished a turn: if your task is done, say so and do nothing more.")
    if missing:
        lines.append(f"These variables are not set any more: {', '.join(missing)}.")
    lines += [
        "First look at what is done already, and do nothing twice. Then go on with your task where you were. It was:",
        "",
        session.task if len(session.task) <= 4000 else session.task[:4000] + "…",
        "",
        "Go on now.",
    ]
    return "\n".join(lines)


def check_tokens(limit: int) -> int:
    """BadInput for a brief so short that it could say nothing."""
    if limit < 100:
        raise BadInput(f"--brief-tokens {limit}: a brief needs 100 at least", "1500 is the default")
    return limit
