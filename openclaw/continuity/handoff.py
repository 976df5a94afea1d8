"""Handing the open items of a task file to sub-agents that outlive a compaction, each once.

An item is marked with the id of its session before that is started, under a lock that is held until it runs: who comes
second finds the mark. The mark of one that never came to be (its hand-off was killed in the middle) does not count.
"""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from openclaw.agents import registry
from openclaw.continuity import files, items
from openclaw.continuity.items import Item
from openclaw.errors import BadInput, OpenclawError
from openclaw.locks import locked
from openclaw.sessions.fleet import Fleet, new_id
from openclaw.sessions.spawn import plan, spawn
from openclaw.sessions.status import settle
from openclaw.store import sessions
from openclaw.store.sessions import Session
from openclaw.tasks.request import Request

LOCK = "handoff"


class Given(NamedTuple):
    """An open item and who has it. `started` now, or before; `error` when nobody could be given it."""

    item: Item
    session: Session | None
    started: bool
    error: OpenclawError | None = None

    def as_json(self) -> dict[str, Any]:
        form = {"line": self.item.line, "text": self.item.text, "started": self.started}
        form |= {"session": self.session.as_json() if self.session else None}
        return form | (self.error.as_dict() if self.error else {})


def handoff(fleet: Fleet, path: str | None, request: Request, dry_run: bool = False) -> list[Given]:
    """Give every open item of `path` (active-tasks.md when None) to a sub-agent made as `request` says.

    Each stands for itself: one that can't be started is unmarked again, and the others go on. BadInput when the file
    is not there. With `dry_run` nothing is marked or started, but everything is checked.
    """
    path = os.path.realpath(path or items.path_of(fleet))
    if not os.path.exists(path):
        raise BadInput(f"there is no file {path}", "write open items into it: - [ ] what is to be done")
    _check_program(fleet, request)
    with locked(fleet.state_dir, LOCK):
        _, seen = settle(fleet)
        found = [item for item in items.parse(files.read(path)) if not item.done]
        rows = {s.id: s for s in sessions.by_ids(fleet.store, [item.session for item in found if item.session])}
        given = []
        for item in found:
            if item.session in rows:
                given.append(Given(item, rows[item.session], False))
            elif item.session and (item.session in seen.panes or os.path.isdir(fleet.folder(item.session))):
                given.append(Given(item, None, False))  # the store has forgotten it; `restore` finds it again
            else:
                given.append(_give(fleet, path, item, request._replace(task=item.text), dry_run))
    return given


def _check_program(fleet: Fleet, request: Request) -> None:
    """Open items are prose: no shell gets them as a command line, unless somebody says that they are."""
    name = fleet.settings.get("agent")
    agent = registry.load(fleet.settings).get(name)
    if not request.agent and request.type != "command" and agent and agent.type == "command":
        raise BadInput(
            f"the items would be run as command lines, for the agent is {name}",
            "name a program, like --agent claude, or set `agent`; --agent shell if they are commands",
        )


def _give(fleet: Fleet, path: str, item: Item, request: Request, dry_run: bool) -> Given:
    id = new_id()
    try:
        if dry_run:
            plan(fleet, [request])
            return Given(item, None, False)
        with locked(fleet.state_dir, "workspace"):
            files.edit(path, lambda text: items.marked(text, item, id))
        mine = item._replace(session=id)
        if mine not in items.parse(files.read(path)):
            return Given(item, None, False, BadInput(f"{path}, line {item.line}: the item was changed", "run it again"))
        try:
            [session] = spawn(fleet, [request], ids=[id])
        except BaseException:  # whatever it was, an item that nobody works on is free again
            if not sessions.by_ids(fleet.store, [id]):  # else it may have begun, and keeps its mark
                with locked(fleet.state_dir, "workspace"):
                    files.edit(path, lambda text: items.marked(text, mine, item.session))
            raise
        return Given(mine, session, True)
    except OpenclawError as error:
        return Given(item, None, False, error)
