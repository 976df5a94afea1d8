"""Settings that people write, changed as text: all else stays to the byte, and ours comes out again."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from openclaw.agents import hookfile, jsontext, notifier
from openclaw.agents.hookfile import Ours
from openclaw.agents.jsontext import Malformed

COMMAND = "'/a b/openclaw-hook' main claude"
LINE = {"type": "command", "command": "'/a b/openclaw-hook' statusline"}
HANDLERS = {e: {"type": "command", "command": COMMAND, "timeout": 10} for e in ("SessionStart", "Stop", "PreCompact")}
EXPECTED = {Ours(event, COMMAND, 10) for event in HANDLERS} | {Ours("statusLine", str(LINE["command"]), None)}

# --- files as people write them: any values, and between any two of their words blanks, line ends and comments

words = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | words
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
commands = st.sampled_from(["a", "openclaw-hook", "x openclaw-hook main"])
theirs = st.fixed_dictionaries({"type": st.just("command"), "command": commands})
groups = st.fixed_dictionaries({"hooks": st.lists(theirs, max_size=2)}, optional={"matcher": words})
events = st.dictionaries(st.sampled_from(["Stop", "SessionStart", "Other"]), st.lists(groups, max_size=2), max_size=3)
others = st.dictionaries(words.filter(lambda word: word not in ("hooks", "statusLine")), values, max_size=3)
documents = st.one_of(
    others,
    st.builds(lambda other, hooks: other | {"hooks": hooks}, others, events),
    st.builds(lambda other, hooks: {"hooks": hooks} | other, others, events),
)
COMMENTS = ('// c1 "{[', "/* c2 } */", "/* two\n lines */", "//")


class Writer:
    """Writes a value with what hypothesis draws between its words."""

    def __init__(self, draw: Any, newline: str) -> None:
        self.draw, self.newline = draw, newline
        self.wide = draw(st.booleans())
        self.unit = draw(st.sampled_from(["  ", "\t", "    "]))

    def gap(self, depth: int) -> str:
        text: str = self.newline + self.unit * depth if self.wide else self.draw(st.sampled_from(["", " "]))
        if self.draw(st.integers(0, 9)) == 0:
            comment = self.draw(st.sampled_from(COMMENTS)).replace("\n", self.newline)
            text += comment + (self.newline if comment.startswith("//") else "")
        return text

    def write(self, value: Any, depth: int = 0) -> str:
        if not isinstance(value, dict | list):
            return json.dumps(value, ensure_ascii=self.draw(st.booleans()))
        entries = []
        for item in value.items() if isinstance(value, dict) else value:
            if isinstance(value, dict):
                colon = f"{json.dumps(item[0])}{self.draw(st.sampled_from([':', ': ', ' : ']))}"
                entries.append(self.gap(depth + 1) + colon + self.write(item[1], depth + 1))
            else:
                entries.append(self.gap(depth + 1) + self.write(item, depth + 1))
        trailing = "," if entries and self.draw(st.integers(0, 5)) == 0 else ""
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        return opening + ",".join(entries) + trailing + self.gap(depth) + closing


@st.composite
def texts(draw: Any) -> tuple[str, dict[str, Any]]:
    value = draw(documents)
    writer = Writer(draw, draw(st.sampled_from(["\n", "\r\n"])))
    mark = draw(st.sampled_from(["", "", "\ufeff"]))
    end = draw(st.sampled_from(["", "\n", " // end", "\n\n"])).replace("\n", writer.newline)
    return mark + writer.gap(0) + writer.write(value) + end, value


def loaded(text: str) -> Any:
    node = jsontext.parse(text)
    return node.value if node else None


def strict(text: str) -> bool:
    """Whether it is JSON for readers that take no comments and no comma too many."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def with_ours(value: dict[str, Any]) -> dict[str, Any]:
    hooks = {event: list(groups) for event, groups in (value.get("hooks") or {}).items()}
    for event, handler in HANDLERS.items():
        hooks[event] = [*hooks.get(event, []), {"hooks": [handler]}]
    return value | {"hooks": hooks, "statusLine": LINE}


