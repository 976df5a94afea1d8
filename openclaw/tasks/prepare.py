"""From a request to a task: template and flags together, scope, files read, tokens counted, prompt rendered.

Pure but for reading files. Whatever a guard refuses is refused here, before anything is reserved or started.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from openclaw.context.tokens import Count, Counter
from openclaw.errors import BadInput, OpenclawError, Refused
from openclaw.settings import Settings
from openclaw.tasks import globs, inject, prefix, templates
from openclaw.tasks.files import Unreadable, read_plain
from openclaw.tasks.inject import Injected
from openclaw.tasks.prefix import Prefix
from openclaw.tasks.render import render
from openclaw.tasks.request import Request, check
from openclaw.tasks.templates import Template

if TYPE_CHECKING:
    from openclaw.roles.part import Part

_SHOWN = 5  # files that a refusal names


class Scope(NamedTuple):
    """Absolute patterns of `tasks.globs`. What may be written is claimed for this sub-agent alone."""

    read: tuple[str, ...]
    write: tuple[str, ...]


class Task(NamedTuple):
    """All that is known of a sub-agent's work before it starts.

    `sandbox`: its scope is enforced by bubblewrap; `open`: neither the template nor the person said what may be
    written, so nothing is claimed and no writing refused.
    `prompt` is what it is given, `tokens` are the prompt's. `template` and `type` are names, `missing` the template's
    files that are nowhere, `env` as requested. `rules` are the files with the rules of the
    project around the cwd, injected or not; `worktree`: it works in one that is made for it.
    """

    text: str
    prompt: str
    type: str
    template: str
    agent: str
    model: str | None
    name: str | None
    cwd: str
    scope: Scope
    injected: tuple[Injected, ...]
    missing: tuple[str, ...]
    tokens: int
    exact: bool
    limit: int
    timeout_s: float
    budget_tokens: int | None
    on_context: str  # warn or compact; empty: as the settings say
    env: tuple[str, ...]
    sandbox: bool = False
    open: bool = False
    prefix: Prefix = Prefix()
    rules: tuple[str, ...] = ()
    worktree: bool = False
    role: Part | None = None

    def scope_json(self) -> dict[str, object]:
        """The scope as a session keeps it; the guard, and who looks for violations, read it."""
        found: dict[str, object] = {"read": list(self.scope.read), "write": list(self.scope.write)}
        return found | {key: True for key in ("sandbox", "open") if getattr(self, key)}


class Move(NamedTuple):
    """The work is done below `new` in a copy of what is below `old`, absolute folders both without symlinks."""

    old: str
    new: str

    def path(self, path: str) -> str:
        """Where a path of the original is in the copy; others stay."""
        return self.new + path[len(self.old) :] if (path + "/").startswith(self.old + "/") else path

    def scope(self, scope: Scope) -> Scope:
        """Patterns that start inside the original, as they are in the copy."""
        quoted = Move(globs.quote_path(self.old), globs.quote_path(self.new))
        return Scope(tuple(map(quoted.path, scope.read)), tuple(map(quoted.path, scope.write)))


def prepare(
    request: Request,
    settings: Settings,
    counter: Counter,
    known: Mapping[str, Template] | None = None,
    move: Move | None = None,
    cuts: Mapping[str, Collection[str]] | None = None,
    cast: Callable[[str, str], Part] | None = None,
) -> Task:
    """The task that a request asks for. Flags win over the role, it over the template, the template over the settings.

    `known` are the templates, loaded once by whoever prepares many. With `move` files are read where the person is,
    and the task is to be done in the copy: all of it is claimed where neither template nor flags say what. `cuts` are
    the parts of its prefix (`prefix.PARTS`) that each program can leave out; `cast` knows how a program plays a role.
    BadInput for what can't be understood or is not there, NotFound for a template, Refused for unsafe files
    (`unsafe_file`), too many tokens (`over_token_limit`) and whatever else is too large (`over_limit`).
    """
    request = check(request, settings)
    template = templates.get(known or templates.load(settings), request.template or request.type or templates.DEFAULT)
    agent = request.agent or template.agent or settings.get("agent")
    if request.only is not None:
        template = template._replace(files=request.only, files_limit=None, look_in=templates.PLACES)
    role = cast(request.role, agent) if cast and request.role else None
    wanted_model = request.model or (role.model if role else None)
    model = wanted_model or agent  # an agent's name tells the family of its models
    scope = Scope(
        globs.scope(request.read or (("**",) if template.read is None else template.read), request.cwd),
        globs.scope(request.write or template.write or (), request.cwd),
    )
    cwd = request.cwd
    if move:
        if not scope.write and template.write is None:
            scope = scope._replace(write=(globs.quote_path(move.old) + "/**",))
        scope, cwd = move.scope(scope), move.path(cwd)
    free = not scope.write and template.write is None and not request.sandbox
    defaults, missing = _default_files(template, request, settings, counter, model)
    if request.only is not None and missing:
        where = f"it is looked up in {settings.workspace} and {request.cwd}"
        raise BadInput(f"{missing[0][:200]!r}, which is to be injected, does not exist", where)
    rules = [*(role.text.splitlines() if role and role.aloud else ()), *_rules(template, scope, free, cwd)]
    if template.files_limit is not None and request.max_inject_tokens is None:
        whole = counter.count(render(request.task, defaults, rules), model=model).tokens
        _check_defaults(defaults, template, template.files_limit, whole, counter, model)
    asked = inject.read_all(
        request.inject, request.cwd, settings, counter, allow_secret=request.allow_secret, model=model
    )
    wanted, own = request.prefix or template.prefix, template.tools
    if role and role.tools is not None:  # they would be more than that with all that the program has
        wanted, own = request.prefix or ("lean" if wanted == "full" else wanted), role.tools
    can_cut = (cuts or {}).get(agent, ())
    text = role.text if role and not role.aloud else ""
    around = prefix.decide(wanted, own, template.system_prompt, template.settings, cwd, can_cut, text)
    found = prefix.rules(request.cwd)
    if template.rules and "rules" in {*around.cut} & {*can_cut}:
        asked = [*_project_rules(found, request, settings, counter, model), *asked]
    files = tuple({(file.absolute, file.first, file.last): file for file in (*defaults, *asked)}.values())
    limit = request.max_inject_tokens or template.max_inject_tokens
    prompt = render(request.task, files, rules)
    tokens, exact = counter.count(prompt, near=limit, model=model)
    if tokens > limit:
        raise _over(Count(tokens, exact), limit, request.task, files, rules, counter, model)
    return Task(
        text=request.task,
        prompt=prompt,
        type=request.type or template.type,
        template=template.name,
        agent=agent,
        model=wanted_model,
        name=request.name,
        cwd=cwd,
        scope=scope,
        injected=files,
        missing=missing,
        tokens=tokens,
        exact=exact,
        limit=limit,
        timeout_s=request.timeout or template.timeout,
        budget_tokens=request.budget_tokens or _budget(template, request, settings),
        on_context=request.on_context or template.on_context or "",
        env=request.env,
        sandbox=request.sandbox,
        open=free,
        prefix=around,
        worktree=move is not None,
        role=role,
        rules=tuple(dict.fromkeys(os.path.realpath(named.path) for named in found)),
    )


def recounted(task: Task, counter: Counter) -> Task:
    """The task as the model that was chosen for it counts it. Refused if that is more than is allowed."""
    tokens, exact = counter.count(task.prompt, near=task.limit, model=task.model)
    if tokens > task.limit:
        raise Refused(
            f"for {task.model} the task has {_about(Count(tokens, exact))} tokens, {task.limit} are allowed"
            + (f": {_largest(task.injected)}" if task.injected else ""),
            f"inject less, or allow more with --max-inject-tokens {_round_up(tokens)}",
            code="over_token_limit",
        )
    files = tuple(f._replace(tokens=counter.count(f.text, model=task.model).tokens) for f in task.injected)
    return task._replace(tokens=tokens, exact=exact, injected=files)


def everything(settings: Settings, counter: Counter) -> tuple[tuple[str, int], ...]:
    """Every markdown file at the top of the workspace with its tokens: what loading them all would cost."""
    found = []
    try:
        names = sorted(os.listdir(settings.workspace))
    except OSError:
        return ()
    for name in names:
        path = os.path.realpath(os.path.join(settings.workspace, name))
        if name.endswith(".md"):
            try:
                text = read_plain(path, settings.get("limits.file_bytes")).decode("utf-8", "replace")
            except Unreadable:
                continue  # nobody could load it either
            found.append((path, counter.count(text).tokens))
    return tuple(found)


# --- what goes into the prompt


def _budget(template: Template, request: Request, settings: Settings) -> int | None:
    """The type's own budget, where somebody has asked for that type: nobody is halted by surprise."""
    named = request.type or request.template or settings.get("budget.defaults")
    return template.budget_tokens if named else None


