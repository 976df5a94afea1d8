"""Whatever the history: no orphans, nothing of what must stay is lost, twice equals once, and it never grows."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from openclaw.context import marks
from openclaw.context.compact import Compacted, compact
from openclaw.context.forms import anthropic, files, openai
from openclaw.context.history import Call, Message, Result, Text, orphans
from openclaw.context.ledger import reading, sayings
from openclaw.context.ledger.text import written
from openclaw.context.policy import Policy
from openclaw.context.repair import repaired
from openclaw.context.tokens import estimate
from openclaw.context.units import tail_start, units
from openclaw.context.weight import tokens
from tests.context.checks import anthropic_faults, openai_faults
from tests.context.data import documents
from tests.context.generated import HISTORIES

MANY = settings(max_examples=700, deadline=None, suppress_health_check=list(HealthCheck))
POLICIES = st.builds(
    Policy,
    target=st.sampled_from([0, 50, 400, 3000]),
    keep_last=st.sampled_from([0, 1, 2, 10]),
    large=st.sampled_from([20, 5000]),
    share=st.just(0.028),
    state_least=st.sampled_from([40, 400]),
    state_most=st.just(8000),
)  # fmt: skip


def small(history: Sequence[Message], policy: Policy = Policy(), store: bool = True) -> Compacted:  # noqa: B008
    kept: list[str] = []

    def keep(content: str) -> str:
        kept.append(content)
        return f"result-{len(content)}"

    return compact(history, policy, count=estimate, store=keep if store else None)


def size(history: Sequence[Message]) -> int:
    return sum(map(tokens, history))


def check(history: Sequence[Message], policy: Policy) -> tuple[Message, ...]:
    """All that must hold for any history and any policy."""
    done = small(history, policy)
    after = done.messages
    whole = repaired(history).messages
    assert orphans(after) == ([], [])
    assert not openai_faults(openai.request(after))
    assert not anthropic_faults(anthropic.listed(after))
    everything = "\n".join(message.text for message in after)
    for message in whole:
        if message.role in ("system", "user"):
            for part in message.parts:
                if isinstance(part, Text) and part.text and not reading.stands_for(part.text):
                    assert part.text.strip() in everything
        for decision in sayings.decisions(message.text) if message.role == "assistant" else ():
            assert decision in everything
    parts = units(whole)
    tail = [message for unit in parts[tail_start(parts, policy.keep_last) :] for message in unit.messages]
    assert list(after[len(after) - len(tail) :]) == tail
    assert size(after) <= size(whole)
    assert done.report.after == size(after)
    assert small(after, policy).messages == after
    states = [part for message in after for part in message.parts if isinstance(part, Text)]
    assert sum(reading.stands_for(part.text) is not None for part in states) <= 1 + ("[openclaw state]" in str(history))
    return after


@MANY
@given(HISTORIES, POLICIES)
def test_any_history(history: list[Message], policy: Policy) -> None:
    check(history, policy)


@settings(MANY, max_examples=300)
@given(st.lists(HISTORIES, min_size=2, max_size=4), POLICIES, st.sampled_from(["", "openai", "anthropic"]))
def test_compacted_again_and_again(pieces: list[list[Message]], policy: Policy, through: str) -> None:
    """What was compacted goes on, is written and read by an API's form, and is compacted again."""
    now: Sequence[Message] = ()
    for piece in pieces:
        now = check([*now, *piece], policy)
        if through == "openai":
            now = [openai.decode(raw) for raw in openai.request(now)]
        elif through == "anthropic":
            now = [anthropic.decode(raw) for raw in anthropic.listed(now)]


@pytest.mark.parametrize("policy", [Policy(), Policy(keep_last=2), Policy(target=3000, keep_last=1, large=300)])
def test_all_data(policy: Policy) -> None:
    for name, data in documents():
        found = files.read(data, where=name).messages
        after = check(found, policy)
        check([*after, *found[-7:]], policy)


def rounds(count: int, answer: str = "x = 1\n" * 400) -> list[Message]:
    found = [Message("system", (Text("Be brief."),)), Message("user", (Text("Mend src/app/parser.py, please."),))]
    for number in range(count):
        given = f'{{"file_path": "src/app/part_{number}.py"}}'
        found.append(Message("assistant", (Text(f"Part {number} is fine."), Call(f"c{number}", "Read", given))))
        found.append(Message("tool", (Result(f"c{number}", answer),)))
    return found


