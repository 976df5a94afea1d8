"""Histories for property tests: any interleaving, parallel calls, missing results, empty and huge ones, any script."""

from __future__ import annotations

from hypothesis import strategies as st

from openclaw.context.history import Call, Message, Part, Result, Text

WORDS = st.sampled_from([
    "", " ", "ok", "thanks!", "Fix the parser in src/app/parse_tree.py", "Decision: keep SQLite.", "What about tests?",
    "never push to main", "日本語の説明です", "שלום עולם", "🙂" * 5,
    "\ud800 lone", "line\nline\r\n\u2028x", "[openclaw",
    "## Task", "x" * 3000, "the quick brown fox " * 400,
])  # fmt: skip
TEXTS = st.one_of(WORDS, st.text(st.characters(), max_size=40))
IDS = st.sampled_from(["a", "b", "c", "call_1", "toolu 2/ü", ""])
NAMES = st.sampled_from(["Bash", "Read", "edit file", "search", ""])
ARGUMENTS = st.sampled_from([
    "{}", '{"command": "make test"}', '{"file_path": "src/app/parse_tree.py"}', "not json", "", "[1]",
    '{"a": "\\ud800"}', '{"file_path": "a/b.py", "old_string": "foo_bar", "new_string": "' + "y" * 900 + '"}',
])  # fmt: skip
CALLS = st.tuples(IDS, NAMES, ARGUMENTS).map(lambda given: Call(*given))
RESULTS = st.tuples(IDS, TEXTS, st.booleans()).map(lambda given: Result(*given))


def _message(role: str, parts: list[Part]) -> Message:
    return Message(role, tuple(parts))  # type: ignore[arg-type]


SAID = TEXTS.map(Text)
MESSAGES = st.one_of(
    st.builds(_message, st.just("user"), st.lists(SAID, max_size=2)),
    st.builds(_message, st.just("user"), st.lists(st.one_of(SAID, RESULTS), max_size=3)),
    st.builds(_message, st.just("system"), st.lists(SAID, max_size=1)),
    st.builds(_message, st.just("assistant"), st.lists(st.one_of(SAID, CALLS), max_size=4)),
    st.builds(_message, st.just("tool"), st.lists(RESULTS, max_size=3)),
)


@st.composite
def turns(draw: st.DrawFn) -> list[Message]:
    """Mostly right: what a user said, and some rounds of a model, with now and then a result that is missing."""
    found: list[Message] = []
    for _ in range(draw(st.integers(0, 6))):
        found.append(Message("user", (Text(draw(TEXTS)),)))
        for _ in range(draw(st.integers(0, 4))):
            calls = draw(st.lists(CALLS, max_size=3))
            found.append(Message("assistant", (Text(draw(TEXTS)), *calls)))
            answered = [call for call in calls if draw(st.integers(0, 9))]
            found += [Message("tool", (Result(call.id, draw(TEXTS)),)) for call in answered]
    return found


HISTORIES = st.one_of(turns(), st.lists(MESSAGES, max_size=14))
