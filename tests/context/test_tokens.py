"""Token counts: the estimate is near, exact counts need nothing but a verified file, and nothing is ever fetched."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from openclaw.context import tokens
from openclaw.context.tokens import Counter, estimate, family_factor

ROOT = Path(__file__).parents[2]
CODE = (ROOT / "openclaw" / "settings.py").read_text()
PROSE = (
    "The committee met again on Tuesday to consider whether the bridge should be repaired or replaced. Nobody disputed "
    "that the northern pier had settled; the question was how quickly, and who would pay for the measurements. "
) * 20
DATA = json.dumps([{"id": i, "name": f"item {i}", "price": i * 1.25, "tags": ["new", "sale"], "ok": i % 2 == 0}
                   for i in range(60)], indent=2)  # fmt: skip


# What o200k_base counts for these, so that the test needs no rank file: (text, tokens).
KNOWN = [(PROSE, 801), (DATA, 3002), ("你好世界" * 100, 200), ("😀" * 100, 100), ("naïve café, déjà vu. " * 20, 142)]


@pytest.mark.parametrize(("text", "true"), KNOWN[:2])
def test_the_estimate_is_within_fifteen_percent(text: str, true: int) -> None:
    assert abs(estimate(text) / true - 1) < 0.15


@pytest.mark.parametrize(("text", "true"), KNOWN[2:])
def test_other_scripts_are_of_the_right_order(text: str, true: int) -> None:
    assert 0.4 < estimate(text) / true < 2.6


@given(st.text())
def test_any_text_has_an_estimate(text: str) -> None:
    assert (estimate(text) > 0) == bool(text)


def test_lone_surrogates_and_runs() -> None:
    assert estimate("\ud800") == 1
    for char in " \ta(1\n-é你😀\0":
        assert 0 < estimate(char * 100_000) < 300_000


def test_family_factor() -> None:
    assert family_factor(None) == family_factor("gpt-5") == 1.0
    assert family_factor("claude-opus-4-1") == family_factor("claude") == 1.18
    assert family_factor("claude-3-5-haiku") == 1.27
    assert family_factor("anthropic/claude-sonnet-4") == 1.14


def counting(text: str) -> int:
    return len(text)


def fake(environ: Mapping[str, str]) -> tokens.Encoder:
    del environ
    return counting


def test_exact_only_when_asked_or_near(tmp_path: Path) -> None:
    calls = []

    def loader(environ: Mapping[str, str]) -> tokens.Encoder:
        calls.append(environ)
        return counting

    counter = Counter(str(tmp_path), {}, loader)
    guess = estimate(PROSE)
    assert counter.count(PROSE) == (guess, False)
    assert counter.count(PROSE, near=guess * 3) == (guess, False) and not calls
    assert counter.count(PROSE, near=int(guess * 1.2)) == (len(PROSE), True)
    assert counter.count(PROSE, exact=True) == (len(PROSE), True)
    assert counter.count(PROSE, exact=True, model="claude-haiku") == (round(len(PROSE) * 1.27), False)
    assert len(calls) == 1


def test_counts_are_remembered_by_content(tmp_path: Path) -> None:
    assert Counter(str(tmp_path), {}, fake).count("abc", exact=True) == (3, True)
    forgetful = Counter(str(tmp_path), {}, lambda environ: None)
    assert forgetful.count("abc", exact=True) == (3, True)
    assert forgetful.count("abcd", exact=True) == (estimate("abcd"), False)


def test_an_unfinished_line_is_passed_over(tmp_path: Path) -> None:
    Counter(str(tmp_path), {}, fake).count("abc", exact=True)
    file = tmp_path / "tokens" / "o200k_base"
    whole = file.read_bytes()
    key = hashlib.sha256(b"abcd").hexdigest()[:32]
    for cut in range(len(f"4 {key}")):
        file.write_bytes(whole + f"\n4 {key}"[: cut + 1].encode())
        assert Counter(str(tmp_path), {}, lambda environ: None).count("abcd", exact=True).exact is False
        Counter(str(tmp_path), {}, fake).count("abcde", exact=True)  # a later writer is not swallowed by it
        assert Counter(str(tmp_path), {}, lambda environ: None).count("abcde", exact=True) == (5, True)
    file.write_bytes(b"\xff\xfe\0garbage")
    assert Counter(str(tmp_path), {}, fake).count("abc", exact=True) == (3, True)


def writer(folder: str, mark: int) -> None:
    counter = Counter(folder, {}, fake)
    for i in range(200):
        counter.count("x" * (mark * 1000 + i), exact=True)


def test_writers_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=writer, args=(str(tmp_path), mark)) for mark in range(1, 5)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    reader = Counter(str(tmp_path), {}, lambda environ: None)
    for size in (mark * 1000 + i for mark in range(1, 5) for i in range(200)):
        assert reader.count("x" * size, exact=True) == (size, True)


def test_a_full_cache_starts_anew(tmp_path: Path) -> None:
    file = tmp_path / "tokens" / "o200k_base"
    file.parent.mkdir()
    file.write_bytes(b"x" * (tokens.CACHE_BYTES + 1))
    Counter(str(tmp_path), {}, fake).count("abc", exact=True)
    assert file.stat().st_size < 100


def test_a_cache_that_cannot_be_written_is_no_error() -> None:
    assert Counter("/proc/nowhere", {}, fake).count("abc", exact=True) == (3, True)


# --- the rank file


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object) -> None:
        raise AssertionError(f"the network was asked for: {args}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("content", [None, b"", b"IQ== 0\n", b"x" * tokens.RANKS_BYTES])
def test_no_ranks_or_corrupt_ones_give_an_estimate_and_stay(content: bytes | None, tmp_path: Path) -> None:
    environ = {"TIKTOKEN_CACHE_DIR": str(tmp_path)}
    path = Path(tokens.ranks_file(environ))
    if content is not None:
        path.write_bytes(content)
    counter = Counter(str(tmp_path / "cache"), environ)
    assert counter.count("some text", exact=True) == (estimate("some text"), False)
    assert (path.read_bytes() if path.exists() else None) == content
    assert "\n" not in tokens.why_estimate(environ) and "estimates" in tokens.why_estimate(environ)


@pytest.mark.usefixtures("offline")
def test_a_pipe_in_the_place_of_the_ranks_does_not_hang(tmp_path: Path) -> None:
    environ = {"TIKTOKEN_CACHE_DIR": str(tmp_path)}
    os.mkfifo(tokens.ranks_file(environ))
    assert tokens.load_encoder(environ) is None


def test_where_the_ranks_are_looked_for() -> None:
    name = "fb374d419588a4632f3f557e76b4b70aebbca790"
    assert tokens.ranks_file({"TIKTOKEN_CACHE_DIR": "/a", "DATA_GYM_CACHE_DIR": "/b"}) == f"/a/{name}"
    assert tokens.ranks_file({"DATA_GYM_CACHE_DIR": "/b"}) == f"/b/{name}"
    assert tokens.ranks_file({}) == f"/tmp/data-gym-cache/{name}"
    assert tokens.ranks_file({"TIKTOKEN_CACHE_DIR": ""}) == ""
    assert tokens.load_encoder({"TIKTOKEN_CACHE_DIR": ""}) is None


@pytest.mark.usefixtures("offline")
def test_exact_with_the_real_ranks(tmp_path: Path) -> None:
    pytest.importorskip("tiktoken")
    if tokens.read_ranks(os.environ) is None:
        pytest.skip(tokens.why_estimate())
    shutil.copy(tokens.ranks_file(os.environ), tmp_path)
    counter = Counter(str(tmp_path / "cache"), {"TIKTOKEN_CACHE_DIR": str(tmp_path)})
    for text, true in KNOWN:
        assert counter.count(text, exact=True) == (true, True)
    assert abs(estimate(CODE) / counter.count(CODE, exact=True).tokens - 1) < 0.15
    assert counter.count("<|endoftext|>", exact=True).tokens > 1  # text, never a special token


def test_a_count_by_the_ranks_of_the_model_itself_is_not_changed_by_what_was_learned(tmp_path: Path) -> None:
    counter = Counter(str(tmp_path), {}, lambda environ: len, lambda model: 1.5)
    assert counter.count("abcd", model="gpt-5.1-codex", exact=True) == (4, True)
    assert counter.count("abcd", model="openai/o3", exact=True) == (4, True)
    assert counter.count("abcd", model="claude-opus-4-6", exact=True) == (6, False)
