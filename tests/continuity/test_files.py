"""A file that is replaced is the old one or the new one, at whatever line its writer dies."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

DIES = """
import os, signal, sys
from openclaw.continuity import files
setattr(os, sys.argv[1], lambda *_: os.kill(os.getpid(), signal.SIGKILL))
{call}
"""


@pytest.mark.parametrize(
    "call", ["files.write(sys.argv[2], 'new')", "files.edit(sys.argv[2], lambda old: old + 'new')"]
)
@pytest.mark.parametrize("line", ["open", "fsync", "replace"])
def test_its_writer_dies_at(tmp_path: Path, call: str, line: str) -> None:
    path = tmp_path / "file.md"
    path.write_text("old")
    done = subprocess.run([sys.executable, "-c", DIES.format(call=call), line, path], check=False)
    assert done.returncode == -signal.SIGKILL and path.read_text() == "old"
    subprocess.run([sys.executable, "-c", DIES.format(call=call), "getlogin", path], check=True)
    assert path.read_text() in ("new", "oldnew")