def without_empty(value: dict[str, Any]) -> dict[str, Any]:
    hooks = {event: groups for event, groups in (value.get("hooks") or {}).items() if groups}
    rest = {key: item for key, item in value.items() if key != "hooks"}
    return rest | ({"hooks": hooks} if hooks else {})


@settings(max_examples=400, deadline=None)
@given(texts())
def test_ours_goes_in_and_all_else_stays_to_the_byte(made: tuple[str, dict[str, Any]]) -> None:
    text, value = made
    assert loaded(text) == value
    new, spans = jsontext.inserted(text, hookfile.added(text, HANDLERS, LINE))
    assert loaded(new) == with_ours(value)
    assert set(hookfile.ours(new)) == EXPECTED and hookfile.ours(text) == []
    assert jsontext.cut(new, spans) == text
    if strict(text):
        assert strict(new) and strict(hookfile.removed(new))
    assert "\r\n" not in text or "\n" not in new.replace("\r\n", "")


@settings(max_examples=400, deadline=None)
@given(texts(), st.booleans())
def test_ours_comes_out_of_a_file_that_was_edited_meanwhile(made: tuple[str, dict[str, Any]], after: bool) -> None:
    text, value = made
    new, _ = jsontext.inserted(text, hookfile.added(text, HANDLERS, LINE))
    if after:  # somebody adds one behind ours
        node = jsontext.parse(new)
        hooks = node and node.get("hooks")
        stop = hooks and hooks.get("Stop")
        assert stop
        theirs = {"hooks": [{"type": "command", "command": "mine"}]}
        new, _ = jsontext.inserted(new, jsontext.appended(new, stop, [("", theirs)]))
        value = value | {"hooks": dict(value.get("hooks") or {})}
        value["hooks"]["Stop"] = [*value["hooks"].get("Stop", []), theirs]
    bare = hookfile.removed(new)
    assert without_empty(loaded(bare)) == without_empty(value) and hookfile.ours(bare) == []
    for comment in COMMENTS[:2]:
        assert bare.count(comment) == text.count(comment)
    assert hookfile.removed(text) == text


HAND_WRITTEN = [
    "{}", "{ }", "{\n}\n", "", "\n", "// nothing yet\n", '{"a":1}', '{"a": 1}\n', '{"hooks": {}}', "{// x\n}",
    '{"hooks":{"Stop":[]}}', '{\n  "hooks": {\n    "Stop": []\n  }\n}\n', '{\n\t"a": [\n\t\t1,\n\t\t2\n\t]\n}',
    '{"a": 1, // why\n}', '{"a": {"b": 1 // c\n} // d\n}', '{ "hooks": {} /* none */ , }',
    '{\r\n    "a": 1,\r\n    "b": "\\u0041"\r\n}\r\n', '{"statusLine": null, "hooks": {}}',
    '{"hooks": {"Stop": [1, "x", {"hooks": 3}, {"hooks": ["y", {"command": 7}]}]}}',
    '{"hooks": {"Stop": []}, "hooks": {"Stop": [{"hooks": [{"command": "a"}]}]}}',
]  # fmt: skip


@pytest.mark.parametrize("text", HAND_WRITTEN)
def test_files_that_people_have(text: str) -> None:
    own = hookfile.other_status_line(text)
    new, spans = jsontext.inserted(text, hookfile.added(text, HANDLERS, None if own else LINE))
    assert set(hookfile.ours(new)) == EXPECTED - ({o for o in EXPECTED if o.event == "statusLine"} if own else set())
    assert jsontext.cut(new, spans) == text
    assert hookfile.ours(hookfile.removed(new)) == []
    json.loads(re.sub(r"//[^\n]*|/\*.*?\*/", "", new.replace(", }", "}")))


