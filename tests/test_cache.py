"""Results that are used again: by content, for a time, one computation for all who ask, whoever dies meanwhile."""

from __future__ import annotations

import datetime
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from openclaw.api import cache_with_ttl
from openclaw.errors import BadInput
from openclaw.results import Found, Results, Worth, key_of
from openclaw.settings import Settings
from openclaw.store import cache_uses, db
from tests.conftest import Box, until

PROGRAM = """
import os, sys, time
from openclaw.api import cache_with_ttl

@cache_with_ttl(hours=1)
def work(name):
    with open("ran", "a") as file:
        file.write(f"{os.getpid()}\\n")
    while not os.path.exists("go"):
        time.sleep(0.01)
    return {"name": name}

print(work(sys.argv[1])["name"])
"""


class Clock:
    now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    a: int


class Colour(Enum):
    RED = 1


@pytest.fixture
def settings(box: Box) -> Settings:
    return Settings(box.env)


def counted(settings: Settings, **more: Any) -> tuple[Any, list[Any]]:
    """A cached function, and what it was really called with."""
    calls: list[Any] = []

    @cache_with_ttl(hours=1, settings=settings, **more)
    def work(value: Any, other: Any = 2) -> Any:
        calls.append(value)
        return [str(value), other]

    return work, calls


def test_the_same_content_is_computed_once(settings: Settings) -> None:
    work, calls = counted(settings)
    assert work(1) == work(1, 2) == work(value=1, other=2) == ["1", 2] and calls == [1]
    same: list[tuple[Any, Any]] = [
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}), ({3, 1, 2}, {2, 1, 3}), ([1], (1,)), (Path("a"), Path("a")), (b"x", b"x"),
        (Point(1), Point(1)), (datetime.date(2026, 1, 1), datetime.date(2026, 1, 1)), (float("nan"), float("nan")),
    ]  # fmt: skip
    for one, two in same:
        calls.clear()
        assert work(one) == work(two) and len(calls) == 1, one
    calls.clear()
    different = [
        True,
        "1",
        1.5,
        None,
        [1, 2],
        ["1", "2"],
        {1: 2},
        {"1": 2},
        Point(2),
        Pair(1),
        Colour.RED,
        Path("1"),
        int,
    ]
    for each in different:
        work(each)
    assert len(calls) == len(different)
    assert work.__name__ == "work" and work.__wrapped__(5) == ["5", 2]


def test_other_code_and_another_version_are_another_function(settings: Settings) -> None:
    def made(factor: str, **more: Any) -> Any:
        space: dict[str, Any] = {"__name__": "m"}
        exec(f"\n\ndef f(x):\n    return x * {factor}", space)
        return cache_with_ttl(60, settings=settings, **more)(space["f"])

    assert made("2")(3) == 6 and made("3")(3) == 9 and made("3", version=2)(3) == 9
    assert [each.results for each in Results(settings).kept()] == [3]


def test_what_the_key_cannot_know_has_to_be_said(settings: Settings, tmp_path: Path) -> None:
    work, calls = counted(settings)
    with pytest.raises(BadInput, match=r"can't be cached by its arguments: a .*object has no content"):
        work(object())
    by_key, calls = counted(settings, key=lambda value, other=2: value.x)
    assert by_key(Point(1)) == by_key(Point(1)) and len(calls) == 1
    file = tmp_path / "a"
    by_file, calls = counted(settings, files=["value"])
    for text in ("one", "two", "two", "one"):
        file.write_text(text)
        by_file(str(file))
    assert len(calls) == 2
    by_file(str(tmp_path / "none"))

    class Thing:
        @cache_with_ttl(60, settings=settings, key=lambda self, x: x)
        def double(self, x: int) -> int:
            return 2 * x

    assert Thing().double(4) == Thing().double(4) == 8
    for seconds, more in ((0, {}), (-1, {}), (60, {"size": 0}), (60, {"files": ["nothing"]})):
        with pytest.raises(BadInput):
            cache_with_ttl(seconds, settings=settings, **more)(counted)

    async def later() -> None: ...

    with pytest.raises(BadInput, match="something to wait for"):
        cache_with_ttl(60)(later)


def test_values_come_back_as_they_were(settings: Settings) -> None:
    values = [None, [1, "ü\ud800"], (1, 2), {1: (2,)}, Point(3), Pair(1), b"\0", {"a": {"b": [1.5, True]}}, Colour.RED]

    @cache_with_ttl(60, settings=settings)
    def value(number: int) -> Any:
        return values[number]

    for _ in range(2):
        assert [value(n) for n in range(len(values))] == values
        assert [type(value(n)) for n in range(len(values))] == list(map(type, values))

    @cache_with_ttl(60, settings=settings)
    def lock() -> Any:
        return threading.Lock()

    with pytest.warns(RuntimeWarning, match="lock is not cached"):
        assert lock().acquire()


