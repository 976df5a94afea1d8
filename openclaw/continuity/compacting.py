"""Compacting a conversation that is nearly full, step by step: asked when idle, proven, and then told to go on.

The steps are the states of a crossing: saved → asking → asked → compacted → telling → told. Each is written down before
what it stands for is done, so that one who comes after a kill -9 knows what may have been done, and looks before it
does it again.
"""

from __future__ import annotations

from openclaw.context.levels import Thresholds, budget_loops, loops
from openclaw.continuity import brief, main_window
from openclaw.continuity.gauges import Gauge
from openclaw.continuity.journal import Journal, called, share_of
from openclaw.sessions import compaction, gauge
from openclaw.store import events
from openclaw.store.crossings import Crossing
from openclaw.store.sessions import Session

ATTEMPTS = 3
SILENT_SECONDS = 5.0  # idle for so long after it took the command, without having compacted: it did not
SAID = "Your conversation was compacted, because its context was nearly full."


def step(journal: Journal, crossing: Crossing, each: Gauge, at: Thresholds) -> bool:
    """The next steps that can be done now; whether a compaction is under way."""
    share, percent = share_of(each, crossing.threshold, at)
    if crossing.state == "saved":
        if crossing.threshold == "compact" and each.policy != "compact":
            journal.note(crossing, "done")
            return False
        if why := refusal(crossing, each, at):
            journal.give_up(crossing, why)
            return False
        if share is None or share < percent:
            return False
    if each.session:
        return _session(journal, crossing, each, each.session, share, percent)
    return _main(journal, crossing, each, share, percent)


def _session(
    journal: Journal, crossing: Crossing, each: Gauge, session: Session, share: float | None, percent: int
) -> bool:
    fleet, state = journal.fleet, crossing.state
    if state == "saved" and each.status == "idle":
        crossing, state = _asking(journal, crossing, events.newest(fleet.store, session.id)), "asking"
    if state == "asking":
        sent = compaction.begin(fleet, session, each.can, crossing.after_event)
        refused = sent.verdict == "waiting"  # a dialog is open: that was no attempt
        taken = sent.verdict in ("delivered", "queued")
        journal.note(crossing, "asked" if taken else "saved", attempts=crossing.attempts - refused)
        journal.say(each.who, f"{each.can}: {sent.verdict}" + (f", {sent.why}" if sent.why else ""))
        return True
    if state == "asked":
        if compaction.done(fleet, session.id, crossing.after_event) or each.compacted:
            state = _compacted(journal, crossing)
        elif not compaction.queued(fleet, session.id, each.can):
            return _waits(journal, crossing, each)
    if state == "compacted" and each.status != "waiting":
        journal.note(crossing, "telling")
        state = "telling"
    if state == "telling":
        sent = compaction.resume(fleet, session, crossing.after_event)
        if sent.verdict != "waiting":
            journal.note(crossing, "told")
            journal.say(each.who, f"told to go on: {sent.verdict}")
        return True
    if state == "told" and compaction.went_on(fleet, session.id, crossing.after_event):
        return _measured(journal, crossing, share, percent)
    return state in ("asked", "compacted", "told")


def _main(journal: Journal, crossing: Crossing, each: Gauge, share: float | None, percent: int) -> bool:
    """The same for the main agent, whose program reports to nobody here: its own files are the proof."""
    fleet, main, state = journal.fleet, each.main, crossing.state
    agent = gauge.programs(fleet.settings).get(each.agent)
    if main is None or agent is None:
        return False
    if state == "asked":
        if each.compacted or (share is not None and share < percent):
            state = _compacted(journal, crossing)
        elif journal.for_seconds(crossing) < SILENT_SECONDS:
            return True
    if state == "told":
        return _measured(journal, crossing, share, percent) if share is not None else True
    window = main_window.find(main, agent)
    if isinstance(window, str):
        return state != "saved"  # busy, or not to be seen: later
    if state == "asked":
        return _failed(journal, crossing, each)
    if state == "saved":
        if window.held() != "":
            return False  # a draft of the person stands there
        crossing = _asking(journal, crossing, 0)
        problem = main_window.type_in(window, each.can)
        journal.note(crossing, "asked")
        journal.say(each.who, f"{each.can}: {problem or 'typed'}")
    elif state == "asking":  # who wanted to type it was killed: it is not typed twice, but what stands there is sent
        if window.shows(each.can):
            main_window.enter(window, each.can)
        journal.note(crossing, "asked")
    elif state == "compacted":
        text = f"{SAID} Go on where you were.\n\n{brief.now(fleet)}\nGo on now."
        if window.held() != "":
            return True
        journal.note(crossing, "telling")
        problem = main_window.type_in(window, text)
        journal.note(crossing, "told")
        journal.say(each.who, f"told to go on, with the brief: {problem or 'typed'}")
    elif state == "telling":
        if (held := window.held()) and SAID[:40] in held:
            main_window.enter(window, held)
        journal.note(crossing, "told")
    return True


def _asking(journal: Journal, crossing: Crossing, after_event: int) -> Crossing:
    crossing = crossing._replace(attempts=crossing.attempts + 1, after_event=after_event)
    journal.note(crossing, "asking", attempts=crossing.attempts, after_event=after_event)
    return crossing


def _compacted(journal: Journal, crossing: Crossing) -> str:
    journal.note(crossing, "compacted")
    journal.say(crossing.who, "compacted")
    return "compacted"


def _waits(journal: Journal, crossing: Crossing, each: Gauge) -> bool:
    if each.status == "idle" and journal.for_seconds(crossing) > SILENT_SECONDS:
        return _failed(journal, crossing, each)
    return True


def _failed(journal: Journal, crossing: Crossing, each: Gauge) -> bool:
    journal.note(crossing, "saved")
    journal.say(crossing.who, f"{each.can} was taken, but nothing was compacted")
    return True


def _measured(journal: Journal, crossing: Crossing, share: float | None, percent: int) -> bool:
    """Its context is known again: whether it has helped decides whether it is tried once more."""
    if share is None:
        return True
    if share < percent:
        journal.clear(crossing)
    else:
        journal.note(crossing, "saved")
        journal.say(crossing.who, f"compacted, and still at {share:.0f} %")
    return False


def refusal(crossing: Crossing, each: Gauge, at: Thresholds) -> str:
    """Why it is not compacted though it should be; empty if nothing speaks against it."""
    if not each.can:
        return f"{each.agent} has no command that compacts its conversation"
    if crossing.attempts >= ATTEMPTS:
        look = f"look at it (`openclaw attach {each.who}`)" if each.session else "look at it"
        return (
            f"{ATTEMPTS} compactions have not brought it below {called(crossing.threshold, at)}: no more are tried"
            f" until it falls below; {look}"
        )
    if crossing.threshold == "budget-compact":
        return budget_loops(each.budget or 0, at.budget_compact, at.leaves)
    return loops(each.fill, at.compact, at.leaves)
