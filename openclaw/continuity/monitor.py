"""The context monitor: what is done when a context or a budget passes a threshold, once for each time it does.

A crossing is a row from the moment it is seen, and every step that was done about it is noted there before the next: a
monitor that was killed anywhere is followed by one that goes on with that step. Snapshots may be taken once more by it;
messages are not sent twice, for the program's own reports say whether they have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openclaw.context.levels import HYSTERESIS, Thresholds, budget_loops, loops
from openclaw.continuity import halting, snapshot, warnings
from openclaw.continuity.gauges import Gauge, gauges
from openclaw.errors import OpenclawError
from openclaw.sessions import compaction
from openclaw.sessions.fleet import Fleet
from openclaw.store import crossings, db, events, sessions
from openclaw.store.crossings import Crossing
from openclaw.units import from_utc

ATTEMPTS = 3
SILENT_SECONDS = 5.0  # idle for so long after it took the command, without having compacted: it did not
COMPACTS = ("compact", "budget-compact")
UNDER_WAY = ("asking", "asked", "compacted", "telling", "told")
WARNS = ("warn", "compact", "budget-warn", "budget-compact", "budget-halt")


class Report(NamedTuple):
    """One look. `happened`: what was seen or done that was not before, one line each, by who; `stuck`: those with whom
    only a person gets further."""

    gauges: list[Gauge]
    happened: list[tuple[str, str]]
    stuck: list[str]


class Monitor:
    """Looks, and acts. Holds only what its windows show, so that nothing is lost with it."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.shown: dict[str, str] = {}
        self.happened: list[tuple[str, str]] = []

    def look(self) -> Report:
        """See everybody's context, note what was crossed, and do the next step about each crossing."""
        self.happened = []
        found, at = gauges(self.fleet)
        by_who = {each.who: each for each in found}
        self._cross(found, at)
        self._save(by_who, at)
        # who is in the middle of a compaction: the other threshold waits for what comes of it
        busy = {c.who: c.number for c in self._open() if c.state in UNDER_WAY}
        for crossing in self._open():
            if (each := by_who.get(crossing.who)) is None:
                self._gone(crossing)
            elif crossing.threshold in COMPACTS and busy.get(each.who, crossing.number) == crossing.number:
                if self._compact(crossing, each, at):
                    busy[each.who] = crossing.number
            elif crossing.threshold == "budget-halt":
                self._halt(crossing, each)
        self._show(found, at)
        return Report(found, self.happened, stuck(self.fleet, found))

    # --- what was crossed

    def _cross(self, found: Sequence[Gauge], at: Thresholds) -> None:
        """Note what is crossed now, and what is not any more."""
        known = {(c.who, c.threshold): c for c in self._open()}
        fresh, fallen = [], []
        for each in found:
            for threshold in WARNS:
                share, percent = _share(each, threshold, at)
                crossing = known.get((each.who, threshold))
                if crossing and _fell(crossing, each, share, percent):
                    fallen.append(crossing)
                    crossing = None
                if crossing is None and share is not None and share >= percent:
                    fresh.append((each, threshold, share))
        if not fresh and not fallen:
            return
        now = self.fleet.now()
        with db.transaction(self.fleet.store):
            for crossing in fallen:
                crossings.clear(self.fleet.store, crossing.number, now)
            for each, threshold, share in fresh:
                tokens = each.fill.tokens or 0
                if crossings.cross(self.fleet.store, each.who, threshold, each.conversation_id, tokens, now):
                    self._say(each.who, f"{_called(threshold, at)} passed: {share:.0f} %")

    def _save(self, by_who: Mapping[str, Gauge], at: Thresholds) -> None:
        """One snapshot for all that were just crossed, unless there has been one since."""
        fresh = [c for c in self._open() if c.state == "crossed" and c.who in by_who]
        if not fresh:
            return
        since = min(c.crossed_at for c in fresh)
        worst = max(fresh, key=lambda c: WARNS.index(c.threshold))
        reasons = {_reason(c.threshold, at) for c in fresh}
        if not any(e.at >= since and e.reason in reasons for e in snapshot.entries(self.fleet)):
            taken = snapshot.take(self.fleet, _reason(worst.threshold, at))
            for crossing in fresh:
                self._say(crossing.who, f"snapshot {taken.path}")
        acted = (*COMPACTS, "budget-halt")
        with db.transaction(self.fleet.store):
            for crossing in fresh:
                self._to(crossing, "saved" if crossing.threshold in acted else "done")

    # --- what is done about it

    def _compact(self, crossing: Crossing, each: Gauge, at: Thresholds) -> bool:
        """The next step of a compaction; whether one is under way."""
        fleet, session, state = self.fleet, each.session, crossing.state
        if session is None:
            if state == "saved":
                self._give_up(crossing, _MAIN if each.policy == "compact" else "")
            return False
        share, percent = _share(each, crossing.threshold, at)
        if state == "saved":
            if why := _refusal(crossing, each, at):
                self._give_up(crossing, why)
            elif crossing.threshold == "compact" and each.policy != "compact":
                self._note(crossing, "done")
            elif each.status == "idle" and share is not None and share >= percent:
                crossing = crossing._replace(
                    attempts=crossing.attempts + 1, after_event=events.newest(fleet.store, session.id)
                )
                self._note(crossing, "asking", attempts=crossing.attempts, after_event=crossing.after_event)
                state = "asking"
        if state == "asking":
            sent = compaction.begin(fleet, session, each.can, crossing.after_event)
            state = "asked" if sent.verdict in ("delivered", "queued") else "saved"
            refused = sent.verdict == "waiting"  # a dialog is open: that was no attempt
            self._note(crossing, state, attempts=crossing.attempts - refused)
            self._say(each.who, f"{each.can}: {sent.verdict}" + (f", {sent.why}" if sent.why else ""))
            return True
        if state == "asked":
            if compaction.done(fleet, session.id, crossing.after_event) or each.compacted:
                state = "compacted"
                self._note(crossing, state)
                self._say(each.who, "compacted")
            elif each.status == "idle" and self._silent(crossing) and not compaction.queued(
                fleet, session.id, each.can
            ):  # fmt: skip
                self._note(crossing, "saved")
                self._say(each.who, f"{each.can} was taken, but nothing was compacted")
                return True
        if state == "compacted":
            if each.status == "waiting":
                return True
            self._note(crossing, "telling")
            state = "telling"
        if state == "telling":
            sent = compaction.resume(fleet, session, crossing.after_event)
            if sent.verdict != "waiting":
                self._note(crossing, "told")
                self._say(each.who, f"told to go on: {sent.verdict}")
            return True
        if state == "told" and compaction.went_on(fleet, session.id, crossing.after_event) and share is not None:
            if share < percent:
                with db.transaction(fleet.store):
                    crossings.clear(fleet.store, crossing.number, fleet.now())
            else:
                self._note(crossing, "saved")
                self._say(each.who, f"compacted, and still at {share:.0f} %")
        return state in ("asked", "told")

    def _halt(self, crossing: Crossing, each: Gauge) -> None:
        session = each.session
        if session is None or crossing.state == "done":
            return
        tokens = session.conversation_tokens or crossing.tokens
        if crossing.state == "saved":
            halting.save(self.fleet, session, tokens)
            self._note(crossing, "halting")
        halting.halt(self.fleet, session, tokens)
        self._note(crossing, "done")
        self._say(each.who, f"halted; go on with: {halting.command(self.fleet, session)}")

    def _gone(self, crossing: Crossing) -> None:
        """Its agent has ended, perhaps because it was halted by one that could not say so any more."""
        if crossing.state == "halting":
            for session in sessions.by_ids(self.fleet.store, [crossing.who]):
                if session.status == "halted":
                    halting.halt(self.fleet, session, session.conversation_tokens or crossing.tokens)
        with db.transaction(self.fleet.store):
            crossings.clear(self.fleet.store, crossing.number, self.fleet.now())

    def _show(self, found: Sequence[Gauge], at: Thresholds) -> None:
        """The window of each and HEARTBEAT.md say what is open."""
        full = {c.who: c.threshold for c in self._open()}  # of several thresholds the one that was crossed last
        texts = {}
        for each in found:
            share, _ = _share(each, full.get(each.who, "warn"), at)
            what = "budget" if full.get(each.who, "").startswith("budget") else "context"
            ever = each.session and (each.who in full or each.who in self.shown or crossings.ever(
                self.fleet.store, each.who))  # fmt: skip
            if ever:
                texts[each.who] = f"{what} {share:.0f} %" if each.who in full and share is not None else ""
        try:
            warnings.in_windows(self.fleet, texts, self.shown)
        except OpenclawError as error:  # tmux does not answer: the next look shows it
            self._say("", error.message)
        names = [each.who if each.session else "main" for each in found if each.who in full]
        warnings.in_heartbeat(self.fleet, names)

    # --- rows

    def _open(self) -> list[Crossing]:
        return crossings.pending(self.fleet.store)

    def _to(self, crossing: Crossing, state: str, **columns: object) -> None:
        crossings.change(self.fleet.store, crossing.number, self.fleet.now(), state, **columns)

    def _note(self, crossing: Crossing, state: str, **columns: object) -> None:
        with db.transaction(self.fleet.store):
            self._to(crossing, state, **columns)

    def _give_up(self, crossing: Crossing, why: str) -> None:
        self._note(crossing, "given-up" if why else "done", why=why)
        if why:
            self._say(crossing.who, why)

    def _silent(self, crossing: Crossing) -> bool:
        return self.fleet.clock() - from_utc(crossing.changed_at) > SILENT_SECONDS

    def _say(self, who: str, what: str) -> None:
        self.happened.append((who, what))


