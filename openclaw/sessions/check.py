"""One line of doctor's report."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """`level` is ok, warn or error; `hint` says what to do."""

    name: str
    level: str
    detail: str
    hint: str = ""
