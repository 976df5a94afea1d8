"""Sixty more tasks, written before the rules had been tried on them: what a rule makes of words it was not made for."""

from __future__ import annotations

import pytest

from openclaw.models import rules
from openclaw.models.rules import Rules
from openclaw.settings import Settings
from tests.conftest import Box

UNSEEN = [
    # routine
    ("Tell me how much space is left on /var", "local", "low"),
    ("Delete the screenshots on my desktop that are older than a month", "local", "low"),
    ("Put the invoices from Downloads into invoices/2026", "local", "low"),
    ("Which sub-agents are still running?", "local", "low"),
    ("Create an empty folder for each client in clients.txt", "local", "low"),
    ("Zip the reports folder", "local", "low"),
    ("Ping the staging gateway every ten minutes and note when it's down", "local", "low"),
    ("Good morning! Anything new?", "local", "low"),
    ("Watch the build and tell me when it turns green", "local", "low"),
    ("Set a reminder for the stand-up at 9:30", "local", "low"),
    ("What time is it in Tokyo?", "local", "low"),
    ("Send Tom the link to the meeting notes", "local", "low"),
    ("Look whether there is new mail from the landlord", "local", "low"),
    ("Mark the first two items of my todo list as done", "local", "low"),
    ("Restart the dev server if it has stopped", "local", "low"),
    ("Make a backup of the notes directory", "local", "low"),
    # cheap: research, reading, text
    ("Compare the pricing pages of Fly.io and Render in a table", "cheap", "low"),
    ("How does tokio schedule tasks?", "cheap", "low"),
    ("Get me three articles about prompt caching", "cheap", "low"),
    ("Which licence does htmx have?", "cheap", "low"),
    ("Read the changelog of pydantic 2 and tell me what breaks for us", "cheap", "low"),
    ("List the functions in utils.py that nobody calls", "cheap", "low"),
    ("Look for hard-coded passwords in the repo", "cheap", "low"),
    ("Why is the import of pandas slow? Just explain, change nothing", "cheap", "low"),
    ("Turn these meeting notes into five bullet points", "cheap", "low"),
    ("Translate the README into German", "cheap", "low"),
    ("Extract all e-mail addresses from the PDF", "cheap", "low"),
    ("Is there an easier way to parse TOML in the standard library?", "cheap", "low"),
    ("Run pytest and list the failures", "cheap", "low"),
    ("Review PR 412 for style problems", "cheap", "low"),
    ("Describe the public interface of the billing package", "cheap", "low"),
    ("Proofread the blog post", "cheap", "low"),
    # balanced: code and data
    ("The export button does nothing on Safari, please fix", "balanced", "medium"),
    ("Users get a 500 when the avatar is missing", "balanced", "medium"),
    ("Let the CLI accept several input files", "balanced", "medium"),
    ("Move the retry logic out of the client into its own module", "balanced", "medium"),
    ("Rename the class Order to PurchaseOrder everywhere", "balanced", "medium"),
    ("Get the flaky checkout test stable", "balanced", "medium"),
    ("Cover the tokenizer with property-based tests", "balanced", "medium"),
    ("Bump Django to 5.1 and adapt the settings", "balanced", "medium"),
    ("Speed up the nightly import, it takes four hours", "balanced", "medium"),
    ("Hook the contact form up to Mailchimp", "balanced", "medium"),
    ("Write a Python script that resizes images", "balanced", "medium"),
    ("Resolve the merge conflicts on feature/search", "balanced", "medium"),
    ("Our CI fails since yesterday, repair it", "balanced", "medium"),
    ("Add dark mode to the settings page", "balanced", "medium"),
    ("Compute the rolling 30-day volatility from prices.parquet", "balanced", "medium"),
    ("Join the two customer tables and drop duplicates", "balanced", "medium"),
    ("Type-annotate the payments package until mypy is silent", "balanced", "medium"),
    ("Plan the refactoring of the notification code step by step", "balanced", "medium"),
    # premium
    ("Which database should we bet on for the next five years?", "premium", "high"),
    ("Draft the letter to shareholders about the bad quarter", "premium", "high"),
    ("Should I fire the agency?", "premium", "high"),
    ("Lay out how the event bus and the services should fit together", "premium", "high"),
    ("Look over the employment agreement for risks before I sign", "premium", "high"),
    ("Split the monolith into services: where do we cut?", "premium", "high"),
    ("Is our encryption of customer data sound? Go through it thoroughly", "premium", "high"),
    ("Write the answer to the journalist about the data breach", "premium", "high"),
    ("Evaluate the offer to buy our company", "premium", "high"),
    ("Work out a plan to enter the Japanese market", "premium", "high"),
]


@pytest.fixture
def shipped(box: Box) -> Rules:
    return rules.load(Settings(environ=box.env, cwd=str(box.work)))


def test_unseen_tasks_get_their_tier(shipped: Rules) -> None:
    wrong = []
    for task, tier, risk in UNSEEN:
        judged = rules.judge(shipped, task)
        if (judged.tier, judged.risk) != (tier, risk):
            wrong.append(f"{task}: {judged.tier}/{judged.risk}, not {tier}: {judged.kind.name}: {judged.why}")
    assert len(set(UNSEEN)) == 60
    assert not wrong, f"{len(wrong)} misses\n" + "\n".join(wrong)
