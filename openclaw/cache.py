"""`cache_with_ttl` for Python programs: a function's results, kept by the content of its arguments.

@cache_with_ttl(hours=24)
def analyze(code: str) -> dict[str, int]: ...
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
import types
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar

from openclaw.errors import BadInput
from openclaw.results import SIZE, Results, key_of
from openclaw.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")


def cache_with_ttl(
    seconds: float = 0,
    *,
    minutes: float = 0,
    hours: float = 0,
    days: float = 0,
    size: int = SIZE,
    files: Sequence[str] = (),
    key: Callable[..., Any] | None = None,
    version: Any = None,
    settings: Settings | None = None,
) -> Callable[[Callable[P, R]], Cached[P, R]]:
    """Keep what a function returns for so long, for this and all other processes with the same state folder.

    The key is the content of the arguments (plain data, paths, bytes, dates, sets, dataclasses), the function's own
    code and `version`. `files` names arguments that are paths: what is in those files belongs to the key then. `key`
    makes plain data of arguments that are something else. At most `size` results are kept. Many who ask at once wait
    for one to compute it; what it raises is not kept. `f.clear()` forgets, `f.__wrapped__` computes.

    BadInput: no time is given, the function is async, or an argument has no content to go by.
    """
    ttl = seconds + 60 * minutes + 3600 * hours + 86400 * days
    if not ttl > 0 or size < 1:
        raise BadInput("cache_with_ttl needs a time and a size above zero", "@cache_with_ttl(hours=24)")

    def decorated(function: Callable[P, R]) -> Cached[P, R]:
        return Cached(function, ttl, size, tuple(files), key, version, settings)

    return decorated


class Cached(Generic[P, R]):
    """A function with a memory."""

    __wrapped__: Callable[P, R]

    def __init__(
        self,
        function: Callable[P, R],
        ttl: float,
        size: int,
        files: tuple[str, ...],
        key: Callable[..., Any] | None,
        version: Any,
        settings: Settings | None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.name = f"{function.__module__}.{function.__qualname__}"
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise BadInput(
                f"cache_with_ttl: {self.name} returns no value but something to wait for", "cache what it calls"
            )
        self._signature = inspect.signature(function)
        if unknown := [each for each in files if each not in self._signature.parameters]:
            raise BadInput(
                f"cache_with_ttl: {self.name} has no argument {unknown[0][:40]!r}", "name its arguments in files="
            )
        self._ttl, self._size, self._files, self._key = ttl, size, files, key
        self._settings, self._results = settings, dict[str, Results]()
        self._code = [_code(function.__code__) if isinstance(function, types.FunctionType) else None, _content(version)]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        key = self._key_of(args, kwargs)
        results = self._here()
        computed: list[R] = []

        def compute() -> R:
            computed.append(self.__wrapped__(*args, **kwargs))
            return computed[0]

        try:
            value: R = results.once(self.name, key, self._ttl, compute, self._size).value
        except TypeError as error:
            if not computed:
                raise
            warnings.warn(f"{self.name} is not cached: {error}", RuntimeWarning, stacklevel=2)
            return computed[0]
        return value

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """As a method: the object is its first argument, so that `key` has to say what of it counts."""
        return self if instance is None else types.MethodType(self, instance)

    def clear(self) -> int:
        """Forget its results; how many there were."""
        return self._here().clear(self.name)

    def _here(self) -> Results:
        """The results of the state folder that the environment names now."""
        settings = self._settings or Settings()
        found = self._results.get(settings.state_dir)
        if found is None:
            found = self._results[settings.state_dir] = Results(settings)
        return found

    def _key_of(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        try:
            given = _content(self._key(*args, **kwargs) if self._key else dict(bound.arguments))
        except TypeError as error:
            raise BadInput(
                f"{self.name} can't be cached by its arguments: {error}", "give key=, which makes plain data of them"
            ) from None
        return key_of(self.name, self._code, given, [_file(bound.arguments[name]) for name in self._files])


def _content(value: Any) -> Any:
    """A value as JSON that is different for different values. TypeError where it has no content that we know of."""
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if value == value and abs(value) != float("inf") else {"float": repr(value)}
    if kind in (list, tuple):
        return [_content(each) for each in value]
    if isinstance(value, Mapping):
        pairs = [[_content(key), _content(each)] for key, each in value.items()]
        return {"mapping": sorted(pairs, key=lambda pair: key_of(pair[0]))}
    if kind in (set, frozenset):
        return {"set": sorted((_content(each) for each in value), key=key_of)}
    if kind in (bytes, bytearray):
        return {"bytes": hashlib.sha256(value).hexdigest()}
    if isinstance(value, os.PathLike):
        return {"path": os.fsdecode(value)}
    if isinstance(value, type):
        return {"class": f"{value.__module__}.{value.__qualname__}"}
    called = f"{kind.__module__}.{kind.__qualname__}"
    if hasattr(value, "isoformat"):
        return {called: value.isoformat()}
    if hasattr(kind, "__dataclass_fields__"):
        return {called: [[name, _content(getattr(value, name))] for name in kind.__dataclass_fields__]}
    if isinstance(value, tuple):  # a NamedTuple
        return {called: [_content(each) for each in value]}
    if hasattr(value, "value") and hasattr(kind, "__members__"):  # an Enum
        return {called: value.name}
    raise TypeError(f"a {called} has no content that is known")


def _code(code: types.CodeType) -> Any:
    """What a function does, wherever in its file it stands."""
    inner = [_code(each) if isinstance(each, types.CodeType) else repr(each) for each in code.co_consts]
    return [hashlib.sha256(code.co_code).hexdigest(), inner, list(code.co_names)]


def _file(value: Any) -> Any:
    """The content of a file, or of several, as hashes; None for one that can't be read."""
    if isinstance(value, (list, tuple)):
        return [_file(each) for each in value]
    try:
        with open(value, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, TypeError):
        return None
