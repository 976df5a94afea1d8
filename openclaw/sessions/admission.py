"""Whether one more sub-agent fits: how many live, memory, open files of the tmux server; and waiting one's turn."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from openclaw import processes
from openclaw.agents.registry import Agent
from openclaw.errors import Refused
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.status import settle
from openclaw.store import db
from openclaw.store.sessions import Session
from openclaw.terminal.server import Server
from openclaw.usage.quotas import AtLimit

POLL_SECONDS = 0.25
LIMIT_SECONDS = 15.0  # while a limit is waited for: a program may say sooner that it has reset


def free_memory_mb() -> int:
    """Memory that programs can still have, in MiB."""
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            return next(int(line.split()[1]) // 1024 for line in file if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        pass
    import psutil  # 12 ms, so only where there is no /proc

    return int(psutil.virtual_memory().available // 2**20)


def check(fleet: Fleet, live: int, agents: Sequence[Agent], free: int, newest: Session | None) -> None:
    """Refused(no_room) with the figures when these programs would be too many for `free` MiB or the limits."""
    settings, more = fleet.settings, len(agents)
    limit = settings.get("limits.live_agents")
    if more > limit:
        raise Refused(
            f"{more} sub-agents at once are more than the limit of {limit}",
            "raise limits.live_agents",
            code="over_limit",
        )
    if live + more > limit:
        raise _full(f"{live} sub-agents are live and {more} more would pass the limit of {limit}", "limits.live_agents")
    need, keep = sum(a.memory_mb for a in agents), settings.get("limits.free_memory_mb")
    if free - need < keep:
        raise _full(
            f"{free} MB of memory are free; {more} more need about {need} MB and {keep} MB must stay free",
            "limits.free_memory_mb",
        )
    if newest and newest.server_pid and newest.server_started:
        room = fleet.terminal.room(Server(newest.server_pid, newest.server_started))
        if room is not None and room < more:
            raise _full(
                f"the tmux server has open files left for {room} more windows and {more} are asked for",
                "",
                "raise `ulimit -n` before the server starts",
            )


def _full(message: str, key: str, hint: str = "") -> Refused:
    return Refused(
        message,
        (hint or f"wait for some or end some (`openclaw ps`), raise {key}") + ", or let it wait its turn with --queue",
        code="no_room",
    )


@contextmanager
def turn(fleet: Fleet, queue: bool, waiting: Callable[[str], None]) -> Iterator[Callable[[Callable[[], None]], None]]:
    """Gives a function that runs a reservation, and with `queue` repeats it, first come first served, until it fits.

    Who waits for a subscription's limit to reset has no place in the line: others need not wait for that.
    """
    ticket, told = 0, ""

    def reserve(attempt: Callable[[], None]) -> None:
        nonlocal ticket, told
        while True:
            nap, why = POLL_SECONDS, "room"
            try:
                if not queue or _first(fleet, ticket):
                    return attempt()
                blocked = "others wait before it"
            except AtLimit as error:
                if not queue:
                    raise
                blocked, why, ticket = error.message, "limit", _give_back(fleet, ticket)
                nap = max(POLL_SECONDS, min(LIMIT_SECONDS, error.until - fleet.clock()))
            except Refused as error:
                if not queue or error.code != "no_room":
                    raise
                blocked = error.message
            if why == "room" and not ticket:
                ticket = _draw(fleet)
            if why != told:
                waiting(blocked)
                told = why
            time.sleep(nap)  # between two looks at the predicate; a person ends it with Ctrl-C
            settle(fleet)

    try:
        yield reserve
    finally:
        _give_back(fleet, ticket)


def _give_back(fleet: Fleet, ticket: int) -> int:
    if ticket:
        with db.transaction(fleet.store):
            fleet.store.execute("DELETE FROM queue WHERE ticket = ?", (ticket,))
    return 0


def _draw(fleet: Fleet) -> int:
    with db.transaction(fleet.store):
        cursor = fleet.store.execute("INSERT INTO queue (holder) VALUES (?)", (processes.identity(os.getpid()),))
        return int(cursor.lastrowid or 0)


def _first(fleet: Fleet, ticket: int) -> bool:
    """Whether nobody who is still there waits with an earlier ticket. Tickets of dead processes are dropped."""
    before = fleet.store.execute(
        "SELECT ticket, holder FROM queue WHERE ticket < ? OR ? = 0", (ticket, ticket)
    ).fetchall()
    dead = [row["ticket"] for row in before if not processes.alive(row["holder"])]
    if dead:
        with db.transaction(fleet.store):
            fleet.store.executemany("DELETE FROM queue WHERE ticket = ?", [(t,) for t in dead])
    return len(dead) == len(before)
