"""`python -m openclaw.continuity.at_turn`: what the hook of a sub-agent with a budget starts as it uses it.

One look, and the next step about every budget that was passed: so budgets hold where no monitor runs. Contexts are left
to whoever has a monitor. Nobody waits for this process; where a monitor runs, it leaves all to that.
"""

from __future__ import annotations

import os
import sys
import time

from openclaw import places
from openclaw.continuity import watching
from openclaw.continuity.monitor import BUDGETS, Monitor
from openclaw.errors import OpenclawError
from openclaw.sessions.fleet import Fleet

PATIENCE_SECONDS = 5.0  # another look takes less; only a monitor takes longer
APART_SECONDS = 1.0  # between two looks, however many tools run


def main() -> None:
    """Look once, after others of its kind."""
    fleet, deadline = Fleet(), time.monotonic() + PATIENCE_SECONDS
    try:
        if not fleet.settings.get("budget.by_hooks"):
            return
        last = os.path.join(fleet.state_dir, "budget-look")
        while time.monotonic() < deadline:
            if time.time() - _changed(last) >= APART_SECONDS:
                with watching.alone(fleet) as other:
                    if not other:
                        _forget(os.path.join(fleet.state_dir, places.LOOK_WANTED))  # what comes now needs another
                        open(last, "w").close()
                        Monitor(fleet, BUDGETS).look()
                        return
            time.sleep(0.05)  # between two tries
    except OpenclawError as error:
        sys.stderr.write(f"budgets: {error.message}\n")


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return 0.0


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


if __name__ == "__main__":
    main()
