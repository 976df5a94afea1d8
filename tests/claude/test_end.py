"""Nothing of the real Claude Code is left when it is ended."""

from __future__ import annotations

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool


def test_peers_09_kill_leaves_no_process_of_it_with_children_that_run(claude: Claude) -> None:
    (claude.config / "settings.json").write_text('{"permissions": {"allow": ["Bash"]}}')
    deaf = "setsid sh -c 'trap : TERM; while :; do sleep 1; done' & sleep 987"
    claude.api.say(Reply("", (Tool("Bash", {"command": deaf, "description": "wait", "run_in_background": True}),)))
    id = claude.spawn("start them")["id"]
    until(lambda: "sleep 987" in (running := " ".join(claude.box.processes().values())) and "trap : TERM" in running)
    claude.box.cli("kill", id)
    assert claude.box.processes().keys() <= {claude.box.server_pid()}
