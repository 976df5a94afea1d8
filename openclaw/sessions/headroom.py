"""What can't be started now, though it answers, for a budget is used up or a subscription is at its limit; and which
program takes over from one that is, where `quotas.fall_over` names one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from openclaw.agents import launch
from openclaw.agents.registry import Agent
from openclaw.errors import OpenclawError
from openclaw.models import catalogue, reach, rules
from openclaw.models.catalogue import TIERS, Catalogue, Model
from openclaw.models.route import Barred, Step
from openclaw.sessions import quotas
from openclaw.sessions.fleet import Fleet
from openclaw.settings import Settings
from openclaw.store import sessions
from openclaw.tasks.request import Request
from openclaw.usage import budgets as limits
from openclaw.usage.spending import Spender


class Hop(NamedTuple):
    """From one program to another, and why."""

    origin: str
    to: str
    why: str


def barred(fleet: Fleet, agents: Mapping[str, Agent]) -> Barred:
    """Says of a step of the routing why it can't be taken now."""
    standings, gauge = [], None
    if limits.some(fleet.settings):
        from openclaw.sessions import budgets  # only where there are any

        gauge = budgets.Gauge(fleet, agents)
        standings = gauge.standings(fleet.store, sessions.live(fleet.store), fleet.now())

    def why(step: Step) -> str:
        if limit := quotas.paused(fleet, step.agent, step.told):
            return limit.message
        usd = fleet.settings.get("budgets.hold_usd") if step.usd is None else step.usd
        asking = Spender("", step.told, ("", ""), usd, float(fleet.settings.get("budgets.hold_tokens")))
        for each in standings:
            theirs = gauge and each.budget.per != "session" and gauge.subject(each.budget, asking) == each.subject
            if theirs and (need := asking.need(each.unit)) and each.spent + each.held + need > each.limit:
                left = each.shown(max(0.0, each.limit - each.spent - each.held))
                return f"a run needs about {each.shown(need)}, and {left} of {each.called} are left"
        return ""

    return why


def taken_over(fleet: Fleet, request: Request, agents: Mapping[str, Agent]) -> tuple[Request, Hop | None]:
    """The request as the first program gets it that is named in `quotas.fall_over` and can take it, where its own is at
    a limit; else as it is."""
    settings = fleet.settings
    name = request.agent or settings.get("agent")
    limit = quotas.paused(fleet, name, request.model or "") if name in agents else None
    if not limit:
        return request, None
    models = catalogue.load(settings)
    judging = rules.load(settings)
    kind = request.type if request.type in judging.kinds else None
    judged = rules.judge(judging, request.task, kind or "")
    for entry in settings.get("quotas.fall_over").replace(" ", "").split(","):
        head, _, rest = entry.partition("/")
        other = head if head in agents else "local"
        told = rest if head in agents else entry
        if not entry or other == name or other not in agents or quotas.paused(fleet, other, told):
            continue
        found = (models.find(told) or models.find(entry)) if told else models.find(request.model or "")
        if not told and found:
            told = found.agents.get(other, "")  # the very model that was asked for, where this program has it
        if told and not _can(found, other, told, judged.floor, models, agents, settings):
            continue
        try:
            launch.check_installed(agents[other], launch.environment(agents[other], settings.environ, ()))
        except OpenclawError:
            continue
        called = f"{other} with {told}" if told else other
        return request._replace(agent=other, model=told or None), Hop(name, called, limit.message)
    return request, None


def _can(
    model: Model | None,
    agent: str,
    told: str,
    floor: str,
    known: Catalogue,
    agents: Mapping[str, Agent],
    settings: Settings,
) -> bool:
    """Whether a model that takes over answers, and is no less than the task needs at least."""
    if model is None:
        return agent != "local"  # of other programs the models need not be known
    if model.tier and TIERS.index(model.tier) < TIERS.index(floor):
        return False
    wanted, url = model._replace(agents={agent: told}), settings.get("local.url")
    asked = reach.look(known, [wanted], agents, settings.environ, reach.QUICK_SECONDS, url, remote=False)
    return all(each.ok for each in asked)
