"""The Summarizer in the context engine: a good text is used, a bad one asked for once more and then thrown away."""

from __future__ import annotations

import json
import threading

import pytest

from openclaw.context.compact import compact
from openclaw.context.history import Call, Message, Result, Text
from openclaw.context.ledger.text import MARK
from openclaw.context.policy import Policy
from openclaw.context.tokens import estimate
from openclaw.roles.summarize import Summarizer
from tests.loopback.api import Reply
from tests.roles.conftest import DEAD, MODEL, Asked

GOOD = (
    "## Task\nMake parse_config in settings.py accept comments, and keep its tests green.\n"
    "## Decisions and preferences\nDecision: comments start with a semicolon, never with a hash sign.\n"
    "## Done\nRead settings.py; changed parse_config so that it skips such lines.\n"
)
DECISION = "Decision: comments start with a semicolon, never with a hash sign."


def user(text: str) -> Message:
    return Message("user", (Text(text),))


def agent(text: str, *calls: Call) -> Message:
    return Message("assistant", (Text(text), *calls))


def tool(call: Call, text: str) -> Message:
    return Message("tool", (Result(call.id, text),))


def history() -> list[Message]:
    """Work on one file, which is long, and a short tail."""
    read = Call("c1", "Read", '{"file_path": "src/settings.py"}')
    edit = Call("c2", "Edit", '{"file_path": "src/settings.py", "old_string": "a", "new_string": "b"}')
    return [
        Message("system", (Text("You are an agent."),)),
        user("Make parse_config in src/settings.py accept comments, and keep its tests green."),
        agent("Let me look.", read),
        tool(read, "def parse_config(text):\n" + "    return text.split()\n" * 2000),
        agent(DECISION, edit),
        tool(edit, "ok"),
        agent("It skips such lines now. " + "All of that took a while to find out. " * 100),
        user("And what is next?"),
        agent("Nothing is left."),
    ]


def summarised(summarizer: Summarizer | None) -> str:
    """The state that a compaction with it leaves."""
    found = compact(history(), Policy(keep_last=1), count=estimate, summarize=summarizer)
    assert [m.role for m in found.messages[:2]] == ["system", "user"] and "reset" in found.report.steps
    [state] = [message.text for message in found.messages if message.text.startswith(MARK)]
    return state


def test_a_good_summary_is_used(asked: Asked) -> None:
    asked.api.say(f"<think>What is it about?</think>\n```markdown\n{GOOD}```")
    summarizer = Summarizer(asked.settings(), wish="the semicolon")
    state = summarised(summarizer)
    assert "Read settings.py; changed parse_config so that it skips such lines." in state
    assert "###" in state, "its headings are not those of the state"
    assert summarizer.notes == [f"summarised by {MODEL}"]
    [turn] = asked.api.turns
    system, given = (message["content"] for message in turn.body["messages"])
    assert system.startswith("You compress the older part of a conversation")
    assert "To be kept above all: the semicolon" in given and DECISION in given and "return text.split()" in given
    assert "tools" not in turn.body


def test_a_bad_one_is_asked_for_once_more_with_what_it_lacks(asked: Asked) -> None:
    asked.api.say("They worked on something.", GOOD)
    summarizer = Summarizer(asked.settings())
    assert "so that it skips such lines" in summarised(summarizer)
    assert summarizer.notes == [f"summarised by {MODEL}, at the second attempt"]
    first, second = asked.api.turns
    assert "refused" not in first.text
    assert "A first attempt was refused: 1 of 1 decisions are missing, as 'Decision: comments" in second.text
    assert "1 of 1 paths are missing, as 'src/settings.py'" in second.text


def test_one_that_stays_bad_is_thrown_away_and_it_is_said(asked: Asked) -> None:
    asked.api.otherwise = Reply("They worked on something.")
    summarizer = Summarizer(asked.settings())
    assert summarised(summarizer) == summarised(None)
    assert len(asked.api.turns) == 2
    [note] = summarizer.notes
    assert note.startswith(f"summarised without a model: that of {MODEL} was thrown away after two attempts (1 of 1 ")


