"""JSON and YAML: scheduled jobs, lists of tasks for `spawn --from`, and the steps of workflows, with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from openclaw.lint import shell
from openclaw.lint.finding import INJECT, ISOLATION, SCOPE, Broken, Spawn
from openclaw.tasks.request import KEYS
from openclaw.yamls import nodes, without_comments

TELLING = frozenset(("agent", "inject", "scope", "template", "max_inject_tokens", "worktree", "read", "write", "role"))


def spawns(text: str, json: bool) -> Iterator[Spawn]:
    """The spawns of a file. Broken when it can't be parsed; comments and last commas in JSON are fine."""
    import yaml  # 20 ms, and only where such a file is looked into

    if json:
        text = without_comments(text).replace("\t", " ")  # JSON is YAML, but for tabs
    try:
        for root in nodes(text):
            yield from _tasks(root)
            yield from _below(root, ())
    except yaml.MarkedYAMLError as error:
        raise Broken(error.problem_mark.line + 1 if error.problem_mark else 0, str(error.problem)) from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Broken(0, str(error).splitlines()[0][:200] if str(error) else "nested too deeply") from None


def _below(root: Any, at: tuple[str, ...]) -> Iterator[Spawn]:
    waiting, seen = [(root, at)], set[int]()
    while waiting:
        node, at = waiting.pop()
        if node is None or id(node) in seen:
            continue  # an alias leads to what was looked at
        seen.add(id(node))
        if node.id == "sequence":
            waiting += [(child, at) for child in reversed(node.value)]
        elif node.id == "mapping":
            tree = _mapping(node)
            if _mapping(tree.get("schedule")) and (payload := _mapping(tree.get("payload"))):
                yield _job(node, tree, payload)
            if at[-1:] == ("steps",) and (run := tree.get("run")) is not None and run.id == "scalar":
                first = run.start_mark.line + (1 if run.style in ("|", ">") else 0)
                for spawn in shell.script(run.value):
                    yield spawn._replace(line=first + spawn.line)
            waiting += [(child, (*at, key)) for key, child in reversed(tree.items())]


def _job(node: Any, tree: dict[str, Any], payload: dict[str, Any]) -> Spawn:
    """A job in the form of the cron files: its session, its payload, and which files it takes."""
    mends: dict[str, str] = {}
    if _text(tree.get("sessionTarget")) not in ("", "isolated") or _text(payload.get("kind")) == "systemEvent":
        mends[ISOLATION] = 'say "sessionTarget": "isolated" and "kind": "agentTurn"'
    if not {"injectOnly", "type"} & set(_mapping(tree.get("run"))):
        mends[INJECT] = 'add "run": {"injectOnly": ["FILE"]}'
    name = _text(tree.get("name"))[:60]
    return Spawn(node.start_mark.line + 1, f"job {name}" if name else "job", tuple(mends), ", ".join(mends.values()))


def _tasks(root: Any) -> Iterator[Spawn]:
    """A list of tasks, if all of it is in the form of `spawn --from`, and something in it is said as only we say it."""
    if root is None or root.id != "sequence":
        return
    items = [(item, _mapping(item)) for item in root.value]
    keys = {key for _, tree in items for key in tree}
    if not all("task" in tree or "task_file" in tree for _, tree in items) or keys - set(KEYS) or not keys & TELLING:
        return
    for item, tree in items:
        mends: dict[str, str] = {}
        if not {"template", "type", "role"} & set(tree):
            if not {"read", "write"} & set(tree) and not {"can_read", "can_write"} & set(_mapping(tree.get("scope"))):
                mends[SCOPE] = "scope: {can_read: […], can_write: […]}"
            if "inject" not in tree and _text(tree.get("agent")) != "shell":
                mends[INJECT] = "inject: […]"
        mend = f"add {', '.join(mends.values())}" if mends else ""
        yield Spawn(item.start_mark.line + 1, "task for spawn", tuple(mends), mend)


def _mapping(node: Any) -> dict[str, Any]:
    if node is None or node.id != "mapping":
        return {}
    return {key.value: value for key, value in node.value if key.id == "scalar"}


def _text(node: Any) -> str:
    return re.sub(r"\s+", " ", node.value) if node is not None and node.id == "scalar" else ""
