"""openclaw: many coding agents as isolated sub-agents on one shared tmux socket.

The Python API is `openclaw.api`; its names can be had from here, and are imported when first used, because this
module is also on the way of every command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openclaw.api import sessions_kill, sessions_list, sessions_result, sessions_send, sessions_spawn, sessions_wait

__all__ = ["sessions_kill", "sessions_list", "sessions_result", "sessions_send", "sessions_spawn", "sessions_wait"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from openclaw import api

        return getattr(api, name)
    raise AttributeError(f"module 'openclaw' has no attribute {name!r}")