def test_one_that_is_cut_off_is_a_bad_one(asked: Asked) -> None:
    asked.api.otherwise = Reply(GOOD + "word " * 20_000)
    summarizer = Summarizer(asked.settings(OPENCLAW_LOCAL_OUTPUT_TOKENS="500"))
    assert summarised(summarizer) == summarised(None)
    assert "it was cut off" in summarizer.notes[0]


def test_without_a_model_that_answers_the_state_is_made_without_one_and_it_is_said(asked: Asked) -> None:
    dead = asked.settings(OPENCLAW_LOCAL_URL=DEAD, OPENCLAW_ROLES_RETRIES="0")
    for settings, why in (
        (dead, f"role summarizer: {MODEL} at {DEAD}: "),
        (asked.settings(OPENCLAW_ROLES_MODEL="nowhere/x"), "no endpoint 'nowhere'"),
        (asked.settings(OPENCLAW_ROLES_MODEL="groq/x"), "groq needs a key"),
        (
            asked.settings(OPENCLAW_LOCAL_WINDOW="300"),
            f"what is to be summarised is too long for the window of {MODEL}",
        ),
    ):
        summarizer = Summarizer(settings)
        assert summarised(summarizer) == summarised(None)
        assert [note.startswith(f"summarised without a model: {why}") for note in summarizer.notes] == [True]
    assert not asked.api.requests


def test_one_that_takes_too_long_is_given_up(asked: Asked) -> None:
    asked.api.otherwise = Reply("late", hold=threading.Event())
    asked.role("summarizer", "timeout: 1s\n")
    summarizer = Summarizer(asked.settings())
    assert summarised(summarizer) == summarised(None)
    assert "was not done within 1 s" in summarizer.notes[0]
    assert len(asked.api.turns) < 2, "what has failed is not tried at the next cut"


def test_a_role_of_the_persons_own_summarises_and_gets_no_tools(asked: Asked) -> None:
    asked.role("summarizer", "tools: [Read]\n", "You are terse.")
    asked.api.say(GOOD)
    summarised(Summarizer(asked.settings()))
    [turn] = asked.api.turns
    assert turn.body["messages"][0]["content"] == "You are terse." and "tools" not in turn.body


def test_its_setting_goes_before_the_file_and_a_flag_before_that(asked: Asked) -> None:
    asked.role("summarizer", "model: ollama/of-file\n")
    asked.api.otherwise = Reply(GOOD)
    for env, model in (
        ({}, None), ({"OPENCLAW_ROLES_SUMMARIZER": "ollama/set"}, None),
        ({"OPENCLAW_ROLES_SUMMARIZER": "ollama/set"}, "ollama/flag"),
    ):  # fmt: skip
        summarised(Summarizer(asked.settings(**env), model))
    assert [turn.body["model"] for turn in asked.api.turns] == ["of-file", "set", "flag"]


def test_a_second_compaction_merges_the_first(asked: Asked) -> None:
    asked.api.otherwise = Reply(GOOD)
    settings = asked.settings()
    once = compact(history(), Policy(keep_last=1), count=estimate, summarize=Summarizer(settings)).messages
    more = [*once, user("Now document it."), agent("Documented. " * 400), user("Thanks, what else?"), agent("Nothing.")]
    summarizer = Summarizer(settings)
    twice = compact(more, Policy(keep_last=1), count=estimate, summarize=summarizer).messages
    assert sum(message.text.startswith(MARK) for message in twice) == 1
    assert "An earlier summary, to be merged into yours" in asked.api.turns[-1].text
    assert "Earlier state:" in asked.api.turns[-1].text


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (GOOD + "See src/other/missing_file.py.", "it names what was never there: src/other/missing_file.py"),
        (GOOD + "It calls read_all_lines.", "it names what was never there: read_all_lines"),
        (GOOD + "It took a while to find out. " * 100, "tokens, 400 are allowed"),
        (GOOD.replace("settings.py", "the file"), "1 of 1 paths are missing, as 'src/settings.py'"),
        (GOOD.replace("parse_config", "the function"), "1 of 1 identifiers are missing, as 'parse_config'"),
    ],
)
def test_what_would_do_harm_is_refused(asked: Asked, text: str, fault: str) -> None:
    asked.api.otherwise = Reply(text)
    summarizer = Summarizer(asked.settings())
    assert summarised(summarizer) == summarised(None)
    assert fault in summarizer.notes[0]