def test_each_step_only_if_the_one_before_did_not_suffice() -> None:
    history = rounds(30, "word " * 900)
    size_now = size(history)
    keep = {"keep_last": 1, "large": 500}
    assert small(history, Policy(target=size_now, **keep)).report.steps == ()
    stored = small(history, Policy(target=size_now - 5000, **keep)).report
    assert stored.steps == ("store",) and stored.stored == 18 and stored.reached
    masked = small(history, Policy(target=size_now // 2, keep_last=1)).report
    assert masked.steps == ("mask",) and masked.masked == 18
    summarised = small(history, Policy(target=stored.after // 2 + 5200, keep_last=1)).report
    assert summarised.steps == ("mask",) or summarised.steps == ("mask", "summarise")
    reset = small(history, Policy(target=1, keep_last=1)).report
    assert reset.steps == ("mask", "reset") and not reset.reached and "always kept" in reset.why


def test_a_stored_result_says_where_it_is_and_what_it_began_with() -> None:
    kept: dict[str, str] = {}

    def keep(content: str) -> str:
        kept[f"r{len(kept)}"] = content
        return f"r{len(kept) - 1}"

    history = rounds(20, "first line\n" + "word " * 9000 + "\n3 failed, 2 passed\nlast line")
    done = compact(history, Policy(target=size(history) - 100, keep_last=1), count=estimate, store=keep)
    result = done.messages[3].results[0].content
    assert result.startswith("[stored as r0: ") and marks.HOW in result
    assert "first line" in result and "3 failed, 2 passed" in result and "last line" in result
    assert kept["r0"].startswith("first line")
    later = compact(done.messages, Policy(target=100, keep_last=1), count=estimate, store=keep)
    assert later.report.steps[0] == "mask"


def turn(word: str, count: int) -> list[Message]:
    """What the user said, and so many rounds of the model."""
    found = [Message("user", (Text(word),))]
    for number in range(count):
        calls = Call(f"{number}", "run", "{}"), Call(f"{number}b", "run", "{}")
        found.append(Message("assistant", (Text(word), *calls)))
        found += [Message("tool", (Result(f"{number}", "out"),)), Message("tool", (Result(f"{number}b", "out"),))]
    return found


def test_the_last_exchanges_are_those_of_the_user_and_rounds_where_one_is_long() -> None:
    def kept(history: list[Message], keep: int) -> list[str]:
        parts = units(history)
        return [f"{unit.head.role[0]}:{unit.head.text}" for unit in parts[tail_start(parts, keep) :]]

    history = [*turn("one", 2), *turn("two", 1), *turn("three", 2)]
    assert kept(history, 0) == []
    assert kept(history, 1) == ["u:three", "a:three", "a:three"]
    assert kept(history, 2) == ["u:two", "a:two", "u:three", "a:three", "a:three"]
    assert len(kept(history, 9)) == len(units(history))
    assert kept([*turn("one", 1), *turn("long", 40)], 1) == ["a:long"] * 12
    assert kept([*turn("one", 1), *turn("long", 40)], 10) == ["a:long"] * 30


def test_twice_equals_once_where_only_what_was_left_out_makes_a_state_small_enough() -> None:
    names = " ".join(f"first_name_{number}" for number in range(120))
    history = [Message("user", (Text("Look."),))]
    for number in range(9):
        history += [Message("assistant", (Call(f"{number}", "look_around", "{}"),))]
        history += [Message("tool", (Result(f"{number}", names.replace("first", f"name{number}")),))]
    done = small(history, Policy(keep_last=0))
    assert done.report.steps == ("mask", "reset")
    assert small(done.messages, Policy(keep_last=0)).messages == done.messages


def test_decisions_and_small_talk() -> None:
    said = [
        ("user", "Which database do we take for the ledger?"), ("assistant", "Decision: SQLite, in WAL mode. " * 3),
        ("user", "thanks!"), ("assistant", "You're welcome."), ("user", "how is it going?"), ("assistant", "Fine."),
        ("user", "Never push to main."), ("assistant", "filler " * 300 + "Shall I begin?"), ("user", "ok"),
        ("assistant", "Begun. " + "filler " * 300),
    ]  # fmt: skip
    history = [Message(role, (Text(text),)) for role, text in said]  # type: ignore[arg-type]
    done = small(history, Policy(keep_last=0))
    texts = [message.text for message in done.messages]
    assert texts[:3] == ["Which database do we take for the ledger?", "Never push to main.", "ok"]  # "ok" is an answer
    assert "## Decisions\n- Decision: SQLite, in WAL mode." in texts[3] and "- Never push to main." in texts[3]
    assert "- thanks!\n- how is it going?" in texts[3]
    assert done.report.dropped == 4


def test_what_is_a_decision() -> None:
    last = "Conclusion: it holds. See src/decision.py."
    text = f"Let me look.\n**Decisions:**\n\n- keep `a_b`\n- drop c\n\nNow on.\n{last}"
    assert sayings.decisions(text) == ["**Decisions:**", "- keep `a_b`", "- drop c", last]
    assert sayings.decisions("Reading src/decision.py now.") == []


def test_a_state_is_merged_and_not_nested() -> None:
    policy = Policy(keep_last=0)
    first = small(rounds(30), policy).messages
    second = small([*first, *rounds(40)[2:]], policy).messages
    states = [message for message in second if reading.stands_for(message.text)]
    assert len(states) == 1
    messages, stood_for = reading.stands_for(states[0].text) or (0, 0)
    assert messages == 60 + 80
    assert abs(stood_for / (size(rounds(30)) + size(rounds(40))) - 1) < 0.1
    assert "asked first: Mend src/app/parser.py, please." in states[0].text


def test_a_summary_is_kept_above_the_facts() -> None:
    done = compact(
        rounds(30), Policy(keep_last=0), count=estimate, summarize=lambda *_: "All parts are fine.\n## Decisions\nnone"
    )
    text = done.messages[-1].text
    assert "## Summary\nAll parts are fine.\n### Decisions\nnone\n## Task and status" in text
    assert reading.read(text).summary.startswith("All parts are fine.")
    again = small([*done.messages, *rounds(30)[2:]], Policy(keep_last=0))
    assert "All parts are fine." in again.messages[-1].text


def test_what_a_state_says_is_read_back_and_said_again() -> None:
    """Nothing of it is lost when it is merged with nothing new."""
    said = [
        ("Edit", '{"file_path": "/w/src/app/tree.py", "old_string": "old_name", "new_string": "new_name"}', "done"),
        ("Read", '{"file_path": "/w/src/app/seen_file.py"}', "def seen_function(): pass"),
        ("Bash", '{"command": "make test_all"}', "Exit code 2\nTypeError: bad operand\n2 failed, 3 passed"),
        ("Bash", '{"command": "git commit -m x"}', "[main 1a2b3c4] Mend the tree\n 1 file changed"),
        ("TodoWrite", '{"todos": [{"content": "port it", "status": "in_progress"}]}', "ok"),
        ("Task", '{"prompt": "look"}', "the other_name is in lib/far/away.rs"),
    ]
    history = [Message("user", (Text("Please mend it; never touch lib/."),))]
    for number, (name, asked, result) in enumerate(said):
        calls = (Text("Decision: go on.\nIt stands as it should."), Call(f"{number}", name, asked))
        history += [Message("assistant", calls), Message("tool", (Result(f"{number}", result + "\npad" * 200),))]
    text = small(history, Policy(keep_last=0)).messages[-1].text
    facts = reading.read(text)
    assert facts.task == "Please mend it; never touch lib/." and facts.root == "/w/src/app"
    assert list(facts.decisions) == ["Decision: go on."] and facts.todos == ["[>] port it"]
    assert facts.files["tree.py"].edits == 1 and {"seen_file.py", "lib/far/away.rs"} <= set(facts.files)
    assert facts.commits == {"1a2b3c4 Mend the tree": -1}
    ran = facts.commands["make test_all"]
    assert ran.failed and "TypeError: bad operand" in ran.outcome
    assert {"old_name", "new_name", "seen_function", "other_name"} <= set(facts.names)
    assert facts.names["new_name"].sources == {"tree.py": 1}
    assert facts.tools["Edit"] == ["file_path", "old_string", "new_string"]
    again = written(facts, 400, estimate, 13, 1)
    assert sorted(again.split("\n")[1:]) == sorted(text.split("\n")[1:])
