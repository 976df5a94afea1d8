"""`python -m openclaw.local`: what the window of a sub-agent runs. Its words stand in agents.yaml."""

from __future__ import annotations

import argparse
import sys
import warnings

from openclaw.errors import OpenclawError


def main() -> int:
    parser = argparse.ArgumentParser(prog="openclaw.local", description=__doc__)
    parser.add_argument("--model", help="endpoint/model, such as ollama/qwen2.5:7b")
    parser.add_argument("--conversation", help="the id of a new conversation")
    parser.add_argument("--resume", help="the id of one to go on with")
    parser.add_argument("--tools", help="only these, with commas between")
    parser.add_argument("--system-prompt", help="instead of its own")
    parser.add_argument("--append-system-prompt", help="after its own")
    parser.add_argument("prompt", nargs="?")
    given = parser.parse_args()
    sys.stdout.write("starting …\r" if sys.stdout.isatty() else "")
    sys.stdout.flush()
    try:
        warnings.simplefilter("ignore")  # nothing but the window writes into the terminal
        from openclaw.local import program  # seconds: a mistake in the words is told before

        return program.run(given)
    except OpenclawError as error:
        sys.stderr.write(f"{error.message}\n" + (f"{error.hint}\n" if error.hint else ""))
        return error.exit_status


if __name__ == "__main__":
    sys.exit(main())
