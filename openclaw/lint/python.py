"""Python: calls of `sessions_spawn`, and of what starts processes with words that are known. Reads its syntax tree."""

from __future__ import annotations

import ast
import shlex
import warnings
from collections.abc import Iterable, Iterator
from functools import cached_property

from openclaw.lint import commands, shell
from openclaw.lint.finding import INJECT, ISOLATION, MANY, SCOPE, UNKNOWN, Broken, Spawn

LISTS = {f"subprocess.{name}" for name in ("run", "Popen", "call", "check_call", "check_output")}
TEXTS = {
    "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell", "pexpect.spawn", "pexpect.run",
}  # fmt: skip
ARGUMENTS = frozenset(("asyncio.create_subprocess_exec", "os.execl", "os.execlp", "os.spawnl", "os.spawnlp"))
VECTORS = frozenset(("os.execv", "os.execvp", "os.execve", "os.execvpe", "os.posix_spawn", "os.posix_spawnp"))
OURS = "openclaw.api.sessions_spawn"
GROWING = ("append", "extend", "insert")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
DEPTH = 20  # of names for names
ORDER = ("task", "scope", "inject", "session")
MENDS = {
    SCOPE: 'scope={"can_read": […], "can_write": […]}', INJECT: "inject=[…]", ISOLATION: 'session="isolated"',
}  # fmt: skip
EMPTY: tuple[object, ...] = (None, (), [], {}, "")


