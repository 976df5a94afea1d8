"""What can pass is waited for; what can't is said; another model takes over where one is named."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from openclaw.context.history import Message, Text
from openclaw.errors import Unavailable
from tests.local.solo import Raw, Solo, events, http
from tests.loopback.api import Reply, Tool, Usage

DONE = http(events(Reply("Done.", usage=Usage(100, 0, 0, 5))))


def error(status: str, message: str, headers: str = "") -> bytes:
    return http(json.dumps({"error": {"message": message}}), status, "application/json", headers)


def turn(folder: Path, *answers: bytes, **more: Any) -> Solo:
    async def run() -> Solo:
        async with Raw(*answers) as raw:
            solo = Solo(folder, raw.url, **more)
            await solo.agent.turn("go")
            solo.close()
            return solo

    return asyncio.run(run())


@pytest.mark.parametrize(
    "status", ["429 Too Many Requests", "500 Oops", "502 Bad Gateway", "503 Busy", "529 Overloaded"]
)
def test_a_busy_server_is_asked_again_with_growing_waits(tmp_path: Path, status: str) -> None:
    busy = error(status, "not now")
    solo = turn(tmp_path, busy, busy, busy, DONE)
    assert solo.agent.conversation.last_text == "Done."
    assert solo.slept == [1.0, 2.0, 4.0]
    code = status.split()[0]
    assert f"HTTP {code}: not now; again in 2 s (2 of 3)" in solo.screen.doing


def test_retry_after_is_honoured_and_bounded(tmp_path: Path) -> None:
    solo = turn(tmp_path, error("429 Too Many", "slow", "Retry-After: 17\r\n"), DONE)
    assert solo.slept == [17.0] and solo.agent.conversation.last_text == "Done."
    (tmp_path / "b").mkdir()
    solo = turn(tmp_path / "b", error("429 Too Many", "tomorrow", "Retry-After: 40000\r\n"))
    assert solo.slept == [] and solo.reports[-1][1]["error"] == "ollama/test: HTTP 429: tomorrow"


def test_it_gives_up_in_the_end_and_says_so(tmp_path: Path) -> None:
    solo = turn(tmp_path, error("503 Busy", "not now"))
    assert solo.slept == [1.0, 2.0, 4.0]
    assert solo.reports[-1] == ("StopFailure", {"error": "ollama/test: HTTP 503: not now (tried 4 times)"})


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "400 Bad Request"])
def test_what_can_not_pass_is_said_at_once(tmp_path: Path, status: str) -> None:
    solo = turn(tmp_path, error(status, "no such model"))
    assert solo.slept == [] and solo.screen.lines[-1] == ("error", f"ollama/test: HTTP {status[:3]}: no such model")


def test_nobody_there_is_said_clearly(tmp_path: Path) -> None:
    async def run() -> Solo:
        async with Raw(DONE) as raw:
            url = raw.url
        solo = Solo(tmp_path, url, tries=1)
        await solo.agent.turn("go")
        solo.close()
        return solo

    [event, data] = asyncio.run(run()).reports[-1]
    assert event == "StopFailure" and "ollama/test: " in data["error"] and "tried 2 times" in data["error"]
    assert "onnect" in data["error"]


def test_the_other_model_takes_over(tmp_path: Path) -> None:
    async def run() -> Solo:
        async with Raw(error("503 Busy", "not now")) as bad, Raw(DONE) as good:
            solo = Solo(tmp_path, bad.url)
            other = solo.agent.target._replace(endpoint="groq", model="llama", url=good.url)
            solo.agent._others = lambda: [(other.name, other)]
            await solo.agent.turn("go")
            assert json.loads(good.requests[0])["model"] == "llama"
            solo.close()
            return solo

    solo = asyncio.run(run())
    assert solo.agent.conversation.last_text == "Done." and solo.agent.conversation.model == "groq/llama"
    assert ("warn", "ollama/test: HTTP 503: not now (tried 4 times); going on with groq/llama") in solo.screen.lines


def test_an_other_model_that_can_not_be_used_is_said(tmp_path: Path) -> None:
    missing = Unavailable("groq needs a key", "set GROQ_API_KEY in your environment")
    solo = turn(tmp_path, error("401 Unauthorized", "no"), others=lambda: [("groq/llama", missing)])
    assert (
        solo.reports[-1][1]["error"] == "ollama/test: HTTP 401: no; nor can the other model be used: groq needs a key"
    )


def test_one_whose_window_is_too_small_is_passed_over(tmp_path: Path) -> None:
    async def run() -> Solo:
        async with Raw(error("503 Busy", "not now")) as bad, Raw(DONE) as small, Raw(DONE) as good:
            solo = Solo(tmp_path, bad.url, tries=0)
            first = solo.agent.target
            others = [first._replace(endpoint="one", model="s", url=small.url, window=20_000),
                      first._replace(endpoint="two", model="l", url=good.url, window=200_000)]  # fmt: skip
            solo.agent._others = lambda: [(other.name, other) for other in others]
            await solo.agent.turn("go on. " * 12_000)
            assert not small.requests and len(good.requests) == 1
            solo.close()
            return solo

    solo = asyncio.run(run())
    assert solo.agent.conversation.last_text == "Done." and solo.agent.conversation.model == "two/l"
    [line] = [text for _, text in solo.screen.lines if text.startswith("not with one/s: ")]
    assert "its window of 20,000 tokens is too small for the " in line
    [hop] = [data for event, data in solo.reports if event == "ModelFallback"]
    assert (hop["source"], hop["model"]) == ("ollama/test", "two/l") and "not now" in hop["reason"]


def test_where_all_others_are_too_small_it_is_compacted_for_the_first(tmp_path: Path) -> None:
    async def run() -> Solo:
        async with Raw(DONE) as raw:
            solo = Solo(tmp_path, raw.url, tries=0)
            for n in range(12):
                solo.agent.conversation.user(f"What of part {n}?")
                said = Message("assistant", (Text("It is done, and this is how. " * 200),))
                solo.agent.conversation.add(said, model="ollama/test", cost_usd=0.0)
            async with Raw(error("503 Busy", "not now")) as bad:
                first = solo.agent.target
                solo.agent.use(first._replace(endpoint="bad", url=bad.url))
                other = first._replace(endpoint="one", model="s", window=16_000)
                solo.agent._others = lambda: [(other.name, other)]
                await solo.agent.turn("and now")
            solo.close()
            return solo

    solo = asyncio.run(run())
    assert solo.agent.conversation.last_text == "Done." and solo.agent.conversation.model == "one/s"
    assert any(text.startswith("compacted, for ") for _, text in solo.screen.lines)


def test_a_silent_server_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    from openclaw.local.wire import Limits

    async def run() -> Solo:
        hung = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(DONE[:200])
            await hung.wait()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        solo = Solo(tmp_path, url, tries=0, limits=Limits(silence_s=0.3))
        await solo.agent.turn("go")
        hung.set()
        server.close()
        solo.close()
        return solo

    assert "nothing came for 0.3 s" in asyncio.run(run()).reports[-1][1]["error"]


def test_a_person_interrupts_and_the_conversation_stays_whole(tmp_path: Path) -> None:
    slow = events(Reply("Now.", (Tool("run", {"command": "sleep 300"}), Tool("list", {}))))

    async def run() -> Solo:
        async with Raw(http(slow), DONE) as raw:
            solo = Solo(tmp_path, raw.url)
            task = asyncio.create_task(solo.agent.turn("go"))
            while not solo.agent.conversation.started:
                await asyncio.sleep(0.01)  # between two looks
            solo.agent.interrupted = True
            task.cancel()
            await task
            assert solo.reports[-1] == ("Interrupt", {})
            assert not solo.agent.conversation.open_calls
            await solo.agent.turn("and on")
            solo.close()
            return solo

    assert asyncio.run(run()).agent.conversation.last_text == "Done."


def test_a_model_that_calls_tools_for_ever_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("openclaw.local.agent.STEPS", 5)
    solo = turn(tmp_path, http(events(Reply("", (Tool("list", {}),)))))
    assert "stopped after 5 model calls" in solo.reports[-1][1]["error"]
