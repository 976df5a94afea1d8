"""Where every value comes from (flag > environment > workspace > user > default), and the paths.

One declaration per setting gives it its key in YAML, its environment variable, its type, default and help; a
value knows its source, which `config show` prints. Nothing heavy is imported: YAML only when a file is there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from openclaw import places
from openclaw.errors import BadInput
from openclaw.units import parse_amount, parse_count, parse_duration
from openclaw.yamls import read_yaml

DEFAULT_SOCKET = "/tmp/openclaw-shared-terminals/shared.sock"  # the seeds' own name for it; scripts have it


class Setting(NamedTuple):
    """One declared setting. `kind` is text, duration (seconds), count, amount (of dollars), flag or path."""

    key: str
    kind: str
    default: Any
    help: str

    @property
    def env(self) -> str:
        return ENV_NAMES.get(self.key, "OPENCLAW_" + self.key.upper().replace(".", "_"))


ENV_NAMES = {"socket": "OPENCLAW_SHARED_SOCKET"}

DECLARED = {
    s.key: s
    for s in (
        Setting("socket", "path", DEFAULT_SOCKET, "the tmux socket that all sub-agents share"),
        Setting("agent", "text", "shell", "the program a sub-agent runs when none is named"),
        Setting("tmux.command", "text", "tmux", "the tmux to run"),
        Setting("tmux.timeout", "duration", 10.0, "how long one tmux call may take"),
        Setting("tmux.config", "path", "", "your own tmux file, sourced after ours"),
        Setting("tmux.size", "text", "200x50", "columns x rows of a new window"),
        Setting("limits.live_agents", "count", 200, "live sub-agents at once"),
        Setting("limits.free_memory_mb", "count", 512, "memory that must stay free after a start"),
        Setting("limits.file_bytes", "count", 1_048_576, "largest file that can be injected"),
        Setting("limits.task_bytes", "count", 262_144, "longest task text"),
        Setting("limits.inject_tokens", "count", 20_000, "tokens a sub-agent may start with, if its type says nothing"),
        Setting("timeout", "duration", 3600.0, "time limit of a sub-agent, if its type says nothing"),
        Setting("kill.grace", "duration", 5.0, "time between TERM and KILL"),
        Setting("windows.keep", "duration", 3600.0, "how long the window of an ended sub-agent stays to be looked at"),
        Setting("worktrees", "path", "", "where the worktrees of sub-agents are made; empty: in the state folder"),
        Setting("git.timeout", "duration", 120.0, "how long one git call may take"),
        Setting("snapshots.keep", "count", 50, "how many snapshots stay"),
        Setting(
            "snapshots.keep_for", "duration", 14 * 86400.0, "how long snapshots stay; the last good one always does"
        ),
        Setting("snapshots.lines", "count", 5, "last lines of each sub-agent in a snapshot"),
        Setting("models.subscriptions", "text", "", "the flat rates you pay, by their names in models.yaml"),
        Setting("route.agents", "text", "local", "programs whose model is chosen by `openclaw route` if none is named"),
        Setting("route.seed", "text", "", "chooses models the same way each time; empty: by chance where that teaches"),
        Setting("check.timeout", "duration", 600.0, "how long the command of --check may take"),
        Setting("savings.baseline", "text", "sonnet", "the model that `openclaw savings` compares with"),
        Setting("alerts.injected_per_turn", "count", 300, "tokens injected for a sub-agent, on average over its turns"),
        Setting("alerts.main_share", "count", 70, "percent of all tokens that main sessions may use"),
        Setting("alerts.cron_tokens", "count", 200, "tokens injected for a cron job, on average"),
        Setting("alerts.subagent_tokens", "count", 500, "tokens injected for a sub-agent, on average"),
        Setting("alerts.compaction_saves", "count", 30, "percent that a compaction has to save"),
        Setting("alerts.heartbeat_context", "count", 25_000, "tokens of a heartbeat's context"),
        Setting("alerts.main_context", "count", 120_000, "tokens of a main session's context"),
        Setting("alerts.daily_usd", "count", 10, "dollars of a day"),
        Setting("alerts.audit_month_tokens", "count", 60_000, "tokens of a month without those of caches, for `audit`"),
        Setting("alerts.audit_heartbeat", "count", 100, "tokens injected for a heartbeat, for `audit`"),
        Setting("alerts.audit_cron", "count", 150, "tokens injected for a cron job, for `audit`"),
        Setting("alerts.audit_subagent", "count", 300, "tokens injected for a sub-agent, for `audit`"),
        Setting("alerts.audit_compaction", "count", 50, "percent that a compaction has to save, for `audit`"),
        Setting("budgets.day_usd", "amount", 0.0, "dollars of a day (UTC) for all agents together; 0: no limit"),
        Setting("budgets.day_tokens", "count", 0, "the same in tokens that no cache had"),
        Setting("budgets.month_usd", "amount", 0.0, "dollars of a calendar month"),
        Setting("budgets.month_tokens", "count", 0, "the same in tokens"),
        Setting("budgets.hold_usd", "amount", 0.25, "dollars held for a live sub-agent whose model has no known price"),
        Setting("budgets.hold_tokens", "count", 30_000, "tokens held for a live sub-agent that has no --budget-tokens"),
        Setting("quotas.pause", "count", 95, "percent of a subscription's limit where spawns pause; 0: never"),
        Setting("quotas.hold", "count", 1, "percent of five hours that a sub-agent counts until its program says more"),
        Setting("models.patience", "duration", 5.0, "how long `models check` waits for an endpoint"),
        Setting("cron.grace", "duration", 300.0, "how late a firing may be begun before it counts as missed"),
        Setting("cron.tries", "count", 3, "how often a failed run of a job is tried in all"),
        Setting("cron.pause_after", "count", 3, "failed firings in a row after which a job is paused"),
        Setting("cron.keep_for", "duration", 90 * 86400.0, "how long runs and what was read of the inbox stay"),
        Setting("cron.announce_turn", "flag", False, "what is announced begins a turn of the idle main agent"),
        Setting("cron.desktop", "flag", True, "what is announced is shown on the desktop too, where there is one"),
        Setting("local.model", "text", "", "the model of the agent `local` when none is named"),
        Setting("local.fallback_model", "text", "", "the models it goes on with, in turn, when one can't be reached"),
        Setting("local.url", "text", "", "the base URL of its models, instead of their endpoint's"),
        Setting("local.window", "count", 0, "the window of its models in tokens; 0: as their endpoint says"),
        Setting("local.output_tokens", "count", 8192, "longest answer of its models"),
        Setting("local.silence", "duration", 600.0, "how long its models may say nothing"),
        Setting("local.retries", "count", 8, "how often it tries again when a model can't be reached"),
        Setting(
            "local.result_tokens", "count", 5000, "what it is shown of a tool's result; longer ones are kept aside"
        ),
        Setting("local.command_limit", "duration", 120.0, "time limit of its commands when it names none"),
        Setting(
            "roles.model",
            "text",
            "",
            "the model of roles whose file names none, as endpoint/model; empty or auto: by `openclaw route`",
        ),
        Setting("roles.summarizer", "text", "", "the model that summarises; auto: by `openclaw route`; empty: none"),
        Setting("roles.timeout", "duration", 120.0, "time limit of a role that runs once, if its file says nothing"),
        Setting("roles.retries", "count", 2, "how often a role tries again when its model can't be reached"),
        Setting(
            "context.limit",
            "count",
            200_000,
            "tokens of a window, if neither program nor model is known to have others",
        ),
        Setting("context.warn", "count", 70, "percent of the window: snapshot and warning"),
        Setting(
            "context.compact", "count", 85, "percent of the window: snapshot, and compaction if the policy says so"
        ),
        Setting("context.policy", "text", "warn", "what the monitor does with a full sub-agent: warn or compact"),
        Setting("context.main_policy", "text", "warn", "the same for the main agent"),
        Setting("context.leaves", "count", 5000, "tokens of conversation that a compaction is expected to leave"),
        Setting("cache.enabled", "flag", True, "results of pure roles, tools and functions are used again"),
        Setting("cache.keep_for", "duration", 86400.0, "how long, where a pure role says nothing (`cache: 1h`)"),
        Setting("cache.bytes", "count", 268_435_456, "what all of them may take; the longest unused goes first"),
        Setting("budget.warn", "count", 80, "percent of --budget-tokens: warning"),
        Setting("budget.compact", "count", 90, "percent of --budget-tokens: compaction"),
        Setting("budget.halt", "count", 100, "percent of --budget-tokens: its state is saved and it is ended"),
        Setting("budget.defaults", "flag", False, "the types' own budgets hold also where nobody has named a type"),
        Setting("budget.by_hooks", "flag", True, "budgets act at the agent's own turns too, without a monitor"),
        Setting("monitor.interval", "duration", 5.0, "time between two looks of the monitor"),
        Setting("compact.percent", "count", 80, "`local` compacts when its window is so full"),
        Setting("compact.tokens", "count", 0, "or after so many tokens; 0: never for that"),
        Setting("compact.after", "duration", 0.0, "or after so long a time; 0: never for that"),
        Setting("compact.turns", "count", 0, "or after so many model calls; 0: never for that"),
        Setting("contextPruning.mode", "text", "off", "off, default, or aggressive: as small as it gets"),
        Setting("contextPruning.maxMessages", "count", 0, "compacted when it has more messages; 0: never for that"),
        Setting("contextPruning.compactAfter", "count", 0, "compacted after so many exchanges; 0: never for that"),
        Setting("log_bytes", "count", 67_108_864, "how much of a window's output is logged"),
    )
}


class Value(NamedTuple):
    """A setting's value and where it came from."""

    value: Any
    source: str


