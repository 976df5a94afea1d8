"""What a task is and what it needs: sixty tasks as people write them, with the tier that the seeds give them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from openclaw.errors import BadInput
from openclaw.models import rules
from openclaw.models.rules import Rules
from openclaw.settings import Settings
from tests.conftest import Box

TASKS = [
    # routine: the seeds' own list for local models
    ("Run the heartbeat: read HEARTBEAT.md and reply HEARTBEAT_OK if nothing needs attention", "local", "low"),
    ("Do a health check of the gateway", "local", "low"),
    ("Is the ollama server still alive?", "local", "low"),
    ("Monitor the disk usage and say when it is above 90 %", "local", "low"),
    ("List all markdown files in notes/", "local", "low"),
    ("Rename every .jpeg in photos to .jpg", "local", "low"),
    ("Move the finished items of active-tasks.md to the archive", "local", "low"),
    ("Count the lines of all log files from yesterday", "local", "low"),
    ("Copy the architecture notes into the docs folder", "local", "low"),
    ("Check the inbox and forward what is for Anna", "local", "low"),
    ("Remind me of the dentist at four", "local", "low"),
    ("Coordinate the sub-agents: who is done, who waits?", "local", "low"),
    ("Update the status of the three open tickets", "local", "low"),
    ("Hi, how are you today?", "local", "low"),
    ("Please append a line to memory/today.md that the build is green", "local", "low"),
    ("Clean up the temporary folders", "local", "low"),
    ("What is on the calendar tomorrow? Check the schedule", "cheap", "low"),  # it has to be found out
    ("Thank you, that was all", "local", "low"),
    # fast and cheap: simple research, scanning and analysis of code
    ("Research which libraries parse cron expressions and report in ten lines", "cheap", "low"),
    ("Find out when Python 3.14 was released", "cheap", "low"),
    ("Look up the documentation of sqlite's upsert", "cheap", "low"),
    ("What is the latest version of ripgrep?", "cheap", "low"),
    ("Scan the repository for TODO comments", "cheap", "low"),
    ("Analyse the code in src/ for dead code", "cheap", "low"),
    ("Where is the retry limit defined?", "cheap", "low"),
    ("Find all usages of parse_duration", "cheap", "low"),
    ("Explain what this module does", "cheap", "low"),
    ("Summarise yesterday's log in five points", "cheap", "low"),
    ("Give me a recap of the discussion in notes.md", "cheap", "low"),
    ("Run the tests and say which fail", "cheap", "low"),
    ("Code review of the last commit", "cheap", "low"),
    ("Which files were changed most often this month?", "cheap", "low"),
    # balanced: development, integration, technical implementation, market data
    ("Implement a rate limiter for the API client", "balanced", "medium"),
    ("Fix the bug that makes login fail with an empty password", "balanced", "medium"),
    ("Add a --json flag to the export command", "balanced", "medium"),
    ("Refactor the payment module into smaller functions", "balanced", "medium"),
    ("Write unit tests for the date parser", "balanced", "medium"),
    ("Debug why the worker crashes with a segfault", "balanced", "medium"),
    ("Integrate with the Stripe API for refunds", "balanced", "medium"),
    ("Development work on TradeSim Pro: order book view", "balanced", "medium"),
    ("Build a webhook endpoint that stores events", "balanced", "medium"),
    ("Process the market data of the last week into candles", "balanced", "medium"),
    ("Clean the data in trades.csv and aggregate the volume by hour", "balanced", "medium"),
    ("Run a backtest of the momentum rule on 2024", "balanced", "medium"),
    ("Port the scraper from Python 2 to Python 3", "balanced", "medium"),
    ("Could you please create a login form in React?", "balanced", "medium"),
    ("Upgrade the database client and mend the compile errors", "balanced", "medium"),
    ("Make the query for open orders faster", "balanced", "medium"),
    ("Synthesise what we learned about latency across all the notes", "balanced", "medium"),
    ("Do a multi-step comparison of the three vendors and reason about which fits", "balanced", "medium"),
    ("Frobnicate the quux until it is purple", "balanced", "medium"),  # nothing says that less would do
    # premium: strategy, architecture, critical analysis, people
    ("Design the architecture of the new billing service", "premium", "high"),
    ("System design for a multi-region queue with exactly-once delivery", "premium", "high"),
    ("Should we move from Postgres to a document store?", "premium", "high"),
    ("Work out our pricing strategy for next year", "premium", "high"),
    ("Write a business plan for the European market entry", "premium", "high"),
    ("Critical analysis of our exposure if the exchange fails", "premium", "high"),
    ("Post-mortem: find the root cause of the outage on Friday", "premium", "high"),
    ("Draft an apology to the angry customers of the data loss", "premium", "high"),
    ("Make the final decision between the two offers", "premium", "high"),
    ("Threat model of the new sign-in flow", "premium", "high"),
    ("Negotiate the terms with the supplier: draft the answer", "premium", "high"),
    ("Strategic roadmap for the trading product", "premium", "high"),
]


@pytest.fixture
def shipped(box: Box) -> Rules:
    return rules.load(Settings(environ=box.env, cwd=str(box.work)))


def test_there_are_sixty_of_them() -> None:
    assert len({task for task, _, _ in TASKS}) == len(TASKS) >= 60


def misses(known: Rules, tasks: Sequence[tuple[str, str, str]]) -> list[str]:
    """The tasks that get another tier or risk than they should, with why."""
    wrong = []
    for task, tier, risk in tasks:
        judged = rules.judge(known, task)
        assert judged.why
        if (judged.tier, judged.risk) != (tier, risk):
            wrong.append(f"{task}: {judged.tier}/{judged.risk}, {judged.kind.name}: {judged.why}")
    return wrong


def test_tasks_get_the_tier_that_the_seeds_give(shipped: Rules) -> None:
    assert misses(shipped, TASKS) == []


def test_an_explicit_type_decides_but_never_takes_a_high_risk_below_its_floor(shipped: Rules) -> None:
    assert rules.judge(shipped, "Implement a parser", "research").tier == "cheap"
    assert rules.judge(shipped, "Frobnicate", "heartbeat").tier == "local"
    raised = rules.judge(shipped, "Research our market entry strategy", "research")
    assert (raised.tier, raised.risk, raised.floor) == ("premium", "high", "premium") and "strategy" in raised.why
    assert raised.kind.name == "research"
    assert rules.judge(shipped, "heartbeat: should we act?", "heartbeat").tier == "local"


def test_own_rules_come_first_and_are_refused_in_one_line(box: Box) -> None:
    config = box.root / "config"
    config.mkdir()
    path = config / "routing.yaml"
    settings = Settings(environ=box.env, cwd=str(box.work))
    path.write_text(
        "kinds: {poetry: {tier: premium, risk: low}}\nrules: [{kind: poetry, any: [sonnet*, verse]}]\n"
        "floors: {medium: balanced}\n"
    )
    own = rules.load(settings)
    assert rules.judge(own, "List the sonnets of Shakespeare").kind.name == "poetry"
    assert rules.judge(own, "Fix the bug in the parser").floor == "balanced"
    for text, says in (
        ("rules: [{kind: nothing, any: [x]}]", "kind can't be 'nothing'"),
        ("rules: [{kind: research}]", "needs starts or any"),
        ("rules: [{kind: research, any: x}]", "must be a list"),
        ("kinds: {a: {tier: gold, risk: low}}", "tier can't be 'gold'"),
        ("floors: {high: gold}", "floors: high can't be 'gold'"),
        ("kind: {}", "unknown key 'kind'"),
        ("shares: {local: -1}", "can't be -1"),
    ):
        path.write_text(text)
        with pytest.raises(BadInput) as error:
            rules.load(settings)
        assert says in error.value.message and str(path) in error.value.message
