"""What a compaction without a model keeps of what is needed afterwards, beside Claude Code's own; its time; counts.

The rule: of a transcript with a compaction, what the tool calls after it name and what occurred before it, paths by
their last two parts, is needed. Recall is the share of it that stands in the compacted text, size the text's o200k
tokens over those of what it replaces. The compactor sees only what was before.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from openclaw.context.calibration import Known, assumed, learn, of_model
from openclaw.context.compact import compact
from openclaw.context.forms import claude_code, files
from openclaw.context.history import Call, Message, Result, Text, orphans
from openclaw.context.ledger import reading
from openclaw.context.policy import Policy
from openclaw.context.tokens import estimate, load_encoder
from openclaw.usage import samples

BESIDE = Path(__file__).parents[2] / "shared" / "data"
PATH = re.compile(r"(?:[\w.-]+/)+[\w.-]+\.\w{1,5}")
IDENTIFIER = re.compile(
    r"\b[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+\b|\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\b|\b[0-9a-f]{7,40}\b"
)


class Kept(NamedTuple):
    """What a compacted text keeps: sizes in tokens, shares in percent."""

    text: int
    history: int
    paths: float
    identifiers: float


def data() -> Path | None:
    """The folder of the public data, if it is at hand."""
    found = Path(os.environ.get("OPENCLAW_BENCH_DATA") or BESIDE)
    return found if found.is_dir() else None


def counter() -> tuple[Callable[[str], int], str]:
    """(a count of o200k tokens, a mark if it is an estimate)."""
    exact = load_encoder(os.environ)
    return (exact, "") if exact else (estimate, "≈")


def recalls(folder: Path, count: Callable[[str], int]) -> Iterator[tuple[str, str, Kept]]:
    """(session, whose text, what it keeps) of each transcript with a compaction, ours first."""
    for path in sorted(folder.glob("claude_code/*.jsonl")):
        lines = [json.loads(row) for row in path.read_text().splitlines()]
        at = next((n for n, line in enumerate(lines) if line.get("isCompactSummary")), None)
        if at is None:
            continue
        before, after = claude_code.decode(lines[:at]).messages, claude_code.decode(lines[at + 1 :]).messages
        seen = "\n".join(words for message in before for words in _said(message))
        used = "\n".join(call.arguments for message in after for call in message.calls)
        # everything goes into the text here: what stays word for word beside it would recall too, and cost
        done = compact(before, Policy(keep_last=0), count=estimate)
        [ours] = [m.text for m in done.messages if reading.stands_for(m.text)]
        for whose, text in (("openclaw", ours), ("Claude Code", str(lines[at]["message"]["content"]))):
            shares = [_recall(kind(used), kind(seen), kind(text)) for kind in (_paths, _identifiers)]
            yield path.name[:8], whose, Kept(count(text), count(seen), *shares)


def _said(message: Message) -> Iterator[str]:
    for part in message.parts:
        match part:
            case Text(text):
                yield text
            case Call():
                yield part.arguments
            case Result(_, content):
                yield content


def _paths(text: str) -> set[str]:
    return {"/".join(path.split("/")[-2:]) for path in PATH.findall(text)}


def _identifiers(text: str) -> set[str]:
    return set(IDENTIFIER.findall(text))


def _recall(used: set[str], seen: set[str], kept: set[str]) -> float:
    needed = used & seen
    return 100 * len(needed & kept) / len(needed)


def orphaned(folder: Path) -> tuple[int, int]:
    """(results or calls without their pair after two compactions, histories) over all of the data."""
    found = histories = 0
    for messages in _histories(folder):
        once = compact(messages, Policy(keep_last=2), count=estimate).messages
        twice = compact([*once, *messages[-20:]], Policy(keep_last=2), count=estimate).messages
        histories += 1
        for history in (once, twice):
            unanswered, unasked = orphans(history)
            found += len(unanswered) + len(unasked)
    return found, histories


def _histories(folder: Path) -> Iterator[tuple[Message, ...]]:
    for path in (*folder.glob("claude_code/*.jsonl"), *folder.glob("swe_agent/*.traj")):
        yield files.read(path.read_bytes()).messages
    for path in folder.glob("tau_bench/*.json"):
        for run in json.loads(path.read_text()):
            yield files.read(json.dumps(run).encode()).messages


def foreseen(folder: Path) -> tuple[float, float, int]:
    """(median error of a call's tokens, that of a conversation's first call, calls), by what was learned of all other
    conversations only; for a later call also by what the first one sent."""
    taken = {path: samples.runs(str(path), "claude-hooks") for path in folder.glob("claude_code/*.jsonl")}
    learned = [(path, Known(model, found)) for path, by_model in taken.items() for model, runs in by_model.items()
               if (found := learn(runs, assumed(model)))]  # fmt: skip
    later, first = [], []
    for path, by_model in taken.items():
        for number, (model, runs) in enumerate(by_model.items()):
            known = of_model(model, [each for other, each in learned if other != path])
            if not number:
                first.append(_error(known.tokens(*runs[0][0][:2]), runs[0][0].real))
            for begin, *rest in runs:
                own = known._replace(offset=begin.real - known.tokens(*begin[:2]) + known.offset)
                later += [_error(own.tokens(*each[:2]), each.real) for each in rest]
    return median(later), median(first), len(later)


def _error(said: int, real: int) -> float:
    return abs(said / real - 1)


def work(size: int = 200_000) -> bytes:
    """A history of about so many tokens: this project's own files, read and edited again and again."""
    sources = sorted(Path(__file__).parents[1].glob("openclaw/**/*.py"))
    found: list[dict[str, Any]] = [{"role": "user", "content": "Go through the sources and mend what is wrong."}]
    total = number = 0
    while total < size:
        path = sources[number % len(sources)]
        text = path.read_text()
        found += _round(number, "Read", {"file_path": str(path)}, text)
        edit = {"file_path": str(path), "old_string": text[:200], "new_string": text[200:500]}
        found += _round(number, "Edit", edit, f"The file {path} has been updated.")
        number += 1
        total += estimate(text) + 200
    return json.dumps(found).encode()


def _round(number: int, name: str, given: dict[str, Any], result: str) -> list[dict[str, Any]]:
    id = f"{name}_{number}"
    call = {"id": id, "type": "function", "function": {"name": name, "arguments": json.dumps(given)}}
    said = f"Now {given['file_path']}."
    return [{"role": "assistant", "content": said, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": id, "content": result}]  # fmt: skip


def compacted(history: bytes) -> str:
    """The whole way: read, compact, write."""
    found = files.read(history)
    return json.dumps(files.listed(compact(found.messages, Policy(), count=estimate).messages, "openai"))
