"""The window: what was said scrolls above, an input line between two rules and a status line stay below.

Only whole lines are printed, above what stays, so that the terminal's own history has all of it; the line under way is
drawn with what stays. Nothing that a model says reaches the terminal with control characters in it.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

from prompt_toolkit.application import Application, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout
from prompt_toolkit.layout import Window as Pane
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.processors import TabsProcessor

PASTED_LINES, PASTED_CHARS = 8, 800  # a paste of more is drawn as one piece
INPUT_ROWS, LIVE_ROWS = 10, 6
TWICE_S = 2.0  # a second Ctrl-C within this ends the program
DRAW_S = 0.05  # printing above makes all below be drawn anew: not for every word
COLOURS = {"note": "2", "prompt": "1", "call": "36", "warn": "33", "error": "31"}
MARKS = {"prompt": "› ", "call": "• ", "warn": "! ", "error": "✗ "}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_PASTED = re.compile(r"\[Pasted text #(\d+)(?: \+\d+ lines)?\]")


class Window:
    """A `Screen` in a terminal. `submit` gets what a person enters, `interrupt` is called for Ctrl-C and Esc, and says
    whether there was something to interrupt; `figures` is the status line."""

    def __init__(
        self,
        submit: Callable[[str], None],
        interrupt: Callable[[], bool],
        figures: Callable[[], str],
        colours: bool = True,
    ) -> None:
        self._submit, self._interrupt, self._figures, self._colours = submit, interrupt, figures, colours
        self._lines: list[str] = []  # to be printed
        self._live = ""
        self._doing = ""
        self._pastes: list[str] = []
        self._asked = 0.0  # when Ctrl-C was pressed with nothing to interrupt
        self._wake = asyncio.Event()
        self._input = Buffer(multiline=True, history=InMemoryHistory())
        self.app: Application[None] = Application(
            layout=Layout(self._drawn()),
            key_bindings=self._keys(),
            full_screen=False,
            mouse_support=False,
        )
        self.app.ttimeoutlen = self.app.timeoutlen = 0.05  # Esc counts at once

    # --- as a Screen

    def text(self, more: str) -> None:
        self._live += _CONTROL.sub("", more.replace("\t", "    "))
        whole, newline, self._live = self._live.rpartition("\n")
        if newline:
            self._lines += whole.split("\n")
        self._wake.set()

    def text_end(self) -> None:
        if self._live:
            self._lines.append(self._live)
            self._live = ""
            self._wake.set()

    def line(self, text: str, kind: str = "note") -> None:
        self.text_end()
        first, *rest = _CONTROL.sub("", text.replace("\t", "    ")).split("\n")
        mark = MARKS.get(kind, "")
        shown = [mark + first, *(" " * len(mark) + line for line in rest)]
        if kind == "prompt":
            self._lines.append("")
        self._lines += [f"\x1b[{COLOURS[kind]}m{line}\x1b[0m" if self._colours else line for line in shown]
        self._wake.set()

    def status(self, doing: str) -> None:
        self._doing = " ".join(_CONTROL.sub("", doing).split())
        self._wake.set()

    # --- its life

    async def run(self) -> None:
        """Until `stop`; what is still to be printed is printed."""
        printer = asyncio.create_task(self._print_all())
        try:
            await self.app.run_async(handle_sigint=False)
        finally:
            printer.cancel()
            self.text_end()
            self._print()

    def stop(self) -> None:
        if self.app.is_running:
            self.app.exit()

    async def _print_all(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._lines:
                await run_in_terminal(self._print)
            self.app.invalidate()
            await asyncio.sleep(DRAW_S)

    def _print(self) -> None:
        lines, self._lines = self._lines, []
        if lines:
            self.app.output.write_raw("".join(f"{line}\r\n" for line in lines))
            self.app.output.flush()

    # --- what stays

    def _drawn(self) -> HSplit:
        rule = Pane(height=1, char="─", style="fg:ansibrightblack")
        live = Pane(
            FormattedTextControl(lambda: self._live[-LIVE_ROWS * self.app.output.get_size().columns :]),
            wrap_lines=True,
            dont_extend_height=True,
        )
        entered = Pane(
            BufferControl(self._input, input_processors=[TabsProcessor(4, " ", " ")]),
            wrap_lines=True,
            dont_extend_height=True,
            height=Dimension(min=1, max=INPUT_ROWS),
            get_line_prefix=lambda line, wrapped: "  " if line or wrapped else "› ",
        )
        status = Pane(FormattedTextControl(self._status), height=1)
        return HSplit([ConditionalContainer(live, Condition(lambda: bool(self._live))), rule, entered, rule, status])

    def _status(self) -> StyleAndTextTuples:
        if time.monotonic() < self._asked + TWICE_S:
            return [("bold", "Ctrl-C again ends it")]
        doing = [("bold", f"{self._doing} "), ("", "(Esc interrupts) · ")] if self._doing else []
        return [*doing, ("", self._figures())]

    # --- what a person presses

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            text = _PASTED.sub(self._whole, self._input.text)
            if text.strip():
                self._input.append_to_history()
                self._input.reset()
                self._submit(text)

        @keys.add("c-j")
        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            self._input.insert_text("\n")

        @keys.add(Keys.BracketedPaste)
        def _(event: KeyPressEvent) -> None:
            text = event.data.replace("\r\n", "\n").replace("\r", "\n")
            lines = text.count("\n")
            if lines >= PASTED_LINES or len(text) > PASTED_CHARS or _PASTED.search(text):
                self._pastes.append(text)
                text = f"[Pasted text #{len(self._pastes)}{f' +{lines} lines' if lines else ''}]"
            self._input.insert_text(text)

        @keys.add("c-c")
        def _(event: KeyPressEvent) -> None:
            if self._interrupt():
                return
            if self._input.text:
                self._input.reset()
            elif time.monotonic() < self._asked + TWICE_S:
                self.stop()
            else:
                self._asked = time.monotonic()
                asyncio.get_running_loop().call_later(TWICE_S, self.app.invalidate)

        @keys.add("escape")
        def _(event: KeyPressEvent) -> None:
            self._interrupt()

        @keys.add("c-d")
        def _(event: KeyPressEvent) -> None:
            if not self._input.text:
                self.stop()

        return keys

    def _whole(self, found: re.Match[str]) -> str:
        """What a piece stands for; one that a person has typed stands for itself."""
        number = int(found[1])
        return self._pastes[number - 1] if 0 < number <= len(self._pastes) else found[0]
