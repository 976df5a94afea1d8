"""What is asked of a run of a role, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from openclaw.errors import OpenclawError
from openclaw.roles.role import Role
from openclaw.store.turns import Turn


class RoleResult(NamedTuple):
    """What a role said. `tokens_in` and `tokens_out` as the server counted them, over all calls; `cost_usd` None where
    no price is known; `whole` is False where it was cut; `notes` tell what a reader must know: why it was cut, which
    tools were not given.
    """

    text: str
    role: str
    model: str
    tokens_in: int
    tokens_out: int
    cost_usd: float | None
    seconds: float
    attempts: int
    whole: bool = True
    notes: tuple[str, ...] = ()


class Job(NamedTuple):
    """All that a run needs: plain data, so that another process can do it. `budget` in tokens, sent and received;
    long results of tools lie in `folder`, which is there where the role has tools and goes with the run."""

    role: Role
    input: str
    model: str
    budget: int | None
    timeout_s: float
    cwd: str
    scope: Mapping[str, Any]
    folder: str


class Outcome(NamedTuple):
    """What came of a job; `turns` were paid for, also where it failed. Just one of the first two is there."""

    result: RoleResult | None
    error: OpenclawError | None
    turns: tuple[Turn, ...]
