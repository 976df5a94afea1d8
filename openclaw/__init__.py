"""openclaw: many coding agents as isolated sub-agents on one shared tmux socket.

The Python API is `openclaw.api`; its names can be had from here, and are imported when first used, because this
module is also on the way of every command.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it as true; `typing` itself would be a third of `openclaw --version`
if TYPE_CHECKING:
    from openclaw.api import sessions_kill, sessions_list, sessions_result, sessions_send, sessions_spawn, sessions_wait

__all__ = ["sessions_kill", "sessions_list", "sessions_result", "sessions_send", "sessions_spawn", "sessions_wait"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from openclaw import api

        return getattr(api, name)
    raise AttributeError(f"module 'openclaw' has no attribute {name!r}")
