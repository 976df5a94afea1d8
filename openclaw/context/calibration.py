"""What an estimate is worth for a model, learned from what its API reported. Pure.

A call's real input is an offset (system prompt and tools, which no history shows), a factor times the estimate of its
messages, and something for each tool call among them. Factor and calls are the model's, the offset is the
conversation's. They are fitted to how much more each call sent than the one before it, by least absolute errors: a
picture, a rule that was put in unseen, or one wrong figure does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from openclaw.context.tokens import family_factor

LEAST, MOST = 0.5, 3.0  # a factor beyond these was learned from something else
DEAREST = 400.0  # tokens of a tool call beside its text: likewise
CLAUDE_CALL = 80.0  # of Claude's 4.x, on public transcripts: 70 to 100 for a call and its result
PRIOR = 2  # calls that what was assumed before counts for
ENOUGH = 10  # calls from which a model needs no help of its relatives
ROUNDS, NEAR = 30, 5.0  # of the fit; tokens below which an error is none
SAMPLES = 2_000  # calls of one conversation that are fitted: more say nothing new


class Sample(NamedTuple):
    """One model call: the estimate of its messages, the tool calls among them, and what the API counted."""

    estimate: int
    calls: int
    real: int


class Calibration(NamedTuple):
    """From estimated to real tokens. `seen` are the calls it was learned from, 0 when it is only assumed."""

    factor: float = 1.0
    call: float = 0.0
    offset: float = 0.0
    seen: int = 0

    def tokens(self, estimate: int, calls: int = 0) -> int:
        """What the API would count for messages of so many estimated tokens, with so many tool calls among them."""
        return round(self.offset + self.factor * estimate + self.call * calls)


class Known(NamedTuple):
    """What was learned from one conversation with a model."""

    model: str
    found: Calibration


def assumed(model: str | None) -> Calibration:
    """What is taken for a model of which nothing was seen: the figures of its family."""
    factor = family_factor(model)
    return Calibration(factor, CLAUDE_CALL if factor > 1 else 0.0)


def learn(runs: Sequence[Sequence[Sample]], before: Calibration) -> Calibration | None:
    """What one conversation teaches; None if it can't be true. `runs` are its calls, in their order, cut where it was
    compacted or the model was another; `before` is what is assumed, and holds as far as there is nothing to see."""
    calls = [sample for run in runs for sample in run][:SAMPLES]
    if not calls:
        return None
    steps = [_step(a, b) for run in runs for a, b in pairwise(run)]
    steps = [step for step in steps[:SAMPLES] if step.estimate > 0 and step.real > 0]
    factor, call = _fitted(steps, before.factor, before.call)
    if not (LEAST <= factor <= MOST and call <= DEAREST):
        return None
    call, first = max(call, 0.0), calls[0]
    offset = max(first.real - factor * first.estimate - call * first.calls, 0.0)
    return Calibration(factor, call, offset, len(steps))


def carried_on(own: Sequence[Sample], known: Calibration) -> Calibration:
    """For the next calls of a conversation: what is known of the model, with the offset of its own calls."""
    if not own:
        return known
    found = learn([own], known) or known
    offset = _middle([(each.real - found.factor * each.estimate - found.call * each.calls, 1) for each in own])
    return found._replace(offset=max(offset, 0.0))


def of_model(model: str | None, known: Iterable[Known]) -> Calibration:
    """What is known of a model: from its own conversations, and where they are few from those of its relatives, the
    nearest first."""
    near = sorted((kinship(model or "", each.model), each.found) for each in known)
    chosen: list[Calibration] = []
    level = -1
    for distance, found in near:
        if distance == FAR or (distance != level and sum(each.seen for each in chosen) >= ENOUGH):
            break
        chosen, level = [*chosen, found], distance
    if not chosen:
        return assumed(model)
    seen, offset = sum(each.seen for each in chosen), _middle([(each.offset, 1) for each in chosen])
    if not seen:
        return assumed(model)._replace(offset=offset)
    factor, call = (_middle([(each[at], each.seen) for each in chosen]) for at in (0, 1))
    return Calibration(factor, call, offset, seen)


# --- relatives

FAR = 4
_VERSION = re.compile(r"-?\d{8}$|\[[^\]]*\]$|@.*$")  # the date of a snapshot, [1m], @latest


def kinship(one: str, other: str) -> int:
    """0 the same model, 1 another version of it, 2 one name says less, 3 of the same maker, FAR no relatives."""
    one, other = plain(one), plain(other)
    if one == other:
        return 0
    a, b = _words(one), _words(other)
    if not a or not b:
        return FAR
    if set(a) == set(b):
        return 1
    if set(a) <= set(b) or set(b) <= set(a):
        return 2
    return 3 if a[0] == b[0] else FAR


def plain(model: str) -> str:
    """A model's name without its provider and the date of its snapshot."""
    return _VERSION.sub("", model.lower().rsplit("/", 1)[-1])


def _words(name: str) -> list[str]:
    words = re.findall(r"[a-z]{2,}", name)
    return ["claude", *words] if words and words[0] in ("opus", "sonnet", "haiku") else words


# --- fitting


def _step(a: Sample, b: Sample) -> Sample:
    return Sample(b.estimate - a.estimate, b.calls - a.calls, b.real - a.real)


def _fitted(steps: Sequence[Sample], factor: float, call: float) -> tuple[float, float]:
    """(factor, call) with the least absolute errors, by least squares that are weighted anew; among the steps are some
    that are as the given figures say."""
    if not steps:
        return factor, call
    rows: list[tuple[float, float, float]] = list(steps)
    text, tools = (sum(each[at] for each in steps) / len(steps) for at in (0, 1))
    rows += PRIOR * [(text, 0.0, factor * text), (0.0, tools, call * tools)]
    for _ in range(ROUNDS):
        ee = ec = cc = er = cr = 0.0
        for estimate, calls, real in rows:
            weight = 1 / max(abs(real - factor * estimate - call * calls), NEAR)
            ee += weight * estimate * estimate
            ec += weight * estimate * calls
            cc += weight * calls * calls
            er += weight * estimate * real
            cr += weight * calls * real
        if whole := ee * cc - ec * ec:
            factor, call = (er * cc - cr * ec) / whole, (cr * ee - er * ec) / whole
        else:
            factor = er / ee  # no calls of tools
    return factor, call


def _middle(weighted: Sequence[tuple[float, int]]) -> float:
    """The weighted median."""
    ordered, total = sorted(weighted), sum(weight for _, weight in weighted)
    upto = 0
    for value, weight in ordered:
        upto += weight
        if 2 * upto >= total:
            return value
    return ordered[-1][0]