def test_it_is_told_before_what_it_is_audited_for(asked: Asked) -> None:
    asked.api.say(GOOD)
    summarised(Summarizer(asked.settings()))
    [turn] = asked.api.turns
    assert "To be named, exactly as they are written: src/settings.py, parse_config" in turn.text
    assert f"To be kept word for word:\n- {DECISION}" in turn.text


# --- openclaw compact --model


def conversation(asked: Asked) -> list[dict[str, str]]:
    """A long one in a file, in the form of an API."""
    work = [m for n in range(30) for m in (
        {"role": "user", "content": f"Please do step {n} of it."},
        {"role": "assistant", "content": f"Step {n} is done now. " * 60},
    )]  # fmt: skip
    asked.box.write("history.json", json.dumps(work))
    return work


def test_compact_asks_the_model_that_is_named(asked: Asked) -> None:
    conversation(asked)
    asked.api.say("All the steps were done, in their order, and nothing went wrong with any of them.")
    found = asked.box.json("compact", "--in", "history.json", "--out", "small.json", "--model", MODEL)
    assert found["summary"] == [f"summarised by {MODEL}"]
    assert "in their order, and nothing went wrong" in (asked.box.work / "small.json").read_text()


def test_compact_without_a_model_that_answers_goes_on_without_one_and_says_so(asked: Asked) -> None:
    conversation(asked)
    dead = {"OPENCLAW_LOCAL_URL": DEAD, "OPENCLAW_ROLES_RETRIES": "0"}
    plain = asked.box.cli("compact", "--in", "history.json", "--out", "-").stdout
    done = asked.box.cli("compact", "--in", "history.json", "--out", "-", "--model", MODEL, env=dead)
    assert done.stdout == plain
    assert done.stderr.startswith(f"warning: summarised without a model: role summarizer: {MODEL} at {DEAD}: ")
    told = asked.box.json("compact", "--in", "history.json", "--out", "x", "--model", "groq/x")
    assert told["summary"][0].startswith("summarised without a model: groq needs a key")
    asked.box.cli("compact", "--in", "history.json", "--out", "x", "--model", "nowhere/x", exit=4)
    asked.box.cli("compact", "--in", "history.json", "--out", "x", "--model", "nothing", exit=2)


def test_where_nobody_names_a_model_the_routing_does_and_its_audit_teaches_it(asked: Asked) -> None:
    entry = "models: {small: {model: ollama/small, tier: cheap}, next: {model: lmstudio/next, tier: cheap}}"
    config = asked.box.root / "config"
    config.mkdir()
    (config / "models.yaml").write_text(entry)
    (config / "endpoints.yaml").write_text("ollama: {lists: false}")
    asked.box.cli("ps")  # a fleet, whose database learns
    settings = asked.settings(OPENCLAW_ROLES_MODEL="", OPENCLAW_CACHE_ENABLED="0")
    asked.api.otherwise = Reply(GOOD)
    summarizer = Summarizer(settings)
    assert "At most" not in summarised(summarizer) and summarizer.done
    assert "was chosen by the routing: text, for its type is text" in summarizer.notes[0]
    asked.api.otherwise = Reply("nothing of it")
    assert not Summarizer(settings, "auto").done
    summarised(Summarizer(settings))
    [row] = asked.box.json("models", "learning")
    assert (row["type"], row["agent"], row["n"]) == ("text", "local", 3) and row["good"] < 1.0 < row["bad"]
    asked.api.otherwise = Reply(GOOD)
    for _ in range(2):  # the second is the first, from the cache
        summarised(Summarizer(asked.settings(), MODEL))
    assert sum(row["n"] for row in asked.box.json("models", "learning")) == 4
