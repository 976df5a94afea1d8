"""The exception tree. Each class knows its exit status (the contract's table) and its default code.

Raise the class that says what kind of failure it is; the door that caught it prints `message` and `hint`
and exits with `exit_status`. `code` is the machine-readable word in the JSON form.
"""

from __future__ import annotations


class OpenclawError(Exception):
    """What was asked failed. `message` says what and where, `hint` what to do about it."""

    exit_status = 1
    code = "failed"

    def __init__(self, message: str, hint: str = "", code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code:
            self.code = code

    def as_dict(self) -> dict[str, object]:
        """The JSON form: `{"error": {"code", "message", "hint"}}`."""
        return {"error": {"code": self.code, "message": self.message, "hint": self.hint}}


class BadInput(OpenclawError):
    """The words of the call, or a file it names, can't be understood."""

    exit_status = 2
    code = "usage"


class Refused(OpenclawError):
    """A guard said no (scope, claim, token limit, budget, unsafe file); nothing was started."""

    exit_status = 3
    code = "refused"


class NotFound(OpenclawError):
    """No such session, job, model, snapshot or skill."""

    exit_status = 4
    code = "not_found"


class Unavailable(OpenclawError):
    """Something needed is missing or unreachable: tmux, the agent program, an endpoint."""

    exit_status = 5
    code = "unavailable"


class NeedsPerson(OpenclawError):
    """A person must act first: delivery not confirmed, or the agent waits for an answer."""

    exit_status = 6
    code = "needs_person"


class TimedOut(OpenclawError):
    """The deadline passed."""

    exit_status = 124
    code = "timeout"


class Interrupted(OpenclawError):
    """A person pressed Ctrl-C, or we were sent a signal."""

    exit_status = 130
    code = "interrupted"