_MAIN = "the monitor does not type into the main agent's window yet: type /compact there"


def stuck(fleet: Fleet, found: Sequence[Gauge]) -> list[str]:
    """Those who are full and with whom nothing more will be done by itself."""
    given_up = {c.who for c in crossings.pending(fleet.store) if c.state == "given-up"}
    return [
        each.who
        for each in found
        if each.who in given_up or (each.level == "critical" and (each.policy != "compact" or not each.can))
    ]


# --- pure


def _share(each: Gauge, threshold: str, at: Thresholds) -> tuple[float | None, int]:
    """How full it is, counted as this threshold has to be, and the threshold, both in percent."""
    percent = int(getattr(at, threshold.replace("-", "_")))
    if not threshold.startswith("budget"):
        return each.fill.share(percent), percent
    known = each.budget and each.fill.conversation is not None
    return (100 * (each.fill.conversation or 0) / (each.budget or 1) if known else None), percent


def _fell(crossing: Crossing, each: Gauge, share: float | None, percent: int) -> bool:
    """Whether a crossing is over: another conversation, a compaction, or clearly below."""
    if crossing.conversation and each.conversation_id and crossing.conversation != each.conversation_id:
        return True
    if crossing.state in ("asking", "asked", "compacted", "telling", "halting"):
        return False  # what was begun is brought to its end
    if share is None:
        return each.compacted and crossing.state != "told"
    return share < percent - HYSTERESIS


def _refusal(crossing: Crossing, each: Gauge, at: Thresholds) -> str:
    """Why it is not compacted though it should be; empty if nothing speaks against it."""
    if crossing.threshold == "compact" and each.policy != "compact":
        return ""
    if not each.can:
        return f"{each.agent} has no command that compacts its conversation"
    if crossing.attempts >= ATTEMPTS:
        return (
            f"{ATTEMPTS} compactions have not brought it below {_called(crossing.threshold, at)}: no more are tried"
            f" until it falls below; look at it (`openclaw attach {each.who}`)"
        )
    if crossing.threshold == "budget-compact":
        return budget_loops(each.budget or 0, at.budget_compact, at.leaves)
    return loops(each.fill, at.compact, at.leaves)


def _called(threshold: str, at: Thresholds) -> str:
    percent = getattr(at, threshold.replace("-", "_"))
    return f"{percent} % of its {'budget' if threshold.startswith('budget') else 'context'}"


def _reason(threshold: str, at: Thresholds) -> str:
    """Of the snapshot: context-70, budget-100."""
    percent = getattr(at, threshold.replace("-", "_"))
    return f"{'budget' if threshold.startswith('budget') else 'context'}-{percent}"
