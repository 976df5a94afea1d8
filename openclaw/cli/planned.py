"""spawn --dry-run: what a sub-agent would get, what its first request would cost, and what keeps it to its scope."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openclaw import render
from openclaw.context.tokens import Counter
from openclaw.sessions import prefix
from openclaw.sessions.enclose import promises
from openclaw.sessions.fleet import Fleet
from openclaw.sessions.spawn import Planned
from openclaw.tasks.prepare import everything
from openclaw.units import format_duration


def show(fleet: Fleet, planned: Sequence[Planned], many: bool, json: bool) -> int:
    """Nothing is started; exit 0."""
    counter = fleet.counter()
    all_files = everything(fleet.settings, counter)
    all_tokens = sum(tokens for _, tokens in all_files)
    if json:
        found = [_as_json(p, all_tokens, counter) for p in planned]
        render.document(found if many else found[0])
        return 0
    for number, (task, agent, environ, _, tree, choice, *_) in enumerate(planned):
        if number:
            render.out()
        mark = "" if task.exact else "≈"
        rows = [
            (i.path + (f":{i.first}-{i.last}" if i.first else ""), f"{i.tokens}", i.sha256[:8]) for i in task.injected
        ]
        rest = task.tokens - sum(i.tokens for i in task.injected)
        rows.append(("task and envelope", f"{rest}", ""))
        cost = prefix.cost(agent, task, counter, environ)
        if cost:
            rows.append((f"prefix of {agent.name}, {task.prefix.kind}", f"≈{cost.prefix}", ""))
        render.table(("FILE", "TOKENS", "SHA256"), rows, right=("TOKENS",))
        instead = f"; loading every workspace file instead: ≈{all_tokens}" if all_files else ""
        render.out(f"\n{mark}{task.tokens} tokens of at most {task.limit}{instead}")
        if cost:
            render.out(f"its first request: ≈{cost.request} tokens; a default start: ≈{cost.default}")
        for told in prefix.tell(agent, task, environ, costs=cost is not None):
            render.out(render.clean(told))
        for told in task.role.told if task.role else ():
            render.out(render.clean(told))
        for missing in task.missing:
            render.out(render.paint(f"not there, so not loaded: {render.clean(missing)}", "dim"))
        render.out(
            f"agent {agent.name}, type {task.type}, time limit {format_duration(task.timeout_s)},"
            f" in {render.clean(task.cwd)}"
        )
        if choice and choice.chosen:
            from openclaw.models.route import explain  # only where a model was chosen

            render.out(f"model {choice.chosen.told}: {render.clean(explain(choice))}")
        if tree:
            render.out(f"worktree  {render.clean(tree.path)} on the new branch {tree.branch}, from {tree.base[:9]}")
        may_write = "anything" if task.open else _patterns(task.scope.write, task.cwd)
        render.out(f"may read  {_patterns(task.scope.read, task.cwd)}\nmay write {may_write}")
        for promise in promises(task, agent):
            render.out(f"  {render.clean(promise)}")
        render.out(f"sees of your environment: {', '.join(sorted(environ))}")
    render.out("\nnothing was started")
    return 0


def _patterns(patterns: Sequence[str], cwd: str) -> str:
    return ", ".join(render.clean(p.removeprefix(cwd.rstrip("/") + "/")) for p in patterns) or "nothing"


def _as_json(planned: Planned, all_tokens: int, counter: Counter) -> dict[str, Any]:
    task = planned.task
    return {
        "dry_run": True,
        "task": task.text,
        "name": task.name,
        "type": task.type,
        "agent": planned.agent.name,
        "model": task.model,
        "role": task.role.name if task.role else None,
        "cwd": task.cwd,
        "worktree": {"path": planned.tree.path, "branch": planned.tree.branch} if planned.tree else None,
        "scope": task.scope_json(),
        "enforced": promises(task, planned.agent),
        "injected": [
            {"path": i.path, "tokens": i.tokens, "sha256": i.sha256, "first": i.first, "last": i.last}
            for i in task.injected
        ],
        "missing": list(task.missing),
        "tokens": {"total": task.tokens, "exact": task.exact, "limit": task.limit, "everything": all_tokens},
        "prefix": prefix.as_json(planned.agent, task, counter, planned.environ),
        "timeout_s": task.timeout_s,
        "budget": {"tokens": task.budget_tokens, "usd": None},
        "env": sorted(planned.environ),
    }
