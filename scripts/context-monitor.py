#!/usr/bin/env python3
"""One look at the context of every agent, for cron jobs and heartbeats: `openclaw monitor --once`, with its options.

Snapshots, warnings and compactions happen as in the monitor that runs all the time; if one runs, this only looks.
Exit status: 0 all is well or being taken care of, 6 when something needs a person, others as `openclaw --help` says.
"""

from __future__ import annotations

import os
import shutil
import sys

found = shutil.which("openclaw", path=os.path.dirname(os.path.abspath(sys.executable))) or shutil.which("openclaw")
if not found:
    sys.exit("context-monitor: openclaw is not on the PATH: install it, or call this with the Python that has it")
os.execv(found, [found, "monitor", "--once", *sys.argv[1:]])
