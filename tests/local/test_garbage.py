"""Whatever a server answers: a clear message, the conversation intact, never a crash."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from openclaw.context.history import orphans
from openclaw.local.conversation import Conversation
from openclaw.local.wire import Limits
from tests.local.solo import Raw, Solo, chunked, events, http
from tests.loopback.api import Reply, Usage

SHORT = "".join(  # so that all of its bytes are quickly tried
    f"data: {json.dumps(chunk, separators=(',', ':'))}\n\n"
    for chunk in (
        {"choices": [{"delta": {"content": "Look."}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "list", "arguments": "{}"}}]}}]},
        {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 5}},
    )
) + "data: [DONE]\n\n"  # fmt: skip
END = Reply("All is done.", usage=Usage(200, 0, 0, 7))


def turn(solo: Solo, raw: Raw, prompt: str = "go") -> None:
    """One turn against this server; what remains in the log is checked."""

    async def run() -> None:
        async with raw:
            solo.agent.use(solo.agent.target._replace(url=raw.url))
            await solo.agent.turn(prompt)

    asyncio.run(run())
    messages = solo.agent.conversation.messages
    assert orphans(messages) == ([], [])
    solo.close()
    again = Conversation(solo.agent.conversation.path)
    assert again.messages == messages
    again.close()


@pytest.mark.parametrize("form", ["until the end of the connection", "in chunks"])
def test_closed_at_every_byte_of_a_reply(tmp_path: Path, form: str) -> None:
    short = SHORT.encode()
    whole = chunked(short) if form == "in chunks" else http(short)
    last = http(events(END))

    async def run() -> None:
        async with Raw(b"") as raw:
            solo = Solo(tmp_path, raw.url)
            conversation = solo.agent.conversation
            for cut in range(len(whole)):
                raw.answers = [whole[:cut], whole, last]
                raw.requests.clear()
                await solo.agent.turn(f"turn {cut}")
                new = conversation.messages[1:]
                calls = ["assistant", "tool"] * (len(new) // 2 - 1)
                assert [m.role for m in new] == ["user", *calls, "assistant"], (cut, solo.screen.lines)
                assert len(calls) == 2 or cut > whole.index(b"finish_reason"), "a broken answer was taken for whole"
                assert (new[1].text, new[1].calls[0].name, new[-1].text) == ("Look.", "list", "All is done."), cut
                assert solo.reports[-1] == ("Stop", {"last_assistant_message": "All is done."})
                if cut < len(whole) - 1:
                    conversation.undo()  # so that the next one begins short
            solo.close()

    asyncio.run(run())
    again = Conversation(str(tmp_path / "log.jsonl"))
    assert again.messages[-1].text == "All is done." and orphans(again.messages) == ([], [])
    again.close()


pytestmark = pytest.mark.filterwarnings("ignore")
BROKEN = {
    "no SSE": http("<html>502</html>", kind="text/html"),
    "no JSON": http("data: {this is no json}\n\ndata: [DONE]\n\n"),
    "half JSON": http('data: {"choices": [{"delta": {"content": "a"\n\n'),
    "a list": http("data: [1, 2, 3]\n\ndata: [DONE]\n\n"),
    "a number": http("data: 7\n\ndata: [DONE]\n\n"),
    "null": http("data: null\n\ndata: [DONE]\n\n"),
    "choices are text": http('data: {"choices": "none"}\n\ndata: [DONE]\n\n'),
    "delta is a list": http('data: {"choices": [{"index": 0, "delta": [1]}]}\n\ndata: [DONE]\n\n'),
    "content is a number": http('data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\ndata: [DONE]\n\n'),
    "calls are text": http('data: {"choices": [{"index": 0, "delta": {"tool_calls": "x"}}]}\n\ndata: [DONE]\n\n'),
    "call without function": http(
        'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0}]}}]}\n\ndata: [DONE]\n\n'
    ),
    "nothing": http(""),
    "only done": http("data: [DONE]\n\n"),
    "no UTF-8": http(b'data: {"choices": [{"delta": {"content": "\xff\xfe"}}]}\n\n'),
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "empty": b"",
    "an error within": http('data: {"error": {"message": "the model crashed", "code": 500}}\n\n'),
    "deep": http("data: " + "[" * 100_000 + "\n\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_can_not_be_understood_ends_the_turn_with_a_clear_message(tmp_path: Path, name: str) -> None:
    solo = Solo(tmp_path, "http://127.0.0.1:9", tries=1)
    turn(solo, Raw(BROKEN[name]))
    event, data = solo.reports[-1]
    assert event == "StopFailure", solo.reports
    assert data["error"].startswith("ollama/test: ") and "\n" not in data["error"]
    assert "Traceback" not in data["error"] and len(data["error"]) < 400
    assert [m.role for m in solo.agent.conversation.messages] == ["system", "user"]
    assert solo.screen.lines[-1] == ("error", data["error"])


def test_and_the_next_turn_goes_on(tmp_path: Path) -> None:
    solo = Solo(tmp_path, "http://127.0.0.1:9", tries=0)
    turn(solo, Raw(BROKEN["no JSON"]))
    solo = Solo(tmp_path, "http://127.0.0.1:9", tries=0)
    turn(solo, Raw(http(events(END))), "again")
    assert [m.text for m in solo.agent.conversation.messages[1:]] == ["go", "again", "All is done."]


def call(arguments: str, name: str = "read") -> str:
    """A reply that calls a tool with these very arguments."""
    return "".join(
        f"data: {json.dumps(chunk)}\n\n"
        for chunk in (
            {"choices": [{"delta": {"tool_calls": [
                {"index": 0, "id": "call_0", "function": {"name": name, "arguments": arguments}}]}}]},
            {"choices": [{"delta": {}, "finish_reason": "tool_calls"}]},
        )
    ) + "data: [DONE]\n\n"  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "name", "says"),
    [
        ('{"path": "a.txt"', "read", "not valid JSON"),
        ("[1]", "read", "one JSON object"),
        ("nonsense", "read", "not valid JSON"),
        ("", "read", "read needs path"),
        ('{"path": 7}', "read", "path must be of type string"),
        ('{"file": "a"}', "read", "no argument 'file'"),
        ('{"path": "a", "line": "many"}', "read", "line must be of type integer"),
        ("{}", "fly_to_the_moon", "there is no tool 'fly_to_the_moon'; the tools are: read, write"),
        ('{"path": "\\u0000"}', "read", "no path"),
        ('{"path": "\\ud800"}', "read", "not UTF-8"),
    ],
)
def test_a_wrong_call_is_told_to_the_model(tmp_path: Path, arguments: str, name: str, says: str) -> None:
    solo = Solo(tmp_path, "http://127.0.0.1:9", tries=0)
    raw = Raw(http(call(arguments, name)), http(events(END)))
    turn(solo, raw)
    messages = solo.agent.conversation.messages
    assert [m.role for m in messages[2:]] == ["assistant", "tool", "assistant"], solo.screen.lines
    assert messages[3].results[0].error and says in messages[3].results[0].content
    assert says in json.dumps(json.loads(raw.requests[1]), ensure_ascii=False).replace('\\\\"', '"')


def test_an_endless_text_is_cut_and_kept(tmp_path: Path) -> None:
    piece = 'data: {"choices": [{"index": 0, "delta": {"content": "' + "la " * 100 + '"}}]}\n\n'
    solo = Solo(tmp_path, "http://127.0.0.1:9", limits=Limits(tokens=100, silence_s=20.0))
    turn(solo, Raw(http(piece * 10_000)))
    said = solo.agent.conversation.messages[-1]
    assert said.role == "assistant" and 800 < len(said.text) < 5000
    assert any("endless" in text for kind, text in solo.screen.lines if kind == "warn")


def test_endless_arguments_are_cut_and_not_called(tmp_path: Path) -> None:
    piece = (
        'data: {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "id": "c", "function": '
        '{"name": "write", "arguments": "' + "x" * 300 + '"}}]}}]}\n\n'
    )
    solo = Solo(tmp_path, "http://127.0.0.1:9", limits=Limits(tokens=100, silence_s=20.0))
    turn(solo, Raw(http(piece * 10_000)))
    assert not solo.agent.conversation.messages[-1].calls


USAGES = [-5, "many", None, 10**18, 1.5, [], {"a": 1}, True]


@pytest.mark.parametrize("wrong", USAGES, ids=map(str, USAGES))
def test_wrong_usage_counts_nothing_and_ends_nothing(tmp_path: Path, wrong: object) -> None:
    body = events(END).replace('"prompt_tokens": 200', f'"prompt_tokens": {json.dumps(wrong)}')
    solo = Solo(tmp_path, "http://127.0.0.1:9", tries=0, budget=1000)
    turn(solo, Raw(http(body)))
    assert solo.agent.conversation.messages[-1].text == "All is done.", solo.screen.lines
    assert 0 < solo.agent.conversation.context() < 10_000


def test_ids_that_servers_use_twice_are_made_different(tmp_path: Path) -> None:
    same = http(call('{"path": "a.txt"}'))
    solo = Solo(tmp_path, "http://127.0.0.1:9")
    turn(solo, Raw(same, same, http(events(END))))
    ids = [call.id for message in solo.agent.conversation.messages for call in message.calls]
    assert len(ids) == len(set(ids)) == 2