def _default_files(
    template: Template, request: Request, settings: Settings, counter: Counter, model: str
) -> tuple[list[Injected], tuple[str, ...]]:
    """The template's files from the first place that has them, and the names that none has."""
    folders = {"workspace": os.path.realpath(settings.workspace), "cwd": request.cwd}
    allowed = inject.real_paths(request.allow_secret, request.cwd)
    found, missing = [], []
    for name in template.files:
        for place in template.look_in:
            try:
                named = list(inject.find(name, folders[place]))
            except BadInput:
                continue
            for each in named:
                found.append(inject.read(each, request.cwd, settings, counter, allowed=allowed, model=model))
            break
        else:
            missing.append(name)
    return found, tuple(missing)


def _project_rules(
    found: Iterable[inject.Named], request: Request, settings: Settings, counter: Counter, model: str
) -> list[Injected]:
    allowed = inject.real_paths(request.allow_secret, request.cwd)
    return [inject.read(each, request.cwd, settings, counter, allowed=allowed, model=model) for each in found]


def _rules(template: Template, scope: Scope, free: bool, cwd: str) -> list[str]:
    rules = template.preamble.splitlines()
    if scope.write:
        rules.append("Change only: " + ", ".join(_relative(pattern, cwd) for pattern in scope.write))
    elif not free:
        rules.append("Change no files.")
    return rules


