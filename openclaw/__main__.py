"""The composition root of the command line: decides how much to import before anything is parsed.

`--version`, and `ps` in the two forms that prompts, status bars and scripts poll, are answered without the option
parser; everything else goes through `cli/app.py`.
"""

from __future__ import annotations

import gc
import os
import sys

POLLED = {"--json", "--all", "-a"}


def main() -> None:
    """Entry point of `openclaw`; ends the process with the contract's exit status."""
    for stream in (0, 1, 2):  # one that was closed would be given to the next file that is opened
        try:
            os.fstat(stream)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(1, "w")  # noqa: SIM115  # for the whole life of the process
    sys.stderr = sys.stderr or open(2, "w")  # noqa: SIM115
    words = sys.argv[1:]
    if words in (["--version"], ["-V"]):
        from openclaw.version import VERSION

        sys.stdout.write(f"openclaw {VERSION}\n")
        return
    if words[:1] == ["ps"] and POLLED.issuperset(words[1:]):
        gc.disable()  # it lives for milliseconds
        from openclaw.cli.polled import ps

        sys.exit(ps(everything=bool({"--all", "-a"} & set(words)), as_json="--json" in words))
    from openclaw.cli.app import run

    sys.exit(run(words))


if __name__ == "__main__":
    main()