def test_times_and_sizes(settings: Settings, box: Box) -> None:
    clock = Clock()
    results = Results(settings, clock)

    def once(name: str, n: Any, ttl: float = 60.0, size: int = 3, value: Any = "v") -> bool:
        """Whether it was known."""
        return results.once(name, key_of(name, n), ttl, lambda: value, size).known is not None

    assert [once("f", 1), once("f", 1)] == [False, True]
    clock.now += 61
    assert [once("f", 1), once("f", 1)] == [False, True]
    clock.now -= 1000  # a clock that is put back
    assert not once("f", 1)
    clock.now += 1000
    results.clear()
    for n in range(3):
        clock.now += 70
        once("f", n, ttl=9999)
        once("g", n, ttl=9999)
    clock.now += 70
    assert once("f", 0, 9999)  # so that 1 is the one that was used longest ago
    assert not once("f", 3, 9999)
    assert [once("f", n, 9999) for n in (0, 2, 3)] == [True] * 3 and {k.name: k.results for k in results.kept()} == {
        "f": 3,
        "g": 3,
    }
    small = Results(Settings(box.env | {"OPENCLAW_CACHE_BYTES": "1000"}), clock)
    for n in range(5):
        clock.now += 70
        small.once("h", key_of("h", n), 9999, lambda: "x" * 300)
    assert {k.name: k.results for k in small.kept()} == {"h": 3}
    small.once("h", key_of("large"), 9999, lambda: "x" * 2000)
    assert {k.name: k.results for k in small.kept()} == {"h": 3}


def test_errors_are_not_kept(settings: Settings) -> None:
    calls: list[int] = []

    @cache_with_ttl(60, settings=settings)
    def fails() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise TypeError("not yet")
        return 7

    for _ in range(2):
        with pytest.raises(TypeError, match="not yet"):
            fails()
    assert fails() == fails() == 7 and len(calls) == 3
    assert Results(settings).once("f", "k", 60, lambda: 1, worth=lambda _: None) == Found(1, None)
    assert Results(settings).look("f", "k") is None


def test_it_may_ask_itself_and_others(settings: Settings) -> None:
    @cache_with_ttl(60, settings=settings)
    def fib(n: int) -> int:
        return n if n < 2 else fib(n - 1) + fib(n - 2)

    assert fib(30) == 832_040
    results = Results(settings)
    again: Callable[[], Any] = lambda: results.once("f", "k", 60, lambda: 5).value  # noqa: E731
    assert results.once("f", "k", 60, again).value == 5


def test_threads_that_ask_at_once_wait_for_one(settings: Settings) -> None:
    calls: list[int] = []
    go = threading.Event()

    @cache_with_ttl(60, settings=settings)
    def slow() -> int:
        calls.append(1)
        go.wait(30)
        return 5

    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(slow())) for _ in range(8)]
    for thread in threads:
        thread.start()
    until(lambda: calls)
    go.set()
    for thread in threads:
        thread.join(40)
    assert found == [5] * 8 and calls == [1]


