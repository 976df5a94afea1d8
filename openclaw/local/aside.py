"""A call that blocks, made beside the loop. Nobody waits for it at the exit, as one would for a thread of a pool."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


async def call(work: Callable[[], T]) -> T:
    """What it returns or raises. Cancelled, it goes on unheard."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def told(value: T | None, error: BaseException | None) -> None:
        if not answer.done():
            answer.set_exception(error) if error else answer.set_result(value)  # type: ignore[arg-type]

    def run() -> None:
        value, error = None, None
        try:
            value = work()
        except BaseException as raised:  # noqa: BLE001 - raised again where it was called
            error = raised
        try:
            loop.call_soon_threadsafe(told, value, error)
        except RuntimeError:
            pass  # the loop is closed: the program has ended meanwhile

    threading.Thread(target=run, daemon=True).start()
    return await answer
