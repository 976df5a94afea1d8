"""The one place where errors become exit statuses: one or two lines on stderr, or one JSON document with --json."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable

from openclaw import render
from openclaw.errors import BadInput, Interrupted, OpenclawError, Unavailable


def guarded(call: Callable[[], int], as_json: bool) -> int:
    """What `call` returns as the exit status, or that of the error that it raised."""
    try:
        status = call()
        sys.stdout.flush()
        return status
    except OpenclawError as error:
        return render.error(error, as_json)
    except KeyboardInterrupt:
        return render.error(Interrupted("interrupted"), as_json)
    except BrokenPipeError:
        return render.reader_left()
    except (sqlite3.Error, OSError) as error:
        status = render.error(_system(error), as_json)
        try:
            sys.stdout.flush()
        except OSError:
            render.reader_left()  # a full disk: what is left in the buffer must not fail once more at the exit
        return status


def _system(error: Exception) -> OpenclawError:
    try:
        os.getcwd()
    except OSError:
        return BadInput("the current folder is not there any more", "change to another")
    where = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return Unavailable(where, "`openclaw doctor` checks the disk, the state folder and the database", code="system")
