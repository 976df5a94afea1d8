"""Windows that are opened together start together, and not before all of them are there.

A gate is a FIFO that the spawner holds open for writing while each window waits to read its end. Letting go of it is
what starts them, and the kernel lets go for a spawner that dies. A batch that fails is closed with nothing begun.
"""

from __future__ import annotations

import os
from types import TracebackType

WAIT = '{ read -r _ <"$0"; } 2>/dev/null; exec "$@"'  # no gate any more: it was opened already


class Gate:
    """Closed from its creation until `open`. Its name begins with the spawner's identity, so that others find it."""

    def __init__(self, state_dir: str, spawner: str, batch: str) -> None:
        self.path = os.path.join(_folder(state_dir), f"{spawner}-{batch}")
        os.makedirs(_folder(state_dir), mode=0o700, exist_ok=True)
        os.mkfifo(self.path, 0o600)
        self._held: int | None = os.open(self.path, os.O_RDWR)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()

    def behind(self, argv: tuple[str, ...]) -> tuple[str, ...]:
        """The command that waits at the gate and then becomes `argv`."""
        return ("sh", "-c", WAIT, self.path, *argv)

    def open(self) -> None:
        """Unlink, then close: who comes later finds no gate, who waits already reads the end."""
        if self._held is not None:
            os.unlink(self.path)
            os.close(self._held)
            self._held = None


def release(state_dir: str, spawner: str) -> None:
    """Open the gates of a spawner that died: its windows may have come to one after the kernel had let go."""
    try:
        names = [name for name in os.listdir(_folder(state_dir)) if name.startswith(f"{spawner}-")]
    except FileNotFoundError:
        return
    for name in names:
        path = os.path.join(_folder(state_dir), name)
        try:
            held = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            os.unlink(path)
            os.close(held)
        except FileNotFoundError:
            continue  # another command was quicker


def _folder(state_dir: str) -> str:
    return os.path.join(state_dir, "gates")
