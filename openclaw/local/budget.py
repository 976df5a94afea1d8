"""How much a conversation may hold: it warns at 80 %, is compacted at 90 %, halts at 100 %. Pure."""

from __future__ import annotations

from typing import NamedTuple

WARN, COMPACT, HALT = 0.8, 0.9, 1.0
TARGET = 0.5  # what a compaction aims at, of the limit that made it necessary


class Budget(NamedTuple):
    """Tokens of the conversation that are allowed; None for as many as its window holds."""

    limit: int | None

    def level(self, tokens: int) -> str:
        """ok, warn, compact or halt."""
        if not self.limit:
            return "ok"
        share = tokens / self.limit
        return "halt" if share >= HALT else "compact" if share >= COMPACT else "warn" if share >= WARN else "ok"

    def shown(self, tokens: int) -> str:
        return f"{tokens:,} of {self.limit:,} tokens" if self.limit else f"{tokens:,} tokens"


class Halted(Exception):
    """The budget is used up; the text says how to go on."""