def start(box: Box, name: str) -> subprocess.Popen[str]:
    if not (box.work / "program.py").exists():  # those that run are reading it
        box.write("program.py", PROGRAM)
    return subprocess.Popen(
        [sys.executable, "program.py", name], cwd=box.work, env=box.env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def ran(box: Box) -> list[int]:
    path = box.work / "ran"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_processes_that_ask_at_once_wait_for_one(box: Box) -> None:
    started = [start(box, "a") for _ in range(6)]
    until(lambda: ran(box), 60)
    box.write("go", "")
    outs = [process.communicate(timeout=90) for process in started]
    assert [out for out, _ in outs] == ["a\n"] * 6, [
        (process.returncode, out) for process, out in zip(started, outs, strict=True)
    ]
    assert len(ran(box)) == 1
    assert list((box.state / "locks").iterdir()) == []
    [uses] = cache_uses.uses(db.connect(str(box.state / "openclaw.db")))
    assert (uses.name, uses.hits, uses.misses) == ("__main__.work", 5, 1) and uses.seconds > 0


def test_who_waits_goes_on_when_who_computes_is_killed(box: Box) -> None:
    first = start(box, "a")
    until(lambda: ran(box), 60)
    others = [start(box, "a") for _ in range(3)]
    first.send_signal(signal.SIGKILL)
    until(lambda: len(ran(box)) == 2, 60)
    box.write("go", "")
    assert [process.communicate(timeout=90)[0] for process in others] == ["a\n"] * 3
    assert len(ran(box)) == 2
    first.communicate()


def test_what_is_kept_survives_a_kill_at_any_moment(box: Box, settings: Settings) -> None:
    code = """
import itertools, sys
from openclaw.results import Results, key_of
from openclaw.settings import Settings
results = Results(Settings())
for n in itertools.count():
    results.once("f", key_of(n % 50), 9999, lambda: [n % 50] * 2000, size=30)
    if n == 60: print("busy", flush=True)
"""
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", code], env=box.env, stdout=subprocess.PIPE, text=True)
        assert process.stdout and process.stdout.readline() == "busy\n"
        process.kill()
        process.communicate()
        connection = sqlite3.connect(box.state / "results.db")
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.close()
        results = Results(settings)
        known = [found.value for n in range(50) if (found := results.look("f", key_of(n)))]
        assert known and all(value == [value[0]] * 2000 for value in known)


def test_a_broken_file_or_none_at_all_means_computing(box: Box, settings: Settings) -> None:
    work, calls = counted(settings)
    work(1)
    for path in box.state.glob("results.db*"):
        path.write_bytes(b"this is no database" * 500)
    work, calls = counted(settings)
    assert work(1) == work(1) == ["1", 2] and 1 <= len(calls) <= 2
    assert work(1) == ["1", 2] and Results(settings).kept()
    stale = Results(settings)
    stale.once("p", "k", 60, lambda: Point(1))
    with sqlite3.connect(box.state / "results.db") as connection:
        connection.execute("UPDATE results SET value = x'80046e6f' WHERE name = 'p'")
    assert stale.once("p", "k", 60, lambda: Point(2)).value == Point(2)
    off, calls = counted(Settings(box.env | {"OPENCLAW_CACHE_ENABLED": "0"}))
    assert off(1) == off(1) and len(calls) == 2
    nowhere, calls = counted(Settings(box.env | {"OPENCLAW_STATE_DIR": "/proc/none"}))
    assert nowhere(1) == nowhere(1) == ["1", 2] and len(calls) == 2


def test_nobody_else_reads_it_and_what_is_forgotten_is_gone(box: Box, settings: Settings) -> None:
    work, _ = counted(settings)
    work("a-secret-of-mine" * 50)
    files = sorted(box.state.glob("results.db*"))
    assert files and all(path.stat().st_mode & 0o777 == 0o600 for path in files)
    (box.state / "results.db").chmod(0o644)
    assert Results(settings).kept() == [], "what others could read is not trusted any more"
    other, _ = counted(settings)
    other("a-secret-of-mine" * 50)
    assert other.clear() == 1 and other.clear() == 0
    with sqlite3.connect(box.state / "results.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert b"a-secret-of-mine" not in b"".join(path.read_bytes() for path in box.state.glob("results.db*"))
    os.symlink("/etc/hostname", box.root / "elsewhere")
    for path in box.state.glob("results.db*"):
        path.unlink()
    os.symlink(box.root / "elsewhere", box.state / "results.db")  # a link that somebody has put there is not followed
    other, calls = counted(settings, version=1)
    assert other(1) == other(1) and len(calls) == 2


def test_the_command_and_the_metrics(box: Box, settings: Settings) -> None:
    results = Results(settings)
    for _ in range(3):
        results.once("role judge", "k", 60, lambda: "yes", worth=lambda _: Worth(120, 0.25))
    counted(settings)[0](1)
    [role, function] = box.json("cache")
    assert function["results"] == 1 and function["misses"] == 1
    expected = {"name": "role judge", "results": 1, "bytes": 5, "expired": 0, "hits": 2, "misses": 1}
    assert {key: role[key] for key in expected} == expected and (role["tokens"], role["cost_usd"]) == (240, 0.5)
    figures = {each["name"]: each["value"] for each in box.json("metrics", "--filter", "cache")["figures"]}
    assert figures["results that were known"] == 50 and figures["and were used again"] == 2
    assert figures["tokens that this spared"] == 240 and figures["what they had cost"] == 0.5
    assert "role judge" in box.cli("cache").stdout and "$0.50" in box.cli("cache", "list", "role judge").stdout
    assert box.cli("cache", "clear", "role judge").stdout == "1 results are forgotten\n"
    assert box.json("cache", "clear") == {"forgotten": 1}
    assert {each["results"] for each in box.json("cache")} == {0}, "what it has spared is not forgotten"
    box.cli("cache", "mend", exit=2)


def test_a_fork_has_connections_of_its_own(box: Box) -> None:
    code = """
import os
from openclaw.api import cache_with_ttl
@cache_with_ttl(60)
def f(x): return x
f(1)
children = []
for n in range(4):
    if (pid := os.fork()) == 0:
        ok = all(f(m) == m for m in range(20))
        os._exit(0 if ok else 1)
    children.append(pid)
assert all(os.waitpid(pid, 0)[1] == 0 for pid in children)
print([f(m) for m in range(20)] == list(range(20)))
"""
    done = subprocess.run([sys.executable, "-c", code], env=box.env, capture_output=True, text=True, timeout=90)
    assert (done.stdout, done.stderr) == ("True\n", "")
    assert sum(json.loads(json.dumps(each["misses"])) for each in box.json("cache")) == 20
