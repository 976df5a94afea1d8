"""What two sequences of items with gaps share. Exact, without an automaton, in at most the product of their lengths.

A gap holds any items or none. If both sequences have a gap, each can stretch past what the other has in its middle, so
only what stands before the first and after the last gap can clash. If one has none, its length is fixed, and the
other's pieces are laid onto it, each as far left as it goes: no later choice is lost by that, since the places don't
depend on each other.

`meet(x, y)` gives something that is both x and y, or None; `meet(x, x)` something that is x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

Common = TypeVar("Common")
Meet = Callable[[Any, Any], Common | None]


class Gap:
    """`*` among characters, `**` among segments."""

    __slots__ = ()


GAP = Gap()


def gapped(items: Iterable[object]) -> bool:
    """Whether there is a gap among the items."""
    return any(isinstance(item, Gap) for item in items)


def join(a: Sequence[Any], b: Sequence[Any], meet: Meet[Common], filler: Sequence[Common] = ()) -> list[Common] | None:
    """A sequence that both hold, or None. `filler` is put where both have a gap."""
    if not gapped(b):
        return fit(a, b, meet)
    if not gapped(a):
        return fit(b, a, meet)
    ours, theirs = _pieces(a), _pieces(b)
    head = _beside(ours[0], theirs[0], meet)
    tail = _beside(ours[-1][::-1], theirs[-1][::-1], meet)
    middle = [meet(item, item) for pieces in (ours, theirs) for piece in pieces[1:-1] for item in piece]
    return _all([*head, *middle, *filler, *reversed(tail)])


def fit(a: Sequence[Any], fixed: Sequence[Any], meet: Meet[Common]) -> list[Common] | None:
    """The same where `fixed` has no gap."""
    pieces = _pieces(a)
    needed = sum(map(len, pieces))
    if needed > len(fixed) or (len(pieces) == 1 and needed < len(fixed)):
        return None
    found = [meet(item, item) for item in fixed]

    def lay(piece: list[Any], start: int) -> bool:
        for at, item in enumerate(piece, start):
            if (common := meet(item, fixed[at])) is None:
                return False
            found[at] = common  # if the rest of the piece does not fit, still something that a gap and `fixed` hold
        return True

    end = len(fixed) - len(pieces[-1])
    if not lay(pieces[-1], end) or not lay(pieces[0], 0):
        return None
    at = len(pieces[0])
    for piece in pieces[1:-1]:
        laid = next((start for start in range(at, end - len(piece) + 1) if lay(piece, start)), None)
        if laid is None:
            return None
        at = laid + len(piece)
    return _all(found)


def _all(found: list[Common | None]) -> list[Common] | None:
    some = [item for item in found if item is not None]
    return some if len(some) == len(found) else None


def _pieces(items: Iterable[Any]) -> list[list[Any]]:
    """The items between the gaps: one list more than there are gaps."""
    pieces: list[list[Any]] = [[]]
    for item in items:
        if isinstance(item, Gap):
            pieces.append([])
        else:
            pieces[-1].append(item)
    return pieces


def _beside(a: list[Any], b: list[Any], meet: Meet[Common]) -> list[Common | None]:
    longer, shared = (a if len(a) > len(b) else b), min(len(a), len(b))
    return [*map(meet, a[:shared], b[:shared]), *(meet(item, item) for item in longer[shared:])]
