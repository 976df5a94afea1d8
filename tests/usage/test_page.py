"""The page: what it shows is in the ledger, and nothing in it runs or asks for anything, whatever the names are."""

from __future__ import annotations

import re
import shutil
import sqlite3
import subprocess
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from openclaw.store import db
from openclaw.usage.timeline import timeline
from openclaw.usage.words import dollars, short
from tests.conftest import Box
from tests.loopback.net import Place
from tests.usage.test_metrics import add, session, turn

TODAY = date.today()
EVIL = '</script></svg><img src="http://x.invalid/a.png" onerror=alert(1)>\x1b[31m\x00￿'
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


class Page(HTMLParser):
    """Its texts, and every tag with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data + "\n"


def written(box: Box, *more: str) -> Page:
    path = box.work / "page.html"
    said = box.cli("metrics", "--html", str(path), *more).stdout
    assert said.startswith(f"{path}: ")
    text = path.read_text()
    assert not re.search(r"url\(|@import|javascript:", text)
    page = Page(text)
    for tag, attrs in page.tags:
        assert tag not in ("script", "img", "link", "iframe", "object", "foreignobject", "use", "a"), tag
        assert not any(name in ("src", "href", "xlink:href", "srcset") or name.startswith("on") for name in attrs), (
            attrs
        )
    assert "default-src 'none'" in text
    return page


@pytest.fixture
def store(box: Box) -> sqlite3.Connection:
    return db.connect(str(box.state / "openclaw.db"))


def filled(store: sqlite3.Connection) -> None:
    for number, (id, type) in enumerate((("a", "research"), ("b", "cron"), ("c", EVIL))):
        session(store, id, type=type, injected_tokens=4200)
        at = f"{TODAY - timedelta(3 * number)}T10:00:00.000Z"
        model = EVIL if type == EVIL else "claude-opus-4-5-20251101"
        add(store, id, turn(10 * number, 5, 100, 20_000, 50, model=model, at=at),
            turn(10 * number + 1, 5, 100, 2_000, 50, model=model, at=at))  # fmt: skip
    store.execute(
        "INSERT INTO runs (job_id, job, due, state, started_at, tokens_used, cost_usd)"
        " VALUES ('j', ?, ?, 'failed', 'x', 7000, 2)",
        (EVIL, f"{TODAY}T00:00:00.000Z"),
    )


def test_it_shows_what_the_ledger_has_and_says_what_is_out_of_bounds(store: sqlite3.Connection, box: Box) -> None:
    filled(store)
    (box.root / "config").mkdir()
    (box.root / "config/openclaw.yaml").write_text("budgets: {day_tokens: 150, day_usd: 1}\n")
    page = written(box)
    figures = {each["name"]: each for each in box.json("metrics", "--filter", "injection")["figures"]}
    for name, do in (("cron job", "increase batching"), ("sub-agent", "reduce the injection scope")):
        assert figures[f"injected for a {name}"]["ok"] is False
        assert f"injected for a {name}: 4,200\n, meant is ≤" in page.words and f"→ {do}" in page.words
    paid = sum(row["cost_usd"] for row in box.json("metrics")["rows"])
    assert f"{dollars(paid)}\npaid" in page.words
    assert "research: 1 done" in page.words and "3 saved 89.5 % of their tokens" in page.words
    assert "local: 0 % now" in page.words and "local: 80 % meant" in page.words
    assert "saved (-66.7 %), beside the very same turns all on sonnet" in page.words
    assert "day, $\n$0.01 of $1.00" in page.words
    assert "day, tokens\n310 tokens of 150 tokens" in page.words
    assert "2 turns have no known price" in page.words
    day = f"{TODAY:%b} {TODAY.day}"
    assert f"{day}, claude-opus-4-5-20251101: " in page.words and f"{day}, from caches: 11k a turn" in page.words


def test_names_are_texts_whatever_is_in_them(store: sqlite3.Connection, box: Box) -> None:
    filled(store)
    page = written(box)
    assert page.words.count('</script></svg><img src="http://x.invalid/a.png"') >= 3  # a type, a job, a model in words
    assert "\\x1b[31m\\x00�" in page.words


@pytest.mark.parametrize("days", [0, 1, 400])
def test_nothing_a_day_and_more_than_a_year(store: sqlite3.Connection, box: Box, days: int) -> None:
    if days:
        session(store, "a")
        stray = turn(9999, 1, 1, 1, 1, at="9999-01-01T00:00:00.000Z")
        made = [turn(n, 5, 9, 900, 50, at=f"{TODAY - timedelta(n)}T10:00:00.000Z") for n in range(days)]
        add(store, "a", *made, stray, turn(9998, 1, 1, 1, 1, at="yesterday"))
    page = written(box)
    svgs = [attrs["class"] for tag, attrs in page.tags if tag == "svg"]
    assert svgs.count("wide") == svgs.count("narrow") == (6 if days else 0)
    assert ("2 turns are dated on days that have not come" in page.words) is bool(days)
    if days == 400:
        assert "per week" in page.words and (box.work / "page.html").stat().st_size < 150_000
    if not days:
        assert "no turns yet" in page.words and "Nothing is out of bounds." in page.words


def test_a_file_of_models_that_cannot_be_read_costs_its_own_card_alone(store: sqlite3.Connection, box: Box) -> None:
    filled(store)
    (box.root / "config").mkdir()
    (box.root / "config/models.yaml").write_text("models: {fast: {price: {input: -1, output: 0}}}\n")
    page = written(box)
    assert page.words.count("models.yaml") >= 3 and "Tokens of a turn, per day" in page.words


def test_where_it_cannot_be_written_and_without_the_library(store: sqlite3.Connection, box: Box) -> None:
    assert "--html" in box.cli("metrics", "--html", "/nowhere/page.html", exit=2).stderr
    filled(store)
    (box.root / "no").mkdir()
    (box.root / "no/vl_convert.py").write_text("raise ModuleNotFoundError('it is not there', name='vl_convert')\n")
    done = box.cli("metrics", "--html", "page.html", exit=5, env={"PYTHONPATH": str(box.root / "no")})
    assert done.stderr.count("\n") == 2 and "pip install 'openclaw[html]'" in done.stderr
    assert not (box.work / "page.html").exists()


def test_columns_over_time() -> None:
    def made(*days: str) -> tuple[int, str]:
        found = timeline(days, "2026-11-21", least=7)
        return len(found.bins), found.unit

    assert made() == (0, "day") and made("2026-11-21") == (7, "day") and made("9999-01-01", "none") == (0, "day")
    assert made("2026-11-21", "2026-10-01") == (52, "day") and made("2026-01-01", "2026-11-21") == (47, "week")
    assert made("2024-01-01", "2026-11-21") == (35, "month") and made("1970-01-01", "2026-11-21") == (57, "year")
    assert timeline(["2026-11-18", "2026-11-01", "2026-09-01"], "2026-11-21").at["2026-11-18"] == "Nov 16"
    assert [short(n) for n in (0, 7.26, 950, 12_345, 4_500_000, 2e9)] == ["0", "7.26", "950", "12.3k", "4.5M", "2B"]


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here")
def test_a_real_browser_draws_it_and_asks_for_nothing(store: sqlite3.Connection, box: Box, tmp_path: Path) -> None:
    filled(store)
    written(box)
    control = box.write("control.html", "<!doctype html><img src=http://x.invalid/a.png>")  # so it looks where one asks
    shown, asked = _browse(box, box.work / "page.html", tmp_path)
    assert "<title>openclaw: what was used and paid</title>" in shown and "x.invalid" not in asked
    assert "x.invalid" in _browse(box, control, tmp_path)[1]


def _browse(box: Box, page: Path, tmp_path: Path) -> tuple[str, str]:
    """The page as the browser has it, and a log of all that it asked for, in a network with nothing in it."""
    place, log, inside = Place(), tmp_path / f"{page.stem}.json", tmp_path / "browser"
    inside.write_text(place.wrap(str(CHROMIUM)))
    inside.chmod(0o755)
    words = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / page.stem}",
        f"--log-net-log={log}", "--dump-dom", f"file://{page}",
    ]  # fmt: skip
    try:
        done = subprocess.run([inside, *words], capture_output=True, text=True, timeout=120, env=box.env | place.env)
    finally:
        place.close()
    return done.stdout, log.read_text()
