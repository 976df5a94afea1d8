"""YAML as people write it: refused in one clear line, and parsed once."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from typing import Any

from openclaw.errors import BadInput

MAX_DEPTH = 100  # of the nesting of a YAML file


def load_yaml(text: str) -> Any:
    """The tree of a YAML text. yaml.YAMLError, also where it is too deep or a mapping has a key twice.

    The parser of libyaml overflows the stack of the process on deep nesting, so the events are looked at first.
    """
    reader = _reader(text)
    try:
        node = reader.get_single_node()
        _check_keys(node, set())
        return None if node is None else reader.construct_document(node)
    finally:
        reader.dispose()


def nodes(text: str) -> Iterator[Any]:
    """The root node of each document of a YAML text, with lines and without meaning. yaml.YAMLError as above."""
    reader = _reader(text)
    try:
        while reader.check_node():
            yield reader.get_node()
    finally:
        reader.dispose()


def without_comments(text: str) -> str:
    """JSON as people write it: comments blanked, line by line, and no commas before a closing bracket."""

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[0].startswith('"') else re.sub(r"[^\n]", " ", found[0])

    text = re.sub(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', kept, text, flags=re.S)
    return re.sub(r'("(?:\\.|[^"\\])*")|,(?=\s*[}\]])', lambda found: found[1] or " ", text)


def _reader(text: str) -> Any:
    """A loader of this text, which is not nested too deeply."""
    import yaml  # 20 ms: only when there is a file

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem=f"nested deeper than {MAX_DEPTH}", problem_mark=event.start_mark)  # type: ignore[arg-type]
    return loader(text)


def _check_keys(node: Any, seen: set[int]) -> None:
    import yaml

    if id(node) in seen or isinstance(node, yaml.ScalarNode) or node is None:
        return
    seen.add(id(node))  # an alias leads to a node that was looked at
    children = node.value
    if isinstance(node, yaml.MappingNode):
        keys = set[tuple[str, str]]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in keys:
                raise yaml.MarkedYAMLError(problem=f"{key.value[:40]!r} is given twice", problem_mark=key.start_mark)
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                keys.add((key.tag, key.value))
        children = [value for _, value in node.value]
    for child in children:
        _check_keys(child, seen)


def read_yaml(path: str, cache: str = "") -> dict[str, Any]:
    """A YAML file whose top is a mapping. BadInput with the file and line otherwise.

    `cache` is a folder that keeps what was parsed, for the import of yaml alone is a tenth of a spawn.
    """
    if cache and (known := _recall(path, cache)) is not None:
        return known
    import yaml  # 20 ms: only when there is a file that is not known

    try:
        with open(path, encoding="utf-8") as file:
            tree = load_yaml(file.read())
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise BadInput(f"{path}, line {line}: {error.problem}", "mend the YAML there", code="bad_config") from error
    except (OSError, ValueError, yaml.YAMLError) as error:  # ValueError: not UTF-8, or a date such as 2026-13-45
        raise BadInput(f"{path}: {error}", "it must be a readable YAML file in UTF-8", code="bad_config") from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise BadInput(f"{path}: expected a mapping at the top, found {type(tree).__name__}", code="bad_config")
    if cache:
        _remember(path, cache, tree)
    return tree


def _place(path: str, cache: str) -> tuple[str, list[int]]:
    """The file of the cache, and what says that `path` is still the same."""
    import hashlib

    found = os.stat(path)
    name = hashlib.sha1(os.fsencode(os.path.abspath(path)), usedforsecurity=False).hexdigest()
    return os.path.join(cache, name), [found.st_mtime_ns, found.st_size, found.st_ino]


def _recall(path: str, cache: str) -> dict[str, Any] | None:
    try:
        name, stamp = _place(path, cache)
        with open(name, encoding="utf-8") as file:
            known = json.load(file)
        return known["tree"] if known["stamp"] == stamp and isinstance(known["tree"], dict) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(path: str, cache: str, tree: dict[str, Any]) -> None:
    """Only what JSON gives back as it was: no dates, no keys that are numbers. Not being able to is no loss."""
    try:
        name, stamp = _place(path, cache)
        text = json.dumps({"stamp": stamp, "tree": tree})
        if json.loads(text)["tree"] != tree:
            return
        os.makedirs(cache, mode=0o700, exist_ok=True)
        made = os.open(f"{name}.{os.getpid()}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(made, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(f"{name}.{os.getpid()}", name)
    except (OSError, ValueError, TypeError):
        return