class Settings:
    """All settings of one call. `environ` and `cwd` are passed in by tests; files are read once, when asked for."""

    def __init__(
        self, environ: Mapping[str, str] | None = None, cwd: str | None = None, workspace: str | None = None
    ) -> None:
        self.environ: Mapping[str, str] = os.environ if environ is None else environ
        self.cwd = cwd or os.getcwd()
        self._workspace_flag = workspace
        self._files: list[tuple[str, dict[str, Any]]] | None = None
        self.overrides: dict[str, Any] = {}

    # --- paths

    @property
    def home(self) -> str:
        return places.home(self.environ)

    @property
    def state_dir(self) -> str:
        """`OPENCLAW_STATE_DIR`, else the platform's user state folder."""
        return places.state_dir(self.environ)

    @property
    def database(self) -> str:
        return os.path.join(self.state_dir, places.DATABASE)

    @property
    def sessions_dir(self) -> str:
        return os.path.join(self.state_dir, "sessions")

    @property
    def yaml_cache(self) -> str:
        """Where `read_yaml` keeps what it parsed."""
        return os.path.join(self.state_dir, "cache", "yaml")

    @property
    def config_file(self) -> str:
        """The user's own `openclaw.yaml`; it need not exist."""
        if named := self.environ.get("OPENCLAW_CONFIG"):
            return os.path.abspath(os.path.expanduser(named))
        if base := self.environ.get("XDG_CONFIG_HOME"):
            return os.path.join(base, "openclaw", "openclaw.yaml")
        return os.path.join(places.platform_dir(self.environ, "config"), "openclaw.yaml")

    @property
    def config_dir(self) -> str:
        return os.path.dirname(self.config_file)

    @property
    def workspace(self) -> str:
        return self.workspace_value().value  # type: ignore[no-any-return]

    def workspace_value(self) -> Value:
        """The flag, the environment, the nearest `.openclaw/` above the cwd (never HOME's own), else the shared one."""
        if self._workspace_flag:
            return Value(os.path.abspath(os.path.expanduser(self._workspace_flag)), "flag")
        return Value(*places.workspace(self.environ, self.cwd))

    # --- values

    def get(self, key: str) -> Any:
        """The value of a declared setting, typed by its kind."""
        return self.value(key).value

    def value(self, key: str) -> Value:
        """The value with its source. BadInput names the place of a value that can't be read."""
        setting = DECLARED[key]
        if key in self.overrides:
            return Value(self.overrides[key], "flag")
        if (raw := self.environ.get(setting.env)) not in (None, ""):
            return Value(_typed(setting, raw, f"environment {setting.env}"), f"environment {setting.env}")
        for name, tree in self.files():
            node: Any = tree
            for part in key.split("."):
                node = node.get(part) if isinstance(node, dict) else None
            if node is not None:
                return Value(_typed(setting, node, name), name)
        return Value(setting.default, "default")

    def files(self) -> list[tuple[str, dict[str, Any]]]:
        """The configuration files that exist, strongest first, as (path, tree)."""
        if self._files is None:
            paths = (os.path.join(self.workspace, "openclaw.yaml"), self.config_file)
            self._files = [(p, _checked(p, read_yaml(p))) for p in paths if os.path.exists(p)]
        return self._files


