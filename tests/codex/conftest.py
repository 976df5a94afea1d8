"""The real Codex in a box: its own home, its API on loopback, no other network."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Box
from tests.loopback.api import Api
from tests.program import Program, installed

MODEL = "gpt-5.5"  # of those that it knows, one that calls its tools itself and not from a script
SUCCESSOR = "gpt-6-sol"  # which it would offer instead


class Codex(Program):
    """`home` is its own folder, `config` what its config.toml begins with."""

    name, model = "codex", MODEL

    def __init__(self, box: Box, api: Api, program: str) -> None:
        super().__init__(box, api, program)
        self.home = box.root / "codex"
        self.home.mkdir()
        box.env |= {"CODEX_HOME": str(self.home), "OPENAI_API_KEY": "loopback"}
        self.knows()

    def knows(self, *lines: str, trusted: bool = True) -> None:
        """What it is told beforehand: its API, whether the working folder is trusted, and these lines."""
        self.home.joinpath("config.toml").write_text(
            "\n".join(lines)
            + f"""
model_provider = "loopback"
[model_providers.loopback]
name = "loopback"
base_url = "{self.api.url}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
[notice.model_migrations]
"{MODEL}" = "{SUCCESSOR}"
"""
            + (f'[projects."{self.box.work}"]\ntrust_level = "trusted"\n' if trusted else "")
        )


@pytest.fixture(scope="session")
def codex_program() -> str:
    return installed("codex.sh")


@pytest.fixture
def api() -> Iterator[Api]:
    with Api() as made:
        yield made


@pytest.fixture
def codex(box: Box, api: Api, codex_program: str) -> Codex:
    return Codex(box, api, codex_program)
