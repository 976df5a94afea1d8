"""Skills of the real Claude Code: called by the model and by a person, found in its transcript, with what they used."""

from __future__ import annotations

from typing import Any

from tests.claude.conftest import Claude
from tests.conftest import until
from tests.loopback.api import Reply, Tool, Usage

SKILL = "---\nname: hello\ndescription: says hello\n---\nSay hello, and nothing else.\n"


def used(claude: Claude) -> dict[str, tuple[int, int]]:
    rows: list[dict[str, Any]] = claude.box.json("metrics", "--by", "skill")["rows"]
    return {row["skill"]: (row["turns"], row["output"]) for row in rows if row["turns"]}


def test_what_a_skill_used_is_its(claude: Claude) -> None:
    claude.box.write(".claude/skills/hello/SKILL.md", SKILL)
    claude.api.say(
        Reply("", (Tool("Skill", {"skill": "hello"}),), Usage(10, 0, 0, 100)),
        Reply("Hello.", usage=Usage(10, 0, 0, 20)),
        Reply("Nothing of it.", usage=Usage(10, 0, 0, 3)),
        Reply("Hello again.", usage=Usage(10, 0, 0, 500)),
    )
    id = claude.spawn("greet", "--prefix", "full")["id"]
    claude.until(id, "idle")
    until(lambda: used(claude) == {"": (1, 100), "hello": (1, 20)}, 40)
    claude.type(id, "and now something else")
    until(lambda: used(claude) == {"": (2, 103), "hello": (1, 20)}, 40)
    claude.until(id, "idle")
    claude.type(id, "/hello")
    until(lambda: used(claude) == {"": (2, 103), "hello": (2, 520)}, 40)
    [figure] = claude.box.json("metrics", "--filter", "skills")["figures"]
    assert figure["name"] == "hello, used 2 times"
