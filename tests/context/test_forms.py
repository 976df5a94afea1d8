"""Every form is read into the neutral one and written back without loss; what goes to an API is what it takes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from openclaw.context.forms import anthropic, claude_code, files, log, openai
from openclaw.context.forms.shared import tool_name
from openclaw.context.history import Attachment, Call, Message, Result, Text, orphans
from openclaw.context.repair import repaired
from openclaw.errors import BadInput
from tests.context.checks import anthropic_faults, openai_faults
from tests.context.data import documents
from tests.context.generated import HISTORIES

MANY = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))

OPENAI: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "content": [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]},
    {"role": "assistant", "content": None, "refusal": None, "tool_calls": [
        {"id": "c1", "type": "function", "function": {"name": "read", "arguments": "{\"path\":  \"a.py\"}"}},
        {"id": "c2", "type": "function", "function": {"name": "run", "arguments": "oops"}, "index": 1}]},
    {"role": "tool", "tool_call_id": "c2", "content": "no"},
    {"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "x = 1"}], "name": "read"},
    {"role": "assistant", "content": "done", "reasoning_content": "hm"},
]  # fmt: skip
ANTHROPIC: dict[str, Any] = {
    "model": "claude",
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "ok"},
            {"type": "tool_use", "id": "t1", "name": "Read", "input": {"file_path": "a.py", "n": 1.50}},
            {"type": "tool_use", "id": "t2", "name": "Bash", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "x"}], "is_error": False},
            {"type": "tool_result", "tool_use_id": "t2"}, {"type": "text", "text": "and now?"}]},
        {"role": "assistant", "content": ""},
    ],
}  # fmt: skip


def lines(*more: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"sessionId": "s", "uuid": str(number), "isSidechain": False, **line} for number, line in enumerate(more)]


def block(kind: str, **more: Any) -> list[dict[str, Any]]:
    return [{"type": kind, **more}]


def model(id: str, content: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"type": "assistant", "message": {"id": id, "content": content, **more}}


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": content}, **more}


TRANSCRIPT = lines(
    {"type": "file-history-snapshot", "snapshot": {}},
    user("go"),
    user("a caveat", isMeta=True),
    model("m1", block("text", text="I will"), usage={"input_tokens": 3, "output_tokens": 1}),
    model("m1", block("tool_use", id="t1", name="Read", input={})),
    user(block("tool_result", tool_use_id="t1", content="A")),
    model("m1", block("tool_use", id="t2", name="Read", input={}), usage={"input_tokens": 3, "output_tokens": 9}),
    {**model("m9", block("text", text="aside")), "isSidechain": True},
    user(block("tool_result", tool_use_id="t2", content="B")),
    {"type": "system", "subtype": "compact_boundary"},
    user("so far", isCompactSummary=True),
    model("m2", block("text", text="API Error"), model="<synthetic>"),
)


def text(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def test_openai_there_and_back() -> None:
    found = files.read(json.dumps(OPENAI).encode())
    assert found.form == "openai"
    assert json.loads(files.write(found)) == OPENAI
    assert [message.role for message in found.messages] == ["system", "user", "assistant", "tool", "tool", "assistant"]
    assert found.messages[2].calls[0].arguments == '{"path":  "a.py"}'  # as the model wrote it
    assert found.messages[1].parts[1].kind == "image_url"  # type: ignore[union-attr]
    assert not openai_faults(files.listed(found.messages, "openai"))
    assert not anthropic_faults(files.listed(found.messages, "anthropic"))


def test_anthropic_there_and_back() -> None:
    found = files.read(json.dumps(ANTHROPIC).encode())
    assert found.form == "anthropic"
    assert json.loads(files.write(found)) == ANTHROPIC
    assert found.messages[0].role == "system" and found.messages[0].text == "Be brief."
    whole = repaired(found.messages).messages
    listed = files.listed(whole, "anthropic")
    assert not anthropic_faults(listed)
    assert {"type": "thinking", "thinking": "hm", "signature": "s"} in listed[1]["content"]
    assert listed[0]["content"][0]["text"] == "Be brief."  # a list has no place of its own for it
    assert not openai_faults(files.listed(whole, "openai"))


def test_a_list_without_a_document_around_it() -> None:
    found = files.read(json.dumps(ANTHROPIC["messages"]).encode())
    assert found.form == "anthropic" and json.loads(files.write(found)) == ANTHROPIC["messages"]


def test_claude_code_there_and_back() -> None:
    found = files.read(text(TRANSCRIPT))
    assert found.form == "claude-code"
    assert [json.loads(line) for line in files.write(found).splitlines()] == TRANSCRIPT
    assert [m.role for m in found.messages] == ["user", "user", "assistant", "tool", "tool", "user"]
    asked = found.messages[2]
    assert [call.id for call in asked.calls] == ["t1", "t2"] and asked.text == "I will"
    assert asked.usage is not None and asked.usage.output == 9  # the last one counts
    assert claude_code.is_meta(found.messages[1]) and claude_code.is_summary(found.messages[5])
    assert orphans(found.messages) == ([], [])
    less = found._replace(messages=found.messages[3:])
    assert len(files.write(less).splitlines()) == len(TRANSCRIPT) - 5


def test_the_transcript_of_an_agent_inside_is_all_aside() -> None:
    found = files.read(text([{**row, "isSidechain": True} for row in TRANSCRIPT]))
    assert len(found.messages) == 7  # with the one that stood aside in it
    assert len(files.write(found).splitlines()) == len(TRANSCRIPT)


def test_openclaw_there_and_back(tmp_path: Path) -> None:
    said = [
        Message("user", (Text("go"),), "2026-01-01T00:00:00Z"),
        Message("assistant", (Text(""), Call("1", "read", "{}"), Attachment("thinking", {"x": 1})), id="m"),
        Message("tool", (Result("1", "ü\ud800", True),)),
    ]
    path = tmp_path / "log.jsonl"
    log.append(str(path), [{"v": 1, "type": "started"}, *map(log.record, said)])
    found = files.read(path.read_bytes())
    assert found.form == "openclaw" and found.messages == tuple(said)
    assert [json.loads(line) for line in files.write(found).splitlines()] == list(found.frame)


def test_a_torn_line_is_passed_over_and_the_next_append_begins_its_own(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    log.append(str(path), [log.record(Message("user", (Text("one"),)))])
    whole = path.read_bytes()
    for cut in range(1, len(whole) - 1):
        path.write_bytes(whole + whole[:cut])
        assert len(files.read(path.read_bytes()).messages) == 1
        log.append(str(path), [log.record(Message("user", (Text("two"),)))])
        assert [m.text for m in files.read(path.read_bytes()).messages] == ["one", "two"]


def test_a_rewrite_and_its_undo(tmp_path: Path) -> None:
    one, two, three, short = (Message("user", (Text(word),)) for word in ("one", "two", "three", "short"))
    rows: list[Any] = [log.record(one), log.record(two), log.rewrite([short], why="80 %"), log.record(three)]
    assert log.decode(rows).messages == (short, three)
    assert log.decode([*rows, log.undo()]).messages == (one, two, three)
    changed = log.decode(rows)._replace(messages=(short,))
    assert log.decode(log.encode(changed)).messages == (short,)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "it is empty"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"[1, 2", "not JSON at line 1, column 6"),
        (b'[{"role": "user"}, 3]', "message 2: a message must be an object"),
        (b'[{"role": "boss", "content": ""}]', "message 1: the role is 'boss'"),
        (b'{"messages": 3}', "messages must be a list"),
        (b"[]", "it holds no message"),
        (b"3", "neither a list"),
        (b'[{"traj": []}, {"traj": []}]', "it holds 2 conversations"),
        (text(TRANSCRIPT[:2]) + b"{oops\n" + text(TRANSCRIPT[2:]), "line 3: not JSON at column 2"),
        (b'{"v": 1, "type": "message", "role": "user"}\n', "line 1: a message must have a role"),
        (b'[{"role": "assistant", "tool_calls": [{}]}]', "message 1: a tool call must be an object"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_conversation_is_refused_in_one_line(data: bytes, says: str) -> None:
    with pytest.raises(BadInput) as refused:
        files.read(data, where="FILE")
    assert says in refused.value.message and refused.value.message.startswith("FILE: ")
    assert "\n" not in refused.value.message


def test_all_data_comes_back_as_it_was() -> None:
    for name, data in documents():
        found = files.read(data, where=name)
        written = files.write(found)
        if name.endswith(".jsonl"):
            assert [json.loads(row) for row in written.splitlines()] == [json.loads(row) for row in data.splitlines()]
        else:
            assert json.loads(written) == json.loads(data), name
        whole = repaired(found.messages).messages
        assert orphans(whole) == ([], []), name
        assert not openai_faults(files.listed(whole, "openai")), name
        assert not anthropic_faults(files.listed(whole, "anthropic")), name


@MANY
@given(HISTORIES)
def test_any_history_is_mended_and_fits_both_apis(history: list[Message]) -> None:
    mended = repaired(history)
    assert orphans(mended.messages) == ([], [])
    assert repaired(mended.messages) == mended._replace(moved=0, unanswered=0, unasked=0)
    assert not openai_faults(openai.request(mended.messages))
    assert not anthropic_faults(anthropic.listed(mended.messages))


@MANY
@given(HISTORIES)
def test_what_is_written_for_one_api_is_read_as_the_same_by_the_next(history: list[Message]) -> None:
    said = repaired(history).messages
    again = tuple(openai.decode(raw) for raw in openai.request(said))
    assert [call.name for m in again for call in m.calls] == [
        tool_name(call.name) for m in said for call in m.calls
    ]
    assert [r.content for m in again for r in m.results] == [r.content for m in said for r in m.results]
    assert not anthropic_faults(anthropic.listed(again))
    assert json.loads(json.dumps(openai.request(again))) == openai.request(said)


def test_a_result_far_from_its_call_is_brought_to_it() -> None:
    call, answer = Call("1", "run", "{}"), Result("1", "out")
    history = [Message("assistant", (call,)), Message("user", (Text("wait"),)), Message("tool", (answer,))]
    assert [m.role for m in repaired(history).messages] == ["assistant", "tool", "user"]
    assert repaired(history).moved == 1


def test_an_id_used_twice_belongs_to_the_last_call_before_the_result() -> None:
    call = Message("assistant", (Call("1", "run", "{}"),))
    mended = repaired([call, Message("user", (Text("again"),)), call, Message("tool", (Result("1", "out"),))])
    assert [m.role for m in mended.messages] == ["assistant", "user", "assistant", "tool"]
    assert mended.messages[0].text == "[called run {}: no result]" and mended.unanswered == 1
    assert not anthropic_faults(anthropic.listed([call, Message("tool", (Result("1", "a"),))] * 3))
