"""The README's tour, typed as shown, prints what it shows; only ids, folders, ages and your environment differ."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import Box

README = Path(__file__).parent.parent / "README.md"
# 1. ids, 2. the folder it was typed in, 3. how long something took, 4. whose environment it was
SAME = (
    (r"\b[2-9a-hjkmnp-z]{6}\b", "IDENT1"),
    (r"/(?:home/you/demo|tmp/oc-[^/]+/work)", "/DEMO"),
    (r"(?<=in )\d+s", "0s"),
    (r" +\d+s  ", "  0s  "),
    (r"sees of your environment: .*", "sees"),
)


def normal(text: str) -> list[str]:
    for pattern, put in SAME:
        text = re.sub(pattern, put, text)
    return text.rstrip().splitlines()


def test_the_tour_was_typed_as_shown(box: Box) -> None:
    tour = "\n".join(re.findall(r"```console\n(.*?)```", README.read_text(), re.S))
    steps = re.split(r"^\$ ", tour, flags=re.M)[1:]
    assert len(steps) == 9
    env = box.env | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{box.env['PATH']}"}
    for step in steps:
        command, _, shown = step.partition("\n")
        done = subprocess.run(
            ["bash", "-c", command], cwd=box.work, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=60, check=False,
        )  # fmt: skip
        assert normal(done.stdout) == normal(shown), command


def test_every_verb_is_in_the_help_and_explains_itself(box: Box) -> None:
    overview = box.cli("--help").stdout
    for panel in ("Agents", "Context", "Set-up"):
        assert f"\n{panel}:\n" in overview
    verbs = re.findall(r"^  ([a-z]+) {2,}\S", overview, re.M)
    assert len(verbs) >= 12
    for verb in verbs:
        assert box.cli(verb, "--help").stdout.startswith(f"usage: openclaw {verb}")


def test_a_verb_that_is_not_there(box: Box) -> None:
    assert "did you mean spawn?" in box.cli("spwan", exit=2).stderr
    assert "--nonsense" in box.cli("ps", "--nonsense", exit=2).stderr
    assert box.cli(exit=2).stdout.startswith("Usage: openclaw")
