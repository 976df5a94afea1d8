"""What the tests of every real program share: it is installed, put on the PATH of a box, watched and typed at."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from openclaw.agents import registry
from openclaw.store import db
from openclaw.usage.quotas import Quota, every
from tests.conftest import Box, until
from tests.loopback.api import Api

ROOT = Path(__file__).parent.parent


def installed(script: str) -> str:
    """The path of a program, installed when it is missing. In CI a missing one is a failure, elsewhere a skip."""
    done = subprocess.run([ROOT / "scripts" / script], capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        why = f"{script} can't install it: {done.stderr.strip()[-200:]}"
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    return done.stdout.strip()


class Program:
    """A box in which `spawn --agent NAME` runs the real program, with its API on loopback and no other network."""

    name: str
    model: str

    def __init__(self, box: Box, api: Api, program: str) -> None:
        self.box = box
        self.api = api
        self.bin = box.root / "bin"
        self.bin.mkdir()
        (self.bin / self.name).write_text(api.place.wrap(program))
        (self.bin / self.name).chmod(0o755)
        box.env |= api.place.env | {"PATH": f"{self.bin}:{box.env['PATH']}"}

    def enclose(self, program: str) -> None:
        """For --sandbox: its network is entered before the sandbox is, for inside of it nobody may change networks."""
        bwrap = shutil.which("bwrap")
        if not bwrap:
            pytest.skip("bubblewrap is not installed")
        for name, text in (("bwrap", self.api.place.wrap(bwrap)), (self.name, f'#!/bin/sh\nexec {program} "$@"\n')):
            (self.bin / name).write_text(text)
            (self.bin / name).chmod(0o755)
        # the stub in bin/ says nothing of where the real one is; a real install is found by its own links
        self.box.root.joinpath("config").mkdir(exist_ok=True)
        reads = [program.partition("/node_modules/")[0], *registry.shipped()[self.name].reads]
        (self.box.root / "config/agents.yaml").write_text(json.dumps({self.name: {"reads": reads}}))

    def spawn(self, task: str, *args: str, **more: Any) -> dict[str, Any]:
        return dict(self.box.json("spawn", task, "--agent", self.name, "--model", self.model, *args, **more))

    def status(self, id: str) -> tuple[str, str]:
        """State and reason, as `ps` tells them."""
        [row] = [row for row in self.box.json("ps", "--all") if row["id"] == id]
        return row["status"], row["reason"]

    def until(self, id: str, *states: str, seconds: float = 40.0) -> str:
        """Wait until `ps` says one of these; the reason."""
        seen: list[tuple[str, str]] = []

        def probe() -> bool:
            seen.append(self.status(id))
            return seen[-1][0] in states

        try:
            until(probe, seconds)
        except AssertionError:
            raise AssertionError(f"never {states}, but {seen[-1]}:\n{self.screen(id)}") from None
        return seen[-1][1]

    def screen(self, id: str) -> str:
        return self.box.tmux("capture-pane", "-p", "-t", f"=subagent-{id}:", check=False)

    def type(self, id: str, text: str) -> None:
        """As a person would: the text, and Enter when the input line shows it."""
        self.box.tmux("send-keys", "-t", f"=subagent-{id}:", "-l", text)
        until(lambda: text in self.screen(id), what=f"{text!r} typed")
        self.press(id, "Enter")

    def press(self, id: str, *keys: str) -> None:
        self.box.tmux("send-keys", "-t", f"=subagent-{id}:", *keys)

    def answer(self, id: str, words: str, key: str = "Enter") -> None:
        """Press a key in the dialog that shows these words; again if it came before the dialog listened."""
        until(lambda: words in self.screen(id), what=f"{words!r} shown")

        def gone() -> bool:
            self.press(id, key)
            try:
                return bool(until(lambda: words not in self.screen(id), 2))
            except AssertionError:
                return False

        until(gone, 40, f"{words!r} answered")

    def figures(self, id: str) -> tuple[int, int | None, int | None]:
        """Tokens in all, those of its context, those of its conversation, as `result` tells them."""
        found: dict[str, Any] = self.box.json("result", id)
        return found["tokens_used"], found["context"]["tokens"], found["context"]["conversation"]

    def subscription(self) -> dict[str, Quota]:
        """What is known of the limits of its subscription, by their names."""
        store = db.connect(str(self.box.state / "openclaw.db"))
        try:
            return {quota.kind: quota for quota in every(store, self.name)}
        finally:
            store.close()