def _checked(path: str, tree: dict[str, Any]) -> dict[str, Any]:
    """The tree of an openclaw.yaml if all its keys are known, and its sections are mappings."""
    for key, value in _leaves(tree):
        if key not in DECLARED and value is not None:
            if any(known.startswith(f"{key}.") for known in DECLARED) or key == "agents":
                raise BadInput(f"{path}: {key} must be a mapping", f"write {key}: {{…}}", code="bad_config")
            import difflib  # only for a typing error

            near = difflib.get_close_matches(key, [*DECLARED, "agents"], 1)
            hint = f"did you mean {near[0]}?" if near else "`openclaw config` lists the keys"
            raise BadInput(f"{path}: unknown key {key[:60]!r}", hint, code="bad_config")
    return tree


def _leaves(tree: dict[Any, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys with their values; the programs in `agents` are the registry's to check."""
    sections = {key.partition(".")[0] for key in DECLARED if "." in key}
    for key, value in tree.items():
        if isinstance(value, dict) and key in sections:
            yield from ((f"{key}.{name}", inner) for name, inner in value.items())
        elif key != "agents" or not isinstance(value, dict):
            yield str(key), value


def _typed(setting: Setting, raw: Any, where: str) -> Any:
    try:
        if setting.kind == "duration":
            return parse_duration(str(raw), setting.key)
        if setting.kind == "count":
            return parse_count(str(raw), setting.key)
        if setting.kind == "amount":
            return parse_amount(str(raw), setting.key)
    except BadInput as error:
        raise BadInput(f"{where}: {error.message}", error.hint, code="bad_config") from error
    if setting.kind == "flag":
        return str(raw).lower() in ("1", "true", "yes", "on")
    if isinstance(raw, (dict, list)):
        raise BadInput(f"{where}: {setting.key} must be a single value", code="bad_config")
    if any("\ud800" <= char <= "\udfff" for char in str(raw)):  # bytes of the environment; the database can't hold them
        raise BadInput(f"{where}: {setting.key} {str(raw)[:60]!r} is not UTF-8", "choose another", code="bad_config")
    return os.path.expanduser(str(raw)) if setting.kind == "path" else str(raw)
