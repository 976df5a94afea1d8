"""cron: jobs that run at their times in isolated sub-agents."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from typing import Any

from openclaw.units import count_argument, duration_argument

STATES = ("due", "starting", "running", "retry", "done", "failed", "killed", "skipped", "missed")
SEVERAL = "names, ids, or unique starts of them"
# in the order of the help; each is a function cron_… in cli/cron_jobs.py or cli/cron_runs.py
ACTIONS = {
    "add": ("cron_jobs", "add a job"),
    "list": ("cron_jobs", "list the jobs, and when each is due next"),
    "show": ("cron_jobs", "all about a job, and its last runs"),
    "edit": ("cron_jobs", "change a job; what isn't named stays"),
    "rm": ("cron_jobs", "remove jobs; their runs stay"),
    "enable": ("cron_jobs", "switch jobs on; a paused one goes on"),
    "disable": ("cron_jobs", "switch jobs off"),
    "run": ("cron_runs", "run a job now"),
    "runs": ("cron_runs", "what became of each firing"),
    "next": ("cron_jobs", "the next times at which jobs are due"),
    "import": ("cron_jobs", "take in jobs from JSON; fields that are not known are kept"),
    "export": ("cron_jobs", "print jobs as JSON, as they were written"),
    "tick": ("cron_runs", "do all that is due, once"),
    "install": ("cron_runs", "have the machine call tick each minute: systemd user timer, or crontab"),
    "uninstall": ("cron_runs", "take that away again"),
    "serve": ("cron_runs", "do what is due, again and again, in the foreground"),
}


def cron_arguments(parser: ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (_, about) in ACTIONS.items():
        each = actions.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        globals()[f"_{name}_arguments"](each)
        each.add_argument("--workspace", metavar="DIR", default=SUPPRESS, help="the workspace to use")
        each.add_argument("--json", action="store_true", help="print one JSON document")


def cron(action: str, **arguments: Any) -> int:
    """A job is due by --every, --cron or --at. Its runs are fresh sub-agents with only the files that it names.

    Nothing of ours stays running: `openclaw cron tick` does what is due, whoever calls it, and however many at once.
    """
    import importlib  # each action loads only its own family

    module = importlib.import_module(f"openclaw.cli.{ACTIONS[action][0]}")
    return int(getattr(module, f"cron_{action}")(**arguments))


def _job_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--every", metavar="D", type=duration_argument("--every"), help="due each 10m, 2h, 1d")
    add("--cron", metavar="EXPR", help="due as cron says: minute hour day month weekday")
    add("--tz", metavar="ZONE", help="the time zone of --cron and --at, like Europe/Berlin; else this machine's")
    add("--at", metavar="T", help="due once: 2026-12-01T09:00, or 20m for a time from now")
    add("--jitter", metavar="D", type=duration_argument("--jitter"), help="begun up to so much later")
    add("--session", choices=("isolated", "main"), help="a sub-agent of its own, or a message to the main session")
    add("--agent", metavar="A", help="the program; else the one that the model names")
    add("--model", metavar="M", help="the model, like ollama/qwen2.5:3b or claude/claude-haiku")
    add("--fallback", metavar="M,…", help="models for the next tries when a run has failed")
    add("--type", metavar="T", help="the type of task (cron)")
    add("--inject-only", metavar="F,…", action="append", help="these files and no others, of the workspace or the cwd")
    add("--write", metavar="GLOB,…", action="append", help="what it may write")
    add("--message", metavar="TEXT", help="what it is told; for the agent shell, a command line")
    add("--timeout", metavar="D", type=duration_argument("--timeout"), help="end a run after 90s, 10m, 2h")
    add("--budget-tokens", metavar="N", type=count_argument("--budget-tokens"), help="what a run may use")
    add("--max-inject-tokens", metavar="N", type=count_argument("--max-inject-tokens"), help="start with no more")
    add("--delivery", metavar="WAY", help="announce (the default), none, main, file:PATH, command:WORDS")
    add("--overlap", choices=("skip", "queue", "kill"), help="when the run before is still at work (skip)")
    add("--catch-up", choices=("none", "one", "all"), help="of firings that were missed (one: the newest)")
    add("--batch", metavar="NAME", help="run together with the jobs of this batch that are due then, in one sub-agent")
    add("--active", metavar="H:M-H:M", help="skip firings outside these hours")
    add("--cwd", metavar="DIR", help="where it works, the current folder by default")


def _names(parser: ArgumentParser, count: str = "+") -> None:
    action = parser.add_argument("names", metavar="NAME", nargs=count, help=SEVERAL)
    action.completer = complete  # type: ignore[attr-defined]  # where argcomplete looks for it


def _name(parser: ArgumentParser) -> None:
    action = parser.add_argument("name", metavar="NAME", help="a name, an id, or a unique start of one")
    action.completer = complete  # type: ignore[attr-defined]


def complete(prefix: str, **_: object) -> list[str]:
    """The names of jobs, for the shell."""
    from openclaw.cli.context import fleet  # only when the shell asks
    from openclaw.store import jobs

    return [job.name for job in jobs.every(fleet().store) if job.name.startswith(prefix)]


def _add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--name", metavar="N", required=True, help="what it is called")
    _job_arguments(parser)
    parser.add_argument("--disabled", action="store_true", help="add it switched off")


def _edit_arguments(parser: ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--name", metavar="N", dest="new_name", help="call it something else")
    _job_arguments(parser)


def _list_arguments(parser: ArgumentParser) -> None:
    """Nothing but --json."""


_tick_arguments = _serve_arguments = _uninstall_arguments = _list_arguments


def _install_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--by", choices=("systemd", "crontab"), help="else whichever is there, systemd first")


def _run_arguments(parser: ArgumentParser) -> None:
    _name(parser)
    parser.add_argument("--wait", action="store_true", help="wait for its end and print its result")
    parser.add_argument("--timeout", metavar="D", type=duration_argument("--timeout"), help="how long --wait waits")


def _runs_arguments(parser: ArgumentParser) -> None:
    _names(parser, "*")
    parser.add_argument("--limit", metavar="N", type=count_argument("--limit"), default=20, help="of each so many (20)")
    parser.add_argument("--state", choices=STATES, help="only these")


_show_arguments = _name
_rm_arguments = _enable_arguments = _disable_arguments = _names


def _next_arguments(parser: ArgumentParser) -> None:
    _names(parser, "*")
    parser.add_argument("--count", metavar="N", type=count_argument("--count"), default=5, help="how many of each (5)")


def _import_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE|-", help="a job, a list of jobs, or a job file")
    parser.add_argument("--name", metavar="N", help="call it so, if there is one job")
    parser.add_argument("--replace", action="store_true", help="replace jobs of the same name or id")


def _export_arguments(parser: ArgumentParser) -> None:
    _names(parser, "*")