def test_it_looks_as_if_the_person_had_written_it() -> None:
    text = '{\n    "model": "x", // mine\n    "hooks": {\n        "Stop": [\n            {"hooks": []}\n'
    text += "        ]\n    }\n}\n"
    handlers = {"Stop": {"type": "command"}, "SessionEnd": {"type": "command"}}
    new, _ = jsontext.inserted(text, hookfile.added(text, handlers, None))
    assert new == (
        '{\n    "model": "x", // mine\n    "hooks": {\n        "Stop": [\n            {"hooks": []},\n'
        '            {\n                "hooks": [\n                    {\n                        "type": "command"\n'
        '                    }\n                ]\n            }\n        ],\n        "SessionEnd": [\n            {\n'
        '                "hooks": [\n                    {\n                        "type": "command"\n'
        "                    }\n                ]\n            }\n        ]\n    }\n}\n"
    )
    compact = '{"a":1,"hooks":{"Stop":[]}}'
    new, _ = jsontext.inserted(compact, hookfile.added(compact, {"Stop": {"type": "command"}}, None))
    assert new == '{"a":1,"hooks":{"Stop":[{"hooks":[{"type":"command"}]}]}}'


@pytest.mark.parametrize(
    ("text", "line", "column", "what"),
    [
        ('{\n  "a": 1\n  "b": 2\n}', 3, 3, "comma"),
        ('{"a": }', 1, 7, "value"),
        ('{"a": 1', 1, 8, "} is missing"),
        ("[1", 1, 3, "] is missing"),
        ("{a: 1}", 1, 2, "key"),
        ('{"a" 1}', 1, 6, "colon"),
        ('{"a": 01}', 1, 8, "comma"),
        ('{"a": "x\n"}', 1, 7, "value"),
        ("{} {}", 1, 4, "more"),
        ("{,}", 1, 2, "key"),
        ("{/* }", 1, 2, "key"),
        ("[" * 5000, 1, 202, "deep"),
        ("[1]", 1, 1, "must be an object"),
        ('{"hooks": []}', 1, 11, "hooks must be an object"),
        ('{"hooks": {"Stop":\n {}}}', 2, 2, "hooks.Stop must be an array"),
        ("nul", 1, 1, "value"),
    ],
)
def test_what_is_no_json_is_named_by_line_and_column(text: str, line: int, column: int, what: str) -> None:
    with pytest.raises(Malformed) as caught:
        hookfile.added(text, HANDLERS, None)
    assert (caught.value.line, caught.value.column) == (line, column) and what in str(caught.value)


@pytest.mark.parametrize(
    ("command", "is_ours"),
    [
        ("/x/openclaw-hook main claude", True),
        ("'/a b/openclaw-hook' main codex", True),
        ("openclaw-hook statusline", True),
        ("openclaw-hook", False),
        ("openclaw-hook codex-hooks", False),
        ("echo openclaw-hook main", False),
        ("/x/my-openclaw-hook main", False),
        ("it's", False),
        (None, False),
        (["openclaw-hook", "main"], False),
    ],
)
def test_ours_is_told_by_its_command(command: object, is_ours: bool) -> None:
    assert hookfile.is_ours(command) is is_ours


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# mine\n",
        'model = "x"\r\n[a]\r\nb = 1\r\n',
        "[[a]]\n",
        '# notify = ["openclaw-hook", "main"]\n[t]\nnotify = 1',
    ],
)
def test_notify_goes_before_everything_and_out_again(text: str) -> None:
    words = ["/a b/openclaw-hook", "main", "codex-notify"]
    new, spans = jsontext.inserted(text, notifier.added(text, words))
    assert notifier.ours(new) == words and jsontext.cut(new, spans) == text == notifier.removed(new)
    assert notifier.ours(text) == [] and notifier.removed(text) == text


@pytest.mark.parametrize(
    "text",
    ['notify = ["a"]\n', "notify = [\n  'openclaw-hook', 'main']\n", "notify = 3\n", '"notify" = ["x", "main"]\n'],
)
def test_a_notify_of_the_person_stays(text: str) -> None:
    assert notifier.added(text, ["x"]) == [] and notifier.removed(text) == text and notifier.ours(text) == []


def test_toml_that_is_none_is_named_by_line_and_column() -> None:
    with pytest.raises(Malformed) as caught:
        notifier.added("a = 1\nb = \n", ["x"])
    assert caught.value.line == 2
