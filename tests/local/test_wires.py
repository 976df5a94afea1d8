"""Both wires, every endpoint: what is sent where, with which key, and that no key is seen anywhere else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from openclaw.errors import BadInput, NotFound, OpenclawError, Unavailable
from openclaw.local.endpoints import load, target
from openclaw.settings import Settings
from tests.conftest import until
from tests.local.conftest import Local
from tests.loopback.api import Reply, Tool, Usage

KEY = "-".join(("sk", "loop", "0123456789abcdef"))


def settings(tmp_path: Path, **environ: str) -> Settings:
    return Settings(
        {"HOME": str(tmp_path), "OPENCLAW_CONFIG": str(tmp_path / "openclaw.yaml")} | environ, str(tmp_path)
    )


def test_every_endpoint_knows_its_url_and_key(tmp_path: Path) -> None:
    known = load(settings(tmp_path))
    assert set(known) == {
        "ollama", "lmstudio", "llamacpp", "mlx", "openai", "anthropic", "openrouter", "groq", "deepseek"
    }  # fmt: skip
    for name, entry in known.items():
        found = target(f"{name}/some/model:7b", settings(tmp_path, **({entry["key"]: KEY} if "key" in entry else {})))
        assert (found.endpoint, found.model, found.url) == (name, "some/model:7b", entry["url"])
        assert found.key == (KEY if "key" in entry else "") and found.window >= 32_768


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("gpu:11434", "http://gpu:11434/v1"),
        ("http://gpu:11434/", "http://gpu:11434/v1"),
        ("https://gpu/api/v2", "https://gpu/api/v2"),
    ],
)
def test_a_service_is_found_where_its_own_variable_says(tmp_path: Path, value: str, url: str) -> None:
    assert target("ollama/x", settings(tmp_path, OLLAMA_HOST=value)).url == url
    assert (
        target("ollama/x", settings(tmp_path, OLLAMA_HOST=value, OPENCLAW_LOCAL_URL="http://a/b")).url == "http://a/b"
    )


def test_a_user_adds_and_changes_endpoints(tmp_path: Path) -> None:
    (tmp_path / "endpoints.yaml").write_text(
        "ollama: {window: 4096}\nmine: {url: http://127.0.0.1:1/v1, wire: openai, key: MY_KEY}\n"
    )
    assert target("ollama/x", settings(tmp_path)).window == 4096
    assert target("mine/x", settings(tmp_path, MY_KEY=KEY)).key == KEY


@pytest.mark.parametrize(
    ("name", "kind", "says"),
    [
        ("", BadInput, "no model is named"),
        ("qwen2.5:7b", BadInput, "names no endpoint"),
        ("/x", BadInput, "names no endpoint"),
        ("ollama/", BadInput, "names no endpoint"),
        ("olama/x", NotFound, "no endpoint 'olama'"),
        ("groq/x", Unavailable, "groq needs a key"),
    ],
)
def test_a_wrong_name_is_said_in_one_line(tmp_path: Path, name: str, kind: type[OpenclawError], says: str) -> None:
    with pytest.raises(kind, match=says):
        target(name, settings(tmp_path))


@pytest.mark.parametrize(
    "text", ["mine: 7", "mine: {url: 5}", "mine: {wire: smtp}", "mine: {uri: x}", "mine: {url: x}", "["]
)
def test_a_wrong_file_is_said_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "endpoints.yaml").write_text(text)
    with pytest.raises(BadInput, match=r"endpoints\.yaml"):
        load(settings(tmp_path))


@pytest.mark.parametrize("model", ["anthropic/claude-haiku-4-5", "openrouter/qwen/qwen3", "deepseek/deepseek-chat"])
def test_a_whole_turn_and_no_key_is_seen(local: Local, model: str) -> None:
    local.model = model
    wire = local.api.url if model.startswith("anthropic") else f"{local.api.url}/v1"
    entry = load(Settings(local.box.env))[model.partition("/")[0]]
    local.box.env |= {"OPENCLAW_LOCAL_URL": wire, entry["key"]: KEY}
    local.box.write("note.txt", "the note\n")
    show = Tool("run", {"command": "env; cat /proc/$PPID/cmdline"})
    local.api.say(Reply("Look.", (Tool("read", {"path": "note.txt"}), show), Usage(50, 0, 100, 9)), "Done.")
    id = local.spawn("look")["id"]
    local.until(id, "idle")
    first, last = local.api.turns
    headers = {name.lower(): value for name, value in first.headers.items()}
    assert KEY in headers.get("x-api-key", "") + headers.get("authorization", "")
    assert first.body["model"] == model.partition("/")[2]
    assert last.has("1\tthe note")
    until(lambda: local.figures(id)[0] == 50 + 100 + 9 + 15)
    for path in (local.box.state).rglob("*"):
        if path.is_file():
            assert KEY.encode() not in path.read_bytes(), path
    commands = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    assert KEY not in commands and KEY not in local.box.cli("ps").stdout and KEY not in local.screen(id)


def test_a_wrong_model_is_said_and_the_session_has_failed(local: Local) -> None:
    local.model = "groq/x"
    id = local.spawn("look")["id"]
    local.until(id, "failed")
    assert "groq needs a key" in local.box.cli("logs", id).stdout
