"""What the keeper and whatever runs the work of jobs say to each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from openclaw.schedule.document import Spec
from openclaw.store.jobs import Job
from openclaw.store.runs import Run


class Outcome(NamedTuple):
    """How the session of a run ended. `state` done or failed; with `again` a failed one may be tried once more; tokens,
    cost in USD and injected files as the session's row has them."""

    state: str
    reason: str = ""
    result: str = ""
    exit_code: int | None = None
    injected: str = "[]"
    injected_tokens: int = 0
    tokens_used: int = 0
    cost_usd: float = 0.0
    again: bool = True
    ended_at: str = ""  # ISO 8601 UTC; empty: now


class Begun(NamedTuple):
    """A session was started: with which model, how many tokens of its start a batch has spared, and which files (JSON)
    are in its task that its own row doesn't name."""

    model: str
    saved_tokens: int = 0
    injected: str = "[]"


class Runner(Protocol):
    """What runs the work of a job. Only `new_id` and `needless` are called within a transaction."""

    def new_id(self) -> str:
        """An id that no session has had."""

    def needless(self, job: Job, spec: Spec) -> str:
        """Why there is nothing to do for it, so that nothing is started; mostly ''."""

    def begin(self, job: Job, spec: Spec, run: Run, parts: Sequence[tuple[Job, Spec, Run]]) -> Begun:
        """Start `run.session_id`; `parts` are what it is to do for others of its batch.

        OpenclawError or OSError: nothing was started.
        """

    def known(self, id: str) -> bool:
        """Whether there is a session of this id, live or ended."""

    def outcomes(self, running: Sequence[Run]) -> Mapping[int, Outcome]:
        """Of those that have ended, by the number of the run."""

    def stop(self, run: Run) -> None:
        """End the session of a run."""

    def keep(self, run: Run, result: str) -> str:
        """Write the folder of a run that ends; '' or why that could not be."""


class Rules(NamedTuple):
    """The settings `cron.…`, in seconds and counts. `turn`: what is announced begins a turn of the main agent."""

    grace: float
    tries: int
    pause_after: int
    turn: bool = False
