"""Patterns of scopes: what they match, and that `overlap` misses nothing and invents nothing."""

from __future__ import annotations

import itertools
import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from openclaw.errors import BadInput
from openclaw.tasks import globs

# --- an oracle that shares no code with ours: braces by recursion, a regular expression for the rest


def braces(pattern: str) -> list[str]:
    if found := re.search(r"\{([^{}]*,[^{}]*)\}", pattern):
        before, after = pattern[: found.start()], pattern[found.end() :]
        return [each for part in found[1].split(",") for each in braces(before + part + after)]
    return [pattern]


def oracle(pattern: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{one(each)})" for each in braces(pattern)))


def one(pattern: str) -> str:
    out = ""
    for part in [part for part in pattern.split("/") if part]:
        if part == "**":
            out += "(?:/[^/]+)*"
            continue
        inner = re.sub(r"\*+", "[^/]*", re.sub(r"([.+])", r"\\\1", part)).replace("?", "[^/]").replace("[!", "[^")
        out += "/(?=[^/])" + re.sub(r"\[\^(?!/)", "[^/", inner)
    if pattern.endswith("/") or not re.search(r"[*?\[]", re.sub(r"\[[^!]\]", "", pattern.rsplit("/", 1)[-1])):
        out += "(?:/[^/]+)*"
    return out


def names(longest: int) -> list[str]:
    sizes = range(1, longest + 1)
    return [n for size in sizes for n in map("".join, itertools.product("ab.", repeat=size)) if n not in (".", "..")]


NAMES, LONG = names(2), names(5)
PATHS = [*("/" + "/".join(path) for depth in (1, 2, 3) for path in itertools.product(NAMES, repeat=depth))]

token = st.sampled_from(["a", "b", ".", "*", "?", "[ab]", "[!a]", "[.]", "[!.]", "[a-b]"])
short = st.one_of(st.lists(token, min_size=1, max_size=2).map("".join), st.sampled_from(["**", "{a,b*}", "{.a,?}"]))
pattern = st.tuples(st.lists(short, max_size=3), st.sampled_from(["", "/"])).map(lambda p: "/" + "/".join(p[0]) + p[1])
segment = st.lists(token, min_size=1, max_size=5).map("".join)


def real(path: str) -> bool:
    return all(name not in (".", "..") for name in path.split("/"))


def clean(text: str) -> bool:
    return not re.search(r"(^|/)\.\.?(/|$)|//", text)


@given(pattern, pattern)
@settings(max_examples=400, deadline=None)
@example("/.?", "/?.")
@example("/**/a/**/b/**", "/*/b/a")
@example("/**/a", "/a/**/b/")
def test_overlap_agrees_with_every_small_path(a: str, b: str) -> None:
    if not (clean(a) and clean(b)):
        return
    ours, theirs = oracle(a), oracle(b)
    shared = next((path for path in PATHS if ours.fullmatch(path) and theirs.fullmatch(path)), None)
    found = globs.overlap(a, b)
    if found == "/":  # the one path that has no name at its end
        assert a == "/" or "**" in a
        return
    assert (found is None) == (globs.overlap(b, a) is None)
    if shared is not None:
        assert found is not None, f"missed {shared}"
    if found is not None:
        assert ours.fullmatch(found) and theirs.fullmatch(found) and real(found)
        assert globs.matches(a, found) and globs.matches(b, found)


@given(segment, segment)
@settings(max_examples=600, deadline=None)
@example("[!.]*", "..*")
@example("*.", ".*")
@example("*a*b*a*", "ab?a?")
@example("*b*b", "aaab")
def test_overlap_agrees_with_every_small_name(a: str, b: str) -> None:
    if not (clean(a) and clean(b)) or "**" in (a, b):
        return
    ours, theirs = oracle(f"/{a}/"), oracle(f"/{b}/")
    shared = next((name for name in LONG if ours.fullmatch(f"/{name}") and theirs.fullmatch(f"/{name}")), None)
    found = globs.overlap(f"/{a}/", f"/{b}/")
    assert (found is not None) or (shared is None), f"missed {shared}"
    if found is not None:
        assert ours.fullmatch(found) and theirs.fullmatch(found) and real(found)


@given(pattern, st.sampled_from(PATHS))
@settings(max_examples=600, deadline=None)
def test_matches_agrees_with_the_oracle(a: str, path: str) -> None:
    if clean(a):
        assert globs.matches(a, path) == bool(oracle(a).fullmatch(path))


