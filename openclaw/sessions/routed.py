"""The model of a sub-agent for which nobody has named one, where the settings leave that to the routing."""

from __future__ import annotations

import json

from openclaw.agents import registry
from openclaw.agents.registry import Agent
from openclaw.errors import NotFound
from openclaw.models import catalogue, learning, rules
from openclaw.models.route import Choice, Learned, Step, must, route
from openclaw.models.rules import Judged
from openclaw.sessions import headroom
from openclaw.sessions.fleet import Fleet
from openclaw.store import db, outcomes
from openclaw.store.outcomes import Outcome, Route
from openclaw.store.sessions import Session
from openclaw.tasks import templates
from openclaw.tasks.prepare import Task

FALLBACKS = "OPENCLAW_LOCAL_FALLBACK_MODEL"  # the setting local.fallback_model, as its window gets it
UNTYPED = templates.DEFAULT  # the type that a task has when nobody named one: it says nothing


def decided(
    fleet: Fleet, text: str, type: str | None = None, agent: str | None = None, tokens: int = 0, seed: str = ""
) -> Choice:
    """How `openclaw route` would decide, the same way with the same `seed`. NotFound: no such type, or program."""
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
    learned = from_outcomes(fleet, seed)
    barred = headroom.barred(fleet, agents)
    return route(
        judged, catalogue.load(settings), agents, settings, only=only, tokens=tokens, barred=barred, learned=learned
    )


def from_outcomes(fleet: Fleet, seed: str) -> Learned:
    """What puts models into the order in which they are tried, by the outcomes that are known."""
    import random

    chance = random.Random(seed or None)

    def learned(judged: Judged, steps: list[Step]) -> tuple[list[Step], float]:
        outcomes_known = outcomes.newest(fleet.store, judged.kind.name) if steps else []
        known = learning.count(((o.agent, o.model), o.good) for o in outcomes_known)
        if not known:
            return steps, 1.0
        by_arm = {(step.agent, step.model): step for step in steps}
        ordered = learning.order(list(by_arm), known, judged.chance, chance)
        probability = learning.probability(ordered[0], list(by_arm), known, judged.chance, chance)
        return [by_arm[arm]._replace(success=known[arm].mean if arm in known else None) for arm in ordered], probability

    return learned


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
                choice.probability, seed, chain,
            )
        ],
    )  # fmt: skip


def judge_outcome(fleet: Fleet, session: Session, good: bool, source: str = "person") -> Outcome:
    """Record how a session's work was. It counts for the model that was chosen, or that was named."""
    chosen = outcomes.route_of(fleet.store, session.id)
    if chosen:
        outcome = Outcome(chosen.kind, chosen.agent, chosen.model, good, source, session.id)
    else:
        type = "" if session.type == UNTYPED else session.type
        kind = rules.judge(rules.load(fleet.settings), session.task, type).kind.name
        model = catalogue.load(fleet.settings).find(session.model or "")
        name = model.name if model else session.model or ""
        outcome = Outcome(kind, session.agent, name, good, source, session.id)
    with db.transaction(fleet.store):
        outcomes.record(fleet.store, outcome, fleet.now())
    return outcome


def choose(
    fleet: Fleet, task: Task, agent: Agent, environ: dict[str, str]
) -> tuple[Task, dict[str, str], Choice | None]:
    """The task with its model, and what its program has to know of those that follow; as they were where a model of
    one's own is set. Unavailable when there is no model for it."""
    settings = fleet.settings
    if agent.name == "local" and settings.get("local.model"):
        return task, environ, None  # a model of one's own for it was named
    type = "" if task.type == UNTYPED else task.type
    choice = decided(fleet, task.text, type, agent.name, task.tokens, settings.get("route.seed"))
    first = must(choice)
    if agent.name == "local" and not environ.get(FALLBACKS):
        environ = environ | {FALLBACKS: ",".join(step.told for step in choice.chain[1:4])}
    return task._replace(model=first.told), environ, choice
