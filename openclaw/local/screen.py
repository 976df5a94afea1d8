"""What the loop needs of whatever shows its work."""

from __future__ import annotations

from typing import Protocol


class Screen(Protocol):
    """What a person sees of the work."""

    def text(self, more: str) -> None:
        """The answer as it comes."""

    def text_end(self) -> None:
        """The answer is whole, or broke off."""

    def line(self, text: str, kind: str = "note") -> None:
        """Lines of our own: note, prompt, call, warn or error."""

    def status(self, doing: str) -> None:
        """What is being done now; empty for nothing."""
