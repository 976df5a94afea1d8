"""Every form of conversation can be read in all the ways that are asked for."""

from __future__ import annotations

import pytest

from openclaw.usage import ledger


@pytest.mark.parametrize("reporter", sorted(ledger.READERS))
def test_a_reader_has_all_that_is_asked_of_it(reporter: str) -> None:
    asked = {name for name in vars(ledger.Reader) if not name.startswith("_")}
    assert asked and asked <= set(dir(ledger.reader(reporter)))
