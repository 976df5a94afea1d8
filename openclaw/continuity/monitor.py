"""The context monitor: what is done when a context or a budget passes a threshold, once for each time it does.

A crossing is a row from the moment it is seen, and every step that was done about it is noted there before the next: a
monitor that was killed anywhere is followed by one that goes on with that step. Snapshots may be taken once more by it;
messages are not sent twice, for the program's own reports say whether they have arrived.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from openclaw.context.levels import HYSTERESIS, Thresholds
from openclaw.continuity import brakes, compacting, halting, snapshot, warnings
from openclaw.continuity.brakes import SPENT
from openclaw.continuity.gauges import Gauge, gauges
from openclaw.continuity.journal import Journal, called, reason_of, share_of
from openclaw.errors import OpenclawError
from openclaw.sessions.fleet import Fleet
from openclaw.store import crossings, db, sessions
from openclaw.store.crossings import Crossing
from openclaw.store.sessions import Session

COMPACTS = ("compact", "budget-compact")
UNDER_WAY = ("asking", "asked", "compacted", "telling", "told")
BUDGETS = ("budget-warn", "budget-compact", "budget-halt")
WARNS = ("warn", "compact", *BUDGETS)
HALTS = ("budget-halt", SPENT)


class Report(NamedTuple):
    """One look. `happened`: what was seen or done that was not before, one line each, by who; `stuck`: those with whom
    only a person gets further."""

    gauges: list[Gauge]
    happened: list[tuple[str, str]]
    stuck: list[str]


class Monitor:
    """Looks at these thresholds, and acts. Holds only what its windows show, so that nothing is lost with it."""

    def __init__(self, fleet: Fleet, sees: Sequence[str] = WARNS) -> None:
        self.fleet, self.sees = fleet, sees
        self.shown: dict[str, str] = {}
        self.journal = Journal(fleet)

    def look(self) -> Report:
        """See everybody's context, note what was crossed, and do the next step about each crossing."""
        self.journal.happened = []
        found, at = gauges(self.fleet)
        by_who = {each.who: each for each in found}
        self._cross(found, at)
        self._brake(found)
        self._save(by_who, at)
        # who is in the middle of a compaction: the other threshold waits for what comes of it
        busy = {c.who: c.number for c in self.journal.open() if c.state in UNDER_WAY}
        for crossing in self.journal.open():
            if crossing.threshold not in (*self.sees, SPENT):
                continue
            try:
                if (each := by_who.get(crossing.who)) is None:
                    self._gone(crossing)
                elif crossing.threshold in COMPACTS and busy.get(each.who, crossing.number) == crossing.number:
                    if compacting.step(self.journal, crossing, each, at):
                        busy[each.who] = crossing.number
                elif crossing.threshold in HALTS:
                    self._halt(crossing, each)
            except OpenclawError as error:  # its window is gone, tmux hangs: the others need watching all the same
                self.journal.say(crossing.who, error.message)
        self._show(found, at)
        return Report(found, self.journal.happened, stuck(self.fleet, found))

    # --- what was crossed

    def _cross(self, found: Sequence[Gauge], at: Thresholds) -> None:
        """Note what is crossed now, and what is not any more."""
        known = {(c.who, c.threshold): c for c in self.journal.open()}
        fresh, fallen = [], []
        for each in found:
            for threshold in self.sees:
                share, percent = share_of(each, threshold, at)
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
                    self.journal.say(each.who, f"{called(threshold, at)} passed: {share:.0f} %")

    def _brake(self, found: Sequence[Gauge]) -> None:
        """Note who is to be halted for a budget that others spend too, and who is not any more."""
        live = [each.session for each in found if each.session]
        try:
            halted, told = brakes.look(self.fleet, live)
        except OpenclawError as error:  # somebody is at work on budgets.yaml: contexts need watching all the same
            self.journal.say("", error.message)
            return
        for line in told:
            self.journal.say("", line)
        known = {c.who: c for c in self.journal.open() if c.threshold == SPENT}
        gone = [c for who, c in known.items() if who not in halted and c.state in ("crossed", "saved")]
        if not gone and halted.keys() <= known.keys():
            return
        now, by_id = self.fleet.now(), {session.id: session for session in live}
        with db.transaction(self.fleet.store):
            for crossing in gone:
                crossings.clear(self.fleet.store, crossing.number, now)
            for id, why in halted.items():
                session = by_id[id]
                conversation, tokens = session.conversation_id or "", session.tokens_used
                if crossings.cross(self.fleet.store, id, SPENT, conversation, tokens, now, why):
                    self.journal.say(id, why)

    def _save(self, by_who: Mapping[str, Gauge], at: Thresholds) -> None:
        """One snapshot for all that were just crossed, unless there has been one since."""
        sees = (*self.sees, SPENT)
        seen = [c for c in self.journal.open() if c.who in by_who and c.threshold in sees]
        fresh = [c for c in seen if c.state == "crossed"]
        if not fresh:
            return
        since = min(c.crossed_at for c in fresh)
        worst = max(fresh, key=lambda c: (*WARNS, SPENT).index(c.threshold))
        reasons = {reason_of(c.threshold, at) for c in fresh}
        if not any(e.at >= since and e.reason in reasons for e in snapshot.entries(self.fleet)):
            taken = snapshot.take(self.fleet, reason_of(worst.threshold, at))
            self.journal.say(worst.who, f"snapshot {taken.path}")
        acted = (*COMPACTS, *HALTS)
        with db.transaction(self.fleet.store):
            for crossing in fresh:
                self.journal.to(crossing, "saved" if crossing.threshold in acted else "done")

    # --- what is done about it

    def _halt(self, crossing: Crossing, each: Gauge) -> None:
        session = each.session
        if session is None or crossing.state == "done":
            return
        why = _why(crossing, session)
        if crossing.state == "saved":
            halting.save(self.fleet, session, why)
            self.journal.note(crossing, "halting")
        halting.halt(self.fleet, session, why)
        self.journal.note(crossing, "done")
        self.journal.say(each.who, f"halted; go on with: {halting.command(self.fleet, session)}")

    def _gone(self, crossing: Crossing) -> None:
        """Its agent has ended, perhaps because it was halted by one that could not say so any more."""
        if crossing.state == "halting":
            for session in sessions.by_ids(self.fleet.store, [crossing.who]):
                if session.status == "halted":
                    halting.halt(self.fleet, session, _why(crossing, session))
        self.journal.clear(crossing)

    def _show(self, found: Sequence[Gauge], at: Thresholds) -> None:
        """The window of each and HEARTBEAT.md say what is open."""
        full = {c.who: c.threshold for c in self.journal.open()}  # of several thresholds the one that was crossed last
        texts = {}
        for each in found:
            share, _ = share_of(each, full.get(each.who, "warn"), at)
            what = "budget" if full.get(each.who, "").startswith("budget") else "context"
            ever = each.session and (each.who in full or each.who in self.shown or crossings.ever(
                self.fleet.store, each.who))  # fmt: skip
            if ever:
                texts[each.who] = f"{what} {share:.0f} %" if each.who in full and share is not None else ""
        try:
            warnings.in_windows(self.fleet, texts, self.shown)
        except OpenclawError as error:  # tmux does not answer: the next look shows it
            self.journal.say("", error.message)
        names = [each.who if each.session else "main" for each in found if each.who in full]
        warnings.in_heartbeat(self.fleet, names)


def _why(crossing: Crossing, session: Session) -> str:
    return crossing.why or halting.conversation(session, session.conversation_tokens or crossing.tokens)


def stuck(fleet: Fleet, found: Sequence[Gauge]) -> list[str]:
    """Those who are full and with whom nothing more will be done by itself."""
    given_up = {c.who for c in crossings.pending(fleet.store) if c.state == "given-up"}
    return [
        each.who
        for each in found
        if each.who in given_up or (each.level == "critical" and (each.policy != "compact" or not each.can))
    ]


def _fell(crossing: Crossing, each: Gauge, share: float | None, percent: int) -> bool:
    """Whether a crossing is over: another conversation, a compaction, or clearly below."""
    if crossing.conversation and each.conversation_id and crossing.conversation != each.conversation_id:
        return True
    if crossing.state in ("asking", "asked", "compacted", "telling", "halting"):
        return False  # what was begun is brought to its end
    if share is None:
        return each.compacted and crossing.state != "told"
    return share < percent - HYSTERESIS
