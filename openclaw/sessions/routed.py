"""The model of a sub-agent for which nobody has named one, where the settings leave that to the routing."""

from __future__ import annotations

from openclaw.agents import registry
from openclaw.agents.registry import Agent
from openclaw.errors import NotFound
from openclaw.models import catalogue, rules
from openclaw.models.route import Choice, must, route
from openclaw.sessions.fleet import Fleet
from openclaw.tasks import templates
from openclaw.tasks.prepare import Task

FALLBACKS = "OPENCLAW_LOCAL_FALLBACK_MODEL"  # the setting local.fallback_model, as its window gets it
UNTYPED = templates.DEFAULT  # the type that a task has when nobody named one: it says nothing


def decided(fleet: Fleet, text: str, type: str | None = None, agent: str | None = None, tokens: int = 0) -> Choice:
    """How `openclaw route` would decide. NotFound: no such type, or program."""
    settings = fleet.settings
    judging = rules.load(settings)
    if type and type not in judging.kinds:
        try:
            type = templates.get(templates.load(settings), type).type  # of the user's own: the text says what it needs
        except NotFound as error:
            hint = f"a type of routing.yaml ({', '.join(judging.kinds)}), or a template"
            raise NotFound(error.message, hint, error.code) from None
    agents = registry.load(settings)
    only = (registry.get(agents, agent).name,) if agent else ()
    judged = rules.judge(judging, text, type or "")
    return route(judged, catalogue.load(settings), agents, settings, only=only, tokens=tokens)


def choose(
    fleet: Fleet, task: Task, agent: Agent, environ: dict[str, str]
) -> tuple[Task, dict[str, str], Choice | None]:
    """The task with its model, and what its program has to know of those that follow; as they were where a model of
    one's own is set. Unavailable when there is no model for it."""
    if agent.name == "local" and fleet.settings.get("local.model"):
        return task, environ, None  # a model of one's own for it was named
    type = "" if task.type == UNTYPED else task.type
    choice = decided(fleet, task.text, type, agent.name, task.tokens)
    first = must(choice)
    if agent.name == "local" and not environ.get(FALLBACKS):
        environ = environ | {FALLBACKS: ",".join(step.told for step in choice.chain[1:4])}
    return task._replace(model=first.told), environ, choice
