"""`ps` as it is polled: no option parser, nothing imported that its one table does not need."""

from __future__ import annotations

from collections.abc import Sequence

from openclaw import render
from openclaw.cli.guarded import guarded
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.terminal.windows import View
from openclaw.units import format_duration, from_utc

HEADERS = ("ID", "NAME", "AGENT", "TYPE", "STATE", "AGE", "TOKENS", "TASK")


def ps(everything: bool, as_json: bool, fleet: Fleet | None = None) -> int:
    """List the live sub-agents, or all that ever were; returns the exit status."""
    return guarded(lambda: _ps(fleet or Fleet(), everything, as_json), as_json)


def _ps(fleet: Fleet, everything: bool, as_json: bool) -> int:
    rows, seen = settle(fleet)
    shown = sessions.recent(fleet.store) if everything else rows
    if as_json:
        render.document([s.as_json() for s in shown])
    else:
        _show(fleet, shown, everything)
        if any(s.violations != "[]" for s in shown):
            render.out("! files changed outside its write scope: `openclaw result ID` names them")
    _say_presence(seen)
    return 0


def _show(fleet: Fleet, shown: Sequence[Session], everything: bool) -> None:
    now = fleet.clock()
    if shown:
        render.table(HEADERS, (_row(s, now) for s in shown), widest="TASK", styled="STATE", right=("AGE", "TOKENS"))
        for session in shown:
            if session.status == "waiting":
                render.out(f"{session.id} waits: {render.clean(session.reason)}")
            elif session.live and session.limited_until:
                render.out(_limited(session, now))
    else:
        render.out("no sub-agents" + ("" if everything else " are live; `openclaw ps --all` lists those that ended"))


def _row(session: Session, now: float) -> tuple[str, ...]:
    until = from_utc(session.ended_at) if session.ended_at else now
    name = "" if session.name == session.id else session.name
    state = session.status if not session.exit_code or session.status != "failed" else f"failed({session.exit_code})"
    if session.violations != "[]":
        state += "!"
    tokens = session.tokens_used or session.injected_tokens
    task = " ".join(session.task.split())
    return (
        session.id,
        name,
        session.agent,
        session.type,
        state,
        format_duration(until - from_utc(session.created_at)),
        str(tokens),
        task,
    )


def _limited(session: Session, now: float) -> str:
    left = from_utc(session.limited_until) - now
    if left <= 0:
        again = f"openclaw send {session.id} 'Go on.'"
        return f"{session.id} stopped at a limit of its subscription that has reset: {again}"
    return (
        f"{session.id} is at a limit of its subscription, which resets in {format_duration(left)}, at"
        f" {session.limited_until}: openclaw send {session.id} --after-reset 'Go on.'"
    )


def _say_presence(seen: View) -> None:
    if seen.presence == "unknown":
        render.warn(f"{seen.problem or 'tmux does not answer'}: the states shown are the last ones known")