def _relative(pattern: str, cwd: str) -> str:
    start = globs.quote_path(cwd).rstrip("/") + "/"
    return pattern.removeprefix(start) if pattern + "/" != start else "."


# --- what is too much


def _check_defaults(
    files: Sequence[Injected], template: Template, limit: int, whole: int, counter: Counter, model: str
) -> None:
    """`whole` are the tokens of the prompt with these files, so that following the hint gets through."""
    count = counter.count("".join(file.text for file in files), near=limit, model=model)
    if count.tokens > limit:
        raise Refused(
            f"the default files of {template.name} have {_about(count)} tokens, {limit} are allowed: {_largest(files)}",
            f"shorten them, allow more with --max-inject-tokens {_round_up(whole)}, "
            "or give the template another files_limit",
            code="over_token_limit",
        )


def _over(
    count: Count, limit: int, text: str, files: Sequence[Injected], rules: Sequence[str], counter: Counter, model: str
) -> OpenclawError:
    """The refusal, with the largest files and what would fit."""

    def measure(*kept: Injected) -> int:
        return counter.count(render(text, kept, rules), near=limit, model=model).tokens

    more = f"--max-inject-tokens {_round_up(count.tokens)} allows it"
    bare = measure()
    if not files or bare > limit:
        message = f"the task has {_about(count)} tokens to start with, {limit} are allowed"
        return Refused(message, f"put the bulk into a file and inject lines of it; {more}", code="over_token_limit")
    kept, room = list[Injected](), limit - bare
    for file in files:
        if file.tokens <= room:
            kept.append(file)
            room -= file.tokens
    while kept and measure(*kept) > limit:  # each file's own two lines
        kept.pop()
    fits = f"these fit: {_names(kept)}" if kept else _range_that_fits(files, measure, limit)
    return Refused(
        f"{_about(count)} tokens to start with, {limit} are allowed: {_largest(files)}",
        f"{fits}; {more}" if fits else more,
        code="over_token_limit",
    )


def _range_that_fits(files: Sequence[Injected], measure: Callable[[Injected], int], limit: int) -> str:
    largest = max(files, key=lambda file: file.tokens)
    lines = largest.text.splitlines(keepends=True)
    first = largest.first or 1
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        part = largest._replace(text="".join(lines[:middle]), first=first, last=first + middle - 1)
        low, high = (middle, high) if measure(part) <= limit else (low, middle - 1)
    return f"what fits of the largest: {largest.path}:{first}-{first + low - 1}" if low else ""


def _largest(files: Iterable[Injected]) -> str:
    ordered = sorted(files, key=lambda file: -file.tokens)
    shown = ", ".join(f"{file.path} {file.tokens}" for file in ordered[:_SHOWN])
    return shown + (f" and {len(ordered) - _SHOWN} smaller" if len(ordered) > _SHOWN else "")


def _names(files: Sequence[Injected]) -> str:
    shown = " ".join(file.path + (f":{file.first}-{file.last}" if file.first else "") for file in files[: 2 * _SHOWN])
    return shown + (f" and {len(files) - 2 * _SHOWN} more" if len(files) > 2 * _SHOWN else "")


def _about(count: Count) -> str:
    return f"{count.tokens}" if count.exact else f"about {count.tokens}"


def _round_up(tokens: int) -> int:
    step = int("1" + "0" * max(1, len(str(tokens)) - 2))
    return -(-tokens // step) * step