def spawns(source: bytes) -> Iterator[Spawn]:
    """The spawns of a module. Broken when it is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of its strings, to stderr
            tree = ast.parse(source)
    except SyntaxError as error:
        raise Broken(error.lineno or 0, error.msg) from None
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes; nested deeper than the parser can
        raise Broken(0, str(error) or "nested too deeply") from None
    nodes = list(ast.walk(tree))
    names = _imported(nodes)
    for body in (tree, *(node for node in nodes if isinstance(node, FUNCTIONS))):
        known = _Known(body, tree)
        for node in _own(body):
            if isinstance(node, ast.Call):
                yield from _call(node, names, known)


def _call(node: ast.Call, names: dict[str, str], known: _Known) -> Iterator[Spawn]:
    called = _dotted(node.func, names)
    if called.rpartition(".")[2] == "sessions_spawn":
        yield from _spawned(node, called)
        return
    shelled = any(k.arg == "shell" and _literal(k.value) is True for k in node.keywords)
    if called in TEXTS or (called in LISTS and shelled):
        first = node.args[0] if node.args else next((k.value for k in node.keywords if k.arg in ("args", "cmd")), None)
        if first is not None and (text := known.text(first)):
            for words in shell.inner(text):
                yield from commands.spawns(words, node.lineno, shell.inner)
        return
    if called in LISTS and (node.args or any(k.arg == "args" for k in node.keywords)):
        words = known.words(node.args[0] if node.args else next(k.value for k in node.keywords if k.arg == "args"))
    elif called in VECTORS and len(node.args) > 1:
        words = known.words(node.args[1])
    elif called in ARGUMENTS:
        skipped = 1 if called.startswith("os.exec") else 2 if called.startswith("os.spawn") else 0
        words = [word for each in node.args[skipped:] for word in known.item(each)]
    else:
        return
    yield from commands.spawns(words, node.lineno, shell.inner)


def _spawned(node: ast.Call, called: str) -> Iterator[Spawn]:
    """A call of sessions_spawn. An argument that is only known when it runs counts as given."""
    given = dict(zip(ORDER, node.args, strict=False)) | {k.arg: k.value for k in node.keywords if k.arg}
    many = any(isinstance(each, ast.Starred) for each in node.args) or any(k.arg is None for k in node.keywords)
    planned = many or any(_says(given.get(name)) for name in ("template", "type", "role"))
    lacks = []
    if not planned and not _scoped(given.get("scope")):
        lacks.append(SCOPE)
    if (
        not planned
        and not _says(given.get("inject"))
        and not ("agent" in given and _literal(given["agent"]) == "shell")
    ):
        lacks.append(INJECT)
    if _literal(given["session"]) not in ("isolated", ...) if "session" in given else not many and called != OURS:
        lacks.append(ISOLATION)
    yield Spawn(
        node.lineno, "sessions_spawn", tuple(lacks), f"add {', '.join(MENDS[each] for each in lacks)}" if lacks else ""
    )


def _says(node: ast.expr | None) -> bool:
    """Whether an argument is there and not empty."""
    return node is not None and _literal(node) not in EMPTY


def _scoped(node: ast.expr | None) -> bool:
    if not _says(node):
        return False
    if isinstance(node, ast.Dict) and None not in node.keys:
        return any(_literal(key) in ("can_read", "can_write") for key in node.keys if key)
    return True


def _literal(node: ast.expr) -> object:
    """The value of a literal; `...` for anything else."""
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, MemoryError, RecursionError):
        return ...


class _Known:
    """What is known of the words and texts of a function: literals, and names that one literal was given to."""

    def __init__(self, body: ast.AST, module: ast.AST) -> None:
        self._scopes = (module, body) if body is not module else (module,)

    @cached_property
    def _names(self) -> tuple[dict[str, list[ast.expr]], set[str]]:
        """What was given to each name, a function's own before its module's; and which lists grow later."""
        given: dict[str, list[ast.expr]] = {}
        changed: set[str] = set()
        for scope in self._scopes:
            found: dict[str, list[ast.expr]] = {}
            for node in _own(scope):
                if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                    found.setdefault(node.targets[0].id, []).append(node.value)
                elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
                    found.setdefault(node.target.id, []).append(node.value)
                elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
                    changed.add(node.target.id)
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.attr in GROWING:
                    changed.add(node.value.id)
                elif isinstance(node, ast.arg):
                    found[node.arg] = []  # whatever it is called with
            given |= found
        return given, changed

    def _value(self, node: ast.expr, depth: int) -> ast.expr | None:
        """What a name stands for, where that is one thing."""
        values = self._names[0].get(node.id, []) if isinstance(node, ast.Name) and depth < DEPTH else []
        return values[0] if len(values) == 1 else None

    def words(self, node: ast.expr, depth: int = 0) -> list[str]:
        """The words of a list; MANY where there may be any number of them."""
        if isinstance(node, (ast.List, ast.Tuple)):
            return [word for each in node.elts for word in self.item(each, depth + 1)]
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return [*self.words(node.left, depth + 1), *self.words(node.right, depth + 1)]
        if isinstance(node, ast.Name) and (value := self._value(node, depth)):
            return [*self.words(value, depth + 1), *([MANY] if node.id in self._names[1] else [])]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "split":
            try:
                return shlex.split(self.text(node.args[0] if node.args else node.func.value, depth + 1))
            except ValueError:
                return [MANY]
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return [node.value]
        return [MANY]

    def item(self, node: ast.expr, depth: int = 0) -> list[str]:
        """One element of a list. A value that is not known is a word, never an option."""
        if isinstance(node, ast.Starred):
            return self.words(node.value, depth) if depth < DEPTH else [MANY]
        return [self.text(node, depth)]

    def text(self, node: ast.expr, depth: int = 0) -> str:
        """A text, with UNKNOWN for its parts that are not known."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else str(node.value)
        if isinstance(node, ast.JoinedStr):
            parts = (self.text(each) if isinstance(each, ast.Constant) else UNKNOWN for each in node.values)
            return "".join(parts)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) and depth < DEPTH:
            return self.text(node.left, depth + 1) + self.text(node.right, depth + 1)
        value = self._value(node, depth)
        return self.text(value, depth + 1) if value else UNKNOWN


def _imported(nodes: Iterable[ast.AST]) -> dict[str, str]:
    """Names with what they stand for: `sp` → `subprocess`, `run` → `subprocess.run`."""
    names: dict[str, str] = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                names[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
            if node.module == "openclaw.api" and node.names[0].name == "*":
                names["sessions_spawn"] = OURS
    return names


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    first = names.get(node.id, node.id) if isinstance(node, ast.Name) else "?"
    return ".".join([first, *reversed(parts)])


def _own(body: ast.AST) -> Iterator[ast.AST]:
    """All below it in order, but not what stands in functions of their own."""
    nodes = list(ast.iter_child_nodes(body))[::-1]
    while nodes:
        node = nodes.pop()
        yield node
        if not isinstance(node, FUNCTIONS):
            nodes += list(ast.iter_child_nodes(node))[::-1]
