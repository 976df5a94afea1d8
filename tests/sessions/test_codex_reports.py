"""What Codex reports, without Codex: its hook as a process, its words, what it is going to ask."""

from __future__ import annotations

import hashlib
import json
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from openclaw.agents import codex
from openclaw.agents.reporters import TRUST, Signal
from openclaw.errors import Unavailable
from openclaw.sessions import reports
from openclaw.store import db, sessions, turns
from openclaw.store.sessions import Session
from tests.conftest import Box
from tests.sessions.test_reports import call, row, stored

MAIN, OTHER, INNER = "t1", "t2", "t3"
TURN = {"SessionStart": "starting", "UserPromptSubmit": "working", "Stop": "idle"}


def said(box: Box, name: str, thread: str = MAIN, **data: Any) -> Session:
    path = f"/h/sessions/rollout-{thread}.jsonl"
    root = {"session_id": MAIN if thread == INNER else thread, "transcript_path": path}
    call(box, json.dumps({"hook_event_name": name} | root | data), "codex-hooks")
    return row(box)


def events(box: Box) -> list[tuple[str, str]]:
    store = db.connect(str(box.state / "openclaw.db"))
    found = store.execute("SELECT name, data FROM events ORDER BY number").fetchall()
    return [(name, json.loads(data).get("prompt", "")) for name, data in found]


def test_a_turn_as_the_hooks_tell_it_with_the_exact_prompt(box: Box) -> None:
    stored(box, agent="codex", reporter="codex-hooks")
    for name, state in TURN.items():
        found = said(box, name, source="startup", prompt="ünï $(x)\n\tend\\" if name == "UserPromptSubmit" else None)
        assert found.reported_state == state
    assert (found.reporter, found.conversation_id) == ("codex-hooks", MAIN)
    assert found.status_file == f"/h/sessions/rollout-{MAIN}.jsonl"
    assert events(box)[1] == ("UserPromptSubmit", "ünï $(x)\n\tend\\")
    assert said(box, "UserPromptSubmit", prompt="more").reported_state == "working"
    assert said(box, "Interrupt").reported_state == "idle"


def test_a_new_conversation_has_a_rollout_of_its_own(box: Box) -> None:
    stored(box, agent="codex", reporter="codex-hooks")
    said(box, "UserPromptSubmit", prompt="one")
    found = said(box, "SessionStart", OTHER, source="clear")
    assert (found.conversation_id, found.status_file) == (OTHER, f"/h/sessions/rollout-{OTHER}.jsonl")


def test_an_agent_inside_it_changes_no_state_and_is_counted(box: Box) -> None:
    stored(box, agent="codex", reporter="codex-hooks")
    said(box, "UserPromptSubmit", prompt="one")
    for name in ("SubagentStart", "UserPromptSubmit", "Stop", "Interrupt"):
        found = said(box, name, INNER, agent_id=INNER, prompt="its part")
        assert (found.reported_state, found.conversation_id) == ("working", MAIN)
        assert found.status_file == f"/h/sessions/rollout-{MAIN}.jsonl"
    store = db.connect(str(box.state / "openclaw.db"))
    assert [t.path[-8:-6] for t in turns.transcripts(store, ["abc234"])] == [MAIN, INNER]
    assert events(box) == [("UserPromptSubmit", "one")]
    asks = {"tool_name": "Bash", "tool_input": {"command": "make"}}
    found = said(box, "PermissionRequest", INNER, agent_id=INNER, **asks)
    assert (found.reported_state, found.status_file[-8:-6]) == ("waiting", MAIN)
    assert said(box, "PostToolUse", INNER, agent_id=INNER, **asks).reported_state == "working"


def test_a_failed_turn_is_idle_though_no_hook_says_so(box: Box, tmp_path: Path) -> None:
    rollout = tmp_path / "r.jsonl"
    failed = {"type": "task_complete", "error": {"message": "no"}}
    rollout.write_text(
        json.dumps({"timestamp": "2026-01-01T00:00:01.000Z", "type": "event_msg", "payload": failed}) + "\n"
    )
    hooks = Signal("working", "2026-01-01T00:00:00.900Z")
    seen = reports.latest(hooks, codex.look(str(rollout)), "2026-01-01T00:00:01.900Z")
    assert (seen.state, seen.why) == ("idle", "no")