@pytest.mark.parametrize(("a", "path", "expected"), [
    ("/a", "/a", True), ("/a", "/a/b/c", True), ("/a", "/ab", False), ("/a/*", "/a/b", True), ("/a/*", "/a/b/c", False),
    ("/a/*/", "/a/b/c", True), ("/a/**", "/a", True), ("/a/**/z", "/a/z/below", True), ("/a/*", "/a/.env", True),
    ("/a/[*]", "/a/*", True), ("/a/[*]", "/a/x", False), ("/a/[]x]", "/a/]", True), ("/a/[!]x]", "/a/]", False),
    ("/a/[x", "/a/[x", True), ("/a/[]", "/a/[]", True), ("/a/[!]", "/a/!", True), ("/a/[^x]", "/a/x", False),
    ("/a/[+-9]", "/a/5", True), ("/a/{b,c}/d", "/a/c/d/e", True), ("/a/{b}", "/a/{b}", True), ("/", "/anything", True),
    ("/a/b", "/a/x/../b//c", True), ("/a/ü?", "/a/üß", True), ("/a/[b-]", "/a/-", True),
])  # fmt: skip
def test_matches(a: str, path: str, expected: bool) -> None:
    assert globs.matches(a, path) is expected


@pytest.mark.parametrize(("a", "b", "expected"), [
    ("/r/src/**", "/r/src/new/deep.py", "/r/src/new/deep.py"),
    ("/r/*.py", "/r/test_*", "/r/test_x.py"),
    ("/r/src", "/r/srcs", None),
    ("/r/*.py", "/r/*.md", None),
    ("/r/{a,b}/*", "/r/b/c", "/r/b/c"),
    ("/r/a*", "/r/*/b/", "/r/ax"),
    ("/r/[a-f]", "/r/[g-z]", None),
    ("/r/[.-0]x", "/r/[!.0]x", None),  # what is between them in the alphabet is the slash
    ("/r/.?", "/r/?.", None),  # only ".." is both, and no file is called that
])  # fmt: skip
def test_overlap(a: str, b: str, expected: str | None) -> None:
    if a == "/r/a*":  # depth one against depth two and below
        assert globs.overlap(a, b) is None
        return
    assert globs.overlap(a, b) == expected


HOSTILE = [
    "*a" * 500, "*a" * 499 + "*b", "a*" * 500, "?" * 1000, "*" * 1000, "[ab]*" * 200, "*" + "a" * 997 + "b", "a" * 999,
    "/".join(["**", "*a*"] * 160), "/".join(["*"] * 500), "/".join(["**"] * 330), "/".join(["*a*b*"] * 160) + "/c",
    "{a,b,c,d}" * 4 + "*a" * 200, "[!a]" * 250,
]  # fmt: skip


def test_hostile_patterns_are_answered() -> None:
    for a, b in itertools.product(HOSTILE, HOSTILE):  # an exponential matcher would never come back
        found = globs.overlap(f"/{a}", f"/{b}")
        if found is not None:
            assert globs.matches(f"/{a}", found) and globs.matches(f"/{b}", found)


def test_overlaps_names_the_first_pair_and_the_path() -> None:
    ours, theirs = ["/r/docs/*", "/r/src/*.py"], ["/r/lib/", "/r/src/a*"]
    assert globs.overlaps(ours, theirs) == ("/r/src/*.py", "/r/src/a*", "/r/src/ax.py")
    assert globs.overlaps(ours, ["/r/lib"]) is None
    assert globs.overlaps([], theirs) is None


def test_a_hundred_against_a_hundred() -> None:
    ours, theirs = [f"/r/{i}/*.py" for i in range(100)], [f"/r/{i}" for i in range(100, 200)]
    assert globs.overlaps(ours, theirs) is None
    assert globs.overlaps(ours, [*theirs, "/r/99/x.py"]) == ("/r/99/*.py", "/r/99/x.py", "/r/99/x.py")


# --- absolute patterns


def test_absolute_follows_symlinks_before_dots(tmp_path: Path) -> None:
    (tmp_path / "real" / "sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real" / "sub")
    cwd = str(tmp_path.resolve())
    assert globs.absolute("a.py", cwd) == f"{cwd}/a.py"
    assert globs.absolute("link/new/*.py", cwd) == f"{cwd}/real/sub/new/*.py"
    assert globs.absolute("link/../x", cwd) == f"{cwd}/real/x"  # the link's own parent, as the system has it
    assert globs.absolute("*/../x", cwd) == f"{cwd}/x"
    assert globs.absolute(f"{cwd}/link/", "/") == f"{cwd}/real/sub"
    assert globs.absolute("*/", cwd) == f"{cwd}/*/"
    assert globs.absolute("../../../../../../../../..", cwd) == "/"
    assert globs.absolute(".", f"{cwd}/link") == f"{cwd}/real/sub"


