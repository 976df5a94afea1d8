"""The public data to measure on, where it is at hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

BESIDE = Path(__file__).parents[2].parent / "shared" / "data"


def folder() -> Path:
    """The folder of the data; the test says "skipped: no data" without it."""
    found = Path(os.environ.get("OPENCLAW_BENCH_DATA") or BESIDE)
    if not found.is_dir():
        pytest.skip("skipped: no data")
    return found


def documents() -> list[tuple[str, bytes]]:
    """(name, bytes) of every conversation in the data."""
    import json

    root = folder()
    found = [(path.name, path.read_bytes()) for path in sorted(root.glob("claude_code/*.jsonl"))]
    found += [(path.name, path.read_bytes()) for path in sorted(root.glob("swe_agent/*.traj"))]
    for path in sorted(root.glob("tau_bench/*.json")):
        runs = json.loads(path.read_text())
        found += [(f"{path.stem}-{n}", json.dumps(run).encode()) for n, run in enumerate(runs)]
    return found
