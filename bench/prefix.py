"""Bytes of the first request that Claude Code sends: by itself, as a scoped sub-agent, as a heartbeat; in one run."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from lab import OPENCLAW, Failed, Lab, until

from tests.loopback.api import Api

ROOT = Path(__file__).parent.parent
KEY = "-".join(("sk", "ant", "bench", "0123456789", "abcdefghij"))  # in one piece it would look like a secret
MODEL = "claude-sonnet-4-5"
RULES = "# Rules\n\n" + "Write the test first, and see it fail before you trust it.\n" * 85  # 5 KB


def claude(lab: Lab, api: Api) -> str:
    """Claude Code for this lab, its API there, asking nothing at its start; its path. Failed when it is not in
    .make/claude."""
    programs = sorted(done.parent for done in ROOT.glob(".make/claude/*/.complete"))
    if not programs:
        raise Failed("Claude Code is not installed here (scripts/claude-code.sh does that)")
    config, folder = lab.root / "claude", lab.root / "bin"
    for made in (config, folder):
        made.mkdir()
    known = {
        "hasCompletedOnboarding": True,
        "projects": {str(lab.work): {"hasTrustDialogAccepted": True}},
        "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
    }
    (config / ".claude.json").write_text(json.dumps(known))
    program = folder / "claude"
    program.write_text(api.place.wrap(str(programs[-1] / "node_modules/.bin/claude")))
    program.chmod(0o755)
    lab.env |= api.place.env | {
        "PATH": f"{folder}:{lab.env['PATH']}", "ANTHROPIC_BASE_URL": api.url, "ANTHROPIC_API_KEY": KEY,
        "CLAUDE_CONFIG_DIR": str(config), "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1",
    }  # fmt: skip
    return str(program)


def first_requests(lab: Lab) -> tuple[int, int, int]:
    """(default start, scoped code-edit, heartbeat)."""
    (lab.work / "CLAUDE.md").write_text(RULES)
    (lab.work / "HEARTBEAT.md").write_text("Is anything on fire?\n")
    (lab.work / "a.txt").write_text("old\n")
    with Api() as api:
        program = claude(lab, api)

        def size(start: str) -> int:
            before = len(api.turns)
            lab.run(["sh", "-c", start])
            until(lambda: len(api.turns) > before, "the first request")
            return len(api.turns[before].raw)

        spawn = shlex.join([OPENCLAW, "spawn", "look", "--agent", "claude", "--model", MODEL])
        sizes = (
            size(f"{shlex.quote(program)} -p --model {MODEL} -- hello"),
            size(f"{spawn} --type code-edit --inject a.txt --write a.txt"),
            size(f"{spawn} --type heartbeat"),
        )
        lab.end_servers()
    return sizes