def test_two_ways_to_one_folder_are_one_claim(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    a = globs.scope(["{link,other}/x.py"], str(tmp_path))
    b = globs.scope(["real/*.py"], str(tmp_path))
    assert globs.overlaps(a, b) is not None


def test_absolute_expands_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert globs.absolute("~/x", "/") == os.path.realpath(tmp_path) + "/x"
    assert globs.absolute("~", "/") == os.path.realpath(tmp_path)
    assert globs.absolute("~x", "/") == "/~x"


def test_a_bracketed_name_that_exists_is_that_name(tmp_path: Path) -> None:
    (tmp_path / "app" / "[id]").mkdir(parents=True)
    cwd = str(tmp_path.resolve())
    found = globs.absolute("app/[id]/page.tsx", cwd)
    assert globs.matches(found, f"{cwd}/app/[id]/page.tsx") and not globs.matches(found, f"{cwd}/app/i/page.tsx")
    assert globs.matches(globs.absolute("app/[jd]/page.tsx", cwd), f"{cwd}/app/j/page.tsx")


@pytest.mark.parametrize("written", [
    "app/[id]/page.tsx", "app/[i]/x", "new/[...slug]/[id]", "[!a]", "*/[id]", "[ab]/..",
])  # fmt: skip
def test_a_claim_means_the_same_before_and_after_its_bracketed_name_exists(tmp_path: Path, written: str) -> None:
    cwd = str(tmp_path.resolve())
    before = globs.scope([written], cwd)
    (tmp_path / written).mkdir(parents=True, exist_ok=True)
    after = globs.scope([written], cwd)
    assert set(before) == set(after) and globs.overlaps(before, after)
    if ".." not in written:
        assert any(globs.matches(each, f"{cwd}/{written}") for each in before)
    if "app/[id]" in written:
        assert any(globs.matches(each, f"{cwd}/app/d/page.tsx") for each in after)


def test_a_bracketed_name_that_is_no_class(tmp_path: Path) -> None:
    (tmp_path / "[user-id]").mkdir()
    cwd = str(tmp_path.resolve())
    assert globs.scope(["[user-id]/x"], cwd) == (f"{cwd}/[[]user-id]/x",)


def test_many_bracketed_segments_are_bounded(tmp_path: Path) -> None:
    assert len(globs.scope(["/".join(["[ab]"] * 8)], str(tmp_path))) == 256
    with pytest.raises(BadInput, match="more than 256"):
        globs.scope(["/".join(["[ab]"] * 500)], str(tmp_path))


def test_a_folder_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    odd = tmp_path / "a*{b,c}?"
    odd.mkdir()
    found = globs.absolute("x", str(odd))
    assert globs.matches(found, f"{odd.resolve()}/x") and not globs.matches(found, f"{tmp_path.resolve()}/aab?/x")
    assert globs.absolute(found, "/") == found


@given(st.text("ab/.{},[]*?!-", min_size=1, max_size=12))
@settings(max_examples=400, deadline=None)
def test_scope_keeps_its_meaning_when_read_again(text: str) -> None:
    try:
        found = globs.scope([text], "/nowhere")
        for each in found:
            assert each.startswith("/")
            assert each in globs.scope([each], "/")
            globs.compiled(each)
        assert set(globs.scope(found, "/")) == set(found)
    except BadInput:
        pass


@pytest.mark.parametrize("bad", [
    "", "a\0b", "a\nb", "\x1b[31m", "a\x7f", "a\x9b", "x" * 5000, "\udcff", "{,}", "{a,b}" * 9, "[z-a]",
    "{" + ",".join(map(str, range(300))) + "}",
])  # fmt: skip
def test_what_is_no_pattern(bad: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        for each in globs.scope([bad], str(tmp_path)):
            globs.compiled(each)
    assert len(caught.value.message) < 200 and caught.value.message.isprintable()


def test_expand() -> None:
    assert globs.expand("{a,{b,c}}x{,1}") == ["ax", "ax1", "bx", "bx1", "cx", "cx1"]
    assert globs.expand("{a}") == ["{a}"] and globs.expand("{a,b") == ["{a,b"] and globs.expand("[{,}]") == ["[{,}]"]
    assert globs.expand("{a{b},c}") == ["a{b}", "c"]
    assert len(globs.expand("{a,{b,{c,{d,{e,{f,{g,{h,i}}}}}}}}")) == 9
    with pytest.raises(BadInput, match="several"):
        globs.absolute("{a,b}", "/")
