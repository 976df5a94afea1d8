"""How long to wait for a server before it is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple


class Retry(NamedTuple):
    """`tries` after the first failed; the wait doubles from `first_s` to `most_s`, and no server is waited for longer
    than `patience_s`. `sleep` is passed in by tests."""

    tries: int = 8
    first_s: float = 1.0
    most_s: float = 60.0
    patience_s: float = 300.0
    sleep: Callable[[float], Any] = asyncio.sleep

    def wait(self, attempt: int, asked: float | None) -> float:
        own: float = min(self.most_s, self.first_s * 2**attempt)
        return max(asked or 0.0, own)
