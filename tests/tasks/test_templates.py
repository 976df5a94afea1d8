"""Templates: the shipped ones, the user's on top, and what a wrong one says."""

from __future__ import annotations

from pathlib import Path

import pytest

from openclaw.errors import BadInput, NotFound
from openclaw.settings import Settings
from openclaw.tasks import templates


class Place:
    """A configuration folder and a workspace for templates."""

    def __init__(self, root: Path) -> None:
        self.root = root
        environ = {"OPENCLAW_CONFIG": str(root / "c" / "o.yaml"), "OPENCLAW_WORKSPACE": str(root / "w")}
        self.settings = Settings(environ={"HOME": str(root), **environ}, cwd=str(root))

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def load(self) -> dict[str, templates.Template]:
        return templates.load(self.settings)

    def bad(self, text: str) -> str:
        self.write("w/templates/own.yaml", text)
        with pytest.raises(BadInput) as caught:
            self.load()
        assert str(self.root / "w/templates/own.yaml") in caught.value.message and "\n" not in caught.value.message
        return caught.value.message + " | " + caught.value.hint


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_the_shipped_ones(place: Place) -> None:
    found = place.load()
    assert set(found) == {
        "sub-agent", "command", "heartbeat", "cron", "research", "code-edit", "review", "test", "direct-chat",
    }  # fmt: skip
    assert all(found[name].name == found[name].type == name and found[name].description for name in found)
    beat = found["heartbeat"]
    assert (beat.files, beat.files_limit, beat.timeout, beat.write, beat.budget_tokens) == (
        ("HEARTBEAT.md",), 60, 60.0, (), 20000,
    )  # fmt: skip
    assert (found["cron"].files_limit, found["cron"].timeout) == (100, 300.0)
    assert (found["research"].files_limit, found["research"].timeout, found["research"].write) == (350, 1200.0, ())
    assert (found["sub-agent"].files, found["sub-agent"].files_limit) == (("AGENTS.md",), 300)
    assert found["sub-agent"].write is None and found["review"].write == ()
    assert found["sub-agent"].timeout == 3600.0 and found["sub-agent"].max_inject_tokens == 20_000


def test_settings_fill_what_a_template_leaves_open(place: Place) -> None:
    place.write("c/o.yaml", "timeout: 2h\nlimits: {inject_tokens: 7k}\n")
    assert (place.load()["sub-agent"].timeout, place.load()["sub-agent"].max_inject_tokens) == (7200.0, 7000)


def test_later_ones_win_and_extend(place: Place) -> None:
    place.write("c/templates/docs.yaml", "extends: research\nfiles: [STYLE.md]\ntimeout: 5m\n")
    place.write("c/templates/many.yml", "one: {type: review, agent: claude}\ntwo: {extends: one, write: ['docs/**']}\n")
    place.write("w/templates/docs.yaml", "extends: docs\ntimeout: 9m\nbudget_tokens: null\n")
    place.write("w/templates/heartbeat.yaml", "files: [H.md]\n")
    place.write("w/templates/notes.txt", "not a template")
    found = place.load()
    assert (found["docs"].files, found["docs"].files_limit, found["docs"].timeout) == (("STYLE.md",), 350, 540.0)
    assert found["docs"].budget_tokens is None and found["docs"].type == "docs"
    assert (found["two"].type, found["two"].agent, found["two"].write) == ("review", "claude", ("docs/**",))
    assert found["heartbeat"].files_limit is None  # without extends, a definition stands by itself


def test_get_takes_names_and_types(place: Place) -> None:
    place.write("w/templates/own.yaml", "type: triage\n")
    found = place.load()
    assert templates.get(found, "own").name == templates.get(found, "triage").name == "own"
    with pytest.raises(NotFound, match="'reserch'") as caught:
        templates.get(found, "reserch")
    assert "research" in caught.value.hint
    with pytest.raises(NotFound) as caught:
        templates.get(found, "zzz")
    assert "heartbeat" in caught.value.hint


@pytest.mark.parametrize(("text", "said"), [
    ("files: [a\n", "line 2"), ("- a\n", "mapping"), ("", "no template"), ("fiels: [a]\n", "did you mean 'files'"),
    ("files: a\n", "files must be a list"), ("files: [1]\n", "files must be a list"),
    ("timeout: soon\n", "not a duration"),
    ("files_limit: many\n", "not a number"), ("files_limit: true\n", "whole number"),
    ("agent: [a]\n", "agent must be a text"),
    ("preamble: \"a\\e[0m\"\n", "control"), ("extends: nothing\n", "which is not there"),
    ("extends: own\n", "not there"),
    ("extends: reserch\n", "did you mean research"), ("look_in: [home]\n", "'home'"),
    ("'a b': {files: []}\n", "can't be a name"),
    ("a: {extends: b}\nb: {extends: c}\nc: {extends: a}\n", "goes round"),
])  # fmt: skip
def test_what_a_wrong_one_says(place: Place, text: str, said: str) -> None:
    assert said in place.bad(text)
