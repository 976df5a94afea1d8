"""Tokens as the API counts them, learned from what it reported."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import median

from hypothesis import given
from hypothesis import strategies as st

from openclaw.context.calibration import Book, Calibration, learn
from openclaw.context.compact import tokens
from openclaw.context.forms import claude_code, files
from openclaw.context.tokens import estimate
from tests.context.data import documents


def calls(data: bytes) -> Iterator[tuple[int, int, int]]:
    """(which part between compactions, estimate of the messages of a call, what the API counted)."""
    part = total = 0
    for message in files.read(data).messages:
        if claude_code.is_summary(message):
            part, total = part + 1, 0
        if message.usage is not None and message.usage.context:
            yield part, total, message.usage.context
        total += tokens(message, estimate)


def test_factor_and_offset_are_found_in_spite_of_strays() -> None:
    pairs = [(n * 1000, 20_000 + n * 1300) for n in range(40)]
    pairs[7] = (7000, 500_000)
    found = learn([pairs])
    assert abs(found.factor - 1.3) < 0.01 and abs(found.offset - 20_000) < 300
    assert found.tokens(10_000) == round(found.offset + found.factor * 10_000)


def test_with_little_to_learn_from() -> None:
    assert learn([], default=1.18) == Calibration(0.0, 1.18, 0)
    assert learn([[(1000, 26_180)]], default=1.18).tokens(2000) == 25_000 + 2360
    own = learn([[(0, 10_000), (10_000, 25_000)]], own=[(100, 50_000)])
    assert own.factor == 1.5 and own.offset == 49_850


@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)), max_size=300))
def test_any_pairs_give_a_sane_calibration(pairs: list[tuple[int, int]]) -> None:
    book = Book()
    for estimated, real in pairs:
        book.add("m", "c", estimated, real)
    found = book.calibration("m", "c")
    assert 0.5 <= found.factor <= 3.0 and found.offset >= 0
    again = Book.from_json(json.loads(json.dumps(book.as_json())))
    assert again.calibration("m", "c") == found


def test_what_is_no_book_is_an_empty_one() -> None:
    assert Book.from_json([1]).as_json() == Book.from_json({"m": 3, "n": {"c": ["x", [1]]}}).as_json() == {}


def test_real_calls_are_foreseen_within_ten_percent() -> None:
    """Each call from those before it, as the ledger of usage has them."""
    errors = []
    for name, data in documents():
        if not name.endswith(".jsonl"):
            continue
        book = Book()
        for part, estimated, real in calls(data):
            if (known := book.calibration("claude", f"{part}")).pairs:
                errors.append(abs(known.tokens(estimated) - real) / real)
            book.add("claude", f"{part}", estimated, real)
    assert median(errors) < 0.10
