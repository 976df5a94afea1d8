"""YAML is parsed once, and never taken from memory when the file is another by now."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from openclaw.errors import BadInput
from openclaw.yamls import read_yaml


def test_what_was_parsed_is_remembered_until_the_file_changes(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.yaml", str(tmp_path / "cache")
    path.write_text("a: [1, two]\n")
    assert read_yaml(str(path), cache) == {"a": [1, "two"]}
    [kept] = (tmp_path / "cache").iterdir()
    known = json.loads(kept.read_text())
    kept.write_text(json.dumps(known | {"tree": {"from": "memory"}}))
    assert read_yaml(str(path), cache) == {"from": "memory"}
    path.write_text("b: 2\n")
    assert read_yaml(str(path), cache) == {"b": 2}
    path.write_text("b: [\n")
    with pytest.raises(BadInput):
        read_yaml(str(path), cache)


@pytest.mark.parametrize("text", ["1: a\n", "a: 2026-01-01\n"])
def test_what_json_would_change_is_not_remembered(tmp_path: Path, text: str) -> None:
    path, cache = tmp_path / "a.yaml", tmp_path / "cache"
    path.write_text(text)
    first = read_yaml(str(path), str(cache))
    assert not cache.exists() and read_yaml(str(path), str(cache)) == first


def test_a_damaged_or_unwritable_memory_is_no_loss(tmp_path: Path) -> None:
    path, cache = tmp_path / "a.yaml", tmp_path / "cache"
    path.write_text("a: 1\n")
    read_yaml(str(path), str(cache))
    for content in ("", "{", "[]", '{"stamp": 1}', '{"stamp": [0, 0, 0], "tree": {}}'):
        next(cache.iterdir()).write_text(content)
        assert read_yaml(str(path), str(cache)) == {"a": 1}
    (tmp_path / "file").write_text("")
    assert read_yaml(str(path), os.path.join(tmp_path, "file", "below")) == {"a": 1}
