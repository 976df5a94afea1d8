"""tokens: what files would cost."""

from __future__ import annotations

from argparse import ArgumentParser

from openclaw import render
from openclaw.cli.context import fleet as open_fleet
from openclaw.cli.context import json_argument
from openclaw.context.tokens import exact_factor, why_estimate
from openclaw.tasks.inject import read_all


def tokens_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("files", metavar="FILE", nargs="+", help="PATH, PATH:A-B or a glob")
    parser.add_argument("--model", metavar="M", help="as this model counts them, by what was learned of it")
    parser.add_argument("--exact", action="store_true", help="count with tiktoken, if its rank file is at hand")
    json_argument(parser)


def tokens(files: list[str], model: str | None, exact: bool, json: bool) -> int:
    """The same count that `spawn` uses: an estimate, marked ≈, or exact where it matters. What a model makes of it is
    learned from the calls in the ledger; `openclaw usage import` brings in what you have had without openclaw.
    """
    fleet = open_fleet()
    settings = fleet.settings
    factor, source = 1.0, ""
    if model:
        from openclaw.usage import calibrations  # as is the store, only where a model is named

        calibrations.refresh(fleet.store)
        found = calibrations.known(fleet.store, model)
        factor, source = found.factor, calibrations.told(model, found, fleet.store)
    found_files = read_all(files, settings.cwd, settings, fleet.counter(), exact=exact, model=model)
    total = sum(f.tokens for f in found_files)
    counted = exact and not why_estimate(settings.environ)
    factor = exact_factor(model, factor) if counted else factor
    if json:
        rows = [{"path": f.path, "tokens": f.tokens, "bytes": f.bytes, "sha256": f.sha256} for f in found_files]
        how = {"model": model, "factor": round(factor, 3), "source": source} if model else {}
        render.document({"files": rows, "tokens": total, "exact": counted and factor == 1.0, **how})
        return 0
    if exact and not counted:
        render.warn(why_estimate(settings.environ))
    render.table(
        ("FILE", "TOKENS", "BYTES"),
        [
            *((f.path, f"{f.tokens}", f"{f.bytes}") for f in found_files),
            ("total", f"{'' if counted else '≈'}{total}", f"{sum(f.bytes for f in found_files)}"),
        ],
        right=("TOKENS", "BYTES"),
    )
    if model:
        render.out(f"\nfor {render.clean(model)} {factor:.2f} × the count, {source}")
    return 0
