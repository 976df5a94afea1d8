"""The work of the demo's sub-agents: a review and a module index of a Python package, as markdown on standard output.

demo_work.py review FOLDER    modules and functions by length, and what is public without a docstring
demo_work.py index FOLDER     one line for each module, from its docstring
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Module(NamedTuple):
    """One parsed file."""

    path: str
    lines: int
    tree: ast.Module


def modules(folder: Path) -> list[Module]:
    """Its Python files parsed, without the empty ones."""
    texts = {str(path): path.read_text() for path in sorted(folder.rglob("*.py"))}
    return [Module(path, text.count("\n"), ast.parse(text)) for path, text in texts.items() if text.strip()]


def functions(module: Module) -> Iterator[tuple[int, str, bool]]:
    """Length in lines, `path:line name`, and whether it is public and lacks a docstring."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            bare = not node.name.startswith("_") and ast.get_docstring(node) is None
            yield (node.end_lineno or node.lineno) - node.lineno + 1, f"{module.path}:{node.lineno} {node.name}", bare


def review(found: list[Module]) -> Iterator[str]:
    """What a reviewer would look at first."""
    every = [entry for module in found for entry in functions(module)]
    yield f"# Review: {len(found)} modules, {sum(m.lines for m in found)} lines, {len(every)} functions\n"
    yield "Longest modules:"
    yield from (f"- {m.lines:4} lines  {m.path}" for m in sorted(found, key=lambda m: -m.lines)[:3])
    yield "\nLongest functions:"
    yield from (f"- {length:4} lines  {where}" for length, where, _ in sorted(every, reverse=True)[:3])
    yield f"\nPublic functions without a docstring: {sum(bare for *_, bare in every)}"


def index(found: list[Module]) -> Iterator[str]:
    """The table of modules."""
    yield "| module | lines | what it is |\n|---|---|---|"
    for module in found:
        first = (ast.get_docstring(module.tree) or "-").splitlines()[0].replace("|", "\\|")
        yield f"| `{module.path}` | {module.lines} | {first} |"


if __name__ == "__main__":
    print("\n".join({"review": review, "index": index}[sys.argv[1]](modules(Path(sys.argv[2])))))
