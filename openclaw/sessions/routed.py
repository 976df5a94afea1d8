"""The model of a sub-agent for which nobody has named one, where the settings leave that to the routing."""

from __future__ import annotations

import json

from openclaw.agents import registry
from openclaw.agents.registry import Agent
from openclaw.errors import NotFound
from openclaw.models import choosing, rules
from openclaw.models.route import Choice, explain, must
from openclaw.sessions.fleet import Fleet
from openclaw.store import outcomes
from openclaw.store.outcomes import Route
from openclaw.tasks import templates
from openclaw.tasks.prepare import Task, recounted

FALLBACKS = "OPENCLAW_LOCAL_FALLBACK_MODEL"  # the setting local.fallback_model, as its window gets it
UNTYPED = templates.DEFAULT  # the type that a task has when nobody named one: it says nothing


def decided(
    fleet: Fleet, text: str, type: str | None = None, agent: str | None = None, tokens: int = 0, seed: str = ""
) -> Choice:
    """How `openclaw route` would decide, the same way with the same `seed`. NotFound: no such type, or program."""
    settings = fleet.settings
    only = (registry.get(registry.load(settings), agent).name,) if agent else ()
    return choosing.choose(settings, fleet.store, text, kind_of(fleet, type), only, tokens, seed)


def kind_of(fleet: Fleet, type: str | None) -> str:
    """A type as the routing knows it: that of a template of the user's own is its template's. NotFound: none."""
    kinds = rules.load(fleet.settings).kinds
    if not type or type in kinds:
        return type or ""
    try:
        return templates.get(templates.load(fleet.settings), type).type
    except NotFound as error:
        hint = f"a type of routing.yaml ({', '.join(kinds)}), or a template"
        raise NotFound(error.message, hint, error.code) from None


def programs(fleet: Fleet) -> tuple[str, ...]:
    """The programs whose model is chosen by the routing."""
    return tuple(filter(None, fleet.settings.get("route.agents").replace(" ", "").split(",")))


def program_for(fleet: Fleet, text: str, type: str) -> str:
    """The program that asks the model which the routing chooses, of those that are left to it. Unavailable: none."""
    seed = fleet.settings.get("route.seed")
    kind = kind_of(fleet, type)
    return must(choosing.choose(fleet.settings, fleet.store, text, kind, programs(fleet), seed=seed)).agent


def named(fleet: Fleet, agent: Agent) -> bool:
    """Whether the settings name a model for this program."""
    return agent.name == "local" and bool(fleet.settings.get("local.model"))


def choose(
    fleet: Fleet, task: Task, agent: Agent, environ: dict[str, str]
) -> tuple[Task, dict[str, str], Choice | None]:
    """The task with its model, and what its program has to know of those that follow; as they were where a model of
    one's own is set. Unavailable when there is no model for it."""
    if named(fleet, agent):
        return task, environ, None
    type = "" if task.type == UNTYPED else task.type
    choice = decided(fleet, task.text, type, agent.name, task.tokens, fleet.settings.get("route.seed"))
    first = must(choice)
    if agent.name == "local" and not environ.get(FALLBACKS):
        environ = environ | {FALLBACKS: ",".join(step.told for step in choice.chain[1:4])}
    return recounted(task._replace(model=first.told), fleet.counter()), environ, choice


def record(fleet: Fleet, id: str, choice: Choice) -> None:
    """Write down how a session's model was chosen; the caller holds the transaction."""
    first = must(choice)
    judged, chain = choice.judged, json.dumps([[step.agent, step.told] for step in choice.chain[1:]])
    seed = fleet.settings.get("route.seed")
    outcomes.chose(
        fleet.store,
        [
            Route(
                id, fleet.now(), judged.kind.name, judged.risk, first.tier, first.agent, first.model,
                choice.probability, seed, chain, explain(choice),
            )
        ],
    )  # fmt: skip
