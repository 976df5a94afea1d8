"""tokens: what files would cost."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.context.tokens import Counter, why_estimate
from openclaw.tasks.inject import read_all


def tokens_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="PATH, PATH:A-B or a glob")
    parser.add_argument("--exact", action="store_true", help="count with tiktoken, if its rank file is at hand")
    json_argument(parser)


def tokens(files: list[str], exact: bool, json: bool) -> int:
    """The same count that `spawn` uses: an estimate, marked ≈, or exact where it matters."""
    fleet = open_fleet()
    settings = fleet.settings
    counter = Counter(fleet.cache_dir, settings.environ)
    found = read_all(files, settings.cwd, settings, counter, exact=exact)
    total = sum(f.tokens for f in found)
    if json:
        render.document(
            {
                "files": [{"path": f.path, "tokens": f.tokens, "bytes": f.bytes, "sha256": f.sha256} for f in found],
                "tokens": total,
                "exact": exact and not why_estimate(settings.environ),
            }
        )
        return 0
    mark = "" if exact and not why_estimate(settings.environ) else "≈"
    if exact and why_estimate(settings.environ):
        render.warn(why_estimate(settings.environ))
    render.table(
        ("FILE", "TOKENS", "BYTES"),
        [
            *((f.path, f"{f.tokens}", f"{f.bytes}") for f in found),
            ("total", f"{mark}{total}", f"{sum(f.bytes for f in found)}"),
        ],
        right=("TOKENS", "BYTES"),
    )
    return 0