def test_each_hook_is_vouched_for_by_its_hash_and_none_else() -> None:
    found = tomllib.loads(codex.settings("/a b/it's/ünï/openclaw-hook"))["hooks"]
    state = found.pop("state")
    assert found.keys() == codex.EVENTS.keys() and len(state) == len(found)
    [[stop]] = [group["hooks"] for group in found["Stop"]]
    assert stop["command"] == """'/a b/it'"'"'s/ünï/openclaw-hook' codex-hooks"""
    identity = json.dumps(
        {"event_name": "stop", "hooks": [stop]}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    known = "sha256:" + hashlib.sha256(identity.encode()).hexdigest()
    assert state["/<session-flags>/config.toml:stop:0:0"] == {"trusted_hash": known}


def test_what_it_will_ask_is_known_from_its_own_files(tmp_path: Path) -> None:
    home, work = tmp_path / "home", tmp_path / "work"
    (work / "sub").mkdir(parents=True)
    home.mkdir()
    environ = {"CODEX_HOME": str(home)}

    def asks(config: str, folder: str = "sub") -> str:
        (home / "config.toml").write_text(config)
        return codex.first_dialog(environ, str(work / folder))

    assert codex.first_dialog({"HOME": str(tmp_path)}, str(work)) == asks("") == codex.LOGIN
    own = 'model_provider = "x"\n[model_providers.x]\n'
    assert asks(own) == "" and asks(own + "requires_openai_auth = true") == codex.LOGIN
    assert asks('cli_auth_credentials_store = "keyring"') == ""
    (home / "auth.json").write_text("{}")
    assert asks("") == ""
    subprocess.run(["git", "init", "-q", work], check=True)
    assert asks("") == TRUST == asks(f'[projects."{tmp_path}"]\ntrust_level = "trusted"')
    assert asks(f'[projects."{work}"]\ntrust_level = "trusted"') == ""
    assert asks(f'[projects."{work}/sub"]\ntrust_level = "untrusted"') == ""
    for odd in ("{", "projects = 1", "model_providers = 1"):
        assert asks(odd) == ""


def test_trust_that_a_person_gives_is_added_and_nothing_else_changes(tmp_path: Path) -> None:
    environ, path = {"CODEX_HOME": str(tmp_path)}, tmp_path / "config.toml"
    with pytest.raises(Unavailable):
        codex.trust(environ, "/w")
    path.write_text('# mine\nmodel = "x"')
    assert codex.trust(environ, '/w "ü') and not codex.trust(environ, '/w "ü')
    assert path.read_text().startswith('# mine\nmodel = "x"\n')
    assert tomllib.loads(path.read_text())["projects"] == {'/w "ü': {"trust_level": "trusted"}}
    path.write_text('[projects."/w"]\ntrust_level = "untrusted"\n')
    with pytest.raises(Unavailable):
        codex.trust(environ, "/w")
    assert path.read_text() == '[projects."/w"]\ntrust_level = "untrusted"\n' and list(tmp_path.iterdir()) == [path]


def test_dialogs_of_its_first_start_are_recognised() -> None:
    assert codex.dialog("  Folder access\n  Trust this folder? Codex can") == TRUST
    assert codex.dialog("› Ask Codex to do anything") == ""


def test_the_words_of_another_program_stay_as_they_are(box: Box) -> None:
    stored(box)
    path = "/c/projects/-w/x.jsonl"
    call(box, json.dumps({"hook_event_name": "Stop", "session_id": "x", "transcript_path": path}))
    assert (row(box).reporter, row(box).status_file) == ("claude-hooks", "")


def test_no_report_is_taken_for_a_session_that_has_ended(box: Box) -> None:
    stored(box, agent="codex", ended_at="2026-01-01T00:00:00.000Z")
    assert said(box, "UserPromptSubmit", prompt="x").reported_state == ""
    store = db.connect(str(box.state / "openclaw.db"))
    assert sessions.live(store) == []
